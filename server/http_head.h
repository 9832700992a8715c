// The strict reader of HTTP/1 request heads and chunked bodies: bytes in, views or a fault out.
//
// It accepts what RFC 9112 requires a server to accept and nothing that two readers could take two
// ways: any doubt about where a request ends is a fault, answered with its status and a closed
// connection. No sockets here, so every rule is a row of tests/server/http_head.rows.
//
// Refused: bare LF or CR, obsolete line folding, white space before a colon, control characters,
// unknown methods, HTTP versions other than 1.0 and 1.1, no Host or two, a repeated or listed
// Content-Length, Content-Length beside Transfer-Encoding, any Transfer-Encoding other than exactly
// "chunked" (and that one in HTTP/1.0), chunk extensions, trailers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/common/http_message.h"

namespace fog::http {

inline constexpr std::size_t kHeadBytesMax = 64 * 1024;
// SDKs send about 15, browsers about 25.
inline constexpr std::size_t kHeadersMax = 128;

struct Fault {
  int status = 400;
  std::string_view why;
};

// All views point into the bytes that were parsed.
struct Head {
  std::string_view method;
  std::string_view target;     // path and query; an absolute-form target is reduced to them
  std::string_view authority;  // of an absolute-form target, else the Host header
  std::vector<Header> headers;  // values without surrounding white space
  int version_minor = 1;
  bool keep_alive = true;
  bool chunked = false;
  bool expects_continue = false;
  bool has_content_length = false;
  std::uint64_t content_length = 0;
};

// Where the head ends. Call again with more bytes when neither is set; `from` is how far the last
// call had looked, so that a head arriving byte by byte costs linear time.
struct HeadEnd {
  std::size_t end = 0;  // one past the empty line; 0: not there yet
  std::size_t seen = 0;  // pass as `from` next time
  std::optional<Fault> fault;
};
HeadEnd find_head_end(std::string_view bytes, std::size_t from);

// Parses a whole head, the empty line included. `head` is reused: its vector keeps its memory.
std::optional<Fault> parse_head(std::string_view bytes, Head& head);

// Reads a chunked body piece by piece.
class ChunkedReader {
 public:
  explicit ChunkedReader(std::size_t body_bytes_max) : body_bytes_max_(body_bytes_max) {}

  // Takes what belongs to the body from `in`, appends the data to `body`; gives the bytes taken.
  std::size_t take(std::string_view in, std::string& body);
  bool done() const { return state_ == State::kDone; }
  // 400 for a framing fault, 413 when the data would pass the limit. Nothing is taken after one.
  const std::optional<Fault>& fault() const { return fault_; }

 private:
  enum class State { kSize, kSizeLf, kData, kDataCr, kDataLf, kLastCr, kLastLf, kDone };
  void fail(int status, std::string_view why) { fault_ = Fault{status, why}; }
  void take_size_byte(unsigned char c);

  std::size_t body_bytes_max_;
  std::size_t received_ = 0;
  std::uint64_t size_ = 0;  // of the current chunk, what is left of it
  int digits_ = 0;
  State state_ = State::kSize;
  std::optional<Fault> fault_;
};

}  // namespace fog::http
