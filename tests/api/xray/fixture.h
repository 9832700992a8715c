// A server without sockets: requests in, answers out, on stores in memory and a clock in the hand.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "api/common/protocol.h"
#include "api/common/registry.h"
#include "api/common/services.h"
#include "api/xray/service.h"
#include "api/xray/shapes.h"
#include "storage/base/clock.h"
#include "storage/base/random.h"
#include "storage/resource_store.h"
#include "storage/trace_store.h"
#include "storage/wal/wal.h"

namespace fog::xray {

using nlohmann::json;

struct Metrics final : MetricSink {
  Result<Outcome> put_metrics(std::string_view, std::string_view, std::span<const SinkDatum> datums) override {
    put.insert(put.end(), datums.begin(), datums.end());
    return Outcome{};
  }
  std::vector<SinkDatum> put;
};

class XRayTest : public ::testing::Test {
 protected:
  static constexpr std::int64_t kNow = 1'700'000'600;

  XRayTest() {
    wal = std::move(*Wal::open({.folder = {}, .durability = Durability::kEphemeral}));
    resources = std::move(*ResourceStore::open(""));
    traces = std::move(*TraceStore::open({}, *wal, clock));
    xray.emplace(*traces, *resources, clock, random,
                 XRay::Sinks{.metrics = &metrics, .logs = nullptr, .notify = [this](const TraceScope&, const std::string& event) {
                               notified.push_back(json::parse(event));
                             }});
    services.add<XRay>(*xray);
    registry.add(xray::service());
    api.emplace(registry, services, clock, random, Api::Options{});
    minute_workers = xray::workers(*xray);
  }

  struct Answer {
    int status = 0;
    json body;
    std::string type;  // of the error
    std::string text;
  };
  Answer post(const std::string& path, const std::string& body) {
    http::Request request;
    request.method = "POST";
    request.target = path;
    request.headers = {{"Host", "127.0.0.1:2000"}, {"Content-Type", "application/json"}};
    request.body = body;
    const auto response = api->answer(std::move(request));
    Answer answer{response.status, json::parse(response.body, nullptr, false), {}, response.body};
    for (const auto& [name, value] : response.headers)
      if (http::equal_ignoring_case(name, "x-amzn-ErrorType")) answer.type = value;
    return answer;
  }
  Answer post(const std::string& path, const json& body) { return post(path, body.dump()); }
  json ok(const std::string& path, const json& body) {
    const auto answer = post(path, body);
    EXPECT_EQ(answer.status, 200) << path << " " << body.dump().substr(0, 300) << " -> " << answer.text;
    return answer.body;
  }
  json put(const std::vector<json>& documents) {
    json list = json::array();
    for (const auto& document : documents) list.push_back(document.is_string() ? document : json(document.dump()));
    return ok("/TraceSegments", {{"TraceSegmentDocuments", list}});
  }
  void tick() {
    for (const auto& worker : minute_workers) worker->tick(clock.now());
  }

  ManualClock clock{from_ms(kNow * 1000)};
  SeededRandom random{1};
  Metrics metrics;
  std::vector<json> notified;
  std::unique_ptr<Wal> wal;
  std::unique_ptr<ResourceStore> resources;
  std::unique_ptr<TraceStore> traces;
  std::optional<XRay> xray;
  Registry registry;
  Services services;
  std::optional<Api> api;
  std::vector<std::unique_ptr<Worker>> minute_workers;
};

inline json read_json(const std::string& name) {
  std::ifstream file(std::string(FOG_SOURCE_DIR) + "/tests/" + name);
  return json::parse(file);
}

}  // namespace fog::xray
