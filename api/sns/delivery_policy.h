// Delivery policies: how often and how fast a message is offered again; their JSON and its defaults.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "storage/base/clock.h"
#include "storage/base/result.h"

namespace fog::sns {

struct RetryPolicy {
  enum class Backoff { kLinear, kArithmetic, kGeometric, kExponential };
  Millis min_delay{20'000};
  Millis max_delay{20'000};
  int retries = 3;  // in all; what the three below leave is the back-off phase
  int no_delay_retries = 0;
  int min_delay_retries = 0;
  int max_delay_retries = 0;
  Backoff backoff = Backoff::kLinear;

  // Pause before retry `n` (1 is the first), without jitter; nothing: give up.
  std::optional<Millis> delay(int n) const;
};

struct EffectivePolicy {
  RetryPolicy retry{};
  std::optional<int> receives_per_second_max{};
  std::string content_type = "text/plain; charset=UTF-8";
};

// The documented policies of the protocols that have no attribute for it.
RetryPolicy queue_retry_policy();  // sqs, lambda, firehose
RetryPolicy mail_retry_policy();   // email, sms, application

// Of an http subscription: defaults, overlaid by the topic's policy, then by its own unless the
// topic forbids it. Empty texts: none set. Texts were checked when they were set.
EffectivePolicy effective_policy(std::string_view topic_policy, std::string_view subscription_policy);

// Checks a policy a caller wants to set and gives the text to store. The error is what follows
// "Invalid parameter: DeliveryPolicy: ".
Result<std::string> check_topic_policy(std::string_view json);
Result<std::string> check_subscription_policy(std::string_view json);

// What GetTopicAttributes and GetSubscriptionAttributes show as EffectiveDeliveryPolicy.
std::string effective_topic_json(std::string_view topic_policy);
std::string effective_subscription_json(std::string_view topic_policy, std::string_view subscription_policy);

}  // namespace fog::sns
