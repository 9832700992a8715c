#include "storage/segments/shape.h"

#include "storage/segments/limits.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <array>
#include <bit>
#include <cstring>

namespace fog::segments {

namespace {

constexpr std::size_t npos = std::string_view::npos;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The next byte at or after `at` that a JSON string cannot hold as it is: quote, backslash, control.
std::size_t find_special(std::string_view text, std::size_t at) {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i slash = _mm_set1_epi8('\\');
  const __m128i space = _mm_set1_epi8(0x1f);
  while (at + 16 <= text.size()) {
    const __m128i chunk = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at));
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(chunk, space), chunk);
    const __m128i hit = _mm_or_si128(
        _mm_or_si128(_mm_cmpeq_epi8(chunk, quote), _mm_cmpeq_epi8(chunk, slash)), control);
    const int mask = _mm_movemask_epi8(hit);
    if (mask != 0) return at + static_cast<std::size_t>(std::countr_zero(static_cast<unsigned>(mask)));
    at += 16;
  }
#endif
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20) return at;
  }
  return npos;
}

}  // namespace

std::size_t json_string_end(std::string_view text, std::size_t from) {
  std::size_t at = from;
  for (;;) {
    at = find_special(text, at);
    if (at == npos) return npos;
    if (text[at] == '"') return at;
    if (text[at] != '\\' || at + 1 >= text.size()) return npos;
    switch (text[at + 1]) {
      case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
        at += 2;
        break;
      case 'u':
        if (at + 6 > text.size()) return npos;
        for (std::size_t i = at + 2; i < at + 6; ++i)
          if (hex_value(text[i]) < 0) return npos;
        at += 6;
        break;
      default:
        return npos;
    }
  }
}

std::size_t json_number_end(std::string_view text, std::size_t from) {
  std::size_t at = from;
  const auto peek = [&] { return at < text.size() ? text[at] : '\0'; };
  if (peek() == '-') ++at;
  if (!is_digit(peek())) return npos;
  if (peek() == '0') {
    ++at;
  } else {
    while (is_digit(peek())) ++at;
  }
  if (peek() == '.') {
    ++at;
    if (!is_digit(peek())) return npos;
    while (is_digit(peek())) ++at;
  }
  if (peek() == 'e' || peek() == 'E') {
    ++at;
    if (peek() == '+' || peek() == '-') ++at;
    if (!is_digit(peek())) return npos;
    while (is_digit(peek())) ++at;
  }
  return at;
}

std::size_t json_word_end(std::string_view text, std::size_t from) {
  for (const std::string_view word : {std::string_view("true"), std::string_view("false"), std::string_view("null")})
    if (text.compare(from, word.size(), word) == 0) return from + word.size();
  return npos;
}

namespace {

void append_utf8(std::uint32_t c, std::string& out) {
  const auto put = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | (c >> 6));
    put(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    put(0xe0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3f));
    put(0x80 | (c & 0x3f));
  } else {
    put(0xf0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3f));
    put(0x80 | ((c >> 6) & 0x3f));
    put(0x80 | (c & 0x3f));
  }
}

// The four hex digits at `at`, or 0xffffffff.
std::uint32_t hex4(std::string_view raw, std::size_t at) {
  if (at + 4 > raw.size()) return 0xffffffffu;
  std::uint32_t value = 0;
  for (std::size_t i = at; i < at + 4; ++i) {
    const int digit = hex_value(raw[i]);
    if (digit < 0) return 0xffffffffu;
    value = value * 16 + static_cast<std::uint32_t>(digit);
  }
  return value;
}

}  // namespace

void append_unescaped(std::string_view raw, std::string& out) {
  std::size_t at = 0;
  while (at < raw.size()) {
    const void* found = std::memchr(raw.data() + at, '\\', raw.size() - at);
    if (found == nullptr) {
      out.append(raw.substr(at));
      return;
    }
    const std::size_t slash = static_cast<std::size_t>(static_cast<const char*>(found) - raw.data());
    out.append(raw.substr(at, slash - at));
    const char c = slash + 1 < raw.size() ? raw[slash + 1] : '\\';
    at = slash + 2;
    switch (c) {
      case 'b': out.push_back('\b'); break;
      case 'f': out.push_back('\f'); break;
      case 'n': out.push_back('\n'); break;
      case 'r': out.push_back('\r'); break;
      case 't': out.push_back('\t'); break;
      case 'u': {
        std::uint32_t unit = hex4(raw, at);
        at = std::min(at + 4, raw.size());
        if (unit >= 0xd800 && unit < 0xdc00 && raw.compare(at, 2, "\\u") == 0) {
          const std::uint32_t low = hex4(raw, at + 2);
          if (low >= 0xdc00 && low < 0xe000) {
            unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            at += 6;
          }
        }
        if (unit > 0x10ffff || (unit >= 0xd800 && unit < 0xe000)) unit = 0xfffd;
        append_utf8(unit, out);
        break;
      }
      default: out.push_back(c);
    }
  }
}

