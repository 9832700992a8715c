#include "server/tag_directory.h"

#include <fmt/format.h>

#include "api/cloudwatch/shapes.h"
#include "api/common/call.h"
#include "api/logs/shapes.h"
#include "api/sns/shapes.h"
#include "api/sqs/shapes.h"
#include "api/xray/shapes.h"

namespace fog {
namespace {

// A directory of more than this is not walked to its end.
constexpr int kPagesMax = 1000;

template <typename List>
neighbours::Tags as_map(const List& list) {
  neighbours::Tags tags;
  for (const auto& tag : list) tags[tag.key] = tag.value;
  return tags;
}

template <typename Tag>
std::vector<Tag> as_list(const neighbours::Tags& tags) {
  std::vector<Tag> list;
  for (const auto& [key, value] : tags) {
    Tag tag;
    tag.key = key;
    tag.value = value;
    list.push_back(std::move(tag));
  }
  return list;
}

// "arn:aws:sqs:us-east-1:123456789012:orders" -> its parts; fewer than six: none.
std::vector<std::string> parts_of(const std::string& arn) {
  std::vector<std::string> parts;
  std::size_t from = 0;
  for (int i = 0; i < 5; ++i) {
    const std::size_t colon = arn.find(':', from);
    if (colon == std::string::npos) return {};
    parts.push_back(arn.substr(from, colon - from));
    from = colon + 1;
  }
  parts.push_back(arn.substr(from));
  return parts;
}

}  // namespace

struct OwnTags::Caller {
  const OwnTags& own;
  Call call;

  Caller(const OwnTags& directory, const std::string& account, const std::string& region) : own(directory) {
    call.account = account;
    call.region = region;
    call.now = own.clock_.now();
    call.services = &own.services_;
  }

