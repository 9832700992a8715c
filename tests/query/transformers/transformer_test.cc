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
    {"parse_json_root", R"([{"parseJSON":{}}])", R"({"a": {"b": 1.50}, "c": [1, "x"]})", R"({"a":{"b":1.50},"c":[1,"x"]})"},
    {"parse_json_destination", R"([{"parseJSON":{"destination":"new_key"}}])", R"({"outer":{"inner":"v"}})", R"({"new_key":{"outer":{"inner":"v"}}})"},
    {"parse_json_of_text", R"([{"parseJSON":{}}])", "plain text", nullptr},
    {"parse_json_of_list", R"([{"parseJSON":{}}])", "[1]", nullptr},
    {"parse_json_from_key", R"([{"parseJSON":{}},{"parseJSON":{"source":"a"}}])", R"({"a":"{\"b\":true}"})", R"({"a":"{\"b\":true}","b":true})"},
    {"parse_json_missing_source", R"([{"parseJSON":{}},{"parseJSON":{"source":"none"}}])", R"({"a":1})", R"({"a":1})"},
    {"unicode_kept", R"([{"parseJSON":{}}])", R"({"a":"\u00e9\ud83d\ude00\n"})", "{\"a\":\"\xC3\xA9\xF0\x9F\x98\x80\\n\"}"},

    {"grok_general", R"([{"grok":{"match":"%{NUMBER:version} %{HOSTNAME:hostname} %{NOTSPACE:status} %{QUOTEDSTRING:logMsg}"}}])",
     R"(293750 server-01.internal-network.local OK "[Thread-000] token generated")",
     R"({"version":"293750","hostname":"server-01.internal-network.local","status":"OK","logMsg":"\"[Thread-000] token generated\""})"},
    {"grok_nested_field", R"([{"grok":{"match":"%{WORD:http.method} %{IP:client.ip}"}}])", "GET 10.1.2.3", R"({"http":{"method":"GET"},"client":{"ip":"10.1.2.3"}})"},
    {"grok_unmatched", R"([{"grok":{"match":"%{IP:ip}"}},{"addKeys":{"entries":[{"key":"k","value":"v"}]}}])", "no address", R"({"k":"v"})"},
    {"grok_timestamp", R"([{"grok":{"match":"%{TIMESTAMP_ISO8601:t} %{LOGLEVEL:l} %{GREEDYDATA:m}"}}])", "2024-05-06T07:08:09.123Z WARN disk is full",
     R"({"t":"2024-05-06T07:08:09.123Z","l":"WARN","m":"disk is full"})"},
    {"grok_apache", R"([{"grok":{"match":"%{APACHE_ACCESS_LOG}"}}])",
     R"(127.0.0.1 - - [03/Aug/2023:12:34:56 +0200] "GET /page.html HTTP/1.1" 200 1234)",
     R"({"remote_host":"127.0.0.1","timestamp":"2023-08-03T10:34:56.000Z","http_method":"GET","request":"/page.html","http_version":"1.1","status_code":200,"response_size":1234})"},
    {"grok_nginx", R"([{"grok":{"match":"%{NGINX_ACCESS_LOG}"}}])",
     R"(192.168.1.100 - Foo [03/Aug/2023:12:34:56 +0000] "GET /account/login.html HTTP/1.1" 200 42 "https://www.amazon.com/" "Mozilla/5.0")",
     R"({"remote_host":"192.168.1.100","auth_user":"Foo","timestamp":"2023-08-03T12:34:56.000Z","http_method":"GET","request":"/account/login.html","http_version":"1.1","status_code":200,"response_size":42,"referrer":"https://www.amazon.com/","agent":"Mozilla/5.0"})"},
    {"grok_syslog", R"([{"grok":{"match":"%{SYSLOG5424}"}}])",
     R"(<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut="3" eventID="1011"] hello)",
     R"({"pri":165,"version":1,"timestamp":"2003-10-11T22:14:15.003Z","hostname":"mymachine.example.com","app":"evntslog","msg_id":"ID47","structured_data":"[exampleSDID@32473 iut=\"3\" eventID=\"1011\"] ","message":"hello"})"},

    {"csv_default_columns", R"([{"csv":{"quoteCharacter":"'"}}])", "'Akua Mansa',28,'New York, USA'", R"({"column_1":"Akua Mansa","column_2":"28","column_3":"New York, USA"})"},
    {"csv_named_columns", R"([{"csv":{"columns":["name","info.age"]}}])", R"("a ""b""",28,rest)", R"({"name":"a \"b\"","info":{"age":"28"},"column_3":"rest"})"},
    {"csv_tab", R"([{"csv":{"delimiter":"\\t"}}])", "a\tb\t", R"({"column_1":"a","column_2":"b","column_3":""})"},
    {"csv_blank", R"([{"csv":{"delimiter":"\\s","columns":["x","y"]}}])", "1 2", R"({"x":"1","y":"2"})"},

    {"key_value", R"([{"parseKeyValue":{"destination":"new_key","fieldDelimiter":"!","keyValueDelimiter":":","nonMatchValue":"defaultValue","keyPrefix":"parsed_"}}])",
     "key1:value1!key2:value2!key3:value3!key4",
     R"({"new_key":{"parsed_key1":"value1","parsed_key2":"value2","parsed_key3":"value3","parsed_key4":"defaultValue"}})"},
    {"key_value_defaults", R"([{"parseKeyValue":{}}])", "a=1&b=x=y", R"({"a":"1","b":"x=y"})"},
    {"key_value_keeps", R"([{"parseJSON":{}},{"parseKeyValue":{"source":"q"}}])", R"({"q":"a=2&b=3","a":1})", R"({"q":"a=2&b=3","a":1,"b":"3"})"},
    {"key_value_overwrites", R"([{"parseJSON":{}},{"parseKeyValue":{"source":"q","overwriteIfExists":true}}])", R"({"q":"a=2","a":1})", R"({"q":"a=2","a":"2"})"},

    {"vpc", R"([{"parseVPC":{}}])", "2 123456789010 eni-abc123de 192.0.2.0 192.0.2.24 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK",
     R"({"version":2,"accountId":"123456789010","interfaceId":"eni-abc123de","srcAddr":"192.0.2.0","dstAddr":"192.0.2.24","srcPort":20641,"dstPort":22,"protocol":6,"packets":20,"bytes":4249,"start":1418530010,"end":1418530070,"action":"ACCEPT","logStatus":"OK"})"},
    {"vpc_no_data", R"([{"parseVPC":{}}])", "2 123456789010 eni-1 - - - - - - - 1 2 - NODATA",
     R"({"version":2,"accountId":"123456789010","interfaceId":"eni-1","srcAddr":"-","dstAddr":"-","srcPort":"-","dstPort":"-","protocol":"-","packets":"-","bytes":"-","start":1,"end":2,"action":"-","logStatus":"NODATA"})"},
    {"vpc_other_line", R"([{"parseVPC":{}}])", "not a flow log", nullptr},
    {"route53", R"([{"parseRoute53":{}}])", "1.0 2017-12-13T08:15:50.235Z Z123412341234 example.com AAAA NOERROR TCP IAD12 192.0.2.0 198.51.100.0/24",
     R"({"version":1.0,"queryTimestamp":"2017-12-13T08:15:50.235Z","hostZoneId":"Z123412341234","queryName":"example.com","queryType":"AAAA","responseCode":"NOERROR","protocol":"TCP","edgeLocation":"IAD12","resolverIp":"192.0.2.0","ednsClientSubnet":"198.51.100.0/24"})"},
    {"cloudfront", R"([{"parseCloudfront":{}},{"deleteKeys":{"withKeys":["cs(Cookie)","x-forwarded-for","ssl-protocol","ssl-cipher","fle-status"]}}])",
     "2019-12-04\t21:02:31\tLAX1\t392\t192.0.2.24\tGET\td111111abcdef8.cloudfront.net\t/index.html\t200\t-\tMozilla\t-\t-\tHit\tSOX4x\td111\thttps\t23\t0.001\t-\tTLSv1.2\tECDHE\tHit\tHTTP/2.0\t-\t-\t11040\t0.001\tHit\ttext/html\t78\t-\t-",
     R"({"date":"2019-12-04","time":"21:02:31","x-edge-location":"LAX1","sc-bytes":392,"c-ip":"192.0.2.24","cs-method":"GET","cs(Host)":"d111111abcdef8.cloudfront.net","cs-uri-stem":"/index.html","sc-status":200,"cs(Referer)":"-","cs(User-Agent)":"Mozilla","cs-uri-query":"-","x-edge-result-type":"Hit","x-edge-request-id":"SOX4x","x-host-header":"d111","cs-protocol":"https","cs-bytes":23,"time-taken":0.001,"x-edge-response-result-type":"Hit","cs-protocol-version":"HTTP/2.0","fle-encrypted-fields":"-","c-port":11040,"time-to-first-byte":0.001,"x-edge-detailed-result-type":"Hit","sc-content-type":"text/html","sc-content-len":78,"sc-range-start":"-","sc-range-end":"-"})"},
    {"postgres", R"([{"parsePostgres":{}}])", R"(2019-03-10 03:54:59 UTC:10.0.0.123(52834):postgres@logtestdb:[20175]:ERROR: column "w" does not exist)",
     R"({"logTime":"2019-03-10 03:54:59 UTC","srcIp":"10.0.0.123(52834)","userName":"postgres","dbName":"logtestdb","processId":"20175","logLevel":"ERROR"})"},
    {"waf", R"([{"parseWAF":{}}])", R"({"action":"BLOCK","httpRequest":{"clientIp":"1.1.1.1","headers":[{"name":"Host","value":"h"},{"name":"User-Agent","value":"curl"}]},"labels":[{"name":"awswaf:geo:country:US"}]})",
     R"({"action":"BLOCK","httpRequest":{"clientIp":"1.1.1.1","headers":{"Host":"h","User-Agent":"curl"}},"labels":{"awswaf:geo:country":"US"}})"},
    {"ocsf_keeps_the_event", R"([{"parseToOCSF":{"eventSource":"VPCFlow","ocsfVersion":"V1.1"}}])", R"({"a":1})", R"({"a":1})"},

    {"date_zones", R"([{"parseJSON":{}},{"dateTimeConverter":{"source":"t","target":"u","targetFormat":"yyyy-MM-dd'T'HH:mm:ss z","targetTimezone":"Asia/Tokyo","matchPatterns":["yyyy-MM-dd HH:mm:ss"]}}])",
     R"({"t":"2024-01-01 00:00:00"})", R"({"t":"2024-01-01 00:00:00","u":"2024-01-01T09:00:00 +09:00"})"},
    {"date_source_zone", R"([{"parseJSON":{}},{"dateTimeConverter":{"source":"t","target":"t","sourceTimezone":"America/New_York","matchPatterns":["dd/MMM/yyyy HH:mm"]}}])",
     R"({"t":"04/Jul/2024 12:00"})", R"({"t":"2024-07-04T16:00:00.000Z"})"},
    {"date_epoch", R"([{"parseJSON":{}},{"dateTimeConverter":{"source":"t","target":"d","matchPatterns":["epoch"]}}])", R"({"t":1700000000})",
     R"({"t":1700000000,"d":"2023-11-14T22:13:20.000Z"})"},
    {"date_second_pattern", R"([{"parseJSON":{}},{"dateTimeConverter":{"source":"t","target":"d","matchPatterns":["yyyy","yyyy-MM-dd HH:mm:ss.SSSX"],"targetFormat":"EEE, d MMM yyyy h:mm a"}}])",
     R"({"t":"2024-02-29 13:05:06.789+01:00"})", R"({"t":"2024-02-29 13:05:06.789+01:00","d":"Thu, 29 Feb 2024 12:05 PM"})"},
    {"date_no_pattern_fits", R"([{"parseJSON":{}},{"dateTimeConverter":{"source":"t","target":"d","matchPatterns":["yyyy"]}}])", R"({"t":"x"})", nullptr},
    {"date_31_february", R"([{"parseJSON":{}},{"dateTimeConverter":{"source":"t","target":"d","matchPatterns":["yyyy-MM-dd"]}}])", R"({"t":"2024-02-31"})", nullptr},

    {"add_keys", R"([{"parseJSON":{}},{"addKeys":{"entries":[{"key":"a.b","value":"new"},{"key":"x","value":"no"},{"key":"y","value":"yes","overwriteIfExists":true}]}}])",
     R"({"x":1,"y":2})", R"({"x":1,"y":"yes","a":{"b":"new"}})"},
    {"delete_keys", R"([{"parseJSON":{}},{"deleteKeys":{"withKeys":["a.b","gone","l[0]"]}}])", R"({"a":{"b":1,"c":2},"l":[1,2]})", R"({"a":{"c":2},"l":[2]})"},
    {"move_keys", R"([{"parseJSON":{}},{"moveKeys":{"entries":[{"source":"a.k","target":"b"}]}}])", R"({"a":{"k":1},"b":{"x":2}})", R"({"a":{},"b":{"x":2,"k":1}})"},
    {"move_keys_taken", R"([{"parseJSON":{}},{"moveKeys":{"entries":[{"source":"a","target":"b"}]}}])", R"({"a":1,"b":2})", R"({"a":1,"b":2})"},
    {"move_keys_overwrites", R"([{"parseJSON":{}},{"moveKeys":{"entries":[{"source":"a","target":"b","overwriteIfExists":true}]}}])", R"({"a":1,"b":2})", R"({"b":1})"},
    {"rename_keys", R"([{"parseJSON":{}},{"renameKeys":{"entries":[{"key":"outer_key","renameTo":"new_key"}]}}])", R"({"outer_key":{"inner":1}})", R"({"new_key":{"inner":1}})"},
    {"rename_nested", R"([{"parseJSON":{}},{"renameKeys":{"entries":[{"key":"a.b","renameTo":"c"}]}}])", R"({"a":{"b":1}})", R"({"a":{"c":1}})"},
    {"copy_value", R"([{"parseJSON":{}},{"copyValue":{"entries":[{"source":"a","target":"c"},{"source":"@logGroupName","target":"where.group"},{"source":"@logGroupStream","target":"s"},{"source":"@accountId","target":"acc"},{"source":"@regionName","target":"r"}]}}])",
     R"({"a":[1]})", R"({"a":[1],"c":[1],"where":{"group":"/g"},"s":"st","acc":"000000000000","r":"eu-west-1"})"},
    {"list_to_map", R"([{"parseJSON":{}},{"listToMap":{"source":"l","key":"k","valueKey":"v"}},{"deleteKeys":{"withKeys":["l"]}}])",
     R"({"l":[{"k":"a","v":"val-a"},{"k":"b","v":"val-b1"},{"k":"b","v":"val-b2"},{"k":"c","v":"val-c"}]})", R"({"a":["val-a"],"b":["val-b1","val-b2"],"c":["val-c"]})"},
    {"list_to_map_flat_last", R"([{"parseJSON":{}},{"listToMap":{"source":"l","key":"k","valueKey":"v","target":"t","flatten":true,"flattenedElement":"last"}},{"deleteKeys":{"withKeys":["l"]}}])",
     R"({"l":[{"k":"a","v":1},{"k":"b","v":2},{"k":"b","v":3}]})", R"({"t":{"a":1,"b":3}})"},
    {"list_to_map_objects", R"([{"parseJSON":{}},{"listToMap":{"source":"l","key":"k","flatten":true,"flattenedElement":"first"}},{"deleteKeys":{"withKeys":["l"]}}])",
     R"({"l":[{"k":"a","v":1},{"k":"a","v":2},"no object"]})", R"({"a":{"k":"a","v":1}})"},
    {"lower_upper_trim", R"([{"parseJSON":{}},{"lowerCaseString":{"withKeys":["a","n"]}},{"upperCaseString":{"withKeys":["b.c"]}},{"trimString":{"withKeys":["d"]}}])",
     R"({"a":"ABC","b":{"c":"abc"},"d":"\t x y \n","n":5})", R"({"a":"abc","b":{"c":"ABC"},"d":"x y","n":5})"},
    {"split", R"([{"parseJSON":{}},{"splitString":{"entries":[{"source":"a","delimiter":", "},{"source":"b","delimiter":"."}]}}])", R"({"a":"x, y, ","b":"z"})", R"({"a":["x","y",""],"b":["z"]})"},
    {"substitute", R"([{"parseJSON":{}},{"substituteString":{"entries":[{"source":"a","from":"\\[(\\d+)\\]","to":"<$1>"},{"source":"b","from":"(?<first>\\w+) (?<last>\\w+)","to":"${last}, ${first}"},{"source":"c","from":"x*","to":"-"}]}}])",
     R"({"a":"q[12]w[3]","b":"Ada Lovelace","c":"axb"})", R"({"a":"q<12>w<3>","b":"Lovelace, Ada","c":"-a--b-"})"},
    {"types", R"([{"parseJSON":{}},{"typeConverter":{"entries":[{"key":"i","type":"integer"},{"key":"d","type":"double"},{"key":"s","type":"string"},{"key":"b","type":"boolean"},{"key":"x","type":"integer"}]}}])",
     R"({"i":"42","d":"2","s":1.50,"b":"TRUE","x":"no"})", R"({"i":42,"d":2.0,"s":"1.50","b":true,"x":"no"})"},
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
    {R"([{"addKeys":{"entries":[{"key":"a","value":"b"}]}}])", "Invalid transformer configuration: the first processor must be a parser."},
    {R"([{"parseJSON":{},"csv":{}}])", "Invalid transformer configuration: each entry must have exactly one processor."},
    {R"([{"unknown":{}}])", "Invalid transformer configuration: unknown processor unknown."},
    {R"([{"parseJSON":{}},{"parseVPC":{}}])", "Invalid transformer configuration: parseVPC must be the first processor."},
    {R"([{"grok":{"match":"%{IP:a}"}},{"grok":{"match":"%{IP:b}"}}])", "Invalid transformer configuration: only one grok processor is allowed."},
    {R"([{"parseJSON":{"source":"a.b.c.d"}}])", "Invalid transformer configuration: parseJSON: key a.b.c.d exceeds the maximum nested depth of 3."},
    {R"([{"parseJSON":{"source":"a..b"}}])", "Invalid transformer configuration: parseJSON: key a..b is not valid."},
    {R"([{"grok":{}}])", "Invalid transformer configuration: grok: match is required."},
    {R"([{"grok":{"match":"%{NOPE:a}"}}])", "Invalid transformer configuration: grok: pattern NOPE is not supported."},
    {R"([{"grok":{"match":"plain"}}])", "Invalid transformer configuration: grok: match has no pattern."},
    {R"([{"grok":{"match":"(%{IP:a})"}}])", "Invalid transformer configuration: grok: match must not have groups of its own."},
    {R"([{"grok":{"match":"%{SYSLOG5424}%{IP:a}"}}])", "Invalid transformer configuration: grok: only DATA and GREEDYDATA may follow SYSLOG5424."},
    {R"([{"grok":{"match":"x %{SYSLOG5424}"}}])", "Invalid transformer configuration: grok: SYSLOG5424 must be the first pattern."},
    {R"([{"csv":{"delimiter":"ab"}}])", "Invalid transformer configuration: csv: delimiter must be a single character, \\t or \\s."},
    {R"([{"parseJSON":{}},{"listToMap":{"source":"a","key":"k","flatten":true}}])", "Invalid transformer configuration: listToMap: flattenedElement is required when flatten is true."},
    {R"([{"parseJSON":{}},{"dateTimeConverter":{"source":"a","target":"b","matchPatterns":["QQQ"]}}])", "Invalid transformer configuration: dateTimeConverter: match pattern QQQ is not valid: unknown pattern letter Q."},
    {R"([{"parseJSON":{}},{"dateTimeConverter":{"source":"a","target":"b","matchPatterns":["yyyy"],"sourceTimezone":"Mars/Base"}}])", "Invalid transformer configuration: dateTimeConverter: sourceTimezone Mars/Base is not valid."},
    {R"([{"parseJSON":{}},{"substituteString":{"entries":[{"source":"a","from":"(","to":"b"}]}}])", "Invalid transformer configuration: substituteString: from is not a valid regular expression: missing ): ("},
    {R"([{"parseVPC":{"source":"a"}}])", "Invalid transformer configuration: parseVPC: source must be @message."},
};

TEST(Transformers, RefuseBadConfigurations) {
  for (const BadRow& row : kBad) {
    const auto transformer = parse(row.config);
    ASSERT_FALSE(transformer.ok()) << row.config;
    EXPECT_EQ(transformer.error().message(), row.message);
  }
  std::string many = "[";
  for (int k = 0; k < 6; ++k) many += std::string(k > 0 ? "," : "") + R"({"parseJSON":{}})";
  const auto transformer = parse(many + "]");
  ASSERT_FALSE(transformer.ok());
  EXPECT_EQ(transformer.error().message(), "Invalid transformer configuration: at most 5 parser processors are allowed.");
}

}  // namespace
}  // namespace fog::transformers
