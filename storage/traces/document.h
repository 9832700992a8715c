// SegmentDocument: the JSON text of one X-Ray segment or independent subsegment, checked and split.
//
// parse() validates a document completely (JSON, required members, every embedded subsegment) and
// returns the few facts the store needs to file it. An array document becomes its elements.
// Nothing is rewritten: the text is stored as it came, what does not fit the schema is dropped
// when a trace is read.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fog::traces {

// The 32 hex digits of a trace id, as two big-endian halves: "1-5759e988-bd862e3fe1be46a994272793"
// has hi = 0x5759e988bd862e3f.
struct TraceId {
  std::uint64_t hi = 0;
  std::uint64_t lo = 0;
  auto operator<=>(const TraceId&) const = default;
  // Seconds since 1970 as the first eight digits say; any number for ids from W3C contexts.
  std::int64_t epoch_s() const { return static_cast<std::int64_t>(hi >> 32); }
};

// "1-<8 hex>-<24 hex>", any case; nothing for another form.
std::optional<TraceId> parse_trace_id(std::string_view text);
std::string to_string(TraceId id);  // lower case, 35 characters
// 16 hex digits, any case.
std::optional<std::uint64_t> parse_span_id(std::string_view text);
std::string span_id_text(std::uint64_t id);

// Why a document was refused.
enum class DocumentFault : std::uint8_t {
  kNone,
  kParseError,
  kMissingId,
  kInvalidId,
  kMissingTraceId,
  kInvalidTraceId,
  kMissingName,
  kInvalidName,
  kMissingStartTime,
  kInvalidStartTime,
  kMissingEndTime,
  kInvalidEndTime,
  kMissingParentId,
  kTooLarge,
};

struct DocumentLimits {
  std::size_t document_bytes_max = 64 * 1024;
  std::int64_t trace_id_age_days_max = 0;  // 0: the time in a trace id is not checked
};

// One segment or independent subsegment.
struct DocumentHead {
  TraceId trace;
  std::uint64_t id = 0;
  bool subsegment = false;
  bool complete = false;     // has an end_time
  std::int64_t start_us = 0;
  std::string text;          // set for elements of an array; else the whole document is the text
};

struct DocumentVerdict {
  DocumentFault fault = DocumentFault::kNone;
  bool in_subsegment = false;  // the fault lies in a subsegment
  std::string id;              // as written, when one could be read
};

// One per thread; keeps its buffers from call to call.
class DocumentParser {
 public:
  DocumentParser();
  ~DocumentParser();
  DocumentParser(const DocumentParser&) = delete;
  DocumentParser& operator=(const DocumentParser&) = delete;

  // Appends to `out` unless a fault is found. `now_s` matters only with trace_id_age_days_max.
  DocumentVerdict parse(std::string_view text, const DocumentLimits& limits, std::int64_t now_s,
                        std::vector<DocumentHead>& out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Letters, digits and white space of any script and _ . : / % & # = + \ - @; 1 to 200 characters.
bool is_valid_name(std::string_view name);

}  // namespace fog::traces