  template <typename In>
  Result<typename In::Output> ask(const In& in) {
    for (const auto& service : own.registry_.services()) {
      if (service->info != In::kOperation.service) continue;
      const Registry::Entry* entry = own.registry_.find(*service, In::kOperation.name);
      if (entry == nullptr || entry->operation == nullptr || entry->operation->invoke == nullptr) break;
      typename In::Output out{};
      call.operation = entry->info;
      TRYV(entry->operation->invoke(call, &in, &out));
      return out;
    }
    return Error::internal("an operation is missing");
  }
  // Of a change: what it wrote is on disk when this returns.
  template <typename In>
  Status change(const In& in) {
    TRYV(ask(in));
    return call.durable_lsn == 0 ? Status(Ok{}) : own.wal_.wait_durable(call.durable_lsn);
  }
  // Every page; `each` gets the answers, `next` moves the token.
  template <typename In, typename Each, typename Next>
  void walk(In in, Each each, Next next) {
    for (int page = 0; page < kPagesMax; ++page) {
      auto out = ask(in);
      if (!out.ok()) return;
      each(*out);
      if (!next(in, *out)) return;
    }
  }
};

std::vector<neighbours::TaggedResource> OwnTags::tagged(const std::string& account, const std::string& region) {
  Caller caller(*this, account, region);
  std::vector<neighbours::TaggedResource> found;
  const auto add = [&](std::string arn, neighbours::Tags tags) {
    if (!tags.empty()) found.push_back({std::move(arn), std::move(tags)});
  };
  const auto by_token = [](auto& in, const auto& out) {
    in.next_token = out.next_token;
    return in.next_token.has_value();
  };
  const auto of_cloudwatch = [&](const std::optional<std::string>& arn) {
    if (!arn) return;
    if (auto out = caller.ask(cloudwatch::ListTagsForResourceInput{.resource_arn = *arn}); out.ok() && out->tags) add(*arn, as_map(*out->tags));
  };
  cloudwatch::DescribeAlarmsInput alarms;
  alarms.alarm_types.emplace({cloudwatch::AlarmType::MetricAlarm, cloudwatch::AlarmType::CompositeAlarm, cloudwatch::AlarmType::LogAlarm});
  caller.walk(alarms, [&](const cloudwatch::DescribeAlarmsOutput& out) {
    if (out.metric_alarms) for (const auto& alarm : *out.metric_alarms) of_cloudwatch(alarm.alarm_arn);
    if (out.composite_alarms) for (const auto& alarm : *out.composite_alarms) of_cloudwatch(alarm.alarm_arn);
    if (out.log_alarms) for (const auto& alarm : *out.log_alarms) of_cloudwatch(alarm.alarm_arn);
  }, by_token);
  caller.walk(cloudwatch::ListMetricStreamsInput{}, [&](const cloudwatch::ListMetricStreamsOutput& out) {
    if (out.entries) for (const auto& stream : *out.entries) of_cloudwatch(stream.arn);
  }, by_token);
  caller.walk(cloudwatch::DescribeInsightRulesInput{}, [&](const cloudwatch::DescribeInsightRulesOutput& out) {
    if (out.insight_rules) for (const auto& rule : *out.insight_rules) of_cloudwatch(fmt::format("arn:{}:cloudwatch:{}:{}:insight-rule/{}", partition_of(region), region, account, rule.name));
  }, by_token);

  const auto of_logs = [&](const std::optional<std::string>& arn) {
    if (!arn) return;
    if (auto out = caller.ask(logs::ListTagsForResourceRequest{.resource_arn = *arn}); out.ok() && out->tags) add(*arn, *out->tags);
  };
  caller.walk(logs::DescribeLogGroupsRequest{}, [&](const logs::DescribeLogGroupsResponse& out) {
    if (out.log_groups) for (const auto& group : *out.log_groups) of_logs(group.log_group_arn);
  }, by_token);
  caller.walk(logs::DescribeDestinationsRequest{}, [&](const logs::DescribeDestinationsResponse& out) {
    if (out.destinations) for (const auto& destination : *out.destinations) of_logs(destination.arn);
  }, by_token);

  caller.walk(sns::ListTopicsInput{}, [&](const sns::ListTopicsResponse& out) {
    if (!out.topics) return;
    for (const auto& topic : *out.topics) {
      if (!topic.topic_arn) continue;
      if (auto tags = caller.ask(sns::ListTagsForResourceRequest{.resource_arn = *topic.topic_arn}); tags.ok() && tags->tags) add(*topic.topic_arn, as_map(*tags->tags));
    }
  }, by_token);

  const auto of_xray = [&](const std::optional<std::string>& arn) {
    if (!arn) return;
    if (auto out = caller.ask(xray::ListTagsForResourceRequest{.resource_arn = *arn}); out.ok() && out->tags) add(*arn, as_map(*out->tags));
  };
  caller.walk(xray::GetGroupsRequest{}, [&](const xray::GetGroupsResult& out) {
    if (out.groups) for (const auto& group : *out.groups) of_xray(group.group_arn);
  }, by_token);
  caller.walk(xray::GetSamplingRulesRequest{}, [&](const xray::GetSamplingRulesResult& out) {
    if (out.sampling_rule_records) for (const auto& record : *out.sampling_rule_records) if (record.sampling_rule) of_xray(record.sampling_rule->rule_arn);
  }, by_token);

  caller.walk(sqs::ListQueuesRequest{}, [&](const sqs::ListQueuesResult& out) {
    if (!out.queue_urls) return;
    for (const std::string& url : *out.queue_urls) {
      auto tags = caller.ask(sqs::ListQueueTagsRequest{.queue_url = url});
      if (tags.ok() && tags->tags) add(fmt::format("arn:{}:sqs:{}:{}:{}", partition_of(region), region, account, url.substr(url.rfind('/') + 1)), *tags->tags);
    }
  }, by_token);
  return found;
}

Status OwnTags::tag(const std::string& account, const std::string& region, const std::string& arn, const neighbours::Tags& tags) {
  const auto parts = parts_of(arn);
  if (parts.empty()) return Error::invalid(fmt::format("{} is not an ARN", arn));
  Caller caller(*this, account, region);
  if (parts[2] == "cloudwatch") return caller.change(cloudwatch::TagResourceInput{.resource_arn = arn, .tags = as_list<cloudwatch::Tag>(tags)});
  if (parts[2] == "logs") return caller.change(logs::TagResourceRequest{.resource_arn = arn, .tags = tags});
  if (parts[2] == "sns") return caller.change(sns::TagResourceRequest{.resource_arn = arn, .tags = as_list<sns::Tag>(tags)});
  if (parts[2] == "xray") return caller.change(xray::TagResourceRequest{.resource_arn = arn, .tags = as_list<xray::Tag>(tags)});
  if (parts[2] != "sqs") return Error::invalid(fmt::format("{} is of a service that is not here", arn));
  TRY(const auto queue, caller.ask(sqs::GetQueueUrlRequest{.queue_name = parts[5]}));
  return caller.change(sqs::TagQueueRequest{.queue_url = queue.queue_url.value_or(""), .tags = tags});
}

Status OwnTags::untag(const std::string& account, const std::string& region, const std::string& arn, const std::vector<std::string>& keys) {
  const auto parts = parts_of(arn);
  if (parts.empty()) return Error::invalid(fmt::format("{} is not an ARN", arn));
  Caller caller(*this, account, region);
  if (parts[2] == "cloudwatch") return caller.change(cloudwatch::UntagResourceInput{.resource_arn = arn, .tag_keys = keys});
  if (parts[2] == "logs") return caller.change(logs::UntagResourceRequest{.resource_arn = arn, .tag_keys = keys});
  if (parts[2] == "sns") return caller.change(sns::UntagResourceRequest{.resource_arn = arn, .tag_keys = keys});
  if (parts[2] == "xray") return caller.change(xray::UntagResourceRequest{.resource_arn = arn, .tag_keys = keys});
  if (parts[2] != "sqs") return Error::invalid(fmt::format("{} is of a service that is not here", arn));
  TRY(const auto queue, caller.ask(sqs::GetQueueUrlRequest{.queue_name = parts[5]}));
  return caller.change(sqs::UntagQueueRequest{.queue_url = queue.queue_url.value_or(""), .tag_keys = keys});
}

}  // namespace fog
