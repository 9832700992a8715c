#include "server/http_head.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace fog::http {
namespace {

constexpr std::string_view kMethods[] = {"POST", "GET", "OPTIONS", "HEAD", "PUT", "DELETE", "PATCH"};

// What a byte may be part of.
enum : unsigned char { kToken = 1, kValue = 2, kTarget = 4 };

constexpr std::array<unsigned char, 256> make_classes() {
  std::array<unsigned char, 256> classes{};
  for (unsigned c = 0; c < 256; ++c) {
    const bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    unsigned char bits = 0;
    if (alnum) bits |= kToken;
    for (const char t : {'!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~'}) {
      if (c == static_cast<unsigned char>(t)) bits |= kToken;
    }
    if (c == '\t' || (c >= 0x20 && c != 0x7f)) bits |= kValue;
    if (c > 0x20 && c < 0x7f) bits |= kTarget;
    classes[c] = bits;
  }
  return classes;
}
constexpr auto kClasses = make_classes();

bool all_of_class(std::string_view text, unsigned char bit) {
  for (const char c : text) {
    if ((kClasses[static_cast<unsigned char>(c)] & bit) == 0) return false;
  }
  return true;
}

// The same of kValue, by eight bytes.
bool is_value(std::string_view text) {
  constexpr std::uint64_t kOnes = 0x0101010101010101u;
  constexpr std::uint64_t kHigh = 0x8080808080808080u;
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t x = 0;
    std::memcpy(&x, text.data() + i, 8);
    const std::uint64_t del = x ^ (kOnes * 0x7f);
    // Below a space, or a delete; a borrow makes it look so at times, and tabs are allowed.
    const bool suspicious = (((x - kOnes * 0x20) & ~x) | ((del - kOnes) & ~del)) & kHigh;
    if (suspicious && !all_of_class(text.substr(i, 8), kValue)) return false;
  }
  return all_of_class(text.substr(i), kValue);
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string_view next_line(std::string_view& rest) {
  const std::size_t end = rest.find("\r\n");
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 2);
  return line;
}

// host [":" port]: enough to refuse what could smuggle a second name; the guard judges the name.
bool is_authority(std::string_view text) {
  for (const char c : text) {
    const bool ok = (kClasses[static_cast<unsigned char>(c)] & kTarget) != 0 && c != '/' && c != '@' &&
                    c != ',' && c != '\\' && c != '?' && c != '#';
    if (!ok) return false;
  }
  return true;
}

// HTTP-version of RFC 9112: "HTTP/" DIGIT "." DIGIT. Anything else is a damaged line, not another version.
bool is_version(std::string_view text) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return text.size() == 8 && text.starts_with("HTTP/") && is_digit(text[5]) && text[6] == '.' && is_digit(text[7]);
}

std::optional<Fault> parse_request_line(std::string_view line, Head& head) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return Fault{400, "bad request line"};
  head.method = line.substr(0, first);
  std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);

  if (version == "HTTP/1.1") {
    head.version_minor = 1;
  } else if (version == "HTTP/1.0") {
    head.version_minor = 0;
  } else if (is_version(version)) {
    return Fault{505, "only HTTP/1.0 and HTTP/1.1 are spoken here"};
  } else {
    return Fault{400, "bad HTTP version"};
  }
  if (std::find(std::begin(kMethods), std::end(kMethods), head.method) == std::end(kMethods)) {
    return Fault{400, "unknown method"};
  }
  if (target.empty() || !all_of_class(target, kTarget)) return Fault{400, "bad request target"};

  if (target.front() == '/') {
    head.target = target;
    return std::nullopt;
  }
  if (target == "*" && head.method == "OPTIONS") {
    head.target = target;
    return std::nullopt;
  }
  // absolute-form, as sent through a proxy: http://authority/path?query
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (target.size() <= scheme.size() || !equal_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
    const std::string_view rest = target.substr(scheme.size());
    const std::size_t slash = rest.find_first_of("/?");
    head.authority = rest.substr(0, slash);
    if (head.authority.empty() || !is_authority(head.authority)) break;
    head.target = slash == std::string_view::npos ? std::string_view("/") : rest.substr(slash);
    if (head.target.front() == '?') break;
    return std::nullopt;
  }
  return Fault{400, "bad request target"};
}

std::optional<Fault> parse_content_length(std::string_view value, Head& head) {
  if (head.has_content_length) return Fault{400, "repeated Content-Length"};
  if (value.empty() || value.size() > 18) return Fault{400, "bad Content-Length"};
  std::uint64_t length = 0;
  for (const char c : value) {
    if (c < '0' || c > '9') return Fault{400, "bad Content-Length"};
    length = length * 10 + static_cast<std::uint64_t>(c - '0');
  }
  head.has_content_length = true;
  head.content_length = length;
  return std::nullopt;
}

std::optional<Fault> apply_connection(std::string_view value, Head& head) {
  while (!value.empty()) {
    const std::size_t comma = value.find(',');
    const std::string_view token = trim(value.substr(0, comma));
    if (!all_of_class(token, kToken)) return Fault{400, "bad Connection"};
    if (equal_ignoring_case(token, "close")) {
      head.keep_alive = false;
    } else if (head.version_minor == 0 && equal_ignoring_case(token, "keep-alive")) {
      head.keep_alive = true;
    }
    value = comma == std::string_view::npos ? std::string_view() : value.substr(comma + 1);
  }
  return std::nullopt;
}

// Headers that decide where the request ends, or which connection it is.
struct Framing {
  bool host = false;
  bool transfer_encoding = false;
};

