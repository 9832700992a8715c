// Queues: create, find, list, settings, tags.
#include <fmt/format.h>
#include <openssl/evp.h>

#include <charconv>

#include <nlohmann/json.hpp>

#include "api/common/fault.h"
#include "api/common/violations.h"
#include "api/sqs/service.h"

namespace fog::sqs {
namespace {

constexpr std::size_t kPageMax = 1000;
constexpr std::size_t kTagsMax = 50;

struct NumberAttribute {
  std::string_view name;
  std::int64_t min, max;
  std::string_view otherwise;
};
constexpr NumberAttribute kNumbers[] = {{"DelaySeconds", 0, 900, "0"},
                                        {"MaximumMessageSize", 1024, kMessageBytesMax, "1048576"},
                                        {"MessageRetentionPeriod", 60, 1'209'600, "345600"},
                                        {"ReceiveMessageWaitTimeSeconds", 0, 20, "0"},
                                        {"VisibilityTimeout", 0, 43'200, "30"},
                                        {"KmsDataKeyReusePeriodSeconds", 60, 86'400, ""}};
constexpr std::string_view kTexts[] = {"Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId", "SqsManagedSseEnabled"};
constexpr std::string_view kFifoOnly[] = {"ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"};
constexpr std::string_view kReadOnly[] = {"QueueArn", "CreatedTimestamp", "LastModifiedTimestamp", "ApproximateNumberOfMessages",
                                          "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"};

bool one_of(std::span<const std::string_view> list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

bool is_number_attribute(std::string_view name) {
  return std::any_of(std::begin(kNumbers), std::end(kNumbers), [&](const auto& n) { return n.name == name; });
}

bool valid_name(std::string_view name) {
  if (name.size() > 80) return false;
  if (name.ends_with(".fifo")) name.remove_suffix(5);
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

QueueKey key_of_name(const Call& call, const std::string& name) { return {call.account, call.region, name}; }

Result<CreateQueueResult> create_queue(Call& call, const CreateQueueRequest& in) {
  if (!valid_name(in.queue_name))
    return wire_fault({.code = "InvalidParameterValue",
                       .message = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"});
  const QueueKey key = key_of_name(call, in.queue_name);
  QueueAttributeMap attributes = in.attributes.value_or(QueueAttributeMap{});
  const auto fifo = attributes.find("FifoQueue");
  if (key.is_fifo() != (fifo != attributes.end() && fifo->second == "true"))
    return key.is_fifo() ? wire_fault({.code = "InvalidParameterValue",
                                       .message = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"})
                         : fifo == attributes.end() || fifo->second != "false"
                               ? wire_fault({.code = "InvalidParameterValue",
                                             .message = "The name of a FIFO queue can only include alphanumeric characters, hyphens, or "
                                                        "underscores, must end with .fifo suffix and be 1 to 80 in length."})
                               : Error(fault(InvalidAttributeName{.message = "Unknown Attribute FifoQueue."}));
  TRYV(check_queue_attributes(attributes, key.is_fifo(), true));
  if (in.tags && in.tags->size() > kTagsMax) return wire_fault({.code = "InvalidParameterValue", .message = "Too many tags added for queue " + key.name + "."});
  Lsn lsn = 0;
  TRY(const StoredQueue made, call.service<Sqs>().create(key, std::move(attributes), in.tags.value_or(TagMap{}), lsn));
  call.durable_after(lsn);
  return CreateQueueResult{.queue_url = queue_url(call, key)};
}

Result<Empty> delete_queue(Call& call, const DeleteQueueRequest& in) {
  Lsn lsn = 0;
  TRYV(call.service<Sqs>().erase(queue_of_url(call, in.queue_url), lsn));
  call.durable_after(lsn);
  return Empty{};
}

Result<GetQueueUrlResult> get_queue_url(Call& call, const GetQueueUrlRequest& in) {
  QueueKey key = key_of_name(call, in.queue_name);
  if (in.queue_owner_aws_account_id) key.account = *in.queue_owner_aws_account_id;
  TRYV(call.service<Sqs>().find(key));
  return GetQueueUrlResult{.queue_url = queue_url(call, key)};
}

// A token is the last name shown.
template <typename Out>
void page(Call& call, std::vector<std::string> names, std::optional<std::int32_t> max, Out& out, std::optional<std::vector<std::string>>& urls) {
  const std::size_t limit = max ? static_cast<std::size_t>(*max) : kPageMax;
  if (names.size() > limit) {
    names.resize(limit);
    if (max) out.next_token = names.back();
  }
  if (names.empty()) return;
  urls.emplace();
  for (const auto& name : names) urls->push_back(queue_url(call, key_of_name(call, name)));
}

Status check_max(std::optional<std::int32_t> max) {
  if (max && (*max < 1 || *max > 1000)) return bad_value("MaxResults", std::to_string(*max), "MaxResults must be an integer between 1 and 1000.");
  return Ok{};
}

Result<ListQueuesResult> list_queues(Call& call, const ListQueuesRequest& in) {
  TRYV(check_max(in.max_results));
  ListQueuesResult out;
  page(call, call.service<Sqs>().list(call.account, call.region, in.queue_name_prefix.value_or(""), in.next_token.value_or(""), kPageMax + 1),
       in.max_results, out, out.queue_urls);
  return out;
}

Result<ListDeadLetterSourceQueuesResult> list_dead_letter_source_queues(Call& call, const ListDeadLetterSourceQueuesRequest& in) {
  TRYV(check_max(in.max_results));
  const QueueKey key = queue_of_url(call, in.queue_url);
  TRYV(call.service<Sqs>().find(key));
  auto names = call.service<Sqs>().dead_letter_sources(key);
  std::erase_if(names, [&](const auto& name) { return in.next_token && name <= *in.next_token; });
  ListDeadLetterSourceQueuesResult out;
  page(call, std::move(names), in.max_results, out, out.queue_urls);
  if (!out.queue_urls) out.queue_urls.emplace();
  return out;
}

Result<Empty> purge_queue(Call& call, const PurgeQueueRequest& in) {
  Lsn lsn = 0;
  TRYV(call.service<Sqs>().purge(queue_of_url(call, in.queue_url), lsn));
  call.durable_after(lsn);
  return Empty{};
}

Result<GetQueueAttributesResult> get_queue_attributes(Call& call, const GetQueueAttributesRequest& in) {
  const QueueKey key = queue_of_url(call, in.queue_url);
  Sqs& sqs = call.service<Sqs>();
  TRY(const StoredQueue queue, sqs.find(key));
  QueueAttributeMap all = queue.attributes;
  for (const auto& number : kNumbers) {
    if (!number.otherwise.empty()) all.try_emplace(std::string(number.name), std::string(number.otherwise));
  }
  all.try_emplace("SqsManagedSseEnabled", "true");
  const auto counts = sqs.counts(key);
  all["QueueArn"] = queue_arn(key);
  all["CreatedTimestamp"] = std::to_string(queue.created_ms / 1000);
  all["LastModifiedTimestamp"] = std::to_string(queue.modified_ms / 1000);
  all["ApproximateNumberOfMessages"] = std::to_string(counts.visible);
  all["ApproximateNumberOfMessagesNotVisible"] = std::to_string(counts.hidden);
  all["ApproximateNumberOfMessagesDelayed"] = std::to_string(counts.delayed);
  if (key.is_fifo()) {
    all["FifoQueue"] = "true";
    all.try_emplace("ContentBasedDeduplication", "false");
    all.try_emplace("DeduplicationScope", "queue");
    all.try_emplace("FifoThroughputLimit", "perQueue");
  }
  GetQueueAttributesResult out;
  for (const auto& name : in.attribute_names.value_or(std::vector<std::string>{})) {
    const bool known = name == "All" || name == "FifoQueue" || is_number_attribute(name) || one_of(kTexts, name) || one_of(kFifoOnly, name) ||
                       one_of(kReadOnly, name);
    if (!known) return fault(InvalidAttributeName{.message = fmt::format("Unknown Attribute {}.", name)});
    if (name == "All") out.attributes = all;
    else if (const auto found = all.find(name); found != all.end()) {
      if (!out.attributes) out.attributes.emplace();
      out.attributes->insert(*found);
    }
  }
  return out;
}

Result<Empty> set_queue_attributes(Call& call, const SetQueueAttributesRequest& in) {
  const QueueKey key = queue_of_url(call, in.queue_url);
  TRYV(check_queue_attributes(in.attributes, key.is_fifo(), false));
  Lsn lsn = 0;
  TRYV(call.service<Sqs>().change(
      key,
      [&](StoredQueue& queue) -> Status {
        for (const auto& [name, value] : in.attributes) {
          if (value.empty()) queue.attributes.erase(name);
          else queue.attributes[name] = value;
        }
        return Ok{};
      },
      lsn));
  call.durable_after(lsn);
  return Empty{};
}

Result<ListQueueTagsResult> list_queue_tags(Call& call, const ListQueueTagsRequest& in) {
  TRY(const StoredQueue queue, call.service<Sqs>().find(queue_of_url(call, in.queue_url)));
  ListQueueTagsResult out;
  if (!queue.tags.empty()) out.tags = queue.tags;
  return out;
}

Result<Empty> tag_queue(Call& call, const TagQueueRequest& in) {
  const QueueKey key = queue_of_url(call, in.queue_url);
  Lsn lsn = 0;
  TRYV(call.service<Sqs>().change(
      key,
      [&](StoredQueue& queue) -> Status {
        for (const auto& [name, value] : in.tags) queue.tags[name] = value;
        if (queue.tags.size() > kTagsMax)
          return wire_fault({.code = "InvalidParameterValue", .message = "Too many tags added for queue " + key.name + "."});
        return Ok{};
      },
      lsn));
  call.durable_after(lsn);
  return Empty{};
}

Result<Empty> untag_queue(Call& call, const UntagQueueRequest& in) {
  Lsn lsn = 0;
  TRYV(call.service<Sqs>().change(
      queue_of_url(call, in.queue_url),
      [&](StoredQueue& queue) -> Status {
        for (const auto& name : in.tag_keys) queue.tags.erase(name);
        return Ok{};
      },
      lsn));
  call.durable_after(lsn);
  return Empty{};
}

constexpr Operation kOperations[] = {
    bind<create_queue>(),         bind<delete_queue>(),         bind<get_queue_url>(),   bind<list_queues>(), bind<list_dead_letter_source_queues>(),
    bind<purge_queue>(),          bind<get_queue_attributes>(), bind<set_queue_attributes>(),
    bind<list_queue_tags>(),      bind<tag_queue>(),            bind<untag_queue>(),
};

constexpr ErrorRow kErrors[] = {
    {ErrorKind::kNotFound, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", 400},
    {ErrorKind::kInvalid, "InvalidParameterValue", "", 400},
    {ErrorKind::kBusy, "ServiceUnavailable", "", 503},
};

Error missing_parameter(const OperationInfo& operation, std::span<const Violation> violations) {
  for (const auto& violation : violations) {
    if (violation.constraint == Constraint::kNotNull)
      return wire_fault({.code = "MissingParameter",
                         .message = fmt::format("The request must contain the parameter {}.", violation.path.empty() ? "" : violation.path.back().name)});
  }
  return validation_error(operation, violations);
}

}  // namespace

std::span<const Operation> queue_operations() { return kOperations; }

Service service() {
  return {.info = &kService, .operations = {queue_operations(), message_operations()}, .errors = kErrors, .on_invalid = missing_parameter};
}

QueueKey queue_of_url(const Call& call, const std::string& url) {
  QueueKey key{call.account, call.region, url};
  const std::size_t slash = url.rfind('/');
  if (slash == std::string::npos) return key;
  key.name = url.substr(slash + 1);
  const std::size_t before = slash == 0 ? std::string::npos : url.rfind('/', slash - 1);
  const std::string account = url.substr(before == std::string::npos ? 0 : before + 1, slash - (before == std::string::npos ? 0 : before + 1));
  if (account.size() == 12 && account.find_first_not_of("0123456789") == std::string::npos) key.account = account;
  return key;
}

std::string queue_url(const Call& call, const QueueKey& key) { return fmt::format("{}/{}/{}", call.base_url, key.account, key.name); }

Error bad_value(std::string_view parameter, std::string_view value, std::string_view reason) {
  return wire_fault({.code = "InvalidParameterValue",
                     .message = fmt::format("Value {} for parameter {} is invalid. Reason: {}", value, parameter, reason)});
}

Status check_queue_attributes(const QueueAttributeMap& attributes, bool fifo, bool creating) {
  const auto wrong = [](std::string_view name) {
    return fault(InvalidAttributeValue{.message = fmt::format("Invalid value for the parameter {}.", name)});
  };
  for (const auto& [name, value] : attributes) {
    const auto number = std::find_if(std::begin(kNumbers), std::end(kNumbers), [&](const auto& n) { return n.name == name; });
    if (number != std::end(kNumbers)) {
      std::int64_t n = 0;
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), n);
      if (error != std::errc{} || end != value.data() + value.size() || n < number->min || n > number->max) return wrong(name);
    } else if (name == "RedrivePolicy" || name == "RedriveAllowPolicy" || name == "Policy") {
      if (value.empty()) continue;
      const auto policy = nlohmann::json::parse(value, nullptr, false);
      if (!policy.is_object()) return wrong(name);
      if (name != "RedrivePolicy" || policy.empty()) continue;
      const auto target = policy.find("deadLetterTargetArn");
      const auto key = target != policy.end() && target->is_string() ? parse_queue_arn(target->get<std::string>()) : std::nullopt;
      if (!key || !policy.contains("maxReceiveCount"))
        return fault(InvalidAttributeValue{
            .message = fmt::format("Value {} for parameter RedrivePolicy is invalid. Reason: Redrive policy does not contain mandatory attribute: {}.",
                                   value, !key ? "deadLetterTargetArn" : "maxReceiveCount")});
      const auto& count = policy["maxReceiveCount"];
      const std::int64_t n = count.is_number_integer() ? count.get<std::int64_t>() : count.is_string() ? std::atoll(count.get<std::string>().c_str()) : 0;
      if (n < 1 || n > 1000)
        return fault(InvalidAttributeValue{.message = fmt::format(
            "Value {} for parameter RedrivePolicy is invalid. Reason: Invalid value for maxReceiveCount: {}, valid values are from 1 to 1000 both inclusive.",
            value, n)});
      if (key->is_fifo() != fifo)
        return fault(InvalidAttributeValue{.message = fmt::format(
            "Value {} for parameter RedrivePolicy is invalid. Reason: Dead-letter target must be same type of queue as the source.", value)});
    } else if (one_of(kTexts, name)) {
      continue;
    } else if (name == "FifoQueue" && creating) {
      if (value != "true") return wrong(name);
    } else if (one_of(kFifoOnly, name) && fifo) {
      const bool ok = name == "ContentBasedDeduplication" ? value == "true" || value == "false"
                      : name == "DeduplicationScope"      ? value == "queue" || value == "messageGroup"
                                                          : value == "perQueue" || value == "perMessageGroupId";
      if (!ok) return wrong(name);
    } else {
      return fault(InvalidAttributeName{.message = fmt::format("Unknown Attribute {}.", name)});
    }
  }
  return Ok{};
}

std::string md5_hex(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_md5(), nullptr);
  std::string out;
  for (unsigned i = 0; i < size; ++i) out += fmt::format("{:02x}", digest[i]);
  return out;
}

std::string md5_of_attributes(const MessageBodyAttributeMap& attributes) {
  if (attributes.empty()) return {};
  std::string bytes;
  const auto text = [&](std::string_view t) {
    const auto n = static_cast<std::uint32_t>(t.size());
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>((n >> shift) & 0xff));
    bytes += t;
  };
  for (const auto& [name, value] : attributes) {
    text(name);
    text(value.data_type);
    const bool binary = value.data_type.starts_with("Binary");
    bytes.push_back(binary ? '\x02' : '\x01');
    text(binary ? value.binary_value.value_or("") : value.string_value.value_or(""));
  }
  return md5_hex(bytes);
}

}  // namespace fog::sqs
