// Messages: send, receive, delete, change their visibility; singly and in batches.
#include <fmt/format.h>

#include <set>

#include "api/common/fault.h"
#include "api/common/waiting.h"
#include "api/sqs/service.h"

namespace fog::sqs {
namespace {

constexpr std::size_t kBatchMax = 10;
constexpr std::size_t kAttributesMax = 10;
constexpr std::size_t kIdMax = 128;
constexpr std::int32_t kVisibilityMax = 43'200;

Error bad_parameter(std::string message) { return wire_fault({.code = "InvalidParameterValue", .message = std::move(message)}); }

bool is_storable(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 && c != '\t' && c != '\n' && c != '\r') return false;
  }
  return text.find("\xef\xbf\xbe") == std::string_view::npos && text.find("\xef\xbf\xbf") == std::string_view::npos;
}

bool valid_id(std::string_view id) {
  return !id.empty() && id.size() <= kIdMax && std::all_of(id.begin(), id.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

std::size_t bytes_of(const std::string& body, const MessageBodyAttributeMap& attributes) {
  std::size_t bytes = body.size();
  for (const auto& [name, value] : attributes)
    bytes += name.size() + value.data_type.size() + value.string_value.value_or("").size() + value.binary_value.value_or("").size();
  return bytes;
}

Status check_attributes(const MessageBodyAttributeMap& attributes) {
  if (attributes.size() > kAttributesMax) return bad_parameter(fmt::format("Number of message attributes [{}] exceeds the allowed maximum [10].", attributes.size()));
  for (const auto& [name, value] : attributes) {
    const bool plain = !name.empty() && name.size() <= 256 && std::all_of(name.begin(), name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
    });
    if (!plain || name.starts_with('.') || name.ends_with('.') || name.find("..") != std::string::npos)
      return bad_parameter(fmt::format("The message attribute name '{}' is invalid.", name));
    const std::string base = value.data_type.substr(0, value.data_type.find('.'));
    if (base != "String" && base != "Number" && base != "Binary")
      return bad_parameter(fmt::format("The message attribute '{}' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.", name));
    const auto& own = base == "Binary" ? value.binary_value : value.string_value;
    if (!own || own->empty())
      return bad_parameter(fmt::format("The message attribute '{}' must contain non-empty message attribute value for message attribute type '{}'.", name, base));
    if (base != "Binary" && !is_storable(*own)) return fault(InvalidMessageContents{.message = "Message attribute values contain invalid characters."});
  }
  return Ok{};
}

// A request or an entry of a batch, checked against the queue's settings.
template <typename In>
Result<Sqs::Draft> draft_of(const Call& call, const QueueKey& key, const StoredQueue& queue, const In& in) {
  Sqs::Draft draft;
  draft.body = in.message_body;
  if (in.message_attributes) draft.attributes = *in.message_attributes;
  draft.sender = call.account;
  if (draft.body.empty()) return wire_fault({.code = "MissingParameter", .message = "The request must contain the parameter MessageBody."});
  if (!is_storable(draft.body))
    return fault(InvalidMessageContents{.message = "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | "
                                                   "#xE000 to #xFFFD | #x10000 to #x10FFFF"});
  TRYV(check_attributes(draft.attributes));
  const auto size = queue.attributes.find("MaximumMessageSize");
  const std::int64_t limit = size == queue.attributes.end() ? kMessageBytesMax : std::atoll(size->second.c_str());
  if (static_cast<std::int64_t>(bytes_of(draft.body, draft.attributes)) > limit)
    return bad_parameter(fmt::format("One or more parameters are invalid. Reason: Message must be shorter than {} bytes.", limit));
  if (in.delay_seconds) {
    if (key.is_fifo() && *in.delay_seconds != 0)
      return bad_value("DelaySeconds", std::to_string(*in.delay_seconds), "The request include parameter that is not valid for this queue type.");
    if (*in.delay_seconds < 0 || *in.delay_seconds > 900) return bad_value("DelaySeconds", std::to_string(*in.delay_seconds), "DelaySeconds must be >= 0 and <= 900.");
    if (!key.is_fifo()) draft.delay_seconds = *in.delay_seconds;
  }
  draft.group_id = in.message_group_id.value_or("");
  draft.deduplication_id = in.message_deduplication_id.value_or("");
  if (key.is_fifo() && draft.group_id.empty()) return wire_fault({.code = "MissingParameter", .message = "The request must contain the parameter MessageGroupId."});
  if (!key.is_fifo() && !draft.deduplication_id.empty())
    return bad_value("MessageDeduplicationId", draft.deduplication_id, "The request includes a parameter that is not valid for this queue type.");
  if (!draft.group_id.empty() && !valid_id(draft.group_id))
    return bad_value("MessageGroupId", draft.group_id, "MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.");
  if (!draft.deduplication_id.empty() && !valid_id(draft.deduplication_id))
    return bad_value("MessageDeduplicationId", draft.deduplication_id,
                     "MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to 128 in length.");
  if (in.message_system_attributes) {
    for (const auto& [name, value] : *in.message_system_attributes) {
      if (name != "AWSTraceHeader") return bad_parameter(fmt::format("The message system attribute '{}' is invalid.", name));
      draft.trace_header = value.string_value.value_or("");
    }
  }
  return draft;
}

std::optional<std::string> unless_empty(std::string text) { return text.empty() ? std::nullopt : std::optional(std::move(text)); }

template <typename Out, typename In>
void describe(Out& out, const In& in, const Sqs::Sent& sent) {
  out.message_id = sent.message_id;
  out.md5_of_message_body = md5_hex(in.message_body);
  out.md5_of_message_attributes = unless_empty(md5_of_attributes(in.message_attributes.value_or(MessageBodyAttributeMap{})));
  out.md5_of_message_system_attributes = unless_empty(md5_of_attributes(in.message_system_attributes.value_or(MessageBodyAttributeMap{})));
  out.sequence_number = unless_empty(sent.sequence_number);
}

Result<SendMessageResult> send_message(Call& call, const SendMessageRequest& in) {
  Sqs& sqs = call.service<Sqs>();
  const QueueKey key = queue_of_url(call, in.queue_url);
  TRY(const StoredQueue queue, sqs.find(key));
  TRY(Sqs::Draft draft, draft_of(call, key, queue, in));
  TRY(const Sqs::Sent sent, sqs.send(key, std::move(draft)));
  call.durable_after(sent.lsn);
  SendMessageResult out;
  describe(out, in, sent);
  return out;
}

template <typename Entry>
Status check_batch(const std::vector<Entry>& entries, std::string_view kind) {
  if (entries.empty())
    return fault(EmptyBatchRequest{.message = fmt::format("There should be at least one {} in the request.", kind)});
  if (entries.size() > kBatchMax)
    return fault(TooManyEntriesInBatchRequest{
        .message = fmt::format("Maximum number of entries per request are 10. You have sent {}.", entries.size())});
  std::set<std::string> ids;
  for (const auto& entry : entries) {
    const bool plain = !entry.id.empty() && entry.id.size() <= 80 && std::all_of(entry.id.begin(), entry.id.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
    if (!plain)
      return fault(InvalidBatchEntryId{
          .message = "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long."});
    if (!ids.insert(entry.id).second) return fault(BatchEntryIdsNotDistinct{.message = fmt::format("Id {} repeated.", entry.id)});
  }
  return Ok{};
}

BatchResultErrorEntry failed_entry(const std::string& id, const Error& error) {
  WireFault scratch;
  const WireFault& wire = wire_of(error, {}, scratch);
  return {.id = id, .sender_fault = wire.status < 500, .code = wire.query_code.empty() ? wire.code : wire.query_code, .message = wire.message};
}

Result<SendMessageBatchResult> send_message_batch(Call& call, const SendMessageBatchRequest& in) {
  Sqs& sqs = call.service<Sqs>();
  const QueueKey key = queue_of_url(call, in.queue_url);
  TRY(const StoredQueue queue, sqs.find(key));
  TRYV(check_batch(in.entries, "SendMessageBatchRequestEntry"));
  std::size_t bytes = 0;
  for (const auto& entry : in.entries) bytes += bytes_of(entry.message_body, entry.message_attributes.value_or(MessageBodyAttributeMap{}));
  if (bytes > static_cast<std::size_t>(kMessageBytesMax))
    return fault(BatchRequestTooLong{.message = fmt::format("Batch requests cannot be longer than {} bytes. You have sent {} bytes.", kMessageBytesMax, bytes)});
  SendMessageBatchResult out;
  for (const auto& entry : in.entries) {
    auto draft = draft_of(call, key, queue, entry);
    if (!draft.ok()) {
      out.failed.push_back(failed_entry(entry.id, draft.error()));
      continue;
    }
    auto sent = sqs.send(key, std::move(draft).value());
    if (!sent.ok()) {
      out.failed.push_back(failed_entry(entry.id, sent.error()));
      continue;
    }
    call.durable_after(sent->lsn);
    SendMessageBatchResultEntry& one = out.successful.emplace_back();
    one.id = entry.id;
    describe(one, entry, *sent);
  }
  return out;
}

// --- receive --------------------------------------------------------------------------------------

bool wants(const std::vector<std::string>& names, std::string_view name) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& wanted) {
    if (wanted == "All" || wanted == ".*" || wanted == name) return true;
    return wanted.ends_with(".*") && name.starts_with(std::string_view(wanted).substr(0, wanted.size() - 1));
  });
}

