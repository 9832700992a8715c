#include "api/sns/aws_request.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

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

std::string hmac(std::string_view key, std::string_view text) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), out, &size);
  return std::string(reinterpret_cast<const char*>(out), size);
}

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

}  // namespace

void sign_request(OutboundRequest& request, std::string_view service, std::string_view region, const Target& target,
                  Timestamp real_now) {
  const std::size_t scheme = request.url.find("://");
  const std::size_t begin = scheme == std::string::npos ? 0 : scheme + 3;
  const std::size_t slash = std::min(request.url.find('/', begin), request.url.size());
  const std::string host = request.url.substr(begin, slash - begin);
  const std::string path = slash == request.url.size() ? "/" : request.url.substr(slash);
  const std::string iso = iso_time(real_now);  // 2012-05-02T00:54:06.655Z
  const std::string day = iso.substr(0, 4) + iso.substr(5, 2) + iso.substr(8, 2);
  const std::string date = day + "T" + iso.substr(11, 2) + iso.substr(14, 2) + iso.substr(17, 2) + "Z";
  const std::string canonical = fmt::format("{}\n{}\n\nhost:{}\nx-amz-date:{}\n\nhost;x-amz-date\n{}", request.method,
                                            path, host, date, hex(sha256(request.body)));
  const std::string scope = fmt::format("{}/{}/{}/aws4_request", day, region, service);
  const std::string to_sign = fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", date, scope, hex(sha256(canonical)));
  const std::string key = hmac(hmac(hmac(hmac("AWS4" + target.secret_key, day), region), service), "aws4_request");
  request.headers.emplace_back("X-Amz-Date", date);
  request.headers.emplace_back(
      "Authorization", fmt::format("AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders=host;x-amz-date, Signature={}",
                                   target.access_key, scope, hex(hmac(key, to_sign))));
}

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
  sign_request(request, "sqs", arn->region, *target, real_now);
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
  sign_request(request, "lambda", arn->region, *target, real_now);
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
  sign_request(request, "firehose", arn->region, *target, real_now);
  return request;
}

}  // namespace fog::sns
