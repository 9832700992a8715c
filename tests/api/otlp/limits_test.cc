// OTLP requests that are too large, too deep or too odd: answered, counted, harmless.
#include <gtest/gtest.h>
#include <zlib.h>

#include <nlohmann/json.hpp>
#include <random>

#include "api/otlp/traces.h"
#include "storage/base/clock.h"
#include "storage/wal/wal.h"

namespace fog::otlp {
namespace {

using nlohmann::json;

struct Store {
  Store() {
    wal = std::move(*Wal::open({.folder = {}, .durability = Durability::kEphemeral}));
    store = std::move(*TraceStore::open({}, *wal, clock));
  }
  ExportAnswer put(const std::string& body, const char* encoding = "", std::size_t most = 1 << 20) {
    return export_traces(*store, {"000000000000", "us-east-1"}, "application/json", encoding, body, most);
  }
  ManualClock clock{from_ms(1'700'000'000'000)};
  std::unique_ptr<Wal> wal;
  std::unique_ptr<TraceStore> store;
};

json span(int n) {
  char id[33];
  std::snprintf(id, sizeof id, "%032x", n + 1);
  return {{"traceId", id}, {"spanId", std::string(id).substr(16)}, {"name", "op"}, {"kind", 2}, {"startTimeUnixNano", "1700000000000000000"}, {"endTimeUnixNano", "1700000000500000000"}};
}
json request(json spans) { return {{"resourceSpans", {{{"scopeSpans", {{{"spans", std::move(spans)}}}}}}}}; }

std::string gzip(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST(OtlpLimits, a_gzip_bomb_is_refused_at_the_limit) {
  Store store;
  const auto bomb = gzip(std::string(200 << 20, ' '));
  EXPECT_LT(bomb.size(), 1u << 20);
  const auto answer = store.put(bomb, "gzip");
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(json::parse(answer.body)["code"], 8);
  EXPECT_EQ(store.put(gzip("{}"), "gzip").status, 200);
  const auto good = gzip(request({span(0)}).dump());
  for (std::size_t cut = 0; cut < good.size(); cut += 7) EXPECT_EQ(store.put(good.substr(0, cut), "gzip").status, 400) << cut;
}

TEST(OtlpLimits, depth_is_bounded_and_harmless) {
  Store store;
  for (const int depth : {30, 100, 1000, 100'000}) {
    std::string value = R"({"stringValue":"x"})";
    std::string before, after;
    for (int i = 0; i < depth; ++i) {
      before += R"({"arrayValue":{"values":[)";
      after += "]}}";
    }
    auto body = request({span(depth)}).dump();
    const auto at = body.find(R"("kind":2)");
    body.insert(at, R"("attributes":[{"key":"deep","value":)" + before + value + after + "}],");
    const auto answer = store.put(body, "", 64 << 20);
    EXPECT_TRUE(answer.status == 200 || answer.status == 400) << depth;
    if (depth == 30) {
      EXPECT_EQ(answer.accepted_spans, 1u);
    }
  }
}

TEST(OtlpLimits, spans_that_are_too_large_are_dropped_and_told) {
  Store store;
  auto large = span(1), many = span(2);
  large["attributes"] = {{{"key", "big"}, {"value", {{"stringValue", std::string(70'000, 'x')}}}}};
  for (int i = 0; i < 8000; ++i) many["attributes"].push_back({{"key", "k" + std::to_string(i)}, {"value", {{"intValue", std::to_string(i)}}}});
  const auto answer = store.put(request({span(0), large, many}).dump());
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.accepted_spans, 1u);
  const auto partial = json::parse(answer.body)["partialSuccess"];
  EXPECT_EQ(partial["rejectedSpans"], "2");
  EXPECT_EQ(partial["errorMessage"], "a span is too large");
  EXPECT_EQ(store.store->stats().documents_accepted, 1u);
}

TEST(OtlpLimits, odd_members_are_no_danger) {
  Store store;
  const json rows[] = {json(nullptr), json(5), json("x"), json::array(), json::object(), json(true), json(-1.5), json({{"a", 1}})};
  for (const char* member : {"traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano", "attributes", "events", "links", "status", "flags"}) {
    for (const auto& value : rows) {
      auto odd = span(7);
      odd[member] = value;
      const auto answer = store.put(request({odd, span(8)}).dump());
      EXPECT_TRUE(answer.status == 200 || answer.status == 400) << member << " " << value;
      if (answer.status == 200) {
        EXPECT_GE(answer.accepted_spans, 1u) << member << " " << value;
      }
    }
  }
}

TEST(OtlpLimits, changed_bytes_of_json_are_answered) {
  Store store;
  auto given = span(1);
  given["attributes"] = {{{"key", "a"}, {"value", {{"arrayValue", {{"values", {{{"boolValue", true}}, {{"doubleValue", 1.5}}}}}}}}}};
  given["events"] = {{{"name", "exception"}, {"timeUnixNano", "1"}, {"attributes", {{{"key", "exception.type"}, {"value", {{"stringValue", "E"}}}}}}}};
  const auto good = request({given}).dump();
  std::mt19937 random(9);
  for (int i = 0; i < 3000; ++i) {
    auto bad = good;
    for (auto n = 1 + random() % 3; n > 0; --n) bad[random() % bad.size()] = static_cast<char>(random());
    if (random() % 5 == 0) bad.resize(random() % bad.size());
    const auto status = store.put(bad).status;
    EXPECT_TRUE(status == 200 || status == 400);
  }
}

}  // namespace
}  // namespace fog::otlp
