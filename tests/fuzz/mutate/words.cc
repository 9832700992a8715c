#include "tests/fuzz/mutate/words.h"

#include <fmt/format.h>

#include <map>
#include <vector>

namespace fog::fuzz {
namespace {

using Words = std::map<std::string, std::vector<std::string>, std::less<>>;

const Words& words() {
  static const std::string kTopic = "arn:aws:sns:us-east-1:000000000000:fuzz";
  static const std::string kGroupArn = "arn:aws:logs:us-east-1:000000000000:log-group:/fuzz/a";
  static const std::string kAlarmArn = "arn:aws:cloudwatch:us-east-1:000000000000:alarm:fuzz";
  static const std::string kRole = "arn:aws:iam::000000000000:role/fuzz";
  static const std::string kPolicy =
      R"({"Version":"2012-10-17","Statement":[{"Sid":"s","Effect":"Allow","Principal":{"AWS":"*"},"Action":"*","Resource":"*"}]})";
  static const Words kWords = {
      {"loggroupname", {"/fuzz/a", "/fuzz/b", "/fuzz/c", "/none"}},
      {"loggroupidentifier", {"/fuzz/a", kGroupArn}},
      {"loggroupidentifiers", {"/fuzz/a", kGroupArn, kGroupArn + ":*"}},
      {"loggrouparn", {kGroupArn}},
      {"loggrouparnlist", {kGroupArn}},
      {"loggroupnames", {"/fuzz/a", "/fuzz/b"}},
      {"loggroupnameprefix", {"/fuzz"}},
      {"loggroupnamepattern", {"fuzz"}},
      {"logstreamname", {"s", "t", "none"}},
      {"logstreamnames", {"s", "t"}},
      {"logstreamnameprefix", {"s"}},
      {"message", {R"({"level":"ERROR","latency_ms":12.5,"model":"gpt","a":{"b":[1,2]}})", "ERROR went wrong 42", "[m] 127.0.0.1 - - 200 55",
                   R"({"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"n","Dimensions":[["d"]],"Metrics":[{"Name":"v"}]}]},"d":"x","v":1})",
                   R"({"default":"hello","sqs":"x"})"}},
      {"logeventmessages", {"ERROR 1", R"({"a":1})"}},
      {"filterpattern", {"ERROR", "{ $.level = \"ERROR\" }", "[ip, id, user, status = 2*, bytes]", "", "%E..OR%", "?a ?b -c"}},
      {"logeventfilterpattern", {"ERROR"}},
      {"querystring", {"fields @timestamp, @message | sort @timestamp desc | limit 5", "stats avg(latency_ms) by bin(1m), model", "parse @message \"* *\" as a, b | dedup a",
                       "filter level = 'ERROR' | pattern @message", "fields a.b.0 as x | stats pct(x, 99), count(*) by level", "stats count(*) by bin(1h) | sort 2"}},
      {"selectors", {"@message"}},
      {"textmode", {"x"}},
      {"nexttoken", {"AAAA", "f/1", "eyJhIjoxfQ=="}},
      {"sequencetoken", {"49590302"}},
      {"queryid", {"12345678-1234-4234-8234-123456789012"}},
      {"topicarn", {kTopic, kTopic + ".fifo", kTopic + "-none"}},
      {"targetarn", {kTopic}},
      {"subscriptionarn", {kTopic + ":12345678-1234-4234-8234-123456789012", "PendingConfirmation"}},
      {"resourcearn", {kTopic, kGroupArn, kAlarmArn, "arn:aws:xray:us-east-1:000000000000:group/fuzz/ABC"}},
      {"endpoint", {"http://127.0.0.1:9/x", "a@example.com", "+15551234567", "arn:aws:sqs:us-east-1:000000000000:fuzz"}},
      {"protocol", {"http", "email", "sms", "sqs", "lambda", "email-json"}},
      {"phonenumber", {"+15551234567", "15551234567"}},
      {"subject", {"hello"}},
      {"messagestructure", {"json"}},
      {"messagegroupid", {"g"}},
      {"messagededuplicationid", {"d1", "d2"}},
      {"queueurl", {"http://127.0.0.1/000000000000/fuzz", "http://127.0.0.1/000000000000/fuzz.fifo", "fuzz"}},
      {"queuename", {"fuzz", "fuzz.fifo", "q1"}},
      {"messagebody", {"hello"}},
      {"receipthandle", {"abc#1"}},
      {"attributename", {"FilterPolicy", "RawMessageDelivery", "DisplayName", "Policy", "DeliveryPolicy", "RedrivePolicy", "KmsMasterKeyId", "FilterPolicyScope"}},
      {"attributenames", {"All", "QueueArn"}},
      {"attributevalue", {R"({"store":["a"]})", "true", kPolicy, R"({"healthyRetryPolicy":{"numRetries":3}})", R"({"http":{"defaultHealthyRetryPolicy":{"numRetries":1}}})"}},
      {"attributeskey", {"DisplayName", "FifoTopic", "Policy", "VisibilityTimeout", "FilterPolicy", "RedrivePolicy", "SignatureVersion", "DelaySeconds"}},
      {"attributes", {"true", "30", "x", kPolicy}},
      {"messageattributeskey", {"store", "price"}},
      {"datatype", {"String", "Number", "String.Array", "Binary", "Number.float"}},
      {"stringvalue", {"a", "12.5", "[\"a\",1,null]"}},
      {"binaryvalue", {"\x01\x02"}},
      {"namespace", {"App", "AWS/EC2", "Fuzz"}},
      {"metricname", {"Latency", "Errors", "CPUUtilization"}},
      {"metricnamespace", {"App"}},
      {"stat", {"Average", "p99", "Sum", "tm90", "TM(10%:90%)", "SampleCount", "IQM"}},
      {"statistics", {"Average", "Sum"}},
      {"extendedstatistic", {"p99", "tm90"}},
      {"extendedstatistics", {"p99", "tm(10%:90%)"}},
      {"expression", {"m1+1", "SELECT AVG(Latency) FROM App GROUP BY Model", "SEARCH('{App,Model} Latency','Average',60)", "ANOMALY_DETECTION_BAND(m1,2)", "METRICS()", "service(\"api\") { fault }",
                      "rate(5 minutes)", "cron(0 1 * * *)", "FILL(m1,REPEAT)/0"}},
      {"id", {"m1", "e1", "m2", "q0"}},
      {"label", {"${LAST} x", "l"}},
      {"alarmname", {"fuzz", "fuzz2", "fuzz-composite"}},
      {"alarmnames", {"fuzz", "fuzz2"}},
      {"alarmnameprefix", {"fuzz"}},
      {"alarmrule", {"ALARM(fuzz)", "ALARM(fuzz) OR OK(\"fuzz2\")", "NOT ALARM(fuzz) AND TRUE", "AT_LEAST(1, ALARM, (fuzz, fuzz2))"}},
      {"alarmactions", {kTopic}},
      {"okactions", {kTopic}},
      {"insufficientdataactions", {kTopic}},
      {"actionssuppressor", {"fuzz2"}},
      {"statereason", {"because"}},
      {"statereasondata", {R"({"a":1})"}},
      {"treatmissingdata", {"breaching", "ignore", "missing", "notBreaching"}},
      {"dashboardname", {"fuzz", "fuzz2"}},
      {"dashboardnames", {"fuzz"}},
      {"dashboardbody", {R"({"widgets":[{"type":"metric","x":0,"y":0,"width":6,"height":6,"properties":{"metrics":[["App","Latency"]],"region":"us-east-1","period":60,"stat":"Average"}}]})", R"({"widgets":[]})"}},
      {"metricwidget", {R"({"metrics":[["App","Latency","Model","a",{"stat":"p99"}]],"width":300,"height":200,"period":60})", R"({"view":"pie","metrics":[["App","Latency"]]})"}},
      {"outputformat", {"png"}},
      {"rulename", {"fuzz"}},
      {"rulenames", {"fuzz"}},
      {"ruledefinition", {R"({"Schema":{"Name":"CloudWatchLogRule","Version":1},"LogGroupNames":["/fuzz/a"],"LogFormat":"JSON","Contribution":{"Keys":["$.model"],"Filters":[]},"AggregateOn":"Count"})"}},
      {"rulestate", {"ENABLED", "DISABLED"}},
      {"timezone", {"UTC", "Europe/Berlin", "+05:30"}},
      {"duration", {"PT1H", "PT5M"}},
      {"scheduleexpression", {"rate(5 minutes)", "cron(0 12 * * ? *)"}},
      {"tracesegmentdocuments", {}},
      {"traceids", {}},
      {"filterexpression", {"service(\"api\") { fault }", "annotation.model = \"gpt\"", "responsetime > 0.1 AND http.status = 500", "rootcause.fault.service { name = \"api\" }"}},
      {"entityselectorexpression", {"service(\"api\")", "edge(\"a\", \"b\")"}},
      {"groupname", {"fuzz", "Default"}},
      {"policydocument", {kPolicy, R"({"Name":"p","Version":"2021-06-01","Statement":[{"Sid":"a","DataIdentifier":["arn:aws:dataprotection::aws:data-identifier/EmailAddress"],"Operation":{"Audit":{"FindingsDestination":{}}}},{"Sid":"b","DataIdentifier":["arn:aws:dataprotection::aws:data-identifier/EmailAddress"],"Operation":{"Deidentify":{"MaskConfig":{}}}}]})"}},
      {"accesspolicy", {kPolicy}},
      {"policyname", {"fuzz"}},
      {"dataprotectionpolicy", {kPolicy}},
      {"rolearn", {kRole}},
      {"destinationarn", {"arn:aws:lambda:us-east-1:000000000000:function:f", "arn:aws:kinesis:us-east-1:000000000000:stream/s"}},
      {"destinationname", {"fuzz"}},
      {"filtername", {"fuzz"}},
      {"metricvalue", {"$.latency_ms", "1", "$bytes"}},
      {"match", {"%{IP:ip} %{NUMBER:n}", "%{DATA:a} %{GREEDYDATA:b}"}},
      {"source", {"@message", "a.b", "message"}},
      {"destination", {"x.y", "fuzz-bucket"}},
      {"target", {"x"}},
      {"key", {"a", "k", "level"}},
      {"withkeys", {"a"}},
      {"tablebody", {"id,name\n1,a\n2,\"b,c\"\n"}},
      {"lookuptablename", {"fuzz"}},
      {"tagkeys", {"a"}},
      {"tagskey", {"a", "env"}},
      {"unit", {"Count", "Milliseconds"}},
      {"entity", {"x"}},
      {"kmskeyid", {"arn:aws:kms:us-east-1:000000000000:key/12345678-1234-4234-8234-123456789012"}},
      {"destinationbucketname", {"fuzz"}},
      {"iso2countrycode", {"US"}},
      {"clientid", {"abcdefabcdefabcdefabcdef"}},
      {"labelkey", {"AddPermission"}},
  };
  return kWords;
}

}  // namespace

