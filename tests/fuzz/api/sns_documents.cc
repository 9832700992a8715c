// Documents inside calls to SNS: delivery policies.
#include "api/sns/delivery_policy.h"
#include "tests/fuzz/target.h"

namespace fog::fuzz {

FOG_FUZZ(sns_documents) {
  Cut cut(input);
  const std::string_view text = cut.next(), own = cut.next();
  const auto topic = sns::check_topic_policy(text);
  const auto subscription = sns::check_subscription_policy(own.empty() ? text : own);
  const std::string topic_text = topic.ok() ? *topic : "", own_text = subscription.ok() ? *subscription : "";
  const auto policy = sns::effective_policy(topic_text, own_text);
  for (const int retry : {1, 2, 3, 10, 100}) (void)policy.retry.delay(retry);
  (void)sns::effective_topic_json(topic_text);
  (void)sns::effective_subscription_json(topic_text, own_text);
}

FOG_FUZZ_SEEDS(sns_documents) {
  return {R"({"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":1,"maxDelayTarget":60,"numRetries":50,"numNoDelayRetries":3,"numMinDelayRetries":2,"numMaxDelayRetries":35,"backoffFunction":"exponential"},"disableSubscriptionOverrides":false,"defaultThrottlePolicy":{"maxReceivesPerSecond":10},"defaultRequestPolicy":{"headerContentType":"text/plain; charset=UTF-8"}}})"
          "\x1f" R"({"healthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,"numRetries":3,"backoffFunction":"linear"},"throttlePolicy":{"maxReceivesPerSecond":1},"requestPolicy":{"headerContentType":"application/json"}})"};
}

}  // namespace fog::fuzz
