// What is not a request, in every format: an error of the right kind, never a crash. One row each.
#include <gtest/gtest.h>

#include "api/cloudwatch/shapes.h"
#include "api/codec/cbor.h"
#include "api/codec/gzip.h"
#include "api/codec/json.h"
#include "api/codec/query.h"
#include "api/codec/text.h"
#include "api/common/fault.h"
#include "api/logs/shapes.h"
#include "storage/base/random.h"

#include <zlib.h>

namespace fog {
namespace {

// Empty: it decodes. Otherwise the message, behind the code.
template <typename T>
std::string json_error(std::string body) {
  T out;
  std::vector<Violation> violations;
  Decoding decoding;
  decoding.violations = &violations;
  const Status status = decode_json(body, T::kShape, &out, decoding);
  if (status.ok()) return violations.empty() ? "" : validation_text(violations);
  return dynamic_cast<const FaultDetail&>(*status.error().detail()).wire.code + ": " + status.error().message();
}

std::string deep(std::size_t n, const char* open, const char* close) {
  std::string out = R"({"logGroupName":"g","x":)";
  for (std::size_t i = 0; i < n; ++i) out += open;
  out += "1";
  for (std::size_t i = 0; i < n; ++i) out += close;
  return out + "}";
}

struct Row {
  const char* body;
  const char* error;  // "": fine
};

TEST(BadJson, is_a_serialization_exception_in_words_of_aws) {
  constexpr Row kRows[] = {
      {R"({"logGroupName":"g"})", ""},
      {R"({"logGroupName":"g","logGroupName":"h"})", ""},
      {R"({"unknown":[1,{"a":null,"b":[true,false,"x",1.5e3]}],"logGroupName":"g"})", ""},
      {R"({"log\u0047roupName":"g"})", ""},
      {R"({"logGroupName":"g","kmsKeyId":null,"tags":{"a":null}})", "1 validation error detected: Value '{}' at 'tags' failed to satisfy constraint: Member must have length greater than or equal to 1"},
      {R"( {"logGroupName" : "g" } )", ""},
      {"", "1 validation error detected: Value null at 'logGroupName' failed to satisfy constraint: Member must not be null"},
      {"{}", "1 validation error detected: Value null at 'logGroupName' failed to satisfy constraint: Member must not be null"},
      {R"({"logGroupName":null})", "1 validation error detected: Value null at 'logGroupName' failed to satisfy constraint: Member must not be null"},
      {R"({"logGroupName":5})", "SerializationException: NUMBER_VALUE can not be converted to String"},
      {R"({"logGroupName":true})", "SerializationException: BOOLEAN_VALUE can not be converted to String"},
      {R"({"logGroupName":{}})", "SerializationException: Start of structure or map found where not expected."},
      {R"({"logGroupName":["g"]})", "SerializationException: Start of list found where not expected."},
      {R"({"logGroupName":"g","tags":"x"})", "SerializationException: Expected structure or map or null"},
      {R"({"logGroupName":"g","tags":{"a":1}})", "SerializationException: NUMBER_VALUE can not be converted to String"},
      {"[]", "SerializationException: Start of list found where not expected."},
      {R"("x")", "SerializationException: "},
      {"null", "SerializationException: "},
      {"{", "SerializationException: "},
      {R"({"logGroupName":"g)", "SerializationException: "},
      {R"({"logGroupName":"g")", "SerializationException: "},
      {R"({"logGroupName":"g",})", "SerializationException: "},
      {R"({"logGroupName":"g"}})", "SerializationException: "},
      {R"({"logGroupName":"g"} x)", "SerializationException: "},
      {R"({"logGroupName":"g"}{"logGroupName":"g"})", "SerializationException: "},
      {R"({"logGroupName" "g"})", "SerializationException: "},
      {R"({logGroupName:"g"})", "SerializationException: "},
      {R"({'logGroupName':'g'})", "SerializationException: "},
      {R"({"logGroupName":"\x"})", "SerializationException: "},
      {R"({"logGroupName":"\u12"})", "SerializationException: "},
      {"{\"logGroupName\":\"a\nb\"}", "SerializationException: "},
      {"{\"logGroupName\":\"\xff\xfe\"}", "SerializationException: "},
      {"{\"logGroupName\":\"g\",\"x\":\"\xc3\"}", "SerializationException: "},
      {R"({"logGroupName":"g","x":tru})", "SerializationException: "},
      {R"({"logGroupName":"g","x":01})", "SerializationException: "},
      {R"({"logGroupName":"g","x":[1,,2]})", "SerializationException: "},
  };
  for (const Row& row : kRows) {
    const std::string found = json_error<logs::CreateLogGroupRequest>(row.body);
    if (*row.error == '\0') {
      EXPECT_EQ(found, "") << row.body;
    } else {
      EXPECT_TRUE(found.starts_with(row.error)) << row.body << "\n" << found;
    }
  }
}

TEST(BadJson, numbers_keep_their_range) {
  constexpr Row kRows[] = {
      {R"("limit":10)", ""},
      {R"("limit":10.0)", ""},
      {R"("limit":1e1)", ""},
      {R"("limit":1.5)", "SerializationException"},
      {R"("limit":"10")", "SerializationException"},
      {R"("limit":2147483648)", "SerializationException"},
      {R"("limit":99999999999999999999)", "SerializationException"},
      {R"("limit":10001)", "1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000"},
      {R"("limit":0)", "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1"},
      {R"("startTime":9223372036854775807)", ""},
      {R"("startTime":9223372036854775808)", "SerializationException"},
      {R"("startTime":-1)", "1 validation error detected: Value '-1' at 'startTime'"},
      {R"("startFromHead":1)", "SerializationException: NUMBER_VALUE can not be converted to Boolean"},
      {R"("startFromHead":"true")", "SerializationException: STRING_VALUE can not be converted to Boolean"},
  };
  for (const Row& row : kRows) {
    const auto found = json_error<logs::GetLogEventsRequest>(R"({"logGroupName":"g","logStreamName":"s",)" + std::string(row.body) + "}");
    if (*row.error == '\0') {
      EXPECT_EQ(found, "") << row.body;
    } else {
      EXPECT_TRUE(found.starts_with(row.error)) << row.body << "\n" << found;
    }
  }
}

TEST(BadJson, of_any_depth_is_refused_without_harm) {
  EXPECT_EQ(json_error<logs::CreateLogGroupRequest>(deep(50, "[", "]")), "");
  for (const std::size_t n : {70u, 1000u, 10000u, 200000u}) {
    EXPECT_TRUE(json_error<logs::CreateLogGroupRequest>(deep(n, "[", "]")).starts_with("SerializationException")) << n;
    EXPECT_TRUE(json_error<logs::CreateLogGroupRequest>(deep(n, "{\"a\":", "}")).starts_with("SerializationException")) << n;
    EXPECT_TRUE(json_error<logs::CreateLogGroupRequest>(std::string(n, '[')).starts_with("SerializationException")) << n;
  }
}

TEST(BadJson, cut_short_at_any_byte_is_an_error) {
  const std::string whole = R"({"Namespace":"A","MetricData":[{"MetricName":"m","Dimensions":[{"Name":"n","Value":"é\"\\"}],"Value":1.5,"Timestamp":1767225600.5}]})";
  EXPECT_EQ(json_error<cloudwatch::PutMetricDataInput>(whole), "");
  for (std::size_t n = 1; n < whole.size(); ++n)
    EXPECT_TRUE(json_error<cloudwatch::PutMetricDataInput>(whole.substr(0, n)).starts_with("SerializationException")) << n;
}

