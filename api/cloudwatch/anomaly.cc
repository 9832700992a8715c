// Anomaly detectors: Put, Describe, Delete, and the band they describe.
//
// Document of kind "cw-anomaly": AnomalyDetector as JSON; name: what identifies it (a tag, then
// account, namespace, metric name, sorted dimensions and statistic, or the metric data queries).
#include "api/cloudwatch/anomaly.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/cloudwatch/model.h"
#include "api/cloudwatch/service.h"
#include "api/codec/json.h"
#include "query/alarm_rules/time_zone.h"
#include "query/statistics/anomaly_model.h"
#include "storage/base/bytes.h"
#include "storage/base/hash.h"

namespace fog::cloudwatch {
namespace {

constexpr std::size_t kDetectorsMax = 500;
constexpr std::size_t kExcludedMax = 10;
constexpr std::size_t kPage = 100;
constexpr Millis kTrainedOn = std::chrono::days(14);
// Less than this is not enough to know a day by.
constexpr std::int64_t kEnoughMs = 86'400'000;

std::string single_name(const SingleMetricAnomalyDetector& d, const std::string& account) {
  std::string name = "S";
  ByteWriter out(name);
  out.text(d.account_id.value_or(account));
  out.text(d.namespace_.value_or(""));
  out.text(d.metric_name.value_or(""));
  out.text(d.stat.value_or(""));
  std::vector<Dimension> dimensions = d.dimensions.value_or(std::vector<Dimension>{});
  std::sort(dimensions.begin(), dimensions.end(), [](const Dimension& a, const Dimension& b) { return a.name < b.name; });
  for (const Dimension& dimension : dimensions) {
    out.text(dimension.name);
    out.text(dimension.value);
  }
  return name;
}

std::string math_name(const MetricMathAnomalyDetector& d) { return "M" + encode_json(d); }

// "AnomalyDetectorId": derived from the name, so that putting again keeps it.
std::string id_of(std::string_view name) {
  return fmt::format("{:016x}{:016x}", hash64(name), hash64(name, 0x5eed));
}

ResourceKey key_of(const std::string& account, const std::string& region, std::string name) {
  return {std::string(kAnomalyDetectorKind), account, region, std::move(name)};
}

// What Put and Delete name in one of three ways.
template <typename Input>
Result<std::string> named(const Input& in, const std::string& account, AnomalyDetector* into) {
  const bool flat = in.namespace_ || in.metric_name || in.dimensions || in.stat;
  const int ways = (flat ? 1 : 0) + (in.single_metric_anomaly_detector ? 1 : 0) + (in.metric_math_anomaly_detector ? 1 : 0);
  if (ways > 1)
    return invalid_combination(
        "The parameters SingleMetricAnomalyDetector, MetricMathAnomalyDetector and the single metric parameters are "
        "mutually exclusive and you have specified more than one.");
  if (ways == 0)
    return missing("The parameter SingleMetricAnomalyDetector or MetricMathAnomalyDetector is required.");
  if (in.metric_math_anomaly_detector) {
    const auto& queries = in.metric_math_anomaly_detector->metric_data_queries;
    if (!queries || queries->empty())
      return missing("The parameter MetricMathAnomalyDetector.MetricDataQueries is required.");
    TRYV(check_queries(*queries, "MetricMathAnomalyDetector.MetricDataQueries"));
    const auto returned = std::count_if(queries->begin(), queries->end(),
                                        [](const MetricDataQuery& q) { return q.return_data.value_or(true); });
    if (returned != 1)
      return invalid_value("Exactly one element of the metrics list should return data.");
    if (into != nullptr) into->metric_math_anomaly_detector = in.metric_math_anomaly_detector;
    return math_name(*in.metric_math_anomaly_detector);
  }
  SingleMetricAnomalyDetector single;
  if (in.single_metric_anomaly_detector) {
    single = *in.single_metric_anomaly_detector;
  } else {
    single.namespace_ = in.namespace_;
    single.metric_name = in.metric_name;
    single.dimensions = in.dimensions;
    single.stat = in.stat;
  }
  const std::string prefix = in.single_metric_anomaly_detector ? "SingleMetricAnomalyDetector." : "";
  if (!single.namespace_) return missing("The parameter " + prefix + "Namespace is required.");
  if (!single.metric_name) return missing("The parameter " + prefix + "MetricName is required.");
  if (!single.stat) return missing("The parameter " + prefix + "Stat is required.");
  if (!single.account_id) single.account_id = account;
  if (!single.dimensions) single.dimensions.emplace();
  std::string name = single_name(single, account);
  if (into != nullptr) {
    into->namespace_ = single.namespace_;
    into->metric_name = single.metric_name;
    into->dimensions = single.dimensions;
    into->stat = single.stat;
    into->single_metric_anomaly_detector = std::move(single);
  }
  return name;
}

Status store_new(const Services& services, const std::string& account, const std::string& region,
                 const std::string& name, AnomalyDetector detector) {
  auto& store = services.get<ResourceStore>();
  const ResourceKey key = key_of(account, region, name);
  if (!store.get(key)) {
    ResourceStore::ListSpec spec;
    spec.kind = kAnomalyDetectorKind;
    spec.account = account;
    spec.region = region;
    if (store.list(spec).size() >= kDetectorsMax)
      return limit_exceeded("The number of anomaly detectors exceeds the limit of 500.");
  }
  return store.put(key, encode_json(detector));
}

Result<PutAnomalyDetectorOutput> put_anomaly_detector(Call& call, const PutAnomalyDetectorInput& in) {
  AnomalyDetector detector;
  TRY(const std::string name, named(in, call.account, &detector));
  detector.configuration = in.configuration.value_or(AnomalyDetectorConfiguration{});
  if (!detector.configuration->excluded_time_ranges) detector.configuration->excluded_time_ranges.emplace();
  if (detector.configuration->excluded_time_ranges->size() > kExcludedMax)
    return invalid_value("The collection Configuration.ExcludedTimeRanges must not have a size greater than 10.");
  for (const Range& range : *detector.configuration->excluded_time_ranges)
    if (range.start_time >= range.end_time)
      return invalid_value("The parameter StartTime must be less than the parameter EndTime.");
  if (detector.configuration->metric_timezone &&
      !alarm_rules::TimeZone::find(*detector.configuration->metric_timezone).ok())
    return invalid_value("The value " + *detector.configuration->metric_timezone +
                         " for parameter Configuration.MetricTimezone is invalid.");
  detector.metric_characteristics = in.metric_characteristics;
  detector.anomaly_detector_id = id_of(name);
  TRYV(store_new(*call.services, call.account, call.region, name, detector));
  PutAnomalyDetectorOutput out;
  out.anomaly_detector_id = detector.anomaly_detector_id;
  return out;
}

// --- the model --------------------------------------------------------------------------------------

AnomalyModel::Options options_of(const AnomalyDetector* detector) {
  AnomalyModel::Options options;
  if (detector == nullptr || !detector->configuration) return options;
  if (detector->configuration->excluded_time_ranges)
    for (const Range& range : *detector->configuration->excluded_time_ranges)
      options.excluded.emplace_back(to_ms(range.start_time), to_ms(range.end_time));
  if (detector->configuration->metric_timezone) {
    auto zone = alarm_rules::TimeZone::find(*detector->configuration->metric_timezone);
    if (zone.ok())
      options.utc_offset_s = [zone = std::move(*zone)](std::int64_t ms) {
        return std::int64_t{zone.offset_at(from_ms(ms)).count()};
      };
  }
  return options;
}

std::optional<AnomalyModel> train(const Services& services, const SeriesSource& source, Timestamp start, Timestamp end,
                                  const AnomalyDetector* detector) {
  const auto& store = services.get<MetricStore>();
  std::vector<DimensionView> dimensions;
  for (const auto& [name, value] : source.dimensions) dimensions.push_back({name, value});
  const auto id = store.find({source.account, source.region, source.metric_namespace, source.metric_name, dimensions});
  const auto statistic = parse_statistic(source.statistic);
  if (!id || !statistic) return std::nullopt;
  ReadMetrics spec;
  spec.start = start;
  spec.end = end;
  spec.period = std::chrono::seconds(source.period_s);
  spec.with_distribution = statistic->is_extended();
  const auto units = store.read(*id, spec);
  if (!units.ok() || units->empty()) return std::nullopt;
  const TimedValues values = compute(*statistic, units->front());
  return AnomalyModel::train(values.start_ms, values.value, options_of(detector));
}

AnomalyDetectorStateValue state_of(const Call& call, const AnomalyDetector& detector) {
  if (!detector.single_metric_anomaly_detector) return AnomalyDetectorStateValue::TRAINED_INSUFFICIENT_DATA;
  const SingleMetricAnomalyDetector& single = *detector.single_metric_anomaly_detector;
  SeriesSource source;
  source.account = single.account_id.value_or(call.account);
  source.region = call.region;
  source.metric_namespace = single.namespace_.value_or("");
  source.metric_name = single.metric_name.value_or("");
  if (single.dimensions)
    for (const Dimension& d : *single.dimensions) source.dimensions.emplace_back(d.name, d.value);
  source.statistic = single.stat.value_or("Average");
  source.period_s = 300;
  const auto model = train(*call.services, source, call.now - kTrainedOn, call.now, &detector);
  if (!model || model->points() == 0) return AnomalyDetectorStateValue::PENDING_TRAINING;
  return model->points() < 2 || model->span_ms() < kEnoughMs ? AnomalyDetectorStateValue::TRAINED_INSUFFICIENT_DATA
                                                             : AnomalyDetectorStateValue::TRAINED;
}

bool same_dimensions(std::vector<Dimension> a, std::vector<Dimension> b) {
  const auto by_name = [](const Dimension& x, const Dimension& y) { return x.name < y.name; };
  std::sort(a.begin(), a.end(), by_name);
  std::sort(b.begin(), b.end(), by_name);
  return a == b;
}

Result<DescribeAnomalyDetectorsOutput> describe_anomaly_detectors(Call& call, const DescribeAnomalyDetectorsInput& in) {
  if (in.anomaly_detector_ids &&
      (in.namespace_ || in.metric_name || in.dimensions || in.anomaly_detector_types))
    return invalid_combination(
        "The parameter AnomalyDetectorIds must not be combined with Namespace, MetricName, Dimensions or "
        "AnomalyDetectorTypes.");
  std::vector<AnomalyDetectorType> types = in.anomaly_detector_types.value_or(std::vector<AnomalyDetectorType>{});
  if (types.empty()) types = {AnomalyDetectorType::SINGLE_METRIC};
  if (in.anomaly_detector_ids) types = {AnomalyDetectorType::SINGLE_METRIC, AnomalyDetectorType::METRIC_MATH};
  const auto wants = [&](AnomalyDetectorType t) { return std::find(types.begin(), types.end(), t) != types.end(); };
  DescribeAnomalyDetectorsInput parameters = in;
  parameters.next_token.reset();
  const std::uint64_t hash = hash64(encode_json(parameters));
  ResourceStore::ListSpec spec;
  spec.kind = kAnomalyDetectorKind;
  spec.account = call.account;
  spec.region = call.region;
  if (in.next_token) {
    spec.after = page_key("DescribeAnomalyDetectors", hash, *in.next_token);
    if (!spec.after) return fault(InvalidNextToken{.message = "The specified token is not valid."});
  }
  if (in.max_results && *in.max_results > static_cast<std::int32_t>(kPage))
    return invalid_value("The parameter MaxResults must be less than or equal to 100.");
  const std::size_t page = in.max_results ? static_cast<std::size_t>(*in.max_results) : kPage;
  DescribeAnomalyDetectorsOutput out;
  auto& detectors = out.anomaly_detectors.emplace();
  std::string last;
  for (const Resource& row : call.service<ResourceStore>().list(spec)) {
    TRY(AnomalyDetector detector, decode_json<AnomalyDetector>(row.document));
    if (!wants(detector.metric_math_anomaly_detector ? AnomalyDetectorType::METRIC_MATH
                                                     : AnomalyDetectorType::SINGLE_METRIC))
      continue;
    if (in.anomaly_detector_ids &&
        std::find(in.anomaly_detector_ids->begin(), in.anomaly_detector_ids->end(), *detector.anomaly_detector_id) ==
            in.anomaly_detector_ids->end())
      continue;
    if ((in.namespace_ && detector.namespace_ != in.namespace_) ||
        (in.metric_name && detector.metric_name != in.metric_name) ||
        (in.dimensions &&
         !same_dimensions(detector.dimensions.value_or(std::vector<Dimension>{}), *in.dimensions)))
      continue;
    if (detectors.size() == page) {
      out.next_token = page_token("DescribeAnomalyDetectors", hash, last);
      break;
    }
    detector.state_value = state_of(call, detector);
    detectors.push_back(std::move(detector));
    last = row.key.name;
  }
  return out;
}

Result<DeleteAnomalyDetectorOutput> delete_anomaly_detector(Call& call, const DeleteAnomalyDetectorInput& in) {
  auto& store = call.service<ResourceStore>();
  const bool otherwise = in.namespace_ || in.metric_name || in.dimensions || in.stat ||
                         in.single_metric_anomaly_detector || in.metric_math_anomaly_detector;
  std::string name;
  if (in.anomaly_detector_id) {
    if (otherwise)
      return invalid_combination("The parameter AnomalyDetectorId must not be combined with other parameters.");
    ResourceStore::ListSpec spec;
    spec.kind = kAnomalyDetectorKind;
    spec.account = call.account;
    spec.region = call.region;
    for (const Resource& row : store.list(spec))
      if (id_of(row.key.name) == *in.anomaly_detector_id) name = row.key.name;
  } else {
    TRY(name, named(in, call.account, nullptr));
  }
  const ResourceKey key = key_of(call.account, call.region, name);
  if (name.empty() || !store.get(key))
    return not_found("AnomalyDetector", in.anomaly_detector_id.value_or(""), "The specified anomaly detector does not exist.");
  TRYV(store.erase(key));
  return DeleteAnomalyDetectorOutput{};
}

constexpr Operation kOperations[] = {bind<delete_anomaly_detector>(), bind<describe_anomaly_detectors>(),
                                     bind<put_anomaly_detector>()};

}  // namespace

std::span<const Operation> anomaly_operations() { return kOperations; }

Result<std::pair<metric_math::Series, metric_math::Series>> anomaly_band(const MetricQueryContext& context,
                                                                         const metric_math::Series& series,
                                                                         const SeriesSource* source, double width) {
  const std::int64_t period = series.period_ms;
  if (period < 60'000 || period > 3'600'000)
    return Error::invalid("The period of an anomaly detection band must be between 60 and 3600 seconds");
  std::optional<AnomalyDetector> detector;
  std::optional<AnomalyModel> model;
  if (source != nullptr) {
    SingleMetricAnomalyDetector single;
    single.account_id = source->account;
    single.namespace_ = source->metric_namespace;
    single.metric_name = source->metric_name;
    single.stat = source->statistic;
    auto& dimensions = single.dimensions.emplace();
    for (const auto& [name, value] : source->dimensions) dimensions.push_back({.name = name, .value = value});
    const std::string name = single_name(single, context.account);
    auto& store = context.services->get<ResourceStore>();
    if (const auto document = store.get(key_of(context.account, context.region, name))) {
      TRY(detector, decode_json<AnomalyDetector>(*document));
    } else if (context.for_alarm) {
      AnomalyDetector created;
      created.namespace_ = single.namespace_;
      created.metric_name = single.metric_name;
      created.dimensions = single.dimensions;
      created.stat = single.stat;
      created.single_metric_anomaly_detector = single;
      created.configuration.emplace().excluded_time_ranges.emplace();
      created.anomaly_detector_id = id_of(name);
      TRYV(store_new(*context.services, context.account, context.region, name, created));
      detector = std::move(created);
    }
    const AnomalyDetector* known = detector ? &*detector : nullptr;
    model = train(*context.services, *source, context.start - kTrainedOn, context.start, known);
    if (!model || model->points() < 2)
      model = train(*context.services, *source, context.end - kTrainedOn, context.end, known);
  } else {
    model = AnomalyModel::train(series.time_ms, series.value, {});
  }
  metric_math::Series upper;
  metric_math::Series lower;
  upper.period_ms = lower.period_ms = period;
  if (!model) return std::pair(std::move(upper), std::move(lower));
  std::int64_t first = to_ms(context.start);
  if (!context.align_to_start) first -= first % period;
  for (std::int64_t t = first; t < to_ms(context.end); t += period)
    if (const auto bounds = model->bounds(t, width)) {
      upper.push(t, bounds->upper);
      lower.push(t, bounds->lower);
    }
  return std::pair(std::move(upper), std::move(lower));
}

}  // namespace fog::cloudwatch
