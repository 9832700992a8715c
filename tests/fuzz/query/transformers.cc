// Transformers of log events: the configuration, then a message.
#include "query/transformers/transformer.h"

#include "query/transformers/json_tree.h"
#include "tests/fuzz/target.h"

namespace fog::fuzz {

using namespace transformers;

FOG_FUZZ(transformers) {
  Cut cut(input);
  const std::string_view config = cut.next(), message = cut.rest();
  if (auto tree = parse_json(message)) {
    std::string printed, again;
    print_json(*tree, printed);
    const auto back = parse_json(printed);
    must(back.has_value(), "what was printed can be read");
    print_json(*back, again);
    must(again == printed, "printing is stable");
  }
  (void)parse_path(message.substr(0, 200));
  const auto made = parse(config);
  if (!made.ok()) return;
  const std::string_view messages[] = {message, R"({"a":{"b":"1,2,3"},"list":[{"k":"x","v":1}],"t":"2026-01-01 00:00:00"})", "127.0.0.1 GET /a?b=c&d=e 200", "k=v a=b"};
  for (const std::string_view one : messages) (void)(*made)->transform({.message = one, .log_group = "g", .log_stream = "s"});
}

FOG_FUZZ_SEEDS(transformers) {
  const char* const kProcessors[] = {
      R"([{"parseJSON":{}},{"addKeys":{"entries":[{"key":"x.y","value":"v","overwriteIfExists":true}]}}])", R"([{"grok":{"match":"%{IP:ip} %{WORD:verb} %{NOTSPACE:path} %{NUMBER:status}"}}])",
      R"([{"csv":{"columns":["a","b"],"delimiter":",","quoteCharacter":"\""}}])", R"([{"parseKeyValue":{"fieldDelimiter":"&","keyValueDelimiter":"="}}])",
      R"([{"parseJSON":{}},{"dateTimeConverter":{"source":"t","target":"u","matchPatterns":["yyyy-MM-dd HH:mm:ss"],"targetFormat":"epoch","sourceTimezone":"Europe/Berlin"}}])",
      R"([{"parseJSON":{}},{"listToMap":{"source":"list","key":"k","valueKey":"v","target":"m","flatten":true,"flattenedElement":"last"}}])",
      R"x([{"parseJSON":{}},{"splitString":{"entries":[{"source":"a.b","delimiter":","}]}},{"substituteString":{"entries":[{"source":"t","from":"(\\d+)","to":"$1"}]}},{"trimString":{"withKeys":["t"]}},{"upperCaseString":{"withKeys":["t"]}},{"typeConverter":{"entries":[{"key":"t","type":"integer"}]}},{"moveKeys":{"entries":[{"source":"t","target":"z"}]}},{"copyValue":{"entries":[{"source":"@logGroup","target":"q"}]}},{"deleteKeys":{"withKeys":["z"]}},{"renameKeys":{"entries":[{"key":"q","renameTo":"r"}]}}])x",
      R"([{"parseVPC":{}}])", R"([{"parseRoute53":{}}])", R"([{"parseCloudfront":{}}])", R"([{"parsePostgres":{}}])", R"([{"parseWAF":{}}])", R"([{"parseToOCSF":{"eventSource":"CloudTrail","ocsfVersion":"V1.1"}}])"};
  std::vector<std::string> out;
  for (const char* config : kProcessors) out.push_back(std::string(config) + "\x1f" R"({"a":{"b":"1,2"},"list":[{"k":"x","v":1}],"t":" 2026-01-01 00:00:00 "})");
  for (const char* config : kProcessors) out.push_back(std::string(config) + "\x1f" "2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK");
  return out;
}

}  // namespace fog::fuzz