Message show(const Sqs::Received& received, const std::vector<std::string>& system, const std::vector<std::string>& own) {
  const StoredMessage& message = received.message;
  Message out;
  out.message_id = message.message_id;
  out.receipt_handle = received.handle;
  out.body = message.body;
  out.md5_of_body = md5_hex(message.body);
  auto all = message.system;
  all["SentTimestamp"] = std::to_string(message.sent_ms);
  all["ApproximateReceiveCount"] = std::to_string(received.receipt.count);
  all["ApproximateFirstReceiveTimestamp"] = std::to_string(received.receipt.first_ms);
  for (const auto& [name, value] : all) {
    if (std::none_of(system.begin(), system.end(), [&](const auto& w) { return w == "All" || w == name; })) continue;
    if (!out.attributes) out.attributes.emplace();
    (*out.attributes)[name] = value;
  }
  MessageBodyAttributeMap shown;
  for (const auto& [name, value] : message.attributes) {
    if (wants(own, name)) shown[name] = value;
  }
  if (!shown.empty()) {
    out.md5_of_message_attributes = md5_of_attributes(shown);
    out.message_attributes = std::move(shown);
  }
  return out;
}

Result<ReceiveMessageResult> receive_message(Call& call, const ReceiveMessageRequest& in) {
  Sqs& sqs = call.service<Sqs>();
  const QueueKey key = queue_of_url(call, in.queue_url);
  const auto between = [](std::optional<std::int32_t> value, std::int32_t min, std::int32_t max, std::string_view name) -> Status {
    if (value && (*value < min || *value > max))
      return bad_value(name, std::to_string(*value), fmt::format("Must be >= {} and <= {}, if provided.", min, max));
    return Ok{};
  };
  const auto queue = sqs.find(key);
  if (!queue.ok()) {
    sqs.forget_poll(call.request_id);
    return queue_missing();
  }
  if (in.max_number_of_messages && (*in.max_number_of_messages < 1 || *in.max_number_of_messages > 10))
    return bad_value("MaxNumberOfMessages", std::to_string(*in.max_number_of_messages), "Must be between 1 and 10, if provided.");
  TRYV(between(in.wait_time_seconds, 0, 20, "WaitTimeSeconds"));
  TRYV(between(in.visibility_timeout, 0, kVisibilityMax, "VisibilityTimeout"));
  std::int32_t wait = in.wait_time_seconds.value_or(0);
  if (!in.wait_time_seconds) {
    const auto own = queue->attributes.find("ReceiveMessageWaitTimeSeconds");
    if (own != queue->attributes.end()) wait = std::atoi(own->second.c_str());
  }
  Lsn lsn = 0;
  TRY(const auto received, sqs.receive(key, {.count = in.max_number_of_messages.value_or(1), .visibility_seconds = in.visibility_timeout}, lsn));
  call.durable_after(lsn);
  if (received.empty() && wait > 0) {
    const auto until = sqs.poll_until(call.request_id, std::chrono::seconds(wait));
    if (std::chrono::steady_clock::now() < until && !sqs.is_stopping())
      return wait_for([&sqs, key, until](std::function<void()> wake) { sqs.when_ready(key, until, std::move(wake)); });
  }
  if (wait > 0) sqs.forget_poll(call.request_id);
  ReceiveMessageResult out;
  if (received.empty()) return out;
  std::vector<std::string> system = in.attribute_names.value_or(std::vector<std::string>{});
  if (in.message_system_attribute_names) system.insert(system.end(), in.message_system_attribute_names->begin(), in.message_system_attribute_names->end());
  out.messages.emplace();
  for (const auto& one : received) out.messages->push_back(show(one, system, in.message_attribute_names.value_or(std::vector<std::string>{})));
  return out;
}