// ---- the trie of known JSON templates ---------------------------------------------------------

struct Shaper::Node {
  struct Edge {
    std::string literal;
    HoleKind kind = HoleKind::kString;
    std::unique_ptr<Node> next;
  };
  struct End {
    std::string literal;
    std::uint32_t id = 0;
  };
  std::vector<Edge> edges;
  std::vector<End> ends;
};

namespace {
constexpr std::size_t kTrieEdgesMax = 20000;    // over the whole trie
constexpr std::size_t kNodeEdgesMax = 24;       // random keys belong to the slow path
}  // namespace

bool Shaper::follow_trie(std::string_view message, std::uint32_t& id) {
  values_.clear();
  Node* node = root_.get();
  std::size_t at = 0;
  for (;;) {
    const std::size_t left = message.size() - at;
    Node* next = nullptr;
    for (std::size_t i = 0; i < node->edges.size(); ++i) {
      const Node::Edge& edge = node->edges[i];
      const std::size_t n = edge.literal.size();
      if (left < n || std::memcmp(message.data() + at, edge.literal.data(), n) != 0) continue;
      const std::size_t from = at + n;
      const std::size_t end = edge.kind == HoleKind::kString   ? json_string_end(message, from)
                              : edge.kind == HoleKind::kNumber ? json_number_end(message, from)
                                                               : json_word_end(message, from);
      if (end == npos) continue;  // the value is of another kind, or not JSON
      values_.push_back(message.substr(from, end - from));
      at = end;
      next = edge.next.get();
      if (i > 0) std::swap(node->edges[i], node->edges[i - 1]);  // frequent ones drift to the front
      break;
    }
    if (next != nullptr) {
      node = next;
      continue;
    }
    for (const Node::End& end : node->ends) {
      if (end.literal.size() == left && std::memcmp(message.data() + at, end.literal.data(), left) == 0) {
        id = end.id;
        return true;
      }
    }
    return false;
  }
}

void Shaper::extend_trie(std::uint32_t id) {
  const Template& shape = templates_[id];
  Node* node = root_.get();
  for (std::size_t i = 0; i < shape.columns.size(); ++i) {
    const HoleKind kind = columns_[shape.columns[i]].kind;
    Node* next = nullptr;
    for (const Node::Edge& edge : node->edges)
      if (edge.kind == kind && edge.literal == shape.literals[i]) next = edge.next.get();
    if (next == nullptr) {
      if (trie_edges_ >= kTrieEdgesMax || node->edges.size() >= kNodeEdgesMax) return;
      ++trie_edges_;
      node->edges.push_back({shape.literals[i], kind, std::make_unique<Node>()});
      next = node->edges.back().next.get();
    }
    node = next;
  }
  if (node->ends.size() < kNodeEdgesMax) node->ends.push_back({shape.literals.back(), id});
}

// ---- building a template ------------------------------------------------------------------------

Shaper::Shaper(Admit admit) : admit_(std::move(admit)), root_(std::make_unique<Node>()) { fixed_.fill(-1); }
Shaper::~Shaper() = default;

void Shaper::begin() {
  values_.clear();
  holes_.clear();
  literal_.clear();
  literals_used_ = 0;
}

void Shaper::finish_literal() {
  if (literals_used_ == literals_.size()) literals_.emplace_back();
  literals_[literals_used_++].swap(literal_);
  literal_.clear();
}

void Shaper::hole(HoleKind kind, std::string_view name, std::string_view value) {
  finish_literal();
  holes_.push_back(intern_column(kind, name));
  values_.push_back(value);
}

std::uint32_t Shaper::intern_column(HoleKind kind, std::string_view name) {
  key_.assign(1, static_cast<char>(kind));
  key_.append(name);
  const auto [it, fresh] = column_ids_.try_emplace(key_, static_cast<std::uint32_t>(columns_.size()));
  if (fresh) columns_.push_back({kind, std::string(name)});
  return it->second;
}

