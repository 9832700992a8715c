// The form of log lines, and what must never stand in one.
#include "storage/base/log_context.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "storage/base/log.h"

namespace fog::log {
namespace {

std::string logged(Format format, const std::function<void()>& body) {
  set_level(Level::kInfo);
  set_format(format);
  ::testing::internal::CaptureStderr();
  body();
  set_format(Format::kText);
  return ::testing::internal::GetCapturedStderr();
}

TEST(LogContext, a_json_line_has_its_fields_and_the_request) {
  const std::string line = logged(Format::kJson, [] {
    const RequestScope scope("req-1");
    LOG_WARN("cannot seal \"{}\"\n", "a\\b");
  });
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json["level"], "warning");
  EXPECT_EQ(json["message"], "cannot seal \"a\\b\"\n");
  EXPECT_EQ(json["request_id"], "req-1");
  EXPECT_EQ(json["time"].get<std::string>().size(), 24u);
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
}

TEST(LogContext, the_request_is_named_while_its_scope_lasts) {
  const std::string lines = logged(Format::kText, [] {
    {
      const RequestScope outer("outer");
      { const RequestScope inner("inner"); LOG_INFO("a"); }
      LOG_INFO("b");
    }
    LOG_INFO("c");
  });
  EXPECT_NE(lines.find(" a request_id=inner\n"), std::string::npos) << lines;
  EXPECT_NE(lines.find(" b request_id=outer\n"), std::string::npos) << lines;
  EXPECT_NE(lines.find(" c\n"), std::string::npos) << lines;
}

TEST(LogContext, an_access_line_is_json_too) {
  const std::string line = logged(Format::kJson, [] {
    write_access({.request_id = "r", .client = "127.0.0.1", .account = "1", .region = "us-east-1", .service = "logs", .operation = "PutLogEvents",
                  .error = "ThrottlingException", .status = 503, .took_us = 1500, .bytes_in = 3, .bytes_out = 4});
  });
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json["message"], "request");
  EXPECT_EQ(json["level"], "error");
  EXPECT_EQ(json["took_ms"], 1.5);
  EXPECT_EQ(json["status"], 503);
}

TEST(LogContext, which_requests_get_a_line) {
  set_access(Access::kErrors);
  EXPECT_TRUE(wants_access(503));
  EXPECT_FALSE(wants_access(404));
  set_access(Access::kAll);
  EXPECT_TRUE(wants_access(200));
  set_access(Access::kOff);
  EXPECT_FALSE(wants_access(500));
}

TEST(LogContext, secrets_are_masked) {
  struct { std::string_view text, wanted; } rows[] = {
      {"GET /?X-Amz-Signature=abc123&x=1", "GET /?X-Amz-Signature=***&x=1"},
      {"http://h/?Action=ConfirmSubscription&Token=t0k3n failed", "http://h/?Action=ConfirmSubscription&Token=*** failed"},
      {"Authorization: Bearer abc.def", "Authorization: Bearer ***"},
      {"Credential=AKIA/2026, Signature=ff00", "Credential=AKIA/2026, Signature=***"},
      {"smtp password=hunter2", "smtp password=***"},
      {"X-Amz-Security-Token=longlong", "X-Amz-Security-Token=***"},
      {"nothing to hide", "nothing to hide"},
      {"token=", "token="},
  };
  for (const auto& row : rows) EXPECT_EQ(masked(row.text), row.wanted);
}

}  // namespace
}  // namespace fog::log
