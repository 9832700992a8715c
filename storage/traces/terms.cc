#include "storage/traces/terms.h"

#include <cstring>

#include "storage/base/hash.h"

namespace fog::traces {

namespace {

// The seed tells the kinds of term apart. Part of the stored format: never change a number.
enum Seed : std::uint64_t {
  kAnnotationKey = 1,
  kAnnotationText = 2,
  kAnnotationNumber = 3,
  kAnnotationTruth = 4,
  kServiceName = 5,
  kServiceType = 6,
  kUser = 7,
  kHttpStatus = 8,
};

}  // namespace

std::uint64_t annotation_key_term(std::string_view key) { return hash64(key, kAnnotationKey); }

std::uint64_t annotation_term(std::string_view key,
                              const std::variant<std::string_view, double, bool>& value) {
  if (const auto* text = std::get_if<std::string_view>(&value))
    return hash64(*text, hash64(key, kAnnotationText));
  if (const auto* number = std::get_if<double>(&value)) {
    const double plain = *number == 0 ? 0.0 : *number;  // -0 equals 0
    char raw[8];
    std::memcpy(raw, &plain, 8);
    return hash64({raw, 8}, hash64(key, kAnnotationNumber));
  }
  return hash64(std::get<bool>(value) ? "t" : "f", hash64(key, kAnnotationTruth));
}

std::uint64_t service_name_term(std::string_view name) { return hash64(name, kServiceName); }
std::uint64_t service_type_term(std::string_view type) { return hash64(type, kServiceType); }
std::uint64_t user_term(std::string_view user) { return hash64(user, kUser); }

std::uint64_t http_status_term(std::int64_t status) {
  char raw[8];
  std::memcpy(raw, &status, 8);
  return hash64({raw, 8}, kHttpStatus);
}

void append_terms(const Trace& trace, std::vector<std::uint64_t>& terms) {
  for (const auto& a : trace.annotations) {
    terms.push_back(annotation_key_term(a.key));
    terms.push_back(annotation_term(a.key, a.value));
  }
  for (const auto& e : trace.entities) {
    if (!e.is_segment()) continue;
    terms.push_back(service_name_term(e.node_name));
    if (!e.node_type.empty()) terms.push_back(service_type_term(e.node_type));
    if (!e.user.empty()) terms.push_back(user_term(e.user));
  }
  if (trace.root >= 0 && trace.at(trace.root).http_status >= 0)
    terms.push_back(http_status_term(trace.at(trace.root).http_status));
}

std::vector<std::uint64_t> terms_of(const Trace& trace) {
  std::vector<std::uint64_t> terms;
  append_terms(trace, terms);
  std::sort(terms.begin(), terms.end());
  terms.erase(std::unique(terms.begin(), terms.end()), terms.end());
  return terms;
}

}  // namespace fog::traces
