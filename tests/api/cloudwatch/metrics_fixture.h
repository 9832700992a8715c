// A CloudWatch of a test's own: stores in memory, a clock in the hand, requests as JSON.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "api/cloudwatch/metrics.h"
#include "api/cloudwatch/service.h"
#include "api/common/protocol.h"
#include "api/common/registry.h"
#include "storage/metric_store.h"
#include "storage/resource_store.h"

namespace fog::cloudwatch {

using nlohmann::json;

constexpr std::int64_t kNowS = 1'767'614'400;  // 2026-01-05T12:00:00Z

class CloudWatch : public testing::Test {
 protected:
  CloudWatch() {
    Wal::Options log;
    log.durability = Durability::kEphemeral;
    wal = std::move(Wal::open(log)).value();
    metrics = std::move(MetricStore::open({}, *wal, clock)).value();
    resources = std::move(ResourceStore::open("")).value();
    services.add<MetricStore>(*metrics);
    services.add<ResourceStore>(*resources);
    services.add<Clock>(clock);
    registry.add(service());
    api = std::make_unique<Api>(registry, services, clock, random, Api::Options{});
  }

  struct Answer {
    int status = 0;
    json body;
    std::string code;     // of an error, as the query protocol says it
    std::string message;  // of an error
    std::string raw;
    std::string header(std::string_view name) const {
      for (const auto& [n, v] : headers)
        if (n == name) return v;
      return {};
    }
    std::vector<std::pair<std::string, std::string>> headers;
  };

  Answer call(std::string_view operation, const json& input) { return call_raw(operation, input.dump()); }
  Answer call_raw(std::string_view operation, const std::string& body) {
    const std::string target = "GraniteServiceVersion20100801." + std::string(operation);
    http::Request request;
    request.method = "POST";
    request.target = "/";
    request.headers = {{"Content-Type", "application/x-amz-json-1.0"}, {"X-Amz-Target", target}};
    request.body = body;
    http::Response response = api->answer(std::move(request));
    Answer answer;
    answer.status = response.status;
    answer.raw = response.body;
    answer.body = json::parse(response.body, nullptr, false);
    for (const auto& [name, value] : response.headers) answer.headers.emplace_back(name, value);
    if (answer.status >= 400 && answer.body.is_object()) {
      const std::string both = answer.header("x-amzn-query-error");
      answer.code = both.substr(0, both.find(';'));
      answer.message = answer.body.value("message", answer.body.value("Message", ""));
    }
    return answer;
  }
  // One datum of one value.
  void put(const std::string& ns, const std::string& name, const json& dimensions, std::int64_t time_s, double value,
           const std::string& unit = "None") {
    json datum = {{"MetricName", name}, {"Timestamp", time_s}, {"Value", value}, {"Unit", unit}};
    for (const auto& [n, v] : dimensions.items()) datum["Dimensions"].push_back({{"Name", n}, {"Value", v}});
    const Answer a = call("PutMetricData", {{"Namespace", ns}, {"MetricData", {datum}}});
    ASSERT_EQ(a.status, 200) << a.raw;
  }

  ManualClock clock{from_ms(kNowS * 1000)};
  SeededRandom random{1};
  std::unique_ptr<Wal> wal;
  std::unique_ptr<MetricStore> metrics;
  std::unique_ptr<ResourceStore> resources;
  Services services;
  Registry registry;
  std::unique_ptr<Api> api;
};

}  // namespace fog::cloudwatch
