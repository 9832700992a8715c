// Request heads and chunked bodies: however the bytes are cut, the outcome is the same.
#include "server/http_head.h"

#include "tests/fuzz/target.h"

namespace fog::fuzz {

using namespace http;

FOG_FUZZ(http_head) {
  const HeadEnd at_once = find_head_end(input, 0);
  HeadEnd slowly;
  for (std::size_t n = 1; n <= input.size() && slowly.end == 0 && !slowly.fault; n += 1 + n / 16) slowly = find_head_end(input.substr(0, n), slowly.seen);
  if (slowly.end != 0 && !at_once.fault) must(slowly.end == at_once.end, "the head ends where it ends");
  if (at_once.end > 0) {
    must(at_once.end <= input.size(), "the end lies in the input");
    Head head;
    if (!parse_head(input.substr(0, at_once.end), head)) {
      must(!head.method.empty() && !head.target.empty(), "a request has a method and a target");
      must(!head.chunked || !head.has_content_length, "one length only");
      for (const Header& header : head.headers) must(header.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos, "no line ends in values");
    }
  }
  ChunkedReader whole(4096), bytewise(4096);
  std::string body, same;
  const std::size_t taken = whole.take(input, body);
  std::size_t at = 0;
  while (at < input.size() && !bytewise.done() && !bytewise.fault()) at += bytewise.take(input.substr(at, 1), same);
  must(whole.done() == bytewise.done() && body == same, "chunks may come byte by byte");
  if (whole.done()) must(taken == at, "and end at the same place");
}

}  // namespace fog::fuzz
