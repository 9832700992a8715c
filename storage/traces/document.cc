#include "storage/traces/document.h"

#include <simdjson.h>

#include <array>
#include <cmath>
#include <cstring>

#include "storage/base/result.h"

namespace fog::traces {

namespace {

constexpr std::size_t kNameCharactersMax = 200;
// Deep enough for a thousand nested subsegments (two levels of JSON each), shallow enough for the
// stack of whoever walks them.
constexpr std::size_t kJsonDepthMax = 2200;

// Value of each hex digit; 0xff for every other byte.
constexpr auto kHexValues = [] {
  std::array<std::uint8_t, 256> table{};
  table.fill(0xff);
  for (std::uint8_t i = 0; i < 10; ++i) table['0' + i] = i;
  for (std::uint8_t i = 0; i < 6; ++i) table['a' + i] = table['A' + i] = static_cast<std::uint8_t>(10 + i);
  return table;
}();

std::optional<std::uint64_t> parse_hex(std::string_view text) {
  std::uint64_t value = 0;
  unsigned bad = 0;
  for (const char c : text) {
    const unsigned digit = kHexValues[static_cast<unsigned char>(c)];
    bad |= digit;
    value = value << 4 | (digit & 15);
  }
  if (bad > 15) return std::nullopt;
  return value;
}

void append_hex(std::string& out, std::uint64_t value, int digits) {
  constexpr char kDigits[] = "0123456789abcdef";
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4)
    out.push_back(kDigits[value >> shift & 15]);
}

struct CodeRange {
  std::uint32_t first;
  std::uint32_t last;
};
// Punctuation, symbols and controls beyond ASCII; everything else there counts as a letter, digit
// or white space.
constexpr CodeRange kNotInNames[] = {
    {0x7f, 0x84},       {0x86, 0x9f},       {0xa1, 0xa9},       {0xab, 0xb1},
    {0xb4, 0xb4},       {0xb6, 0xb8},       {0xbb, 0xbb},       {0xbf, 0xbf},
    {0xd7, 0xd7},       {0xf7, 0xf7},       {0x200b, 0x2027},   {0x202a, 0x202e},
    {0x2030, 0x205e},   {0x2060, 0x206f},   {0x207a, 0x207e},   {0x208a, 0x208e},
    {0x20a0, 0x20cf},   {0x2190, 0x245f},   {0x249c, 0x24e9},   {0x2500, 0x2775},
    {0x2794, 0x2bff},   {0x2e00, 0x2e7f},   {0x2e80, 0x2fff},   {0x3001, 0x3004},
    {0x3008, 0x3020},   {0x3030, 0x3030},   {0xd800, 0xf8ff},   {0xfe10, 0xfe6b},
    {0xff01, 0xff0f},   {0xff1a, 0xff20},   {0xff3b, 0xff40},   {0xff5b, 0xff65},
    {0xffe0, 0xffff},   {0x1f000, 0x1faff}, {0xe0000, 0x10ffff}};

bool is_name_character(std::uint32_t c) {
  if (c < 0x80)
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c >= 9 && c <= 13) || std::strchr(" _.:/%&#=+\\-@", static_cast<int>(c)) != nullptr;
  for (const auto& range : kNotInNames)
    if (c >= range.first && c <= range.last) return false;
  return true;
}

// Reads one code point of valid UTF-8 and moves past it.
std::uint32_t next_code_point(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t n = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  std::uint32_t c = n == 1 ? lead : lead & (0xffu >> (n + 1));
  for (std::size_t i = 1; i < n && i < text.size(); ++i)
    c = c << 6 | (static_cast<unsigned char>(text[i]) & 0x3f);
  text.remove_prefix(std::min(n, text.size()));
  return c;
}

}  // namespace

std::optional<TraceId> parse_trace_id(std::string_view text) {
  if (text.size() != 35 || text[0] != '1' || text[1] != '-' || text[10] != '-') return std::nullopt;
  const auto epoch = parse_hex(text.substr(2, 8));
  const auto middle = parse_hex(text.substr(11, 8));
  const auto low = parse_hex(text.substr(19, 16));
  if (!epoch || !middle || !low) return std::nullopt;
  return TraceId{*epoch << 32 | *middle, *low};
}