TEST(BadInput, changed_at_random_never_crashes) {
  const std::string whole = R"({"Namespace":"A","MetricData":[{"MetricName":"m","Dimensions":[{"Name":"n","Value":"é\"\\"}],"Values":[1,2],"Unit":"Seconds"}]})";
  cloudwatch::PutMetricDataInput given = decode_json<cloudwatch::PutMetricDataInput>(whole).value();
  std::string cbor;
  encode_cbor(cloudwatch::PutMetricDataInput::kShape, &given, cbor);
  SeededRandom random(5);
  for (int i = 0; i < 20000; ++i) {
    std::string text = whole, bytes = cbor;
    for (int k = 0; k < 3; ++k) {
      text[random.next() % text.size()] = static_cast<char>(random.next());
      bytes[random.next() % bytes.size()] = static_cast<char>(random.next());
    }
    json_error<cloudwatch::PutMetricDataInput>(text);
    cloudwatch::PutMetricDataInput out;
    std::vector<Violation> violations;
    Decoding decoding;
    decoding.violations = &violations;
    (void)decode_cbor(bytes, cloudwatch::PutMetricDataInput::kShape, &out, decoding);
  }
}

std::string unhex(std::string_view hex) {
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    out.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return out;
}

TEST(BadCbor, is_a_serialization_exception) {
  // {"AlarmNames": ...} and its like
  const std::string key = "6a416c61726d4e616d6573";
  const std::vector<std::pair<std::string, bool>> rows = {
      {"a0", true},
      {"bfff", true},
      {"", true},
      {"a1" + key + "8161" "61", true},
      {"bf" + key + "9f7f6161616" "2ffffff", true},
      {"a1" + key + "f6", true},
      {"a1" + key + "81f6", true},
      {"a1" "6178" "d9d9f781c101", true},                 // unknown, tagged
      {"a1" + key + "8101", false},                       // integer for text
      {"a1" + key + "a0", false},                         // map for list
      {"a1" + key + "9b7fffffffffffffff6161", false},     // endless list
      {"a1" + key + "817b7fffffffffffffff6161", false},   // endless text
      {"a1" + key + "8161ff", false},                     // not UTF-8
      {"a1" + key + "81", false},
      {"a1" + key, false},
      {"a1", false},
      {"bf", false},
      {"bf" + key + "ff", false},                         // break for a value
      {"80", false},
      {"f6", false},
      {"a0a0", false},
      {"a101a0", false},                                  // key is not text
      {"1c", false},
      {"a16178c24101", false},                            // big number
      {"a1" "6a4d61785265636f726473" "1a80000000", false},  // MaxRecords beyond int32
      {"a1" "6a4d61785265636f726473" "fb3ff8000000000000", false},  // 1.5
      {"a1" "6a4d61785265636f726473" "f93c00", true},       // 1.0 as half
  };
  for (const auto& [hex, good] : rows) {
    cloudwatch::DescribeAlarmsInput out;
    Decoding decoding;
    EXPECT_EQ(decode_cbor(unhex(hex), cloudwatch::DescribeAlarmsInput::kShape, &out, decoding).ok(), good) << hex;
  }
  std::string nested = "a16178";
  for (int i = 0; i < 10000; ++i) nested += "81";
  cloudwatch::DescribeAlarmsInput out;
  Decoding decoding;
  EXPECT_FALSE(decode_cbor(unhex(nested), cloudwatch::DescribeAlarmsInput::kShape, &out, decoding).ok());
  EXPECT_FALSE(decode_cbor(unhex("a16178" + std::string(20000, 'c')), cloudwatch::DescribeAlarmsInput::kShape, &out, decoding).ok());
}

