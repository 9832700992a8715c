// Subscription filters: put, describe, delete. What they do is in subscription_delivery and event_pipeline.
#include <fmt/format.h>

#include "api/logs/common.h"
#include "api/logs/event_pipeline.h"
#include "api/logs/operations.h"
#include "api/logs/shelf.h"

namespace fog::logs {
namespace {

constexpr std::size_t kDescribeMax = 50;

struct Arn {
  std::string service, region, account, resource;
};
std::optional<Arn> parse_arn(std::string_view text) {
  std::vector<std::string> parts;
  for (int i = 0; i < 5; ++i) {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    parts.emplace_back(text.substr(0, colon));
    text.remove_prefix(colon + 1);
  }
  if (parts[0] != "arn" || !parts[1].starts_with("aws") || parts[2].empty() || text.empty()) return std::nullopt;
  return Arn{parts[2], parts[3], parts[4], std::string(text)};
}

Status check_destination(const Call& call, const PutSubscriptionFilterRequest& in) {
  const auto arn = parse_arn(in.destination_arn);
  if (!arn) return invalid_parameter("The specified destinationArn is invalid.");
  if (arn->service == "kinesis" || arn->service == "firehose") {
    if (!in.role_arn) return invalid_parameter(fmt::format("destinationArn for vendor {} cannot be used without roleArn", arn->service));
  } else if (arn->service == "lambda") {
    if (arn->account != call.account)
      return fault(AccessDeniedException{.message = "Cross-account lambda invocation passing is not allowed. You must use "
                                                    "DestinationPolicies to create cross account lambda triggers."});
    if (in.role_arn) return invalid_parameter("destinationArn for vendor lambda cannot be used with roleArn");
  } else if (arn->service == "logs" && arn->resource.starts_with("destination:")) {
    if (!destination_target(call.service<ResourceStore>(), in.destination_arn))
      return fault(ResourceNotFoundException{.message = "The specified destination does not exist."});
  } else if (arn->service != "sns") {  // topics of this server: more than the service offers
    return invalid_parameter(fmt::format("PutSubscriptionFilter operation cannot work with destinationArn for vendor {}", arn->service));
  }
  return Ok{};
}

Result<Empty> put_subscription_filter(Call& call, const PutSubscriptionFilterRequest& in) {
  auto& pipeline = call.service<EventPipeline>();
  if (const auto pattern = filter_pattern::parse(in.filter_pattern); !pattern.ok()) return invalid_parameter(pattern.error().message());
  if (in.emit_system_fields)
    for (const std::string& field : *in.emit_system_fields)
      if (field != "@aws.account" && field != "@aws.region" && field != "@source.log")
        return invalid_parameter(fmt::format("Invalid system field: {}. Valid values are: @aws.account, @aws.region, @source.log.", field));
  if (const auto passes = passes_selection(in.field_selection_criteria, call.account, call.region); !passes.ok())
    return invalid_parameter("The specified fieldSelectionCriteria is invalid.");
  TRY(const GroupPtr group, group_named(call, in.log_group_name));
  if (group->settings.lock_shared()->log_group_class != LogGroupClass::STANDARD)
    return fault(InvalidOperationException{.message = fmt::format("Subscription filters are not supported for log groups of class {}.",
                                                                  to_string(group->settings.lock_shared()->log_group_class))});
  TRYV(check_destination(call, in));
  SubscriptionFilter filter;
  filter.filter_name = in.filter_name;
  filter.log_group_name = group->name;
  filter.filter_pattern = in.filter_pattern;
  filter.destination_arn = in.destination_arn;
  filter.role_arn = in.role_arn;
  filter.distribution = in.distribution.value_or(Distribution::ByLogStream);
  filter.apply_on_transformed_logs = in.apply_on_transformed_logs.value_or(false);
  filter.creation_time = to_ms(call.now);
  filter.field_selection_criteria = in.field_selection_criteria;
  filter.emit_system_fields = in.emit_system_fields;
  TRY(const StoredSubscriptionFilter stored, pipeline.filters().put_subscription_filter(*group, filter));
  pipeline.subscriptions_changed();
  pipeline.deliveries().offer_control({static_cast<std::uint64_t>(stored.id), group->account, group->region, group->name, in.filter_name,
                                       in.destination_arn});
  return Empty{};
}

Result<Empty> delete_subscription_filter(Call& call, const DeleteSubscriptionFilterRequest& in) {
  auto& pipeline = call.service<EventPipeline>();
  TRY(const GroupPtr group, group_named(call, in.log_group_name));
  if (!pipeline.filters().erase_subscription_filter(*group, in.filter_name))
    return fault(ResourceNotFoundException{.message = "The specified subscription filter does not exist."});
  pipeline.subscriptions_changed();
  return Empty{};
}

Result<DescribeSubscriptionFiltersResponse> describe_subscription_filters(Call& call, const DescribeSubscriptionFiltersRequest& in) {
  TRY(const GroupPtr group, group_named(call, in.log_group_name));
  std::vector<SubscriptionFilter> found;
  for (StoredSubscriptionFilter& stored : call.service<EventPipeline>().filters().subscription_filters(*group))
    if (!in.filter_name_prefix || stored.filter.filter_name->starts_with(*in.filter_name_prefix)) found.push_back(std::move(stored.filter));
  DescribeSubscriptionFiltersResponse out;
  TRY(out.next_token, cut_page("DescribeSubscriptionFilters", fmt::format("{}|{}", group->id, in.filter_name_prefix.value_or("")), found,
                               in.next_token, static_cast<std::size_t>(in.limit.value_or(kDescribeMax)),
                               [](const SubscriptionFilter& filter) { return *filter.filter_name; }));
  out.subscription_filters = std::move(found);
  return out;
}

constexpr Operation kOperations[] = {bind<put_subscription_filter>(), bind<delete_subscription_filter>(),
                                     bind<describe_subscription_filters>()};

}  // namespace

std::span<const Operation> subscription_filter_operations() { return kOperations; }

}  // namespace fog::logs
