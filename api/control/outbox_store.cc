#include "api/control/outbox_store.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace fog {
namespace {

using Json = nlohmann::json;
constexpr std::string_view kKind = "outbox";
// A scope's surplus is looked for this often only, since that reads the scope.
constexpr std::uint64_t kTrimEvery = 256;

constexpr struct {
  const char* name;
  std::string OutboxMessage::*member;
} kTexts[] = {
    {"protocol", &OutboxMessage::protocol},     {"endpoint", &OutboxMessage::endpoint},
    {"topic", &OutboxMessage::topic},           {"subject", &OutboxMessage::subject},
    {"message", &OutboxMessage::message},       {"raw", &OutboxMessage::raw},
    {"message_id", &OutboxMessage::message_id}, {"subscription", &OutboxMessage::subscription},
    {"token", &OutboxMessage::token},
};

std::string encode(const OutboxMessage& message) {
  Json document{{"time", to_ms(message.time)}};
  for (const auto& [name, member] : kTexts) document[name] = message.*member;
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

OutboxMessage decode(const Resource& resource) {
  OutboxMessage message;
  message.id = resource.key.name;
  message.account = resource.key.account;
  message.region = resource.key.region;
  const Json document = Json::parse(resource.document, nullptr, false);
  if (!document.is_object()) return message;
  message.time = from_ms(document.value("time", std::int64_t{0}));
  for (const auto& [name, member] : kTexts) message.*member = document.value(name, std::string());
  return message;
}

bool matches(const OutboxMessage& message, const OutboxFilter& filter) {
  const auto same = [](const std::string& wanted, const std::string& value) { return wanted.empty() || wanted == value; };
  return same(filter.account, message.account) && same(filter.region, message.region) &&
         same(filter.protocol, message.protocol) && same(filter.topic, message.topic) &&
         same(filter.endpoint, message.endpoint);
}

}  // namespace

Status OutboxStore::add(OutboxMessage message) {
  const auto name = fmt::format("{:016x}", resources_.next_id());
  std::vector<ResourceStore::Change> batch;
  batch.push_back({{std::string(kKind), message.account, message.region, name}, encode(message)});
  if (added_.fetch_add(1) % kTrimEvery == kTrimEvery - 1) {
    auto kept = resources_.list({.kind = std::string(kKind), .account = message.account, .region = message.region});
    for (std::size_t i = 0; i + messages_max_ < kept.size(); ++i) batch.push_back({std::move(kept[i].key), std::nullopt});
  }
  return resources_.apply(std::move(batch));
}

std::vector<OutboxMessage> OutboxStore::list(const OutboxFilter& filter) const {
  std::vector<OutboxMessage> messages;
  resources_.for_each(kKind, [&](const Resource& resource) {
    OutboxMessage message = decode(resource);
    if (matches(message, filter)) messages.push_back(std::move(message));
  });
  std::sort(messages.begin(), messages.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return messages;
}

Status OutboxStore::clear(const OutboxFilter& filter) {
  std::vector<ResourceStore::Change> batch;
  resources_.for_each(kKind, [&](const Resource& resource) {
    if (matches(decode(resource), filter)) batch.push_back({resource.key, std::nullopt});
  });
  return resources_.apply(std::move(batch));
}

Status OutboxStore::reset(std::string_view account, std::string_view region) {
  OutboxFilter filter;
  filter.account = account;
  filter.region = region;
  return clear(filter);
}

}  // namespace fog