std::uint32_t Shaper::intern_template() {
  finish_literal();
  key_.clear();
  const auto number = [this](std::uint32_t n) {
    char raw[4];
    std::memcpy(raw, &n, 4);
    key_.append(raw, 4);
  };
  for (std::size_t i = 0; i < literals_used_; ++i) {
    number(static_cast<std::uint32_t>(literals_[i].size()));
    key_.append(literals_[i]);
    if (i < holes_.size()) number(holes_[i]);
  }
  const auto [it, fresh] = template_ids_.try_emplace(key_, static_cast<std::uint32_t>(templates_.size()));
  if (fresh) {
    Template made;
    made.literals.assign(literals_.begin(), literals_.begin() + static_cast<std::ptrdiff_t>(literals_used_));
    made.columns = holes_;
    templates_.push_back(std::move(made));
  }
  return it->second;
}

std::uint32_t Shaper::shape(std::string_view message) {
  std::size_t first = 0;
  while (first < message.size() && is_space(message[first])) ++first;
  const char c = first < message.size() ? message[first] : '\0';
  if (c == '{') {
    std::uint32_t id = 0;
    if (follow_trie(message, id)) return id;
    begin();
    if (shape_json(message)) {
      id = intern_template();
      extend_trie(id);
      return id;
    }
  } else if ((c == 'S' || c == 'E' || c == 'R') && (begin(), shape_lambda_platform(message))) {
    return intern_template();
  } else if ((is_digit(c) || c == '[') && (begin(), shape_lambda_line(message))) {
    return intern_template();
  } else if (is_digit(c) && (begin(), shape_columns(message))) {
    return intern_template();
  }
  begin();
  hole(HoleKind::kHidden, "", message);
  return intern_template();
}

// ---- JSON -----------------------------------------------------------------------------------------

// Walks one JSON object and feeds literals and holes to the shaper. Validates the grammar; text is
// taken to be UTF-8 as it is.
struct Shaper::Parser {
  Shaper& shaper;
  std::string_view text;
  std::size_t at;
  std::size_t copied;  // everything before this is in a literal or a hole
  std::string path;
  int depth = 0;
  std::vector<std::string> seen;  // names of this event, while few; then the set of column ids

  void skip_space() {
    while (at < text.size() && is_space(text[at])) ++at;
  }
  bool eat(char c) {
    if (at >= text.size() || text[at] != c) return false;
    ++at;
    return true;
  }

  // A leaf at [from, to) becomes a hole unless a limit or an earlier leaf of this name forbids it.
  void leaf(HoleKind kind, std::size_t from, std::size_t to) {
    if (seen.size() >= kFieldsPerEventMax) return;
    for (const std::string& name : seen)
      if (name == path) return;
    if (!shaper.admit_(path)) return;
    seen.push_back(path);
    shaper.literal(text.substr(copied, from - copied));
    shaper.hole(kind, path, text.substr(from, to - from));
    copied = to;
  }

  bool value() {
    skip_space();
    if (at >= text.size()) return false;
    const char c = text[at];
    if (c == '{') return object();
    if (c == '[') return array();
    const std::size_t from = c == '"' ? at + 1 : at;
    const HoleKind kind = c == '"'                     ? HoleKind::kString
                          : (c == '-' || is_digit(c)) ? HoleKind::kNumber
                                                       : HoleKind::kWord;
    const std::size_t end = kind == HoleKind::kString   ? json_string_end(text, from)
                            : kind == HoleKind::kNumber ? json_number_end(text, from)
                                                        : json_word_end(text, from);
    if (end == npos) return false;
    leaf(kind, from, end);
    at = kind == HoleKind::kString ? end + 1 : end;
    return true;
  }

  bool object() {
    if (++depth > kJsonDepthMax) return false;
    ++at;
    const std::size_t path_size = path.size();
    skip_space();
    if (!eat('}')) {
      for (;;) {
        skip_space();
        if (!eat('"')) return false;
        const std::size_t end = json_string_end(text, at);
        if (end == npos) return false;
        if (depth > 1) path.push_back('.');
        const std::size_t key = path.size();
        append_unescaped(text.substr(at, end - at), path);
        if (depth == 1 && path.size() > key && path[key] == '@') path.insert(key, 1, '@');
        at = end + 1;
        skip_space();
        if (!eat(':') || !value()) return false;
        path.resize(path_size);
        skip_space();
        if (eat(',')) continue;
        if (eat('}')) break;
        return false;
      }
    }
    --depth;
    return true;
  }

  bool array() {
    if (++depth > kJsonDepthMax) return false;
    ++at;
    const std::size_t path_size = path.size();
    skip_space();
    if (!eat(']')) {
      for (std::size_t i = 0;; ++i) {
        path.push_back('.');
        path.append(std::to_string(i));
        if (!value()) return false;
        path.resize(path_size);
        skip_space();
        if (eat(',')) continue;
        if (eat(']')) break;
        return false;
      }
    }
    --depth;
    return true;
  }
};

