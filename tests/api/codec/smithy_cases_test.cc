// Cases of the Smithy project that are not tied to a client: event-stream frames, CBOR as servers
// must take it, and malformed JSON bodies, against tables written here.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iostream>

#include "api/codec/cbor.h"
#include "api/codec/event_stream.h"
#include "api/codec/json.h"
#include "api/codec/text.h"
#include "tests/api/codec/dynamic.h"

namespace fog::test {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

const fs::path kCases = fs::path(FOG_SHARED_DIR) / "data/protocol-tests/smithy";

json load(const char* name) {
  std::ifstream in(kCases / name);
  return json::parse(in);
}

class SmithyCases : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(kCases)) GTEST_SKIP() << "no protocol cases beside the source folder: " << kCases;
  }
};

EventHeader header_of(const std::string& name, const json& value) {
  const std::string type = value.begin().key();
  const json& v = value.begin().value();
  EventHeader header{name, false};
  if (type == "boolean") header.value = v.get<bool>();
  if (type == "byte") header.value = static_cast<std::int8_t>(v.get<int>());
  if (type == "short") header.value = static_cast<std::int16_t>(v.get<int>());
  if (type == "integer") header.value = v.get<std::int32_t>();
  if (type == "long") header.value = v.get<std::int64_t>();
  if (type == "blob") header.value = EventHeader::Bytes{decode_base64(v.get<std::string>()).value()};
  if (type == "string") header.value = v.get<std::string>();
  if (type == "timestamp") header.value = parse_timestamp(v.is_string() ? v.get<std::string>() : v.dump()).value();
  return header;
}

// The headers of a frame in the order they stand in, by name.
std::vector<std::string> names_in(std::string_view frame) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(frame[i]); };
  const auto u32 = [&](std::size_t i) {
    return std::size_t{byte(i)} << 24 | std::size_t{byte(i + 1)} << 16 | std::size_t{byte(i + 2)} << 8 | byte(i + 3);
  };
  constexpr std::size_t kWidths[] = {0, 0, 1, 2, 4, 8, 0, 0, 8, 16};
  std::vector<std::string> out;
  std::size_t at = 12;
  const std::size_t end = 12 + u32(4);
  while (at < end) {
    const std::size_t n = byte(at);
    out.emplace_back(frame.substr(at + 1, n));
    at += 1 + n;
    const unsigned type = byte(at++);
    at += type == 6 || type == 7 ? 2 + (std::size_t{byte(at)} << 8 | byte(at + 1)) : kWidths[type];
  }
  return out;
}

TEST_F(SmithyCases, event_stream_frames_are_byte_for_byte_equal) {
  int passed = 0;
  std::map<std::string, int> skipped;
  for (const json& group : load("restJson1.json")) {
    if (group["trait"] != "eventStreamTests") continue;
    for (const json& test : group["tests"]) {
      for (const json& event : test.value("events", json::array())) {
        if (!event.contains("bytes") || !event.contains("headers")) {
          ++skipped["frame not given"];
          continue;
        }
        const std::string bytes = decode_base64(event["bytes"].get<std::string>()).value();
        // Only well-formed frames: malformed ones test a decoder, which a server has no use for.
        if (bytes.size() < 16 || test["id"].get<std::string>().find("Malformed") != std::string::npos) {
          ++skipped["malformed frame"];
          continue;
        }
        std::vector<EventHeader> headers;
        bool all = true;
        for (const std::string& name : names_in(bytes)) {
          all = all && event["headers"].contains(name);
          if (all) headers.push_back(header_of(name, event["headers"][name]));
        }
        if (!all || headers.size() != event["headers"].size()) {
          ++skipped["frame and case name different headers"];
          continue;
        }
        std::string payload;
        if (event.contains("body")) payload = event["body"].get<std::string>();
        std::string ours = encode_frame(headers, payload);
        if (ours != bytes && event.contains("body")) {
          if (auto decoded = decode_base64(payload)) ours = encode_frame(headers, *decoded);
        }
        EXPECT_EQ(ours, bytes) << test["id"] << " " << event.dump().substr(0, 400);
        ++passed;
      }
    }
  }
  std::cout << "  passed " << passed;
  for (const auto& [why, n] : skipped) std::cout << ", skipped " << n << ": " << why;
  std::cout << "\n";
  EXPECT_GT(passed, 40);
}

