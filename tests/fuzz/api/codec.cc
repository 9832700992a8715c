// Requests' bodies against the shapes of all services: form, JSON and CBOR; what was read is written and read again.
#include "api/cloudwatch/shapes.h"
#include "api/codec/cbor.h"
#include "api/codec/json.h"
#include "api/codec/query.h"
#include "api/common/operation.h"
#include "api/logs/shapes.h"
#include "api/sns/shapes.h"
#include "api/xray/shapes.h"
#include "tests/fuzz/target.h"

namespace fog::fuzz {

// The first byte chooses the protocol, the next two the operation.
FOG_FUZZ(codec) {
  if (input.size() < 3) return;
  static const ServiceInfo* const kServices[] = {&cloudwatch::kService, &logs::kService, &sns::kService, &xray::kService};
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(input[i]); };
  const auto operations = kServices[byte(1) % 4]->operations;
  const Shape& shape = *operations[byte(2) % operations.size()]->input;
  std::string body(input.substr(3));
  for (const bool checks : {true, false}) {
    std::vector<Violation> violations;
    Decoding decoding;
    if (checks) decoding.violations = &violations;
    Value value(shape);
    bool good = false;
    if (byte(0) % 3 == 0) {
      Form form;
      good = form.add(body) && decode_form(form, shape, value.get(), decoding).ok();
    } else if (byte(0) % 3 == 1) {
      std::string copy = body;
      good = decode_json(copy, shape, value.get(), decoding).ok();
    } else {
      good = decode_cbor(body, shape, value.get(), decoding).ok();
    }
    (void)validation_text(violations);
    for (const Violation& violation : violations) (void)violation.query_path();
    if (!good) continue;
    std::string json, cbor, xml, again;
    encode_json(shape, value.get(), json);
    encode_cbor(shape, value.get(), cbor);
    encode_xml_members(shape, value.get(), xml);
    if (!violations.empty()) continue;
    Decoding plain;
    Value from_cbor(shape);
    must(decode_cbor(cbor, shape, from_cbor.get(), plain).ok(), "CBOR that was written can be read");
    encode_cbor(shape, from_cbor.get(), again);
    must(again == cbor, "and is the same");
    Value from_json(shape);
    Decoding another;
    must(decode_json(json, shape, from_json.get(), another).ok(), "JSON that was written can be read");
  }
}

FOG_FUZZ_SEEDS(codec) {
  std::vector<std::string> out;
  const auto operation = [](const ServiceInfo& service, std::string_view name) {
    for (std::size_t i = 0; i < service.operations.size(); ++i)
      if (service.operations[i]->name == name) return static_cast<char>(i);
    return '\0';
  };
  const char put = operation(cloudwatch::kService, "PutMetricData");
  const char events = operation(logs::kService, "PutLogEvents");
  const char publish = operation(sns::kService, "PublishBatch");
  const char segments = operation(xray::kService, "PutTraceSegments");
  out.push_back(std::string{0, 0, put} + "Action=PutMetricData&Namespace=App&MetricData.member.1.MetricName=Latency&MetricData.member.1.Dimensions.member.1.Name=a&MetricData.member.1.Dimensions.member.1.Value=b%20c&"
                                         "MetricData.member.1.Value=1.5&MetricData.member.1.Timestamp=2026-01-01T00%3A00%3A00Z&MetricData.member.2.StatisticValues.Sum=1&MetricData.member.2.Values.member.1=3");
  out.push_back(std::string{0, 2, publish} + "TopicArn=arn&PublishBatchRequestEntries.member.1.Id=1&PublishBatchRequestEntries.member.1.Message=m&PublishBatchRequestEntries.member.1.MessageAttributes.entry.1.Name=k&"
                                             "PublishBatchRequestEntries.member.1.MessageAttributes.entry.1.Value.DataType=String&PublishBatchRequestEntries.member.1.MessageAttributes.entry.1.Value.StringValue=v");
  out.push_back(std::string{1, 0, put} + R"({"Namespace":"App","MetricData":[{"MetricName":"L","Timestamp":1700000000.5,"Values":[1,2e3],"Counts":[1,1],"Unit":"Count","Dimensions":[{"Name":"a","Value":"b\u00e9"}],"StorageResolution":1}]})");
  out.push_back(std::string{1, 1, events} + R"({"logGroupName":"g","logStreamName":"s","logEvents":[{"timestamp":1700000000000,"message":"a\nb\\u1234"}],"entity":{"keyAttributes":{"Type":"x"}}})");
  out.push_back(std::string{1, 3, segments} + R"({"TraceSegmentDocuments":["{\"id\":\"a\"}",null]})");
  out.push_back(std::string{2, 0, put} + std::string("\xa2\x69Namespace\x63" "App\x6aMetricData\x81\xa3\x6aMetricName\x61L\x65Value\xfb\x3f\xf8\x00\x00\x00\x00\x00\x00\x69Timestamp\xc1\x1a\x65\x00\x00\x00", 71));
  out.push_back(std::string{2, 0, put} + std::string("\xbf\x69Namespace\x7f\x61" "A\x62pp\xff\x6aMetricData\x9f\xbf\x65Value\xf9\x3c\x00\xff\xff\xff", 46));
  return out;
}

}  // namespace fog::fuzz