std::string to_string(TraceId id) {
  std::string out = "1-";
  out.reserve(35);
  append_hex(out, id.hi >> 32, 8);
  out.push_back('-');
  append_hex(out, id.hi & 0xffffffffu, 8);
  append_hex(out, id.lo, 16);
  return out;
}

std::optional<std::uint64_t> parse_span_id(std::string_view text) {
  if (text.size() != 16) return std::nullopt;
  return parse_hex(text);
}

std::string span_id_text(std::uint64_t id) {
  std::string out;
  append_hex(out, id, 16);
  return out;
}

bool is_valid_name(std::string_view name) {
  std::size_t characters = 0;
  while (!name.empty()) {
    if (!is_name_character(next_code_point(name))) return false;
    ++characters;
  }
  return characters >= 1 && characters <= kNameCharactersMax;
}

struct DocumentParser::Impl {
  simdjson::dom::parser parser;
  std::string padded;
};

DocumentParser::DocumentParser() : impl_(std::make_unique<Impl>()) {
  const auto failed = impl_->parser.allocate(128 * 1024, kJsonDepthMax);
  FOG_ASSERT(failed == simdjson::SUCCESS, "a parser needs its buffers");
}
DocumentParser::~DocumentParser() = default;

namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

// The members that decide whether an entity is acceptable, found in one walk over it.
struct EntityMembers {
  std::optional<element> id, name, trace_id, parent_id, start, end, in_progress, type, subsegments;
};

EntityMembers find_members(const simdjson::dom::object& object) {
  EntityMembers m;
  for (const auto& [key, value] : object) {
    if (value.is_null()) continue;
    switch (key.size()) {
      case 2:
        if (key == "id") m.id = value;
        break;
      case 4:
        if (key == "name") m.name = value;
        else if (key == "type") m.type = value;
        break;
      case 8:
        if (key == "trace_id") m.trace_id = value;
        else if (key == "end_time") m.end = value;
        break;
      case 9:
        if (key == "parent_id") m.parent_id = value;
        break;
      case 10:
        if (key == "start_time") m.start = value;
        break;
      case 11:
        if (key == "in_progress") m.in_progress = value;
        else if (key == "subsegments") m.subsegments = value;
        break;
      default: break;
    }
  }
  return m;
}

std::optional<std::string_view> text_of(const std::optional<element>& value) {
  if (!value || !value->is_string()) return std::nullopt;
  return value->get_string().value_unsafe();
}

// Seconds since 1970; refuses what no calendar holds.
std::optional<double> seconds_of(const std::optional<element>& value) {
  if (!value || !value->is_number()) return std::nullopt;
  double seconds = 0;
  if (value->get_double().get(seconds) != simdjson::SUCCESS) return std::nullopt;
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 32503680000.0) return std::nullopt;
  return seconds;
}

// What every segment and subsegment must have, but for trace_id and parent_id.
DocumentFault check_entity(const EntityMembers& m, bool& complete, double& start) {
  if (!m.name) return DocumentFault::kMissingName;
  const auto name = text_of(m.name);
  if (!name || !is_valid_name(*name)) return DocumentFault::kInvalidName;
  if (!m.start) return DocumentFault::kMissingStartTime;
  const auto start_s = seconds_of(m.start);
  if (!start_s) return DocumentFault::kInvalidStartTime;
  start = *start_s;
  bool running = false;
  if (m.in_progress && m.in_progress->is_bool()) running = m.in_progress->get_bool().value_unsafe();
  complete = m.end.has_value();
  if (!complete) return running ? DocumentFault::kNone : DocumentFault::kMissingEndTime;
  const auto end_s = seconds_of(m.end);
  if (!end_s || *end_s < start) return DocumentFault::kInvalidEndTime;
  return DocumentFault::kNone;
}

DocumentFault check_id(const EntityMembers& m, std::uint64_t& id) {
  if (!m.id) return DocumentFault::kMissingId;
  const auto text = text_of(m.id);
  const auto value = text ? parse_span_id(*text) : std::nullopt;
  if (!value) return DocumentFault::kInvalidId;
  id = *value;
  return DocumentFault::kNone;
}

