// A Logs service of a test's own: stores in memory, a clock in the hand, requests as JSON.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "api/common/protocol.h"
#include "api/common/registry.h"
#include "api/logs/queries.h"
#include "api/logs/service.h"

namespace fog::logs {

using nlohmann::json;

constexpr std::int64_t kNowMs = 1'767'614'400'000;  // 2026-01-05T12:00:00Z

struct Answer {
  int status = 0;
  json body;
  std::string code;
  std::string message;
};

class LogsTest : public testing::Test {
 protected:
  LogsTest() {
    Wal::Options log;
    log.durability = Durability::kEphemeral;
    wal = std::move(Wal::open(log)).value();
    LogStoreOptions options;
    options.threads = 0;
    options.block_events_max = 64;
    store = std::move(open_log_store(*wal, options)).value();
    store->replayed();
    resources = std::move(ResourceStore::open("")).value();
    start();
  }
  ~LogsTest() override { queries.reset(); }

  void start() {
    queries.reset();
    registry = std::make_unique<Registry>();
    logs = std::make_unique<Logs>(Logs::Deps{*resources, *store, *wal, clock});
    queries = std::make_unique<Queries>(*logs, pool, random);
    services = {};
    services.add<Logs>(*logs);
    services.add<Queries>(*queries);
    registry->add(service());
    api = std::make_unique<Api>(*registry, services, clock, random, Api::Options{});
  }

  Answer call(std::string_view operation, const json& input) {
    const std::string target = "Logs_20140328." + std::string(operation);  // headers are views
    http::Request request;
    request.method = "POST";
    request.target = "/";
    request.headers = {{"Content-Type", "application/x-amz-json-1.1"}, {"X-Amz-Target", target}};
    request.body = input.dump();
    http::Response response = api->answer(std::move(request));
    Answer answer;
    answer.status = response.status;
    answer.body = json::parse(response.body, nullptr, false);
    if (answer.status >= 400 && answer.body.is_object()) {
      answer.code = answer.body.value("__type", "");
      if (const std::size_t hash = answer.code.find('#'); hash != std::string::npos) answer.code.erase(0, hash + 1);
      answer.message = answer.body.value("message", "");
    }
    return answer;
  }
  json ok(std::string_view operation, const json& input) {
    Answer answer = call(operation, input);
    EXPECT_EQ(answer.status, 200) << operation << " " << answer.code << ": " << answer.message;
    return answer.body;
  }
  void fails(std::string_view operation, const json& input, const std::string& code, const std::string& message) {
    const Answer answer = call(operation, input);
    EXPECT_GE(answer.status, 400) << operation;
    EXPECT_EQ(answer.code, code) << operation << " " << input.dump().substr(0, 200);
    EXPECT_EQ(answer.message, message) << operation << " " << input.dump().substr(0, 200);
  }
  void make(const std::string& group, const std::string& stream) {
    call("CreateLogGroup", {{"logGroupName", group}});
    ok("CreateLogStream", {{"logGroupName", group}, {"logStreamName", stream}});
  }
  json put(const std::string& group, const std::string& stream, const std::vector<std::pair<std::int64_t, std::string>>& events) {
    json list = json::array();
    for (const auto& [time, message] : events) list.push_back({{"timestamp", time}, {"message", message}});
    return ok("PutLogEvents", {{"logGroupName", group}, {"logStreamName", stream}, {"logEvents", list}});
  }
  static std::vector<std::string> messages(const json& answer) {
    std::vector<std::string> result;
    for (const json& event : answer.value("events", json::array())) result.push_back(event["message"]);
    return result;
  }
  json query(const std::string& group, const std::string& text) {
    const json started = ok("StartQuery", {{"logGroupName", group}, {"startTime", kNowMs / 1000 - 86400}, {"endTime", kNowMs / 1000 + 10}, {"queryString", text}});
    const std::string id = started.value("queryId", "");
    for (int i = 0; i < 20000; ++i) {
      json result = ok("GetQueryResults", {{"queryId", id}});
      const std::string status = result.value("status", "");
      if (status != "Running" && status != "Scheduled") return result;
      std::this_thread::yield();
    }
    ADD_FAILURE() << "query did not end: " << text;
    return {};
  }

  ManualClock clock{from_ms(kNowMs)};
  SeededRandom random{1};
  WorkerPool pool{2};
  std::unique_ptr<Wal> wal;
  std::unique_ptr<RecoverableLogStore> store;
  std::unique_ptr<ResourceStore> resources;
  std::unique_ptr<Logs> logs;
  std::unique_ptr<Queries> queries;
  Services services;
  std::unique_ptr<Registry> registry;
  std::unique_ptr<Api> api;
};

}  // namespace fog::logs