// --- delete, visibility -----------------------------------------------------------------------------

Result<Empty> delete_message(Call& call, const DeleteMessageRequest& in) {
  Lsn lsn = 0;
  TRYV(call.service<Sqs>().remove(queue_of_url(call, in.queue_url), in.receipt_handle, lsn));
  call.durable_after(lsn);
  return Empty{};
}

Status check_visibility(std::int32_t seconds) {
  if (seconds < 0 || seconds > kVisibilityMax) return bad_value("VisibilityTimeout", std::to_string(seconds), "VisibilityTimeout must be an integer between 0 and 43200.");
  return Ok{};
}

Result<Empty> change_message_visibility(Call& call, const ChangeMessageVisibilityRequest& in) {
  TRYV(check_visibility(in.visibility_timeout));
  Lsn lsn = 0;
  TRYV(call.service<Sqs>().change_visibility(queue_of_url(call, in.queue_url), in.receipt_handle, in.visibility_timeout, lsn));
  call.durable_after(lsn);
  return Empty{};
}

Result<DeleteMessageBatchResult> delete_message_batch(Call& call, const DeleteMessageBatchRequest& in) {
  const QueueKey key = queue_of_url(call, in.queue_url);
  TRYV(call.service<Sqs>().find(key));
  TRYV(check_batch(in.entries, "DeleteMessageBatchRequestEntry"));
  DeleteMessageBatchResult out;
  for (const auto& entry : in.entries) {
    Lsn lsn = 0;
    const Status done = call.service<Sqs>().remove(key, entry.receipt_handle, lsn);
    call.durable_after(lsn);
    if (done.ok()) out.successful.push_back({.id = entry.id});
    else out.failed.push_back(failed_entry(entry.id, done.error()));
  }
  return out;
}

