// Metric streams: their definitions. What they emit is in metric_stream_worker.cc.
//
// Document of kind "cw-stream": GetMetricStreamOutput as JSON; name: the stream's.
#include <fmt/format.h>

#include <algorithm>

#include "api/cloudwatch/model.h"
#include "api/cloudwatch/service.h"
#include "api/codec/json.h"
#include "query/statistics/statistic.h"
#include "storage/base/hash.h"

namespace fog::cloudwatch {
namespace {

constexpr std::size_t kFilterNamesMax = 1000;
constexpr std::size_t kConfigurationsMax = 100;
constexpr std::size_t kConfiguredMetricsMax = 100;
constexpr std::size_t kStatisticsMax = 20;
constexpr std::size_t kPage = 500;

ResourceKey key_of(const Call& call, std::string_view name) {
  return {std::string(kMetricStreamKind), call.account, call.region, std::string(name)};
}

bool is_name(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

Result<GetMetricStreamOutput> load(const Call& call, const std::string& name) {
  const auto document = call.service<ResourceStore>().get(key_of(call, name));
  if (!document) return not_found("MetricStream", name, "Metric stream " + name + " does not exist.");
  return decode_json<GetMetricStreamOutput>(*document);
}

Status check_filters(const std::optional<std::vector<MetricStreamFilter>>& filters, std::string_view which) {
  if (!filters) return Ok{};
  std::size_t names = 0;
  for (const MetricStreamFilter& f : *filters) {
    if (!f.namespace_) return missing(fmt::format("The parameter {}.Namespace is required.", which));
    names += 1 + (f.metric_names ? f.metric_names->size() : 0);
  }
  if (names > kFilterNamesMax)
    return invalid_value(fmt::format("The collection {} must not have a size greater than {}.", which, kFilterNamesMax));
  return Ok{};
}

Status check_statistics(const PutMetricStreamInput& in) {
  if (!in.statistics_configurations) return Ok{};
  if (in.statistics_configurations->size() > kConfigurationsMax)
    return invalid_value(fmt::format("The collection StatisticsConfigurations must not have a size greater than {}.",
                                     kConfigurationsMax));
  for (const MetricStreamStatisticsConfiguration& c : *in.statistics_configurations) {
    if (c.include_metrics.size() > kConfiguredMetricsMax)
      return invalid_value(fmt::format("The collection IncludeMetrics must not have a size greater than {}.", kConfiguredMetricsMax));
    if (c.additional_statistics.size() > kStatisticsMax)
      return invalid_value(fmt::format("The collection AdditionalStatistics must not have a size greater than {}.", kStatisticsMax));
    for (const std::string& name : c.additional_statistics) {
      const auto statistic = parse_statistic(name);
      const bool percentile = statistic && statistic->kind == ::fog::Statistic::Kind::kPercentile;
      if (!statistic || !statistic->is_extended() ||
          (in.output_format != MetricStreamOutputFormat::json && !percentile))
        return invalid_value(fmt::format("The value {} for parameter AdditionalStatistics is not supported.", name));
    }
  }
  return Ok{};
}

Result<PutMetricStreamOutput> put_metric_stream(Call& call, const PutMetricStreamInput& in) {
  if (!is_name(in.name)) return invalid_value("The value " + in.name + " for parameter Name is invalid.");
  if (in.include_filters && in.exclude_filters && !in.include_filters->empty() && !in.exclude_filters->empty())
    return invalid_combination(
        "The parameters IncludeFilters and ExcludeFilters are mutually exclusive and you have specified both.");
  TRYV(check_filters(in.include_filters, "IncludeFilters"));
  TRYV(check_filters(in.exclude_filters, "ExcludeFilters"));
  TRYV(check_statistics(in));
  if (in.tags && in.tags->size() > kTagsMax)
    return invalid_value("The number of tags exceeds the limit of 50 tags per resource.");
  auto& store = call.service<ResourceStore>();
  GetMetricStreamOutput stream;
  bool is_new = true;
  if (const auto old = store.get(key_of(call, in.name))) {
    TRY(const auto before, decode_json<GetMetricStreamOutput>(*old));
    stream.state = before.state;
    stream.creation_date = before.creation_date;
    is_new = false;
  } else {
    stream.state = "running";
    stream.creation_date = call.now;
  }
  stream.arn = metric_stream_arn(call, in.name);
  stream.name = in.name;
  stream.include_filters = in.include_filters;
  stream.exclude_filters = in.exclude_filters;
  stream.firehose_arn = in.firehose_arn;
  stream.role_arn = in.role_arn;
  stream.last_update_date = call.now;
  stream.output_format = in.output_format;
  stream.statistics_configurations = in.statistics_configurations;
  stream.include_linked_accounts_metrics = in.include_linked_accounts_metrics.value_or(false);
  TRYV(store.put(key_of(call, in.name), encode_json(stream)));
  if (is_new) TRYV(add_tags(call, *stream.arn, in.tags));
  PutMetricStreamOutput out;
  out.arn = stream.arn;
  return out;
}

Result<GetMetricStreamOutput> get_metric_stream(Call& call, const GetMetricStreamInput& in) { return load(call, in.name); }

Result<DeleteMetricStreamOutput> delete_metric_stream(Call& call, const DeleteMetricStreamInput& in) {
  TRYV(call.service<ResourceStore>().erase(key_of(call, in.name)));
  TRYV(erase_tags(call, metric_stream_arn(call, in.name)));
  return DeleteMetricStreamOutput{};
}

Result<ListMetricStreamsOutput> list_metric_streams(Call& call, const ListMetricStreamsInput& in) {
  const std::size_t page = in.max_results ? static_cast<std::size_t>(*in.max_results) : kPage;
  ResourceStore::ListSpec spec;
  spec.kind = kMetricStreamKind;
  spec.account = call.account;
  spec.region = call.region;
  spec.limit = page + 1;
  if (in.next_token) {
    spec.after = page_key("ListMetricStreams", page, *in.next_token);
    if (!spec.after) return fault(InvalidNextToken{.message = "The specified token is not valid."});
  }
  auto rows = call.service<ResourceStore>().list(spec);
  ListMetricStreamsOutput out;
  auto& entries = out.entries.emplace();
  if (rows.size() > page) {
    rows.pop_back();
    out.next_token = page_token("ListMetricStreams", page, rows.back().key.name);
  }
  for (const Resource& row : rows) {
    TRY(const auto stream, decode_json<GetMetricStreamOutput>(row.document));
    MetricStreamEntry& entry = entries.emplace_back();
    entry.arn = stream.arn;
    entry.creation_date = stream.creation_date;
    entry.last_update_date = stream.last_update_date;
    entry.name = stream.name;
    entry.firehose_arn = stream.firehose_arn;
    entry.state = stream.state;
    entry.output_format = stream.output_format;
  }
  return out;
}

// All of the named streams, or none when one of them does not exist.
Status set_state(Call& call, const std::vector<std::string>& names, const char* state) {
  if (names.empty()) return missing("The parameter Names is required.");
  std::vector<ResourceStore::Change> changes;
  for (const std::string& name : names) {
    const auto document = call.service<ResourceStore>().get(key_of(call, name));
    if (!document) return invalid_value("Metric stream " + name + " does not exist.");
    TRY(auto stream, decode_json<GetMetricStreamOutput>(*document));
    if (stream.state == state) continue;
    stream.state = state;
    stream.last_update_date = call.now;
    changes.push_back({key_of(call, name), encode_json(stream)});
  }
  if (changes.empty()) return Ok{};
  return call.service<ResourceStore>().apply(std::move(changes));
}

Result<StartMetricStreamsOutput> start_metric_streams(Call& call, const StartMetricStreamsInput& in) {
  TRYV(set_state(call, in.names, "running"));
  return StartMetricStreamsOutput{};
}

Result<StopMetricStreamsOutput> stop_metric_streams(Call& call, const StopMetricStreamsInput& in) {
  TRYV(set_state(call, in.names, "stopped"));
  return StopMetricStreamsOutput{};
}

constexpr Operation kOperations[] = {bind<delete_metric_stream>(), bind<get_metric_stream>(),
                                     bind<list_metric_streams>(),  bind<put_metric_stream>(),
                                     bind<start_metric_streams>(), bind<stop_metric_streams>()};

}  // namespace

std::span<const Operation> metric_stream_operations() { return kOperations; }

}  // namespace fog::cloudwatch
