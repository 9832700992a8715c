// TopicPublisher: how one service publishes to a topic of another (an alarm's action), as the topic's
// owner would through the API.
#pragma once

#include <map>
#include <string>

#include "storage/base/clock.h"
#include "storage/base/result.h"

namespace fog {

struct TopicMessage {
  std::string topic_arn;
  std::string subject{};
  std::string message{};                        // the default text
  std::map<std::string, std::string> by_protocol{};  // "sms", "email": texts that differ
};

class TopicPublisher {
 public:
  virtual ~TopicPublisher() = default;
  // The message id. kNotFound: no such topic; kInvalid: a text breaks a limit. The message is queued
  // durably for the topic's subscribers soon after the call returns.
  virtual Result<std::string> publish(const TopicMessage& message) = 0;
};

}  // namespace fog
