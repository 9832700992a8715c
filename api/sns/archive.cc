#include "api/sns/archive.h"

#include <nlohmann/json.hpp>

#include "api/codec/json.h"
#include "api/codec/text.h"
#include "storage/base/log.h"

namespace fog::sns {
namespace {

constexpr std::string_view kKind = "sns-archive";

ResourceKey key_of(const StoredMessage& message) {
  return {std::string(kKind), message.account, message.region, message.topic_arn + "\n" + message.sequence_number.value_or("")};
}

std::optional<Timestamp> point(const nlohmann::json& policy, const char* name) {
  const auto found = policy.find(name);
  if (found == policy.end() || !found->is_string()) return std::nullopt;
  return parse_timestamp(found->get<std::string>());
}

}  // namespace

Result<Lsn> archive_message(ResourceStore& store, ResourceLog* log, const StoredMessage& message) {
  StoredMessage kept = message;
  kept.targets.clear();
  std::vector<ResourceStore::Change> batch;
  batch.push_back({key_of(message), encode_json(kept)});
  if (log != nullptr) return log->put(std::move(batch));
  TRYV(store.apply(std::move(batch)));
  return Lsn{0};
}

int archive_days(const TopicEntry& topic) {
  const std::string& text = topic.attribute("ArchivePolicy");
  if (text.empty()) return 0;
  const auto policy = nlohmann::json::parse(text, nullptr, false);
  if (!policy.is_object() || !policy.contains("MessageRetentionPeriod")) return 0;
  const auto& days = policy["MessageRetentionPeriod"];
  return days.is_string() ? std::atoi(days.get<std::string>().c_str()) : days.is_number_integer() ? days.get<int>() : 0;
}

Result<std::vector<StoredMessage>> archived_messages(ResourceStore& store, ResourceLog* log, const TopicEntry& topic, Timestamp start, Timestamp end) {
  if (log != nullptr) TRYV(log->flush());
  ResourceStore::ListSpec spec;
  spec.kind = std::string(kKind);
  spec.account = topic.document.account;
  spec.region = topic.document.region;
  spec.name_prefix = topic.document.arn + "\n";
  std::vector<StoredMessage> out;
  for (const Resource& resource : store.list(spec)) {
    auto message = decode_json<StoredMessage>(resource.document);
    if (!message.ok()) {
      LOG_ERROR("archived message {} is damaged: {}", resource.key.name, message.error().message());
      continue;
    }
    if (message->time_ms >= to_ms(start) && message->time_ms <= to_ms(end)) out.push_back(std::move(message).value());
  }
  return out;
}

Status trim_archive(ResourceStore& store, ResourceLog* log, const SnsState& state, Timestamp now) {
  if (log != nullptr) TRYV(log->flush());
  std::vector<ResourceStore::Change> batch;
  store.for_each(kKind, [&](const Resource& resource) {
    const TopicPtr topic = state.topic(resource.key.name.substr(0, resource.key.name.find('\n')));
    const int days = topic ? archive_days(*topic) : 0;
    if (days > 0) {
      const auto message = decode_json<StoredMessage>(resource.document);
      if (message.ok() && from_ms(message->time_ms) + std::chrono::hours(24 * days) > now) return;
    }
    batch.push_back({resource.key, std::nullopt});
  });
  if (batch.empty()) return Ok{};
  if (log == nullptr) return store.apply(std::move(batch));
  TRYV(log->put(std::move(batch)));
  return Ok{};
}

Result<ReplayWindow> parse_replay_policy(std::string_view text) {
  const auto policy = nlohmann::json::parse(text, nullptr, false);
  if (policy.is_discarded()) return Error::invalid("failed to parse JSON.");
  if (!policy.is_object() || !policy.contains("PointType") || policy["PointType"] != "Timestamp")
    return Error::invalid("PointType must be Timestamp");
  const auto start = point(policy, "StartingPoint");
  if (!start) return Error::invalid("StartingPoint must be a timestamp");
  ReplayWindow out{.start = *start};
  if (policy.contains("EndingPoint")) {
    out.end = point(policy, "EndingPoint");
    if (!out.end) return Error::invalid("EndingPoint must be a timestamp");
    if (*out.end < out.start) return Error::invalid("EndingPoint must be later than StartingPoint");
  }
  return out;
}

}  // namespace fog::sns