// Depth is bounded by the parser's.
DocumentFault check_embedded(const std::optional<element>& subsegments) {
  if (!subsegments || !subsegments->is_array()) return DocumentFault::kNone;
  const simdjson::dom::array children = subsegments->get_array().value_unsafe();
  for (const element& child : children) {
    if (!child.is_object()) continue;
    const auto m = find_members(child.get_object().value_unsafe());
    std::uint64_t id = 0;
    if (const auto fault = check_id(m, id); fault != DocumentFault::kNone) return fault;
    bool complete = false;
    double start = 0;
    if (const auto fault = check_entity(m, complete, start); fault != DocumentFault::kNone)
      return fault;
    if (const auto fault = check_embedded(m.subsegments); fault != DocumentFault::kNone) return fault;
  }
  return DocumentFault::kNone;
}

DocumentVerdict check_document(const element& value, const DocumentLimits& limits,
                               std::int64_t now_s, DocumentHead& head) {
  DocumentVerdict verdict;
  const auto refuse = [&](DocumentFault fault, bool in_subsegment) {
    verdict.fault = fault;
    verdict.in_subsegment = in_subsegment;
    return verdict;
  };
  if (!value.is_object()) return refuse(DocumentFault::kParseError, false);
  const auto m = find_members(value.get_object().value_unsafe());
  const bool subsegment = text_of(m.type) == "subsegment";
  if (const auto id = text_of(m.id)) verdict.id = *id;

  if (const auto fault = check_id(m, head.id); fault != DocumentFault::kNone)
    return refuse(fault, subsegment);
  if (!m.trace_id) return refuse(DocumentFault::kMissingTraceId, subsegment);
  const auto trace_text = text_of(m.trace_id);
  const auto trace = trace_text ? parse_trace_id(*trace_text) : std::nullopt;
  if (!trace) return refuse(DocumentFault::kInvalidTraceId, subsegment);
  if (limits.trace_id_age_days_max > 0 &&
      (trace->epoch_s() < now_s - limits.trace_id_age_days_max * 86400 ||
       trace->epoch_s() > now_s + 86400))
    return refuse(DocumentFault::kInvalidTraceId, subsegment);
  double start = 0;
  if (const auto fault = check_entity(m, head.complete, start); fault != DocumentFault::kNone)
    return refuse(fault, subsegment);
  if (subsegment && (!text_of(m.parent_id) || !parse_span_id(*text_of(m.parent_id))))
    return refuse(DocumentFault::kMissingParentId, true);
  if (const auto fault = check_embedded(m.subsegments); fault != DocumentFault::kNone)
    return refuse(fault, true);
  head.trace = *trace;
  head.subsegment = subsegment;
  head.start_us = std::llround(start * 1e6);
  return verdict;
}

}  // namespace

DocumentVerdict DocumentParser::parse(std::string_view text, const DocumentLimits& limits,
                                      std::int64_t now_s, std::vector<DocumentHead>& out) {
  if (text.size() > limits.document_bytes_max) return {DocumentFault::kTooLarge, false, {}};
  auto& buffer = impl_->padded;
  buffer.resize(std::max(buffer.size(), text.size() + simdjson::SIMDJSON_PADDING));
  std::memcpy(buffer.data(), text.data(), text.size());
  std::memset(buffer.data() + text.size(), 0, simdjson::SIMDJSON_PADDING);
  element root;
  if (impl_->parser.parse(buffer.data(), text.size(), false).get(root) != simdjson::SUCCESS)
    return {DocumentFault::kParseError, false, {}};

  if (!root.is_array()) {
    DocumentHead head;
    auto verdict = check_document(root, limits, now_s, head);
    if (verdict.fault == DocumentFault::kNone) out.push_back(std::move(head));
    return verdict;
  }
  const auto elements = root.get_array().value_unsafe();
  if (elements.size() == 0) return {DocumentFault::kMissingId, true, {}};
  std::vector<DocumentHead> heads;
  for (const element& each : elements) {
    DocumentHead head;
    auto verdict = check_document(each, limits, now_s, head);
    if (verdict.fault != DocumentFault::kNone) return verdict;
    head.text = simdjson::minify(each);
    heads.push_back(std::move(head));
  }
  for (auto& head : heads) out.push_back(std::move(head));
  return {};
}

}  // namespace fog::traces
