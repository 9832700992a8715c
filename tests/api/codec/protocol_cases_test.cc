// The published protocol cases, where they are at hand: what a client sends must decode to what it
// was given, and what we encode must be understood as what a handler gave. Tables and storage are
// built from each case's own shapes. Cases about what none of our services has are skipped and
// counted by reason.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iostream>

#include "api/codec/cbor.h"
#include "api/codec/json.h"
#include "api/codec/query.h"
#include "api/codec/text.h"
#include "api/common/protocol.h"
#include "tests/api/codec/dynamic.h"
#include "tests/api/codec/xml.h"

namespace fog::test {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

const fs::path kCases = fs::path(FOG_SHARED_DIR) / "data/protocol-tests";

struct Tally {
  int passed = 0;
  std::map<std::string, int> skipped;
  ~Tally() {
    std::cout << "  passed " << passed;
    for (const auto& [reason, n] : skipped) std::cout << ", skipped " << n << ": " << reason;
    std::cout << "\n";
  }
};

bool is_own_time(const json& described, Protocol protocol) {
  if (!described.contains("timestampFormat")) return true;
  return described["timestampFormat"] == (protocol == Protocol::kQuery ? "iso8601" : "unixTimestamp");
}

// Why a case is none of ours, looking at what its value uses; empty: it is ours.
std::string reason(const json& suite, const std::string& name, const json& value, Protocol protocol, bool is_input) {
  const json& shape = suite["shapes"][name];
  const std::string type = shape["type"];
  if (shape.contains("payload")) return "the body is one member";
  if (shape.value("document", false)) return "document type";
  if (!is_own_time(shape, protocol)) return "other timestamp format";
  const bool is_query = protocol == Protocol::kQuery;
  const bool is_flat = shape.value("flattened", false);
  if (is_query && is_flat && !(is_input && type == "list")) return "flattened XML";
  if (is_query && is_flat && shape["member"].contains("locationName")) return "flattened with another name";
  if (type == "structure") {
    for (const auto& [member_name, member] : shape["members"].items()) {
      const bool is_given = value.is_object() && value.contains(member_name) && !value[member_name].is_null();
      if (is_input && member.contains("idempotencyToken") && !is_given) return "filled in by the client";
      if (!is_given) continue;
      if (member.contains("location")) return "member bound to header, URI or query";
      if (member.contains("jsonvalue")) return "document type";
      if (!is_own_time(member, protocol)) return "other timestamp format";
      if (is_query && !is_input && member.contains("flattened")) return "flattened XML";
      if (std::string why = reason(suite, member["shape"], value[member_name], protocol, is_input); !why.empty()) return why;
    }
  } else if (type == "list" || type == "map") {
    for (const json& inner : value)
      if (std::string why = reason(suite, shape[type == "list" ? "member" : "value"]["shape"], inner, protocol, is_input); !why.empty())
        return why;
  }
  return {};
}

// Form parameters cannot say "an empty map".
json without_empty_maps(json value) {
  if (!value.is_structured()) return value;
  for (auto it = value.begin(); it != value.end();) {
    *it = without_empty_maps(*it);
    it = value.is_object() && it->is_object() && it->empty() ? value.erase(it) : std::next(it);
  }
  return value;
}

// Cases call members by name; tables by wire name.
json to_wire(const json& suite, const std::string& name, const json& value) {
  if (value.is_null()) return value;
  const json& shape = suite["shapes"][name];
  json out = value;
  if (shape["type"] == "structure") {
    out = json::object();
    for (const auto& [member, inner] : value.items()) {
      if (!shape["members"].contains(member)) continue;
      const json& m = shape["members"][member];
      out[m.value("locationName", member)] = to_wire(suite, m["shape"], inner);
    }
  } else if (shape["type"] == "list") {
    for (auto& element : out) element = to_wire(suite, shape["member"]["shape"], element);
  } else if (shape["type"] == "map") {
    for (auto& element : out) element = to_wire(suite, shape["value"]["shape"], element);
  }
  return without_nulls(out);
}

struct File {
  const char* name;
  Protocol protocol;
};
constexpr File kFiles[] = {{"query", Protocol::kQuery},
                           {"json", Protocol::kJson},
                           {"json_1_0", Protocol::kJson},
                           {"json_1_0-query-compatible", Protocol::kJson},
                           {"rest-json", Protocol::kRestJson},
                           {"smithy-rpc-v2-cbor", Protocol::kCbor},
                           {"smithy-rpc-v2-cbor-query-compatible", Protocol::kCbor},
                           {"smithy-rpc-v2-cbor-non-query-compatible", Protocol::kCbor}};

Status decode(Protocol protocol, std::string body, const Shape& shape, void* out) {
  Decoding decoding;
  switch (protocol) {
    case Protocol::kQuery: {
      Form form;
      form.add(body);
      return decode_form(form, shape, out, decoding);
    }
    case Protocol::kCbor: return decode_cbor(decode_base64(body).value_or(body), shape, out, decoding);
    default: return decode_json(body, shape, out, decoding);
  }
}

json load(const char* folder, const File& file) {
  std::ifstream in(kCases / folder / (std::string(file.name) + ".json"));
  return json::parse(in);
}

class ProtocolCases : public testing::TestWithParam<File> {
 protected:
  void SetUp() override {
    if (!fs::exists(kCases)) GTEST_SKIP() << "no protocol cases beside the source folder: " << kCases;
  }
};

TEST_P(ProtocolCases, requests_of_clients_decode_to_what_the_client_was_given) {
  const File& file = GetParam();
  Tally tally;
  for (const json& suite : load("input", file)) {
    for (const json& test : suite["cases"]) {
      const std::string id = test["id"];
      if (!test["given"].contains("input")) {
        ++tally.skipped["no input"];
        continue;
      }
      if (test["given"].contains("requestcompression")) {
        ++tally.skipped["compressed by the client"];
        continue;
      }
      const std::string root = test["given"]["input"]["shape"];
      if (const std::string why = reason(suite, root, test["params"], file.protocol, true); !why.empty()) {
        ++tally.skipped[why];
        continue;
      }
      const DynamicModel model(suite["shapes"]);
      const Shape& shape = model.shape(root);
      const Box box(shape);
      const Status status = decode(file.protocol, test["serialized"].value("body", ""), shape, box.get());
      ASSERT_TRUE(status.ok()) << id << ": " << status.error().message();
      json expected = to_wire(suite, root, test["params"]);
      if (file.protocol == Protocol::kQuery) expected = without_empty_maps(expected);
      EXPECT_TRUE(equal(to_json(shape, box.get()), expected)) << id << "\n" << to_json(shape, box.get()) << "\n" << expected;
      ++tally.passed;
    }
  }
}

TEST_P(ProtocolCases, answers_carry_what_the_handler_gave) {
  const File& file = GetParam();
  Tally tally;
  for (const json& suite : load("output", file)) {
    for (const json& test : suite["cases"]) {
      const std::string id = test["id"];
      if (test.contains("error") || test.contains("errorCode")) continue;  // below
      if (!test["given"].contains("output")) {
        ++tally.skipped["no output"];
        continue;
      }
      const std::string root = test["given"]["output"]["shape"];
      std::string why = reason(suite, root, test["result"], file.protocol, false);
      if (test["result"].dump().find("SDK_UNKNOWN") != std::string::npos) why = "client-side unknown union member";
      if (!why.empty()) {
        ++tally.skipped[why];
        continue;
      }
      const DynamicModel model(suite["shapes"]);
      const Shape& shape = model.shape(root);
      const json expected = to_wire(suite, root, test["result"]);
      const Box given(shape);
      from_json(shape, expected, given.get());
      const std::string theirs = test["response"].value("body", "");
      if (file.protocol == Protocol::kQuery) {
        ServiceInfo service;
        service.xml_namespace = "https://example.com/";
        OperationInfo info;
        info.service = &service;
        const std::string operation = test["given"]["name"];
        info.name = operation;
        info.output = &shape;
        const XmlNode ours = parse_xml(encode_xml_response(info, given.get(), "id"));
        ASSERT_NE(ours.child(operation + "Result"), nullptr) << id;
        EXPECT_TRUE(equal(xml_to_json(shape, *ours.child(operation + "Result")), expected)) << id;
        if (!theirs.empty()) {
          const XmlNode node = parse_xml(theirs);
          const XmlNode* result = node.child(operation + "Result");
          const json read = result == nullptr ? json::object() : xml_to_json(shape, *result);
          EXPECT_TRUE(equal(read, expected)) << id << "\n" << read << "\n" << expected;
        }
      } else {
        const Box ours(shape);
        std::string written;
        if (file.protocol == Protocol::kCbor) {
          encode_cbor(shape, given.get(), written);
          Decoding decoding;
          ASSERT_TRUE(decode_cbor(written, shape, ours.get(), decoding).ok()) << id;
        } else {
          encode_json(shape, given.get(), written);
          ASSERT_TRUE(json::accept(written)) << id;
          ASSERT_TRUE(decode(file.protocol, written, shape, ours.get()).ok()) << id;
          if (!theirs.empty()) {
            // Against an independent reader, member by member of what both have.
            const json a = json::parse(written), b = without_nulls(json::parse(theirs));
            for (const auto& [key, value] : a.items())
              if (b.contains(key) && !value.is_object()) {
                EXPECT_TRUE(equal(value, b[key])) << id << "\n" << value << "\n" << b[key];
              }
          }
        }
        EXPECT_TRUE(equal(to_json(shape, ours.get()), expected)) << id << "\n" << written << "\n" << expected;
        const Box read(shape);
        const Status status = decode(file.protocol, theirs, shape, read.get());
        ASSERT_TRUE(status.ok()) << id << ": " << status.error().message() << "\n" << theirs;
        EXPECT_TRUE(equal(to_json(shape, read.get()), expected)) << id << "\n" << to_json(shape, read.get()) << "\n" << expected;
      }
      ++tally.passed;
    }
  }
}

TEST_P(ProtocolCases, faults_carry_code_status_and_members) {
  const File& file = GetParam();
  Tally tally;
  Registry registry;
  const Services services;
  const ManualClock clock(from_ms(0));
  SeededRandom random(1);
  const Api api(registry, services, clock, random, {});
  for (const json& suite : load("output", file)) {
    for (const json& test : suite["cases"]) {
      if (!test.contains("error") && !test.contains("errorCode")) continue;
      const std::string id = test["id"];
      if (!test["given"].contains("errors") || test["given"]["errors"].empty()) {
        ++tally.skipped["no modelled error"];
        continue;
      }
      const std::string root = test["given"]["errors"][0]["shape"];
      if (const std::string why = reason(suite, root, test.value("error", json::object()), file.protocol, false); !why.empty()) {
        ++tally.skipped[why];
        continue;
      }
      const DynamicModel model(suite["shapes"]);
      const Shape& shape = model.shape(root);
      const json expected = to_wire(suite, root, test.value("error", json::object()));
      auto box = std::make_shared<Box>(shape);
      from_json(shape, expected, box->get());
      auto detail = std::make_shared<FaultDetail>();
      detail->shape = &shape;
      detail->value = std::shared_ptr<const void>(box, box->get());
      detail->wire.code = shape.name;
      detail->wire.query_code = shape.error_code;
      detail->wire.status = shape.error_status;
      detail->wire.message = expected.value("message", expected.value("Message", ""));

      ServiceInfo info;
      info.shape_namespace = "aws.protocoltests";
      info.is_query_compatible = suite["metadata"].contains("awsQueryCompatible");
      Service service;
      service.info = &info;
      Exchange x{http::Request()};
      x.protocol = file.protocol;
      x.service = &service;
      x.content_type = "application/json";
      const http::Response response = api.encode(x, Error::invalid("x").with(detail));
      // One error is modelled with a status for the query protocol alone, which our models never do.
      if (!(info.is_query_compatible && shape.error_status == 402)) {
        EXPECT_EQ(response.status, test["response"]["status_code"].get<int>()) << id;
      }

      json read = json::object();
      std::string code;
      const auto header = [&](std::string_view name) {
        for (const auto& [key, value] : response.headers)
          if (key == name) return value;
        return std::string();
      };
      if (file.protocol == Protocol::kQuery) {
        const XmlNode node = parse_xml(response.body);
        const XmlNode& error = *node.child("Error");
        code = error.child("Code")->text;
        read = xml_to_json(shape, error);
      } else if (file.protocol == Protocol::kCbor) {
        const json document = json::from_cbor(response.body);
        code = document["__type"];
        read = document;
        read.erase("__type");
      } else {
        read = json::parse(response.body);
        code = read["__type"];
        read.erase("__type");
      }
      if (const auto query_error = header("x-amzn-query-error"); !query_error.empty()) code = query_error.substr(0, query_error.find(';'));
      code = code.substr(code.find('#') == std::string::npos ? 0 : code.find('#') + 1);
      if (test.contains("errorCode")) {
        const std::string wanted = test["errorCode"];
        EXPECT_TRUE(code == wanted || shape.name == wanted) << id << " " << code << " " << wanted;
      }
      EXPECT_TRUE(equal(read, expected)) << id << "\n" << read << "\n" << expected;
      ++tally.passed;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, ProtocolCases, testing::ValuesIn(kFiles), [](const auto& parameter) {
  std::string name = parameter.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace fog::test