std::optional<Fault> apply_framing(const Header& header, Framing& seen, Head& head) {
  switch (header.name.size()) {
    case 4:
      if (equal_ignoring_case(header.name, "host")) {
        if (seen.host) return Fault{400, "repeated Host"};
        if (!is_authority(header.value)) return Fault{400, "bad Host"};
        seen.host = true;
        if (head.authority.empty()) head.authority = header.value;
      }
      break;
    case 6:
      if (equal_ignoring_case(header.name, "expect")) {
        if (!equal_ignoring_case(header.value, "100-continue")) return Fault{417, "unknown expectation"};
        head.expects_continue = head.version_minor == 1;
      }
      break;
    case 10:
      if (equal_ignoring_case(header.name, "connection")) return apply_connection(header.value, head);
      break;
    case 14:
      if (equal_ignoring_case(header.name, "content-length")) return parse_content_length(header.value, head);
      break;
    case 17:
      if (equal_ignoring_case(header.name, "transfer-encoding")) {
        if (seen.transfer_encoding) return Fault{400, "repeated Transfer-Encoding"};
        if (head.version_minor == 0) return Fault{400, "Transfer-Encoding in HTTP/1.0"};
        if (!equal_ignoring_case(header.value, "chunked")) return Fault{400, "unknown Transfer-Encoding"};
        seen.transfer_encoding = true;
        head.chunked = true;
      }
      break;
    default: break;
  }
  return std::nullopt;
}

}  // namespace

HeadEnd find_head_end(std::string_view bytes, std::size_t from) {
  // A line feed must follow a carriage return; two such line ends in a row end the head. An empty
  // line in front of the request line (left over by old clients) is passed over by the caller.
  while (from < bytes.size()) {
    const void* hit = std::memchr(bytes.data() + from, '\n', bytes.size() - from);
    if (hit == nullptr) break;
    const auto at = static_cast<std::size_t>(static_cast<const char*>(hit) - bytes.data());
    if (at == 0 || bytes[at - 1] != '\r') return {.fault = Fault{400, "bare line feed"}};
    if (at >= 3 && bytes[at - 2] == '\n') return {.end = at + 1, .seen = at + 1};
    if (at == 1) return {.fault = Fault{400, "empty request line"}};
    from = at + 1;
  }
  if (bytes.size() >= kHeadBytesMax) return {.fault = Fault{431, "request head too large"}};
  return {.seen = bytes.size()};
}

std::optional<Fault> parse_head(std::string_view bytes, Head& head) {
  auto headers = std::move(head.headers);
  headers.clear();
  head = Head{};
  head.headers = std::move(headers);
  if (bytes.size() > kHeadBytesMax) return Fault{431, "request head too large"};

  std::string_view rest = bytes;
  if (auto fault = parse_request_line(next_line(rest), head)) return fault;
  head.keep_alive = head.version_minor == 1;
  Framing seen;
  while (!rest.empty()) {
    const std::string_view line = next_line(rest);
    if (line.empty()) break;
    if (line.front() == ' ' || line.front() == '\t') return Fault{400, "folded header line"};
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return Fault{400, "header line without a name"};
    const Header header{line.substr(0, colon), trim(line.substr(colon + 1))};
    if (!all_of_class(header.name, kToken)) return Fault{400, "bad header name"};
    if (!is_value(header.value)) return Fault{400, "control character in a header"};
    if (head.headers.size() == kHeadersMax) return Fault{431, "too many headers"};
    if (auto fault = apply_framing(header, seen, head)) return fault;
    head.headers.push_back(header);
  }
  if (head.chunked && head.has_content_length) return Fault{400, "both Content-Length and Transfer-Encoding"};
  if (!seen.host && head.version_minor == 1) return Fault{400, "no Host"};
  return std::nullopt;
}

void ChunkedReader::take_size_byte(unsigned char c) {
  if (c == '\r' && digits_ > 0) {
    state_ = State::kSizeLf;
    return;
  }
  int digit = -1;
  if (c >= '0' && c <= '9') digit = c - '0';
  if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
  if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
  if (c == ';' && digits_ > 0) return fail(400, "chunk extension");
  // Eight digits hold any size below the limits, and leave no room for overflow.
  if (digit < 0 || digits_ == 8) return fail(400, "bad chunk size");
  size_ = size_ * 16 + static_cast<std::uint64_t>(digit);
  ++digits_;
}

std::size_t ChunkedReader::take(std::string_view in, std::string& body) {
  std::size_t at = 0;
  const auto expect = [&](char wanted, State next) {
    if (in[at++] != wanted) return fail(400, "bad chunk delimiter");
    state_ = next;
  };
  while (at < in.size() && !fault_ && state_ != State::kDone) {
    switch (state_) {
      case State::kSize: take_size_byte(static_cast<unsigned char>(in[at++])); break;
      case State::kSizeLf:
        expect('\n', size_ == 0 ? State::kLastCr : State::kData);
        if (size_ > body_bytes_max_ - received_) fail(413, "request body too large");
        break;
      case State::kData: {
        const std::size_t n = std::min<std::size_t>(in.size() - at, size_);
        body.append(in.substr(at, n));
        at += n;
        received_ += n;
        size_ -= n;
        if (size_ == 0) state_ = State::kDataCr;
        break;
      }
      case State::kDataCr: expect('\r', State::kDataLf); break;
      case State::kDataLf:
        digits_ = 0;
        expect('\n', State::kSize);
        break;
      // A line here instead of the end would be a trailer.
      case State::kLastCr: expect('\r', State::kLastLf); break;
      case State::kLastLf: expect('\n', State::kDone); break;
      case State::kDone: break;
    }
  }
  return at;
}

}  // namespace fog::http
