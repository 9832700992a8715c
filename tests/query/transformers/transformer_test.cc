// Rows of every processor: configuration, message, what becomes of it.
#include "query/transformers/transformer.h"

#include <gtest/gtest.h>

namespace fog::transformers {
namespace {

struct Row {
  const char* name;
  const char* config;  // processors after or instead of parseJSON
  const char* message;
  const char* expected;  // null: the event stays as it was
};

void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

constexpr Row kRows[] = {
    {"parse_json_root", R"j([{"parseJSON":{}}])j", R"j({"a": {"b": 1.50}, "c": [1, "x"]})j", R"j({"a":{"b":1.50},"c":[1,"x"]})j"},
    {"parse_json_destination", R"j([{"parseJSON":{"destination":"new_key"}}])j", R"j({"outer":{"inner":"v"}})j", R"j({"new_key":{"outer":{"inner":"v"}}})j"},
    {"parse_json_of_text", R"j([{"parseJSON":{}}])j", "plain text", nullptr},
    {"parse_json_of_list", R"j([{"parseJSON":{}}])j", "[1]", nullptr},
    {"parse_json_from_key", R"j([{"parseJSON":{}},{"parseJSON":{"source":"a"}}])j", R"j({"a":"{\"b\":true}"})j", R"j({"a":"{\"b\":true}","b":true})j"},
    {"parse_json_missing_source", R"j([{"parseJSON":{}},{"parseJSON":{"source":"none"}}])j", R"j({"a":1})j", R"j({"a":1})j"},
    {"unicode_kept", R"j([{"parseJSON":{}}])j", R"j({"a":"\u00e9\ud83d\ude00\n"})j", "{\"a\":\"\xC3\xA9\xF0\x9F\x98\x80\\n\"}"},

    {"grok_general", R"j([{"grok":{"match":"%{NUMBER:version} %{HOSTNAME:hostname} %{NOTSPACE:status} %{QUOTEDSTRING:logMsg}"}}])j",
     R"j(293750 server-01.internal-network.local OK "[Thread-000] token generated")j",
     R"j({"version":"293750","hostname":"server-01.internal-network.local","status":"OK","logMsg":"\"[Thread-000] token generated\""})j"},
    {"grok_nested_field", R"j([{"grok":{"match":"%{WORD:http.method} %{IP:client.ip}"}}])j", "GET 10.1.2.3", R"j({"http":{"method":"GET"},"client":{"ip":"10.1.2.3"}})j"},
    {"grok_unmatched", R"j([{"grok":{"match":"%{IP:ip}"}},{"addKeys":{"entries":[{"key":"k","value":"v"}]}}])j", "no address", R"j({"k":"v"})j"},
    {"grok_timestamp", R"j([{"grok":{"match":"%{TIMESTAMP_ISO8601:t} %{LOGLEVEL:l} %{GREEDYDATA:m}"}}])j", "2024-05-06T07:08:09.123Z WARN disk is full",
     R"j({"t":"2024-05-06T07:08:09.123Z","l":"WARN","m":"disk is full"})j"},
    {"grok_apache", R"j([{"grok":{"match":"%{APACHE_ACCESS_LOG}"}}])j",
     R"j(127.0.0.1 - - [03/Aug/2023:12:34:56 +0200] "GET /page.html HTTP/1.1" 200 1234)j",
     R"j({"remote_host":"127.0.0.1","timestamp":"2023-08-03T10:34:56.000Z","http_method":"GET","request":"/page.html","http_version":"1.1","status_code":200,"response_size":1234})j"},
    {"grok_nginx", R"j([{"grok":{"match":"%{NGINX_ACCESS_LOG}"}}])j",
     R"j(192.168.1.100 - Foo [03/Aug/2023:12:34:56 +0000] "GET /account/login.html HTTP/1.1" 200 42 "https://www.amazon.com/" "Mozilla/5.0")j",
     R"j({"remote_host":"192.168.1.100","auth_user":"Foo","timestamp":"2023-08-03T12:34:56.000Z","http_method":"GET","request":"/account/login.html","http_version":"1.1","status_code":200,"response_size":42,"referrer":"https://www.amazon.com/","agent":"Mozilla/5.0"})j"},
    {"grok_syslog", R"j([{"grok":{"match":"%{SYSLOG5424}"}}])j",
     R"j(<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut="3" eventID="1011"] hello)j",
     R"j({"pri":165,"version":1,"timestamp":"2003-10-11T22:14:15.003Z","hostname":"mymachine.example.com","app":"evntslog","msg_id":"ID47","structured_data":"[exampleSDID@32473 iut=\"3\" eventID=\"1011\"] ","message":"hello"})j"},

    {"csv_default_columns", R"j([{"csv":{"quoteCharacter":"'"}}])j", "'Akua Mansa',28,'New York, USA'", R"j({"column_1":"Akua Mansa","column_2":"28","column_3":"New York, USA"})j"},
    {"csv_named_columns", R"j([{"csv":{"columns":["name","info.age"]}}])j", R"j("a ""b""",28,rest)j", R"j({"name":"a \"b\"","info":{"age":"28"},"column_3":"rest"})j"},
    {"csv_tab", R"j([{"csv":{"delimiter":"\\t"}}])j", "a\tb\t", R"j({"column_1":"a","column_2":"b","column_3":""})j"},
    {"csv_blank", R"j([{"csv":{"delimiter":"\\s","columns":["x","y"]}}])j", "1 2", R"j({"x":"1","y":"2"})j"},

    {"key_value", R"j([{"parseKeyValue":{"destination":"new_key","fieldDelimiter":"!","keyValueDelimiter":":","nonMatchValue":"defaultValue","keyPrefix":"parsed_"}}])j",
     "key1:value1!key2:value2!key3:value3!key4",
     R"j({"new_key":{"parsed_key1":"value1","parsed_key2":"value2","parsed_key3":"value3","parsed_key4":"defaultValue"}})j"},
    {"key_value_defaults", R"j([{"parseKeyValue":{}}])j", "a=1&b=x=y", R"j({"a":"1","b":"x=y"})j"},
    {"key_value_keeps", R"j([{"parseJSON":{}},{"parseKeyValue":{"source":"q"}}])j", R"j({"q":"a=2&b=3","a":1})j", R"j({"q":"a=2&b=3","a":1,"b":"3"})j"},
    {"key_value_overwrites", R"j([{"parseJSON":{}},{"parseKeyValue":{"source":"q","overwriteIfExists":true}}])j", R"j({"q":"a=2","a":1})j", R"j({"q":"a=2","a":"2"})j"},

    {"vpc", R"j([{"parseVPC":{}}])j", "2 123456789010 eni-abc123de 192.0.2.0 192.0.2.24 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK",
     R"j({"version":2,"accountId":"123456789010","interfaceId":"eni-abc123de","srcAddr":"192.0.2.0","dstAddr":"192.0.2.24","srcPort":20641,"dstPort":22,"protocol":6,"packets":20,"bytes":4249,"start":1418530010,"end":1418530070,"action":"ACCEPT","logStatus":"OK"})j"},
    {"vpc_no_data", R"j([{"parseVPC":{}}])j", "2 123456789010 eni-1 - - - - - - - 1 2 - NODATA",
     R"j({"version":2,"accountId":"123456789010","interfaceId":"eni-1","srcAddr":"-","dstAddr":"-","srcPort":"-","dstPort":"-","protocol":"-","packets":"-","bytes":"-","start":1,"end":2,"action":"-","logStatus":"NODATA"})j"},
    {"vpc_other_line", R"j([{"parseVPC":{}}])j", "not a flow log", nullptr},
    {"route53", R"j([{"parseRoute53":{}}])j", "1.0 2017-12-13T08:15:50.235Z Z123412341234 example.com AAAA NOERROR TCP IAD12 192.0.2.0 198.51.100.0/24",
     R"j({"version":1.0,"queryTimestamp":"2017-12-13T08:15:50.235Z","hostZoneId":"Z123412341234","queryName":"example.com","queryType":"AAAA","responseCode":"NOERROR","protocol":"TCP","edgeLocation":"IAD12","resolverIp":"192.0.2.0","ednsClientSubnet":"198.51.100.0/24"})j"},
    {"cloudfront", R"j([{"parseCloudfront":{}},{"deleteKeys":{"withKeys":["cs(Cookie)","x-forwarded-for","ssl-protocol","ssl-cipher","fle-status"]}}])j",
     "2019-12-04\t21:02:31\tLAX1\t392\t192.0.2.24\tGET\td111111abcdef8.cloudfront.net\t/index.html\t200\t-\tMozilla\t-\t-\tHit\tSOX4x\td111\thttps\t23\t0.001\t-\tTLSv1.2\tECDHE\tHit\tHTTP/2.0\t-\t-\t11040\t0.001\tHit\ttext/html\t78\t-\t-",
     R"j({"date":"2019-12-04","time":"21:02:31","x-edge-location":"LAX1","sc-bytes":392,"c-ip":"192.0.2.24","cs-method":"GET","cs(Host)":"d111111abcdef8.cloudfront.net","cs-uri-stem":"/index.html","sc-status":200,"cs(Referer)":"-","cs(User-Agent)":"Mozilla","cs-uri-query":"-","x-edge-result-type":"Hit","x-edge-request-id":"SOX4x","x-host-header":"d111","cs-protocol":"https","cs-bytes":23,"time-taken":0.001,"x-edge-response-result-type":"Hit","cs-protocol-version":"HTTP/2.0","fle-encrypted-fields":"-","c-port":11040,"time-to-first-byte":0.001,"x-edge-detailed-result-type":"Hit","sc-content-type":"text/html","sc-content-len":78,"sc-range-start":"-","sc-range-end":"-"})j"},
    {"postgres", R"j([{"parsePostgres":{}}])j", R"j(2019-03-10 03:54:59 UTC:10.0.0.123(52834):postgres@logtestdb:[20175]:ERROR: column "w" does not exist)j",
     R"j({"logTime":"2019-03-10 03:54:59 UTC","srcIp":"10.0.0.123(52834)","userName":"postgres","dbName":"logtestdb","processId":"20175","logLevel":"ERROR"})j"},
    {"waf", R"j([{"parseWAF":{}}])j", R"j({"action":"BLOCK","httpRequest":{"clientIp":"1.1.1.1","headers":[{"name":"Host","value":"h"},{"name":"User-Agent","value":"curl"}]},"labels":[{"name":"awswaf:geo:country:US"}]})j",
     R"j({"action":"BLOCK","httpRequest":{"clientIp":"1.1.1.1","headers":{"Host":"h","User-Agent":"curl"}},"labels":{"awswaf:geo:country":"US"}})j"},
    {"ocsf_keeps_the_event", R"j([{"parseToOCSF":{"eventSource":"VPCFlow","ocsfVersion":"V1.1"}}])j", R"j({"a":1})j", R"j({"a":1})j"},

    {"date_zones", R"j([{"parseJSON":{}},{"dateTimeConverter":{"source":"t","target":"u","targetFormat":"yyyy-MM-dd'T'HH:mm:ss z","targetTimezone":"Asia/Tokyo","matchPatterns":["yyyy-MM-dd HH:mm:ss"]}}])j",
     R"j({"t":"2024-01-01 00:00:00"})j", R"j({"t":"2024-01-01 00:00:00","u":"2024-01-01T09:00:00 +09:00"})j"},
    {"date_source_zone", R"j([{"parseJSON":{}},{"dateTimeConverter":{"source":"t","target":"t","sourceTimezone":"America/New_York","matchPatterns":["dd/MMM/yyyy HH:mm"]}}])j",
     R"j({"t":"04/Jul/2024 12:00"})j", R"j({"t":"2024-07-04T16:00:00.000Z"})j"},
    {"date_epoch", R"j([{"parseJSON":{}},{"dateTimeConverter":{"source":"t","target":"d","matchPatterns":["epoch"]}}])j", R"j({"t":1700000000})j",
     R"j({"t":1700000000,"d":"2023-11-14T22:13:20.000Z"})j"},
    {"date_second_pattern", R"j([{"parseJSON":{}},{"dateTimeConverter":{"source":"t","target":"d","matchPatterns":["yyyy","yyyy-MM-dd HH:mm:ss.SSSX"],"targetFormat":"EEE, d MMM yyyy h:mm a"}}])j",
     R"j({"t":"2024-02-29 13:05:06.789+01:00"})j", R"j({"t":"2024-02-29 13:05:06.789+01:00","d":"Thu, 29 Feb 2024 12:05 PM"})j"},
    {"date_no_pattern_fits", R"j([{"parseJSON":{}},{"dateTimeConverter":{"source":"t","target":"d","matchPatterns":["yyyy"]}}])j", R"j({"t":"x"})j", nullptr},
    {"date_31_february", R"j([{"parseJSON":{}},{"dateTimeConverter":{"source":"t","target":"d","matchPatterns":["yyyy-MM-dd"]}}])j", R"j({"t":"2024-02-31"})j", nullptr},

    {"add_keys", R"j([{"parseJSON":{}},{"addKeys":{"entries":[{"key":"a.b","value":"new"},{"key":"x","value":"no"},{"key":"y","value":"yes","overwriteIfExists":true}]}}])j",
     R"j({"x":1,"y":2})j", R"j({"x":1,"y":"yes","a":{"b":"new"}})j"},
    {"delete_keys", R"j([{"parseJSON":{}},{"deleteKeys":{"withKeys":["a.b","gone","l[0]"]}}])j", R"j({"a":{"b":1,"c":2},"l":[1,2]})j", R"j({"a":{"c":2},"l":[2]})j"},
    {"move_keys", R"j([{"parseJSON":{}},{"moveKeys":{"entries":[{"source":"a.k","target":"b"}]}}])j", R"j({"a":{"k":1},"b":{"x":2}})j", R"j({"a":{},"b":{"x":2,"k":1}})j"},
    {"move_keys_taken", R"j([{"parseJSON":{}},{"moveKeys":{"entries":[{"source":"a","target":"b"}]}}])j", R"j({"a":1,"b":2})j", R"j({"a":1,"b":2})j"},
    {"move_keys_overwrites", R"j([{"parseJSON":{}},{"moveKeys":{"entries":[{"source":"a","target":"b","overwriteIfExists":true}]}}])j", R"j({"a":1,"b":2})j", R"j({"b":1})j"},
    {"rename_keys", R"j([{"parseJSON":{}},{"renameKeys":{"entries":[{"key":"outer_key","renameTo":"new_key"}]}}])j", R"j({"outer_key":{"inner":1}})j", R"j({"new_key":{"inner":1}})j"},
    {"rename_nested", R"j([{"parseJSON":{}},{"renameKeys":{"entries":[{"key":"a.b","renameTo":"c"}]}}])j", R"j({"a":{"b":1}})j", R"j({"a":{"c":1}})j"},
    {"copy_value", R"j([{"parseJSON":{}},{"copyValue":{"entries":[{"source":"a","target":"c"},{"source":"@logGroupName","target":"where.group"},{"source":"@logGroupStream","target":"s"},{"source":"@accountId","target":"acc"},{"source":"@regionName","target":"r"}]}}])j",
     R"j({"a":[1]})j", R"j({"a":[1],"c":[1],"where":{"group":"/g"},"s":"st","acc":"000000000000","r":"eu-west-1"})j"},
    {"list_to_map", R"j([{"parseJSON":{}},{"listToMap":{"source":"l","key":"k","valueKey":"v"}},{"deleteKeys":{"withKeys":["l"]}}])j",
     R"j({"l":[{"k":"a","v":"val-a"},{"k":"b","v":"val-b1"},{"k":"b","v":"val-b2"},{"k":"c","v":"val-c"}]})j", R"j({"a":["val-a"],"b":["val-b1","val-b2"],"c":["val-c"]})j"},
    {"list_to_map_flat_last", R"j([{"parseJSON":{}},{"listToMap":{"source":"l","key":"k","valueKey":"v","target":"t","flatten":true,"flattenedElement":"last"}},{"deleteKeys":{"withKeys":["l"]}}])j",
     R"j({"l":[{"k":"a","v":1},{"k":"b","v":2},{"k":"b","v":3}]})j", R"j({"t":{"a":1,"b":3}})j"},
    {"list_to_map_objects", R"j([{"parseJSON":{}},{"listToMap":{"source":"l","key":"k","flatten":true,"flattenedElement":"first"}},{"deleteKeys":{"withKeys":["l"]}}])j",
     R"j({"l":[{"k":"a","v":1},{"k":"a","v":2},"no object"]})j", R"j({"a":{"k":"a","v":1}})j"},
    {"lower_upper_trim", R"j([{"parseJSON":{}},{"lowerCaseString":{"withKeys":["a","n"]}},{"upperCaseString":{"withKeys":["b.c"]}},{"trimString":{"withKeys":["d"]}}])j",
     R"j({"a":"ABC","b":{"c":"abc"},"d":"\t x y \n","n":5})j", R"j({"a":"abc","b":{"c":"ABC"},"d":"x y","n":5})j"},
    {"split", R"j([{"parseJSON":{}},{"splitString":{"entries":[{"source":"a","delimiter":", "},{"source":"b","delimiter":"."}]}}])j", R"j({"a":"x, y, ","b":"z"})j", R"j({"a":["x","y",""],"b":["z"]})j"},
    {"substitute", R"j([{"parseJSON":{}},{"substituteString":{"entries":[{"source":"a","from":"\\[(\\d+)\\]","to":"<$1>"},{"source":"b","from":"(?<first>\\w+) (?<last>\\w+)","to":"${last}, ${first}"},{"source":"c","from":"x*","to":"-"}]}}])j",
     R"j({"a":"q[12]w[3]","b":"Ada Lovelace","c":"axb"})j", R"j({"a":"q<12>w<3>","b":"Lovelace, Ada","c":"-a--b-"})j"},
    {"types", R"j([{"parseJSON":{}},{"typeConverter":{"entries":[{"key":"i","type":"integer"},{"key":"d","type":"double"},{"key":"s","type":"string"},{"key":"b","type":"boolean"},{"key":"x","type":"integer"}]}}])j",
     R"j({"i":"42","d":"2","s":1.50,"b":"TRUE","x":"no"})j", R"j({"i":42,"d":2.0,"s":"1.50","b":true,"x":"no"})j"},
};

class Processors : public testing::TestWithParam<Row> {};

TEST_P(Processors, MakeOfAMessage) {
  const Row& row = GetParam();
  const auto transformer = parse(row.config);
  ASSERT_TRUE(transformer.ok()) << transformer.error().message();
  const auto made = (*transformer)->transform({.message = row.message, .log_group = "/g", .log_stream = "st", .account = "000000000000", .region = "eu-west-1"});
  if (row.expected == nullptr) {
    EXPECT_FALSE(made.has_value()) << *made;
  } else {
    ASSERT_TRUE(made.has_value());
    EXPECT_EQ(*made, row.expected);
  }
}
INSTANTIATE_TEST_SUITE_P(Rows, Processors, testing::ValuesIn(kRows), [](const auto& row) { return std::string(row.param.name); });

struct BadRow {
  const char* config;
  const char* message;
};
constexpr BadRow kBad[] = {
    {"no json", "Invalid transformer configuration: the document is not valid JSON."},
    {"{}", "Invalid transformer configuration: a list of processors is expected."},
    {"[]", "Invalid transformer configuration: a transformer must have between 1 and 20 processors."},
    {R"j([{"addKeys":{"entries":[{"key":"a","value":"b"}]}}])j", "Invalid transformer configuration: the first processor must be a parser."},
    {R"j([{"parseJSON":{},"csv":{}}])j", "Invalid transformer configuration: each entry must have exactly one processor."},
    {R"j([{"unknown":{}}])j", "Invalid transformer configuration: unknown processor unknown."},
    {R"j([{"parseJSON":{}},{"parseVPC":{}}])j", "Invalid transformer configuration: parseVPC must be the first processor."},
    {R"j([{"grok":{"match":"%{IP:a}"}},{"grok":{"match":"%{IP:b}"}}])j", "Invalid transformer configuration: only one grok processor is allowed."},
    {R"j([{"parseJSON":{"source":"a.b.c.d"}}])j", "Invalid transformer configuration: parseJSON: key a.b.c.d exceeds the maximum nested depth of 3."},
    {R"j([{"parseJSON":{"source":"a..b"}}])j", "Invalid transformer configuration: parseJSON: key a..b is not valid."},
    {R"j([{"grok":{}}])j", "Invalid transformer configuration: grok: match is required."},
    {R"j([{"grok":{"match":"%{NOPE:a}"}}])j", "Invalid transformer configuration: grok: pattern NOPE is not supported."},
    {R"j([{"grok":{"match":"plain"}}])j", "Invalid transformer configuration: grok: match has no pattern."},
    {R"j([{"grok":{"match":"(%{IP:a})"}}])j", "Invalid transformer configuration: grok: match must not have groups of its own."},
    {R"j([{"grok":{"match":"%{SYSLOG5424}%{IP:a}"}}])j", "Invalid transformer configuration: grok: only DATA and GREEDYDATA may follow SYSLOG5424."},
    {R"j([{"grok":{"match":"x %{SYSLOG5424}"}}])j", "Invalid transformer configuration: grok: SYSLOG5424 must be the first pattern."},
    {R"j([{"csv":{"delimiter":"ab"}}])j", "Invalid transformer configuration: csv: delimiter must be a single character, \\t or \\s."},
    {R"j([{"parseJSON":{}},{"listToMap":{"source":"a","key":"k","flatten":true}}])j", "Invalid transformer configuration: listToMap: flattenedElement is required when flatten is true."},
    {R"j([{"parseJSON":{}},{"dateTimeConverter":{"source":"a","target":"b","matchPatterns":["QQQ"]}}])j", "Invalid transformer configuration: dateTimeConverter: match pattern QQQ is not valid: unknown pattern letter Q."},
    {R"j([{"parseJSON":{}},{"dateTimeConverter":{"source":"a","target":"b","matchPatterns":["yyyy"],"sourceTimezone":"Mars/Base"}}])j", "Invalid transformer configuration: dateTimeConverter: sourceTimezone Mars/Base is not valid."},
    {R"j([{"parseJSON":{}},{"substituteString":{"entries":[{"source":"a","from":"(","to":"b"}]}}])j", "Invalid transformer configuration: substituteString: from is not a valid regular expression: missing ): ("},
    {R"j([{"parseVPC":{"source":"a"}}])j", "Invalid transformer configuration: parseVPC: source must be @message."},
};

TEST(Transformers, RefuseBadConfigurations) {
  for (const BadRow& row : kBad) {
    const auto transformer = parse(row.config);
    ASSERT_FALSE(transformer.ok()) << row.config;
    EXPECT_EQ(transformer.error().message(), row.message);
  }
  std::string many = "[";
  for (int k = 0; k < 6; ++k) many += std::string(k > 0 ? "," : "") + R"j({"parseJSON":{}})j";
  const auto transformer = parse(many + "]");
  ASSERT_FALSE(transformer.ok());
  EXPECT_EQ(transformer.error().message(), "Invalid transformer configuration: at most 5 parser processors are allowed.");
}

}  // namespace
}  // namespace fog::transformers
