// Metric filters: put, describe, delete. What they do is in metric_emission and event_pipeline.
#include <fmt/format.h>

#include <cmath>

#include "api/codec/text.h"
#include "api/logs/common.h"
#include "api/logs/event_pipeline.h"
#include "api/logs/operations.h"
#include "api/logs/shelf.h"

namespace fog::logs {
namespace {

using filter_pattern::Pattern;

constexpr std::size_t kDescribeMax = 50;

Status must_be_standard(const Group& group, std::string_view feature) {
  const LogGroupClass own = group.settings.lock_shared()->log_group_class;
  if (own == LogGroupClass::STANDARD) return Ok{};
  return fault(InvalidOperationException{
      .message = fmt::format("{} are not supported for log groups of class {}.", feature, to_string(own))});
}

// $.latency of a JSON pattern, a named column or $3 of a space-delimited one.
bool is_selector(const Pattern& pattern, std::string_view pattern_text, std::string_view text) {
  switch (pattern.kind()) {
    case Pattern::Kind::kJson: return filter_pattern::select_json("{}", text).ok();
    case Pattern::Kind::kDelimited: {
      if (text.size() < 2 || text.front() != '$') return false;
      const std::string_view name = text.substr(1);
      if (parse_integer(name)) return true;
      // The column stands in the pattern as a word of its own.
      const auto part = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; };
      for (std::size_t at = pattern_text.find(name); at != std::string_view::npos; at = pattern_text.find(name, at + 1)) {
        const bool begins = at > 0 && !part(pattern_text[at - 1]);
        const bool ends = at + name.size() < pattern_text.size() && !part(pattern_text[at + name.size()]);
        if (begins && ends) return true;
      }
      return false;
    }
    case Pattern::Kind::kTerms: return false;
  }
  return false;
}

Status check(const MetricTransformation& to, const Pattern& pattern, std::string_view text) {
  if (to.metric_name.empty() || to.metric_namespace.empty())
    return invalid_parameter("Invalid metric transformation: the metric name and namespace must not be empty.");
  const auto number = parse_double(to.metric_value);
  if (!(number && std::isfinite(*number)) && !is_selector(pattern, text, to.metric_value))
    return invalid_parameter("Invalid metric transformation: the metric value must be a number or a field of the filter pattern.");
  if (to.default_value && !std::isfinite(*to.default_value))
    return invalid_parameter("Invalid metric transformation: the default value must be a number.");
  if (!to.dimensions || to.dimensions->empty()) return Ok{};
  if (to.default_value) return invalid_parameter("Invalid metric transformation: dimensions and default value are mutually exclusive.");
  if (to.dimensions->size() > kTransformationDimensionsMax)
    return invalid_parameter("Invalid metric transformation: a metric filter can have at most 3 dimensions.");
  for (const auto& [name, selector] : *to.dimensions)
    if (name.empty() || name.front() == ':' || !is_selector(pattern, text, selector))
      return invalid_parameter("Invalid metric transformation: the value of a dimension must be a field of the filter pattern.");
  return Ok{};
}

Status check_system_fields(const std::optional<std::vector<std::string>>& fields) {
  if (!fields) return Ok{};
  for (const std::string& field : *fields)
    if (field != "@aws.account" && field != "@aws.region")
      return invalid_parameter(fmt::format("Invalid system field: {}. Valid values are: @aws.account, @aws.region.", field));
  return Ok{};
}

Result<Empty> put_metric_filter(Call& call, const PutMetricFilterRequest& in) {
  auto& pipeline = call.service<EventPipeline>();
  const auto pattern = filter_pattern::parse(in.filter_pattern);
  if (!pattern.ok()) return invalid_parameter(pattern.error().message());
  TRYV(check(in.metric_transformations.front(), **pattern, in.filter_pattern));
  TRYV(check_system_fields(in.emit_system_field_dimensions));
  if (const auto passes = passes_selection(in.field_selection_criteria, call.account, call.region); !passes.ok())
    return invalid_parameter("The specified fieldSelectionCriteria is invalid.");
  TRY(const GroupPtr group, group_named(call, in.log_group_name));
  TRYV(must_be_standard(*group, "Metric filters"));
  MetricFilter filter;
  filter.filter_name = in.filter_name;
  filter.filter_pattern = in.filter_pattern;
  filter.metric_transformations = in.metric_transformations;
  filter.creation_time = to_ms(call.now);
  filter.log_group_name = group->name;
  filter.apply_on_transformed_logs = in.apply_on_transformed_logs.value_or(false);
  filter.field_selection_criteria = in.field_selection_criteria;
  filter.emit_system_field_dimensions = in.emit_system_field_dimensions;
  TRYV(pipeline.filters().put_metric_filter(*group, filter));
  return Empty{};
}

Result<Empty> delete_metric_filter(Call& call, const DeleteMetricFilterRequest& in) {
  TRY(const GroupPtr group, group_named(call, in.log_group_name));
  if (!call.service<EventPipeline>().filters().erase_metric_filter(*group, in.filter_name))
    return fault(ResourceNotFoundException{.message = "The specified metric filter does not exist."});
  return Empty{};
}

Result<DescribeMetricFiltersResponse> describe_metric_filters(Call& call, const DescribeMetricFiltersRequest& in) {
  if (in.metric_name.has_value() != in.metric_namespace.has_value())
    return invalid_parameter("If you include the metricName parameter in your request, you must also include the metricNamespace parameter.");
  auto& pipeline = call.service<EventPipeline>();
  std::vector<GroupPtr> groups;
  if (in.log_group_name) {
    TRY(const GroupPtr group, group_named(call, *in.log_group_name));
    groups.push_back(group);
  } else {
    groups = call.service<Logs>().list(call.account, call.region);
  }
  std::vector<MetricFilter> found;
  for (const GroupPtr& group : groups) {
    for (MetricFilter& filter : pipeline.filters().metric_filters(*group)) {
      if (in.filter_name_prefix && !filter.filter_name->starts_with(*in.filter_name_prefix)) continue;
      if (in.metric_name) {
        const MetricTransformation& to = filter.metric_transformations->front();
        if (to.metric_name != *in.metric_name || to.metric_namespace != *in.metric_namespace) continue;
      }
      found.push_back(std::move(filter));
    }
  }
  const std::string parameters = fmt::format("{}|{}|{}|{}", in.log_group_name.value_or(""), in.filter_name_prefix.value_or(""),
                                             in.metric_name.value_or(""), in.metric_namespace.value_or(""));
  // Names of groups and filters hold no NUL: the order of keys is that of the list.
  const auto key_of = [](const MetricFilter& filter) { return *filter.log_group_name + std::string(1, '\0') + *filter.filter_name; };
  DescribeMetricFiltersResponse out;
  TRY(out.next_token, cut_page("DescribeMetricFilters", parameters, found, in.next_token,
                               static_cast<std::size_t>(in.limit.value_or(kDescribeMax)), key_of));
  out.metric_filters = std::move(found);
  return out;
}

constexpr Operation kOperations[] = {bind<put_metric_filter>(), bind<delete_metric_filter>(), bind<describe_metric_filters>()};

}  // namespace

std::span<const Operation> metric_filter_operations() { return kOperations; }

}  // namespace fog::logs