bool Shaper::shape_json(std::string_view message) {
  Parser parser{*this, message, 0, 0, {}, 0, {}};
  parser.skip_space();
  if (!parser.object()) return false;
  parser.skip_space();
  if (parser.at != message.size()) return false;
  literal(message.substr(parser.copied));
  return true;
}

// ---- Lambda ---------------------------------------------------------------------------------------

namespace {

bool is_request_id(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : hex_value(text[i]) < 0) return false;
  }
  return true;
}

// 2026-08-20T00:00:00.000Z, fraction optional, Z or an offset.
bool is_iso_time(std::string_view text) {
  static constexpr std::string_view kShape = "dddd-dd-ddTdd:dd:dd";
  if (text.size() < kShape.size() + 1 || text.size() > 40) return false;
  for (std::size_t i = 0; i < kShape.size(); ++i)
    if (kShape[i] == 'd' ? !is_digit(text[i]) : text[i] != kShape[i]) return false;
  for (const char c : text.substr(kShape.size()))
    if (!is_digit(c) && c != '.' && c != 'Z' && c != '+' && c != '-' && c != ':') return false;
  return true;
}

struct ReportPart {
  std::string_view label;
  std::string_view field;
  std::string_view unit;
  HoleKind kind;
};
constexpr std::array<ReportPart, 9> kReportParts = {{
    {"Duration: ", "@duration", " ms", HoleKind::kNumber},
    {"Billed Duration: ", "@billedDuration", " ms", HoleKind::kNumber},
    {"Init Duration: ", "@initDuration", " ms", HoleKind::kNumber},
    {"Restore Duration: ", "@restoreDuration", " ms", HoleKind::kNumber},
    {"Billed Restore Duration: ", "@billedRestoreDuration", " ms", HoleKind::kNumber},
    {"Memory Size: ", "@memorySize", " MB", HoleKind::kMega},
    {"Max Memory Used: ", "@maxMemoryUsed", " MB", HoleKind::kMega},
    {"XRAY TraceId: ", "@xrayTraceId", "", HoleKind::kPlain},
    {"SegmentId: ", "@xraySegmentId", "", HoleKind::kPlain},
}};

// Slots of admit_fixed: report parts from 0, then these.
constexpr std::size_t kTypeSlot = 10;
constexpr std::size_t kRequestIdSlot = 11;
constexpr std::size_t kFlowSlot = 12;
constexpr std::size_t kRoute53Slot = 26;

}  // namespace

bool Shaper::shape_lambda_platform(std::string_view message) {
  std::string_view type;
  for (const std::string_view word : {std::string_view("START"), std::string_view("END"), std::string_view("REPORT")})
    if (message.starts_with(word)) type = word;
  constexpr std::string_view kLabel = " RequestId: ";
  if (type.empty() || message.compare(type.size(), kLabel.size(), kLabel) != 0) return false;
  std::size_t at = type.size() + kLabel.size();
  std::size_t end = at;
  while (end < message.size() && !is_space(message[end])) ++end;
  if (end == at) return false;
  if (!admit_fixed(kTypeSlot, "@type") || !admit_fixed(kRequestIdSlot, "@requestId")) return false;
  hole(HoleKind::kPlain, "@type", type);
  literal(kLabel);
  hole(HoleKind::kPlain, "@requestId", message.substr(at, end - at));
  std::size_t copied = end;
  if (type == "REPORT") {
    at = end;
    std::uint32_t used = 0;
    while (at < message.size()) {
      if (message[at] == '\t' || message[at] == '\n' || message[at] == '\r' || message[at] == ' ') {
        ++at;
        continue;
      }
      const std::size_t part_end = std::min(message.find_first_of("\t\n\r", at), message.size());
      const std::string_view part = message.substr(at, part_end - at);
      for (std::size_t i = 0; i < kReportParts.size(); ++i) {
        const ReportPart& known = kReportParts[i];
        if (!part.starts_with(known.label) || (used >> i & 1) != 0) continue;
        const std::size_t from = at + known.label.size();
        std::size_t to = from;
        if (known.kind == HoleKind::kPlain) {
          while (to < part_end && !is_space(message[to])) ++to;
        } else {
          to = json_number_end(message, from);
          if (to == npos || message.substr(to, part_end - to).substr(0, known.unit.size()) != known.unit) break;
        }
        if (to == from || !admit_fixed(i, known.field)) break;
        used |= 1u << i;
        literal(message.substr(copied, from - copied));
        hole(known.kind, known.field, message.substr(from, to - from));
        copied = to;
        break;
      }
      at = part_end;
    }
    literal(message.substr(copied));
  } else {
    // "Version: $LATEST" hardly varies; it stays in the template unless it is long.
    const std::string_view rest = message.substr(copied);
    if (rest.size() <= 64) {
      literal(rest);
    } else {
      literal(rest.substr(0, 1));
      hole(HoleKind::kHidden, "rest", rest.substr(1));
    }
  }
  return true;
}

