// Filter patterns of log events: a pattern, a message, a selector.
#include "query/filter_pattern/filter_pattern.h"

#include "tests/fuzz/target.h"

namespace fog::fuzz {

FOG_FUZZ(filter_pattern) {
  Cut cut(input);
  const std::string_view text = cut.next(), message = cut.next(), selector = cut.next();
  (void)filter_pattern::select_json(message, selector);
  const auto pattern = filter_pattern::parse(text);
  if (!pattern.ok()) return;
  (void)(*pattern)->where();
  for (const std::string_view one : {message, std::string_view(R"({"a":{"b":[1,"x",null]},"level":"ERROR","n":4.5e3})"), std::string_view("127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] \"GET /a HTTP/1.0\" 404 1534")}) {
    (void)(*pattern)->matches(one);
    (void)(*pattern)->extract(one);
    (void)(*pattern)->value(one, selector);
    (void)(*pattern)->value(one, "$ip");
  }
}

}  // namespace fog::fuzz
