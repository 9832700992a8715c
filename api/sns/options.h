// Options: what the configuration says about notifications.
#pragma once

#include <string>
#include <vector>

namespace fog::sns {

// Where messages to an ARN go: a service that speaks the same API elsewhere.
struct Target {
  std::string arn_prefix{};  // "arn:aws:sqs:", "arn:aws:lambda:us-east-1:123456789012:function:x"
  std::string base_url{};    // "http://127.0.0.1:9324"
  std::string access_key = "fogwatch";
  std::string secret_key = "fogwatch";
};

struct Options {
  std::string external_url{};  // what links begin with; empty: the address the caller used
  std::string default_url = "http://127.0.0.1:4566";  // for messages that no caller sent
  std::string mail_from = "no-reply@fogwatch.localhost";
  std::vector<Target> targets{};
  std::string sms_webhook{};  // empty: the outbox
  bool sms_sandbox = false;
  std::size_t in_flight_max = 256;
  std::size_t lane_in_flight_max = 16;
};

}  // namespace fog::sns