TEST(Cbor, a_few_bytes_cannot_become_gigabytes) {
  // 4 million empty datums of several hundred bytes each.
  std::string body = unhex("a26a4d657472696344617461") + unhex("9a003d0900") + std::string(4000000, static_cast<char>(0xa0));
  cloudwatch::PutMetricDataInput out;
  std::vector<Violation> violations;
  Decoding decoding;
  decoding.violations = &violations;
  EXPECT_FALSE(decode_cbor(body, cloudwatch::PutMetricDataInput::kShape, &out, decoding).ok());
  EXPECT_LE(out.metric_data->size() * sizeof(cloudwatch::MetricDatum), kElementBytesMax);
  EXPECT_LE(violations.size(), kViolationsMax);
}

std::string form_of(std::string_view body) {
  Form form;
  if (!form.add(body)) return "too many";
  cloudwatch::PutMetricDataInput out;
  Decoding decoding;
  const Status status = decode_form(form, cloudwatch::PutMetricDataInput::kShape, &out, decoding);
  return status.ok() ? encode_json(out) : "error";
}

TEST(Forms, are_read_as_leniently_as_clients_write_them) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"", R"({"Namespace":""})"},
      {"Namespace=a+b%20c%2B", R"({"Namespace":"a b c+"})"},
      {"Namespace=a&Namespace=b", R"({"Namespace":"b"})"},
      {"Namespace", R"({"Namespace":""})"},
      {"Namespace=%zz%4", R"({"Namespace":"%zz%4"})"},
      {"&&Namespace=a&&", R"({"Namespace":"a"})"},
      {"Namespace=a&MetricData=", R"({"Namespace":"a","MetricData":[]})"},
      {"Namespace=a&MetricData.member.1.MetricName=x&MetricData.member.3.MetricName=y", R"({"Namespace":"a","MetricData":[{"MetricName":"x"},{"MetricName":"y"}]})"},
      {"MetricData.member.2.MetricName=y&MetricData.member.1.MetricName=x&MetricData.member.10.MetricName=z&Namespace=a", R"({"Namespace":"a","MetricData":[{"MetricName":"x"},{"MetricName":"y"},{"MetricName":"z"}]})"},
      {"Namespace=a&MetricData.1.MetricName=x", R"({"Namespace":"a","MetricData":[{"MetricName":"x"}]})"},
      {"Namespace=a&MetricData.member.1.MetricName=x&MetricData.member.1.Values.member.1=1&MetricData.member.1.Values.member.2=NaN", R"({"Namespace":"a","MetricData":[{"MetricName":"x","Values":[1.0,"NaN"]}]})"},
      {"Namespace=a&MetricData.member.1.MetricName=x&MetricData.member.1.Timestamp=2026-01-01T01:00:00.5%2B01:00", R"({"Namespace":"a","MetricData":[{"MetricName":"x","Timestamp":1767225600.5}]})"},
      {"Namespace=a&MetricData.member.1.MetricName=x&MetricData.member.1.Timestamp=1767225600", R"({"Namespace":"a","MetricData":[{"MetricName":"x","Timestamp":1767225600}]})"},
      {"Namespace=a&StrictEntityValidation=True", R"({"Namespace":"a","StrictEntityValidation":true})"},
      {"Namespace=a&StrictEntityValidation=yes", "error"},
      {"Namespace=%ff", "error"},
      {"Namespace=a&MetricData.member.1.Value=abc", "error"},
      {"Namespace=a&MetricData.member.1.Value=", "error"},
      {"Namespace=a&MetricData.member.1.Timestamp=yesterday", "error"},
      {"Namespace=a&MetricData.member.1.Timestamp=2026-13-01T00:00:00Z", "error"},
      {"Namespace=a&MetricData.member.1.Timestamp=1e300", "error"},
      {"Namespace.x=1&Namespace=a&.=1&..=2&MetricData.member=1&MetricData.member.x.y=2&=5", R"({"Namespace":"a","MetricData":[]})"},
  };
  for (const auto& [body, expected] : rows) EXPECT_EQ(form_of(body), expected) << body;
}

