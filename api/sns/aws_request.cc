#include "api/sns/aws_request.h"

#include <fmt/format.h>

#include "api/auth/sign.h"
#include "api/sns/common.h"
#include "api/sns/mail.h"

namespace fog::sns {
namespace {

// The configured target with the longest prefix of the ARN.
const Target* target_of(const Options& options, std::string_view arn) {
  const Target* best = nullptr;
  for (const Target& target : options.targets) {
    if (arn.starts_with(target.arn_prefix) && (best == nullptr || target.arn_prefix.size() > best->arn_prefix.size()))
      best = &target;
  }
  return best;
}

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

}  // namespace

std::optional<OutboundRequest> send_message_request(const Options& options, Timestamp real_now,
                                                    std::string_view queue_arn, const QueueMessage& message) {
  const Target* target = target_of(options, queue_arn);
  const auto arn = parse_arn(queue_arn);
  if (target == nullptr || !arn) return std::nullopt;
  OutboundRequest request;
  const std::string base = without_slash(target->base_url);
  request.url = base + "/";
  request.headers = {{"Content-Type", "application/x-amz-json-1.0"}, {"X-Amz-Target", "AmazonSQS.SendMessage"}};
  std::string body = fmt::format(R"({{"QueueUrl":{},"MessageBody":{})",
                                 json_string(fmt::format("{}/{}/{}", base, arn->account, arn->resource)),
                                 json_string(message.body));
  if (!message.attributes.empty()) {
    body += R"(,"MessageAttributes":{)";
    bool first = true;
    for (const auto& [name, attribute] : message.attributes) {
      if (!first) body += ",";
      first = false;
      const bool binary = attribute.type.starts_with("Binary");
      body += fmt::format(R"({}:{{"DataType":{},"{}":{}}})", json_string(name), json_string(attribute.type),
                          binary ? "BinaryValue" : "StringValue",
                          json_string(binary ? base64(attribute.value) : attribute.value));
    }
    body += "}";
  }
  if (!message.group_id.empty()) body += R"(,"MessageGroupId":)" + json_string(message.group_id);
  if (!message.deduplication_id.empty())
    body += R"(,"MessageDeduplicationId":)" + json_string(message.deduplication_id);
  if (!message.trace_header.empty())
    body += fmt::format(R"(,"MessageSystemAttributes":{{"AWSTraceHeader":{{"DataType":"String","StringValue":{}}}}})",
                        json_string(message.trace_header));
  request.body = body + "}";
  sign_request(request, "sqs", arn->region, target->access_key, target->secret_key, real_now);
  return request;
}

std::optional<OutboundRequest> invoke_request(const Options& options, Timestamp real_now,
                                              std::string_view function_arn, std::string_view event) {
  const Target* target = target_of(options, function_arn);
  const auto arn = parse_arn(function_arn);
  if (target == nullptr || !arn) return std::nullopt;
  std::string_view name = arn->resource;  // function:NAME[:ALIAS]
  if (name.starts_with("function:")) name.remove_prefix(9);
  const std::size_t colon = name.find(':');
  std::string path = fmt::format("/2015-03-31/functions/{}/invocations", percent_encode(name.substr(0, colon)));
  OutboundRequest request;
  request.url = without_slash(target->base_url) + path;
  request.headers = {{"Content-Type", "application/json"}, {"X-Amz-Invocation-Type", "Event"}};
  request.body = std::string(event);
  sign_request(request, "lambda", arn->region, target->access_key, target->secret_key, real_now);
  return request;
}

std::optional<OutboundRequest> put_record_request(const Options& options, Timestamp real_now,
                                                  std::string_view stream_arn, std::string_view record) {
  const Target* target = target_of(options, stream_arn);
  const auto arn = parse_arn(stream_arn);
  if (target == nullptr || !arn) return std::nullopt;
  std::string_view name = arn->resource;  // deliverystream/NAME
  if (name.starts_with("deliverystream/")) name.remove_prefix(15);
  OutboundRequest request;
  request.url = without_slash(target->base_url) + "/";
  request.headers = {{"Content-Type", "application/x-amz-json-1.1"}, {"X-Amz-Target", "Firehose_20150804.PutRecord"}};
  request.body = fmt::format(R"({{"DeliveryStreamName":{},"Record":{{"Data":"{}"}}}})", json_string(name), base64(record));
  sign_request(request, "firehose", arn->region, target->access_key, target->secret_key, real_now);
  return request;
}

}  // namespace fog::sns