// The structures of the CBOR cases that stand for all kinds.
const json kCborShapes = json::parse(R"({
  "String": {"type": "string"}, "Boolean": {"type": "boolean"}, "Integer": {"type": "integer"},
  "Long": {"type": "long"}, "Double": {"type": "double"}, "Blob": {"type": "blob"}, "Timestamp": {"type": "timestamp"},
  "FooEnum": {"type": "string", "enum": ["Foo", "Baz", "Bar", "1", "0"]},
  "SimpleScalarProperties": {"type": "structure", "members": {
    "trueBooleanValue": {"shape": "Boolean"}, "falseBooleanValue": {"shape": "Boolean"},
    "byteValue": {"shape": "Integer"}, "doubleValue": {"shape": "Double"}, "floatValue": {"shape": "Double"},
    "integerValue": {"shape": "Integer"}, "longValue": {"shape": "Long"}, "shortValue": {"shape": "Integer"},
    "stringValue": {"shape": "String"}, "blobValue": {"shape": "Blob"}}},
  "StringList": {"type": "list", "member": {"shape": "String"}}, "StringSet": {"type": "list", "member": {"shape": "String"}},
  "IntegerList": {"type": "list", "member": {"shape": "Integer"}}, "BooleanList": {"type": "list", "member": {"shape": "Boolean"}},
  "TimestampList": {"type": "list", "member": {"shape": "Timestamp"}}, "FooEnumList": {"type": "list", "member": {"shape": "FooEnum"}},
  "BlobList": {"type": "list", "member": {"shape": "Blob"}}, "NestedStringList": {"type": "list", "member": {"shape": "StringList"}},
  "StructureListMember": {"type": "structure", "members": {"a": {"shape": "String"}, "b": {"shape": "String"}}},
  "StructureList": {"type": "list", "member": {"shape": "StructureListMember"}},
  "RpcV2CborLists": {"type": "structure", "members": {
    "stringList": {"shape": "StringList"}, "stringSet": {"shape": "StringSet"}, "integerList": {"shape": "IntegerList"},
    "booleanList": {"shape": "BooleanList"}, "timestampList": {"shape": "TimestampList"}, "enumList": {"shape": "FooEnumList"},
    "intEnumList": {"shape": "IntegerList"}, "nestedStringList": {"shape": "NestedStringList"},
    "structureList": {"shape": "StructureList"}, "blobList": {"shape": "BlobList"}}},
  "RpcV2CborStructMember": {"type": "structure", "members": {"hi": {"shape": "String"}}},
  "StructMap": {"type": "map", "key": {"shape": "String"}, "value": {"shape": "RpcV2CborStructMember"}},
  "NumberMap": {"type": "map", "key": {"shape": "String"}, "value": {"shape": "Integer"}},
  "BooleanMap": {"type": "map", "key": {"shape": "String"}, "value": {"shape": "Boolean"}},
  "StringMap": {"type": "map", "key": {"shape": "String"}, "value": {"shape": "String"}},
  "SetMap": {"type": "map", "key": {"shape": "String"}, "value": {"shape": "StringSet"}},
  "RpcV2CborDenseMaps": {"type": "structure", "members": {
    "denseStructMap": {"shape": "StructMap"}, "denseNumberMap": {"shape": "NumberMap"}, "denseBooleanMap": {"shape": "BooleanMap"},
    "denseStringMap": {"shape": "StringMap"}, "denseSetMap": {"shape": "SetMap"}}},
  "Recursive1": {"type": "structure", "members": {"foo": {"shape": "String"}, "nested": {"shape": "Recursive2"}}},
  "Recursive2": {"type": "structure", "members": {"bar": {"shape": "String"}, "recursiveMember": {"shape": "Recursive1"}}},
  "RecursiveShapes": {"type": "structure", "members": {"nested": {"shape": "Recursive1"}}},
  "EmptyInputOutput": {"type": "structure", "members": {}}, "NoInputOutput": {"type": "structure", "members": {}},
  "OptionalInputOutput": {"type": "structure", "members": {"value": {"shape": "String"}}},
  "Float16": {"type": "structure", "members": {"value": {"shape": "Double"}}},
  "FractionalSeconds": {"type": "structure", "members": {"datetime": {"shape": "Timestamp"}}},
  "UnionStructure": {"type": "structure", "members": {"hi": {"shape": "String"}}},
  "SparseNullsOperation": {"type": "structure", "members": {"sparseStringList": {"shape": "StringList"}, "sparseStringMap": {"shape": "StringMap"}}}
})");

TEST_F(SmithyCases, cbor_bodies_decode_to_the_parameters_and_come_back) {
  const DynamicModel model(kCborShapes);
  int passed = 0;
  std::map<std::string, int> skipped;
  for (const json& group : load("rpcv2Cbor.json")) {
    const std::string name = group["shape"];
    for (const json& test : group["tests"]) {
      if (!kCborShapes.contains(name)) {
        ++skipped["shape " + name];
        continue;
      }
      const std::string id = test["id"];
      if (!test.contains("body") || id.find("Float16LSBNaN") != std::string::npos) {
        ++skipped["no body"];
        continue;
      }
      const Shape& shape = model.shape(name);
      const Box box(shape);
      Decoding decoding;
      const std::string body = decode_base64(test["body"].get<std::string>()).value();
      const Status status = decode_cbor(body, shape, box.get(), decoding);
      ASSERT_TRUE(status.ok()) << id << ": " << status.error().message();
      const json expected = without_nulls(test.value("params", json::object()));
      EXPECT_TRUE(equal(to_json(shape, box.get()), expected)) << id << "\n" << to_json(shape, box.get()) << "\n" << expected;
      std::string written;
      encode_cbor(shape, box.get(), written);
      const Box again(shape);
      ASSERT_TRUE(decode_cbor(written, shape, again.get(), decoding).ok()) << id;
      EXPECT_EQ(to_json(shape, again.get()), to_json(shape, box.get())) << id;
      ++passed;
    }
  }
  std::cout << "  passed " << passed;
  for (const auto& [why, n] : skipped) std::cout << ", skipped " << n << ": " << why;
  std::cout << "\n";
  EXPECT_GT(passed, 35);
}