TEST(Forms, of_hostile_shape_end_quickly) {
  std::string backwards;
  for (int i = 60000; i > 0; --i) backwards += "MetricData.member." + std::to_string(i) + ".MetricName=x&";
  EXPECT_NE(form_of(backwards), "");
  std::string unknown;
  for (int i = 0; i < 100000; ++i) unknown += 'k' + std::to_string(i) + "=1&";
  EXPECT_EQ(form_of(unknown), R"({"Namespace":""})");
  std::string deep_key = "MetricData";
  for (int i = 0; i < 10000; ++i) deep_key += ".member.1";
  EXPECT_NE(form_of(deep_key + "=1"), "");
  EXPECT_EQ(form_of(std::string(3u << 20, '&')), R"({"Namespace":""})");
  std::string many;
  for (std::size_t i = 0; i <= Form::kParametersMax; ++i) many += "a&";
  EXPECT_EQ(form_of(many), "too many");
}

std::string gzip(std::string_view text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 32, '\0');
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST(Gzip, members_are_joined_and_bad_ones_refused) {
  const std::string text(100000, 'x');
  EXPECT_EQ(gunzip(gzip("a") + gzip(text), 1 << 20).value(), "a" + text);
  EXPECT_EQ(gunzip(gzip(""), 10).value(), "");
  EXPECT_EQ(gunzip(gzip(text), text.size()).value(), text);
  EXPECT_EQ(gunzip(gzip(text), text.size() - 1).error().kind(), ErrorKind::kLimit);
  const std::string whole = gzip(text);
  for (std::size_t n = 0; n < whole.size(); n += 7)
    EXPECT_EQ(gunzip(whole.substr(0, n), 1 << 20).error().kind(), ErrorKind::kInvalid) << n;
  EXPECT_EQ(gunzip("hello, world", 100).error().kind(), ErrorKind::kInvalid);
  EXPECT_EQ(gunzip(gzip("a") + "garbage", 100).error().kind(), ErrorKind::kInvalid);
  EXPECT_EQ(gunzip(gzip(gzip(std::string(64u << 20, '\0'))), 1 << 20).value().substr(0, 2), "\x1f\x8b");
}

