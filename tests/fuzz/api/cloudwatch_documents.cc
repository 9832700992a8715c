// Documents inside calls to CloudWatch: bodies of dashboards, rules of Contributor Insights, labels.
#include "api/cloudwatch/contribution.h"
#include "api/cloudwatch/dashboard_body.h"
#include "api/cloudwatch/labels.h"
#include "tests/fuzz/target.h"

namespace fog::fuzz {

using namespace cloudwatch;

FOG_FUZZ(cloudwatch_documents) {
  Cut cut(input);
  const std::string_view text = cut.next(), message = cut.next();
  (void)check_dashboard_body(text);
  if (const auto rule = Contribution::parse(text); rule.ok()) {
    (void)rule->match(message);
    (void)rule->match(R"({"model":"gpt","ms":12,"a":{"b":[1]}})");
  }
  (void)parse_utc_offset(text);
  metric_math::Series series;
  for (std::int64_t i = 0; i < 5; ++i) series.push(1'767'225'600'000 + i * 60'000, static_cast<double>(i));
  (void)expand_label(text, {.series = &series, .default_label = message, .now = from_ms(1'767'225'900'000), .utc_offset_minutes = 60});
}

FOG_FUZZ_SEEDS(cloudwatch_documents) {
  return {R"({"widgets":[{"type":"metric","x":0,"y":0,"width":6,"height":6,"properties":{"metrics":[["App","Latency",{"stat":"p99"}],[{"expression":"m1"}]],"region":"us-east-1","period":60,"annotations":{"horizontal":[{"value":1}]}}},{"type":"text","properties":{"markdown":"#"}},{"type":"log","properties":{"query":"SOURCE 'x'"}}],"variables":[{"type":"property","property":"region","inputType":"select","id":"r"}]})",
          R"({"Schema":{"Name":"CloudWatchLogRule","Version":1},"LogGroupNames":["/a*"],"LogFormat":"JSON","Contribution":{"Keys":["$.model"],"ValueOf":"$.ms","Filters":[{"Match":"$.a.b","In":["1"]},{"Match":"$.ms","GreaterThan":5},{"Match":"$.x","IsPresent":false}]},"AggregateOn":"Sum"})" "\x1f" "{\"model\":\"a\",\"ms\":7}",
          R"({"Schema":{"Name":"CloudWatchLogRule","Version":1},"LogGroupNames":["g"],"LogFormat":"CLF","Fields":{"4":"ip","7":"status"},"Contribution":{"Keys":["ip"],"Filters":[{"Match":"status","StartsWith":["5"]}]},"AggregateOn":"Count"})" "\x1f" "1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.0\" 500 2326",
          "${LAST} of ${PROP('Dim.Model')} ${MAX_TIME_RELATIVE} ${FIRST_TIME, -1} ${AVG(2)} $\x1fx", "+0130"};
}

}  // namespace fog::fuzz
