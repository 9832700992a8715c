// Terms: hashes under which a trace is found in the index of its bucket.
//
// A term says "this trace has this annotation, this service, this user". Postings may name a trace
// that does not match (two texts of one hash); whoever uses them checks the trace itself.
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "storage/traces/trace.h"

namespace fog::traces {

std::uint64_t annotation_key_term(std::string_view key);
std::uint64_t annotation_term(std::string_view key,
                              const std::variant<std::string_view, double, bool>& value);
std::uint64_t service_name_term(std::string_view node_name);
std::uint64_t service_type_term(std::string_view node_type);
std::uint64_t user_term(std::string_view user);
std::uint64_t http_status_term(std::int64_t status);  // of the root segment

// Appends the terms of a trace in any order, some of them twice.
void append_terms(const Trace& trace, std::vector<std::uint64_t>& terms);
// All terms of a trace, ascending, each once.
std::vector<std::uint64_t> terms_of(const Trace& trace);

// What a summary and a filter see of annotations: at most this many keys.
inline constexpr std::size_t kAnnotationKeysMax = 50;

}  // namespace fog::traces