// Bodies of the malformed-request cases, by what their member is called.
const json kBodyShapes = json::parse(R"({
  "String": {"type": "string"}, "Boolean": {"type": "boolean"}, "Integer": {"type": "integer"},
  "Long": {"type": "long"}, "Double": {"type": "double"}, "Blob": {"type": "blob"}, "Timestamp": {"type": "timestamp"},
  "List": {"type": "list", "member": {"shape": "String"}},
  "Map": {"type": "map", "key": {"shape": "String"}, "value": {"shape": "String"}},
  "Union": {"type": "structure", "union": true, "members": {"int": {"shape": "Integer"}, "string": {"shape": "String"}}},
  "MalformedBlob": {"type": "structure", "members": {"blob": {"shape": "Blob"}}},
  "MalformedBoolean": {"type": "structure", "members": {"booleanInBody": {"shape": "Boolean"}}},
  "MalformedDouble": {"type": "structure", "members": {"doubleInBody": {"shape": "Double"}}},
  "MalformedFloat": {"type": "structure", "members": {"floatInBody": {"shape": "Double"}}},
  "MalformedInteger": {"type": "structure", "members": {"integerInBody": {"shape": "Integer"}}},
  "MalformedLong": {"type": "structure", "members": {"longInBody": {"shape": "Long"}}},
  "MalformedList": {"type": "structure", "members": {"bodyList": {"shape": "List"}}},
  "MalformedMap": {"type": "structure", "members": {"bodyMap": {"shape": "Map"}}},
  "MalformedString": {"type": "structure", "members": {"blob": {"shape": "String"}}},
  "MalformedRequestBody": {"type": "structure", "members": {"int": {"shape": "Integer"}, "float": {"shape": "Double"}}},
  "MalformedUnion": {"type": "structure", "members": {"union": {"shape": "Union"}}}
})");

void replace(std::string& text, const std::string& what, const std::string& by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
}

TEST_F(SmithyCases, malformed_bodies_are_serialization_errors) {
  const DynamicModel model(kBodyShapes);
  int passed = 0;
  std::map<std::string, int> skipped;
  for (const json& group : load("restJson1.json")) {
    if (group["trait"] != "httpMalformedRequestTests") continue;
    const std::string name = group["shape"];
    for (const json& test : group["tests"]) {
      const std::string id = test["id"];
      const json& request = test["request"];
      const std::string type = test["response"].value("headers", json::object()).value("x-amzn-errortype", "");
      if (type != "SerializationException") {
        ++skipped["validation or content negotiation of shapes we do not have"];
        continue;
      }
      if (!request.contains("body")) {
        ++skipped["member bound to header, URI or query"];
        continue;
      }
      if (!kBodyShapes.contains(name)) {
        ++skipped["kind of number or time we do not have"];
        continue;
      }
      if (id == "RestJsonBodyMalformedListNullItem" || id == "RestJsonBodyMalformedMapNullValue") {
        ++skipped["null elements are skipped here, as AWS's own services do"];
        continue;
      }
      const std::string body = request["body"];
      std::size_t n = 1;
      const json parameters = test.value("testParameters", json::object());
      for (const auto& [key, values] : parameters.items()) n = values.size();
      for (std::size_t i = 0; i < n; ++i) {
        std::string text = body;
        for (const auto& [key, values] : parameters.items()) {
          replace(text, "$" + key + ":L", values[i]);
          replace(text, "$" + key + ":S", json(values[i].get<std::string>()).dump());
        }
        const Shape& shape = model.shape(name);
        const Box box(shape);
        std::vector<Violation> violations;
        Decoding decoding;
        decoding.violations = &violations;
        EXPECT_FALSE(decode_json(text, shape, box.get(), decoding).ok()) << id << ": " << text;
        ++passed;
      }
    }
  }
  std::cout << "  passed " << passed;
  for (const auto& [why, k] : skipped) std::cout << ", skipped " << k << ": " << why;
  std::cout << "\n";
  EXPECT_GT(passed, 60);
}

}  // namespace
}  // namespace fog::test
