// Outbox: where a message waits that has no way out: mail without a relay, SMS, push, and what could
// not be delivered. Shown by the control plane (GET /_fogwatch/outbox) and kept across restarts.
//
// Services write to it, the control plane reads it; main registers one in Services.
// Bounded: the oldest messages give way. Threads: any.
#pragma once

#include <string>
#include <vector>

#include "storage/base/clock.h"
#include "storage/base/result.h"

namespace fog {

struct OutboxMessage {
  std::string id;  // given by the Outbox, ascending
  Timestamp time{};
  std::string account;
  std::string region;
  std::string protocol;  // "email", "sms", "application", "sqs", ...
  std::string endpoint;  // address, number, ARN
  std::string topic;     // ARN; empty: published straight to the endpoint
  std::string subject;
  std::string message;   // what a person would read
  std::string raw;       // the whole thing as it would have left (mail with headers, JSON payload)
  std::string message_id;    // of the SNS message, where there is one
  std::string subscription;  // ARN, where there is one
  std::string token;         // of a confirmation
};

struct OutboxFilter {
  std::string account;  // empty: any, also below
  std::string region;
  std::string protocol;
  std::string topic;
  std::string endpoint;
};

class Outbox {
 public:
  virtual ~Outbox() = default;
  virtual Status add(OutboxMessage message) = 0;
  virtual std::vector<OutboxMessage> list(const OutboxFilter& filter) const = 0;  // oldest first
  virtual Status clear(const OutboxFilter& filter) = 0;
};

}  // namespace fog