std::string word_for(const std::string& key, std::int64_t now_ms, Dice& dice) {
  if (key == "traceids" || key == "traceid") return fmt::format("1-{:08x}-a006649127e371903a2de{:03x}", now_ms / 1000, below(dice, 40));
  if (key == "tracesegmentdocuments") {
    const double now = static_cast<double>(now_ms) / 1000 - static_cast<double>(below(dice, 100));
    return fmt::format(R"({{"name":"{}","id":"70de5b6f19ff9a{:02x}","trace_id":"1-{:08x}-a006649127e371903a2de{:03x}","start_time":{:.3f},"end_time":{:.3f},"fault":{},)"
                       R"("http":{{"request":{{"method":"GET","url":"http://x/y"}},"response":{{"status":{}}}}},"annotations":{{"model":"gpt"}},)"
                       R"("subsegments":[{{"id":"70de5b6f19ff9b{:02x}","name":"db","start_time":{:.3f},"end_time":{:.3f},"namespace":"remote"}}]}})",
                       chance(dice, 50) ? "api" : "web", below(dice, 256), now_ms / 1000, below(dice, 40), now, now + 0.5, chance(dice, 30), chance(dice, 30) ? 500 : 200, below(dice, 256), now, now + 0.2);
  }
  const auto found = words().find(key);
  if (found == words().end() || found->second.empty()) return {};
  return found->second[below(dice, found->second.size())];
}

}  // namespace fog::fuzz