TEST(Text, times_are_read_in_every_form) {
  const std::vector<std::pair<std::string, std::int64_t>> rows = {
      {"2026-01-01T00:00:00Z", 1767225600000},   {"2026-01-01T00:00:00.123Z", 1767225600123},
      {"2026-01-01T00:00:00.123456789Z", 1767225600123}, {"2026-01-01T01:00:00+01:00", 1767225600000},
      {"2025-12-31T22:30:00-0130", 1767225600000}, {"2026-01-01T00:00:00", 1767225600000},
      {"2026-01-01T00:00Z", 1767225600000},       {"2026-01-01", 1767225600000},
      {"1767225600", 1767225600000},              {"1767225600.5", 1767225600500},
      {"1.7672256E9", 1767225600000},             {"0001-01-01T00:00:00Z", -62135596800000},
      {"9999-12-31T23:59:59Z", 253402300799000}};
  for (const auto& [text, ms] : rows) {
    const auto time = parse_timestamp(text);
    ASSERT_TRUE(time.has_value()) << text;
    EXPECT_EQ(to_ms(*time), ms) << text;
  }
  for (const char* text : {"", "x", "2026-02-30T00:00:00Z", "2026-01-01T25:00:00Z", "2026-01-01T00:00:00X", "NaN", "Infinity", "1e20", "2026-01-01T00:00:00.Z", "2026-1-1"})
    EXPECT_FALSE(parse_timestamp(text).has_value()) << text;
  std::string out;
  append_iso8601(from_ms(1767225600120), out);
  append_epoch_seconds(from_ms(-1500), out);
  append_epoch_seconds(from_ms(1767225600120), out);
  EXPECT_EQ(out, "2026-01-01T00:00:00.120Z-1.51767225600.12");
}

}  // namespace
}  // namespace fog