bool Shaper::shape_lambda_line(std::string_view message) {
  // <time> TAB <request id> TAB <level> TAB <text>   or   [<level>] TAB <time> TAB <request id> TAB <text>
  std::array<std::string_view, 3> head;
  std::size_t at = 0;
  for (std::string_view& part : head) {
    const std::size_t tab = message.find('\t', at);
    if (tab == npos || tab - at > 64) return false;
    part = message.substr(at, tab - at);
    at = tab + 1;
  }
  const bool bracket = message.front() == '[';
  const std::string_view time = bracket ? head[1] : head[0];
  const std::string_view id = bracket ? head[2] : head[1];
  const std::string_view level = bracket ? head[0] : head[2];
  if (!is_iso_time(time) || !is_request_id(id) || level.size() > 32) return false;
  if (bracket && (level.size() < 2 || level.back() != ']')) return false;
  if (!admit_fixed(kRequestIdSlot, "@requestId")) return false;
  if (bracket) {
    literal(level);
    literal("\t");
  }
  hole(HoleKind::kHidden, "time", time);
  literal("\t");
  hole(HoleKind::kPlain, "@requestId", id);
  literal("\t");
  if (!bracket) {
    literal(level);
    literal("\t");
  }
  const std::string_view text = message.substr(at);
  // The first embedded object that is valid JSON is flattened. A few tries bound the work.
  std::size_t brace = 0;
  for (int tries = 0; tries < 8 && (brace = text.find('{', brace)) != npos; ++tries, ++brace) {
    // A word right before the brace would end at a hole's edge that is '{': still no word character.
    Parser dry{*this, text, brace, brace, {}, 0, {}};
    const std::size_t holes = holes_.size();
    const std::size_t values = values_.size();
    const std::size_t literals = literals_used_;
    const std::string open = literal_;
    if (brace > 0) hole(HoleKind::kHidden, "text", text.substr(0, brace));
    if (dry.object()) {
      const std::string_view rest = text.substr(dry.at);
      literal(text.substr(dry.copied, dry.at - dry.copied));
      if (!rest.empty()) hole(HoleKind::kHidden, "tail", rest);
      return true;
    }
    holes_.resize(holes);
    values_.resize(values);
    literals_used_ = literals;
    literal_ = open;
  }
  if (!text.empty()) hole(HoleKind::kHidden, "text", text);
  return true;
}

// ---- blank-separated formats ------------------------------------------------------------------------

bool Shaper::shape_columns(std::string_view message) {
  static constexpr std::array<std::string_view, 14> kFlow = {
      "version", "accountId", "interfaceId", "srcAddr", "dstAddr", "srcPort", "dstPort",
      "protocol", "packets", "bytes", "startTime", "endTime", "action", "logStatus"};
  static constexpr std::array<std::string_view, 10> kRoute53 = {
      "version", "queryTimestamp", "hostZoneId", "queryName", "queryType",
      "responseCode", "protocol", "edgeLocation", "resolverIp", "ednsClientSubnet"};
  std::array<std::string_view, 14> parts;
  std::size_t n = 0;
  std::string_view body = message;
  while (!body.empty() && is_space(body.back())) body.remove_suffix(1);
  for (std::size_t at = 0; at <= body.size();) {
    const std::size_t blank = std::min(body.find(' ', at), body.size());
    if (n == parts.size() || blank == at) return false;
    parts[n++] = body.substr(at, blank - at);
    at = blank + 1;
  }
  const std::string_view* names = nullptr;
  if (n == 14 && parts[2].starts_with("eni-")) {
    names = kFlow.data();
  } else if (n == 10 && parts[0].size() == 3 && is_digit(parts[0][0]) && parts[0][1] == '.' &&
             is_digit(parts[0][2]) && is_iso_time(parts[1])) {
    names = kRoute53.data();
  } else {
    return false;
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (i > 0) literal(" ");
    if (parts[i] == "-" || !admit_fixed((n == 14 ? kFlowSlot : kRoute53Slot) + i, names[i])) {
      literal(parts[i]);
    } else {
      hole(HoleKind::kPlain, names[i], parts[i]);
    }
  }
  literal(message.substr(body.size()));
  return true;
}

}  // namespace fog::segments
