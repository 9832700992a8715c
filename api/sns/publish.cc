// Publish and PublishBatch: the documented checks in their order, then on to the subscribers.
#include <fmt/format.h>

#include <charconv>
#include <set>

#include "api/common/trace_header.h"
#include "api/sns/common.h"
#include "api/sns/mobile.h"
#include "api/sns/operations.h"
#include "api/sns/protection.h"
#include "api/sns/sns.h"
#include "query/filter_policy/json_reader.h"

namespace fog::sns {
namespace {

constexpr std::size_t kBatchEntriesMax = 10;
constexpr std::size_t kBatchIdMax = 80;
constexpr std::size_t kSubjectMax = 100;
constexpr std::size_t kAttributeNameMax = 256;
constexpr std::size_t kIdMax = 128;

Error attribute_fault(std::string message) {
  return fault(InvalidParameterValueException{.message = std::move(message)});
}

Status check_attribute_name(std::string_view name) {
  if (name.size() >= kAttributeNameMax)
    return attribute_fault("Length of message attribute name must be less than 256 bytes.");
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                       c == '-' || c == '.';
    if (!plain)
      return attribute_fault(fmt::format(
          "Invalid non-alphanumeric character '#x{:X}' was found in the message attribute name. Can only include "
          "alphanumeric characters, hyphens, underscores, or dots.",
          static_cast<unsigned>(static_cast<unsigned char>(c))));
  }
  if (name.starts_with('.'))
    return attribute_fault("Invalid message attribute name starting with character '.' was found.");
  if (name.ends_with('.'))
    return attribute_fault("Invalid message attribute name ending with character '.' was found.");
  if (name.find("..") != std::string_view::npos)
    return attribute_fault("Message attribute name can not have successive '.' character.");
  return Ok{};
}

bool is_type(std::string_view type, std::string_view prefix) {
  return type == prefix || (type.starts_with(prefix) && type.size() > prefix.size() + 1 && type[prefix.size()] == '.');
}

bool is_number(std::string_view text) {
  double value = 0;
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && value >= -1e9 && value <= 1e9;
}

bool valid_id(std::string_view id) {
  return !id.empty() && id.size() <= kIdMax &&
         std::all_of(id.begin(), id.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

Status check_subject(const std::string& subject) {
  if (subject.empty()) return invalid("Subject");
  std::size_t characters = 0;
  for (const char c : subject) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) return invalid("Subject");
    if ((byte & 0xc0) != 0x80) ++characters;
  }
  if (characters > kSubjectMax) return invalid("Subject");
  return Ok{};
}

// The texts of a MessageStructure=json message.
Result<Checked> split_structure(const std::string& message) {
  using Token = filter_policy::JsonReader::Token;
  const auto broken = [] { return invalid("Message Structure - JSON message body failed to parse"); };
  const auto no_default = [] { return invalid("Message Structure - No default entry in JSON message body"); };
  filter_policy::JsonReader reader(message);
  Checked out;
  bool has_default = false;
  std::set<std::string> seen;
  Token token = reader.next();
  const bool is_object = token == Token::kObjectBegin;
  if (!is_object) {
    if (!reader.skip(token) || reader.next() != Token::kEnd) return broken();
    return no_default();
  }
  while ((token = reader.next()) != Token::kObjectEnd) {
    if (token != Token::kKey) return broken();
    const std::string key = reader.text();
    if (!seen.insert(key).second) return broken();
    token = reader.next();
    if (token == Token::kString) {
      if (key == "default") {
        out.message = reader.text();
        has_default = true;
      } else {
        out.bodies[key] = reader.text();
      }
    } else if (!reader.skip(token)) {
      return broken();
    }
  }
  if (reader.next() != Token::kEnd) return broken();
  if (!has_default) return no_default();
  return out;
}

Publisher publisher_of(Call& call) {
  Sns& sns = call.service<Sns>();
  Publisher out;
  out.account = call.account;
  out.region = call.region;
  out.base_url = sns.base_url(call);
  out.principal = call.principal;
  out.trace_header = TraceHeader::current();
  out.now = call.now;
  return out;
}

Draft draft_of(const PublishInput& in) {
  Draft out;
  out.message = in.message;
  out.subject = in.subject;
  out.structure = in.message_structure;
  if (in.message_attributes) out.attributes = *in.message_attributes;
  out.deduplication_id = in.message_deduplication_id;
  out.group_id = in.message_group_id;
  return out;
}

Result<PublishResponse> answer(Call& call, Result<Published> published) {
  if (!published.ok()) return std::move(published).error();
  if (published->lsn != 0) call.durable_after(published->lsn);
  return PublishResponse{.message_id = std::move(published->message_id),
                         .sequence_number = std::move(published->sequence_number)};
}

Result<PublishResponse> publish(Call& call, const PublishInput& in) {
  Sns& sns = call.service<Sns>();
  const int targets = (in.topic_arn ? 1 : 0) + (in.target_arn ? 1 : 0) + (in.phone_number ? 1 : 0);
  if (targets != 1)
    return invalid(targets == 0 ? "TopicArn or TargetArn Reason: no value for required parameter"
                                : "TopicArn, TargetArn and PhoneNumber Reason: exactly one of them is allowed");
  const Draft draft = draft_of(in);
  const bool endpoint = in.target_arn && in.target_arn->find(":endpoint/") != std::string::npos;
  const bool to_topic = !in.phone_number && !endpoint;
  const std::string& arn = in.topic_arn ? *in.topic_arn : in.target_arn ? *in.target_arn : *in.phone_number;

  if (in.phone_number) {
    if (draft.subject) TRYV(check_subject(*draft.subject));
    if (draft.message.empty()) return invalid("Empty message");
    if (!valid_phone_number(*in.phone_number))
      return invalid(fmt::format("PhoneNumber Reason: {} is not valid to publish to", *in.phone_number));
  }
  SnsState::Publication to;
  bool fifo = false, content_based = false;
  if (to_topic) {
    to = sns.state().publication(arn);
    fifo = to.topic ? to.topic->fifo : arn.ends_with(".fifo");
    content_based = !to.topic || to.topic->attribute("ContentBasedDeduplication") == "true";
  }
  TRY(Checked checked, check_draft(draft, to_topic, fifo, content_based));
  if (in.phone_number)
    return answer(call, sns.publish_direct(publisher_of(call), "sms", *in.phone_number, draft, std::move(checked)));
  if (endpoint) {
    TRYV(check_publish_endpoint(call, arn));
    return answer(call, sns.publish_direct(publisher_of(call), "application", arn, draft, std::move(checked)));
  }
  TRYV(check_arn(call, arn, in.topic_arn ? "TopicArn" : "TargetArn"));
  if (!to.topic) return not_found("Topic");
  return answer(call, sns.publish(publisher_of(call), to, draft, std::move(checked)));
}

bool valid_batch_id(std::string_view id) {
  return std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

Result<PublishBatchResponse> publish_batch(Call& call, const PublishBatchInput& in) {
  Sns& sns = call.service<Sns>();
  const auto& entries = in.publish_batch_request_entries;
  TRYV(check_arn(call, in.topic_arn, "TopicArn"));
  if (entries.empty())
    return fault(EmptyBatchRequestException{.message = "The batch request doesn't contain any entries."});
  if (entries.size() > kBatchEntriesMax)
    return fault(TooManyEntriesInBatchRequestException{
        .message = "The batch request contains more entries than permissible."});
  std::set<std::string_view> ids;
  for (const auto& entry : entries) {
    if (!ids.insert(entry.id).second)
      return fault(BatchEntryIdsNotDistinctException{
          .message = "Two or more batch entries in the request have the same Id."});
  }
  for (const auto& entry : entries) {
    if (entry.id.size() > kBatchIdMax)
      return fault(InvalidBatchEntryIdException{
          .message = "The Id of a batch entry in the batch request is too long: " + entry.id});
    if (entry.id.empty() || !valid_batch_id(entry.id))
      return fault(InvalidBatchEntryIdException{
          .message = "The Id of a batch entry in the batch request contains an impermissible character: " + entry.id});
  }
  std::vector<Draft> drafts;
  std::size_t bytes = 0;
  for (const auto& entry : entries) {
    Draft draft;
    draft.message = entry.message;
    draft.subject = entry.subject;
    draft.structure = entry.message_structure;
    if (entry.message_attributes) draft.attributes = *entry.message_attributes;
    draft.deduplication_id = entry.message_deduplication_id;
    draft.group_id = entry.message_group_id;
    bytes += message_bytes(draft);
    drafts.push_back(std::move(draft));
  }
  if (bytes > kMessageBytesMax)
    return fault(BatchRequestTooLongException{
        .message = "The length of all the messages put together is more than the limit."});
  const SnsState::Publication to = sns.state().publication(in.topic_arn);
  const bool fifo = to.topic ? to.topic->fifo : in.topic_arn.ends_with(".fifo");
  const bool content_based = !to.topic || to.topic->attribute("ContentBasedDeduplication") == "true";
  std::vector<Checked> checked;
  for (const Draft& draft : drafts) {
    TRY(Checked one, check_draft(draft, true, fifo, content_based));
    checked.push_back(std::move(one));
  }
  if (!to.topic) return not_found("Topic");

  PublishBatchResponse out;
  out.successful.emplace();
  out.failed.emplace();
  const Publisher publisher = publisher_of(call);
  for (std::size_t i = 0; i < drafts.size(); ++i) {
    auto published = sns.publish(publisher, to, drafts[i], std::move(checked[i]));
    if (!published.ok()) {
      WireFault scratch;
      const WireFault& wire = wire_of(published.error(), {}, scratch);
      out.failed->push_back({.id = entries[i].id,
                             .code = wire.query_code.empty() ? wire.code : wire.query_code,
                             .message = wire.message,
                             .sender_fault = wire.status < 500});
      continue;
    }
    if (published->lsn != 0) call.durable_after(published->lsn);
    out.successful->push_back({.id = entries[i].id,
                               .message_id = std::move(published->message_id),
                               .sequence_number = std::move(published->sequence_number)});
  }
  return out;
}

constexpr Operation kOperations[] = {
    bind<publish>(),
    bind<publish_batch>(),
};

}  // namespace

std::span<const Operation> publish_operations() { return kOperations; }

bool valid_phone_number(std::string_view number) {
  if (!number.starts_with('+')) return false;
  number.remove_prefix(1);
  return number.size() >= 8 && number.size() <= 15 && number.front() != '0' &&
         std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::size_t message_bytes(const Draft& draft) {
  std::size_t bytes = draft.message.size();
  for (const auto& [name, value] : draft.attributes) {
    bytes += name.size() + value.data_type.size() + value.string_value.value_or("").size() +
             value.binary_value.value_or("").size();
  }
  return bytes;
}

Status check_message_attributes(const std::map<std::string, MessageAttributeValue>& attributes) {
  for (const auto& [name, value] : attributes) {
    TRYV(check_attribute_name(name));
    const std::string& type = value.data_type;
    const bool text = is_type(type, "String"), number = is_type(type, "Number"), binary = is_type(type, "Binary");
    if (!text && !number && !binary)
      return attribute_fault(fmt::format(
          "The message attribute '{}' has an invalid message attribute type, the set of supported type prefixes is "
          "Binary, Number, and String.",
          name));
    const auto& own = binary ? value.binary_value : value.string_value;
    const auto& other = binary ? value.string_value : value.binary_value;
    if (!own && other && !other->empty())
      return attribute_fault(fmt::format("The message attribute '{}' with type '{}' must use field '{}'.", name, type,
                                         binary ? "Binary" : "String"));
    if (!own || own->empty())
      return attribute_fault(fmt::format(
          "The message attribute '{}' must contain non-empty message attribute value for message attribute type '{}'.",
          name, type));
    if (number && !is_number(*own))
      return attribute_fault(
          fmt::format("Could not cast message attribute '{}' value to number.", name));
  }
  return Ok{};
}

Result<Checked> check_draft(const Draft& draft, bool to_topic, bool fifo, bool content_based) {
  if (draft.subject) TRYV(check_subject(*draft.subject));
  if (draft.message.empty()) return invalid("Empty message");
  TRYV(check_message_attributes(draft.attributes));
  if (message_bytes(draft) > kMessageBytesMax) return invalid("Message too long");
  if (to_topic && fifo) {
    if (!draft.group_id) return invalid("The MessageGroupId parameter is required for FIFO topics");
    if (!draft.deduplication_id && !content_based)
      return invalid(
          "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided "
          "explicitly");
  } else if (draft.deduplication_id) {
    return invalid(
        "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for "
        "this topic type");
  }
  if (draft.group_id && !valid_id(*draft.group_id))
    return invalid("MessageGroupId Reason: The MessageGroupId must be 1 to 128 alphanumeric and punctuation characters");
  if (draft.deduplication_id && !valid_id(*draft.deduplication_id))
    return invalid(
        "MessageDeduplicationId Reason: The MessageDeduplicationId must be 1 to 128 alphanumeric and punctuation "
        "characters");
  if (draft.structure && *draft.structure == "json") return split_structure(draft.message);
  if (draft.structure && !draft.structure->empty()) return invalid("MessageStructure");
  return Checked{.message = draft.message};
}

}  // namespace fog::sns