Result<ChangeMessageVisibilityBatchResult> change_message_visibility_batch(Call& call, const ChangeMessageVisibilityBatchRequest& in) {
  const QueueKey key = queue_of_url(call, in.queue_url);
  TRYV(call.service<Sqs>().find(key));
  TRYV(check_batch(in.entries, "ChangeMessageVisibilityBatchRequestEntry"));
  ChangeMessageVisibilityBatchResult out;
  for (const auto& entry : in.entries) {
    Lsn lsn = 0;
    Status done = check_visibility(entry.visibility_timeout.value_or(0));
    if (done.ok()) done = call.service<Sqs>().change_visibility(key, entry.receipt_handle, entry.visibility_timeout.value_or(0), lsn);
    call.durable_after(lsn);
    if (done.ok()) out.successful.push_back({.id = entry.id});
    else out.failed.push_back(failed_entry(entry.id, done.error()));
  }
  return out;
}

constexpr Operation kOperations[] = {
    bind<send_message>(),        bind<send_message_batch>(),        bind<receive_message>(),
    bind<delete_message>(),      bind<delete_message_batch>(),      bind<change_message_visibility>(),
    bind<change_message_visibility_batch>(),
};

}  // namespace

std::span<const Operation> message_operations() { return kOperations; }

}  // namespace fog::sqs
