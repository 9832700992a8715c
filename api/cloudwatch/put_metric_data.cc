// PutMetricData: all datums are checked before any is stored.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "api/cloudwatch/metrics.h"
#include "api/cloudwatch/model.h"
#include "api/common/meters.h"
#include "api/common/violations.h"
#include "storage/metric_units.h"

namespace fog::cloudwatch {
namespace {

constexpr std::size_t kDatumsMax = 1000;
constexpr std::size_t kValuesMax = 150;
constexpr std::size_t kEntitiesMax = 2;
constexpr Millis kPastMax = std::chrono::days(14);
constexpr Millis kFutureMax = std::chrono::hours(2);
constexpr double kValueMax = 0x1p360;

// --- constraints of the model, in this operation's words -------------------------------------------

std::string unit_set() {
  std::string text;
  for (const std::string_view unit : kMetricUnits) {
    if (!text.empty()) text += ", ";
    text += unit;
  }
  return text;
}

Error on_invalid(const OperationInfo& operation, std::span<const Violation> violations) {
  const Violation& first = violations.front();
  const std::string path = first.query_path();
  switch (first.constraint) {
    case Constraint::kNotNull:
      return missing("The parameter " + path + " is required.");
    case Constraint::kEnum:
      if (path.ends_with(".Unit"))
        return invalid_value("The parameter " + path + " must be a value in the set [ " + unit_set() + " ]");
      break;
    case Constraint::kLengthMax:
      if (first.shape != nullptr && first.shape->kind == Kind::kList)
        return invalid_value(fmt::format("The collection {} must not have a size greater than {}.", path,
                                         static_cast<std::int64_t>(first.shape->bounds.max)));
      break;
    case Constraint::kLengthMin:
    case Constraint::kValueMin:
    case Constraint::kValueMax:
    case Constraint::kPattern:
    case Constraint::kElement:
    case Constraint::kMapKey:
    case Constraint::kMapValue:
      break;
  }
  return validation_error(operation, violations);
}

// --- one datum --------------------------------------------------------------------------------------

Error bad_text(std::string_view value, const std::string& path) {
  return invalid_value(fmt::format("The value {} for parameter {} is invalid.", value, path));
}

std::string number_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return fmt::format("{}", value);
}

Error bad_value(double value, std::string_view prefix, std::size_t n, std::string_view member) {
  return invalid_value(fmt::format("The value {} for parameter {}.member.{}.{} is invalid.",
                                   number_text(value), prefix, n, member));
}

inline Status check_value(double value, std::string_view prefix, std::size_t n, std::string_view member) {
  if (std::fabs(value) <= kValueMax) [[likely]]
    return Ok{};
  return bad_value(value, prefix, n, member);
}

struct Scratch {
  std::vector<DimensionView> dimensions;
  std::vector<MetricPoint> points;
  std::vector<std::size_t> dimensions_at;
};

Status add_datum(const MetricDatum& datum, std::string_view prefix, std::size_t n, Timestamp now,
                 Scratch& scratch) {
  // The path is only made when it is needed.
  const auto path = [&](std::string_view member) { return fmt::format("{}.member.{}.{}", prefix, n, member); };
  const auto exclusive = [&](std::string_view a, std::string_view b) {
    return invalid_combination(fmt::format(
        "The parameters {} and {} are mutually exclusive and you have specified both.", path(a), path(b)));
  };
  if (datum.values && datum.values->empty() && !datum.value && !datum.statistic_values)
    return missing("The parameter " + path("Value") + " is required.");
  if (datum.value && datum.values) return exclusive("Value", "Values");
  if (datum.value && datum.statistic_values) return exclusive("Value", "StatisticValues");
  if (!datum.value && !datum.values && !datum.statistic_values) {
    if (datum.counts) return missing("The parameter " + path("Values") + " is required.");
    return missing("The parameter " + path("Value") + " is required.");
  }
  if (datum.values && datum.counts && datum.values->size() != datum.counts->size())
    return invalid_value(fmt::format("The parameters {} and {} must be of the same size.", path("Values"),
                                     path("Counts")));
  if (datum.values && datum.values->size() > kValuesMax)
    return invalid_value(fmt::format("The collection {} must not have a size greater than {}.",
                                     path("Values"), kValuesMax));
  if (datum.value) TRYV(check_value(*datum.value, prefix, n, "Value"));
  if (datum.values)
    for (std::size_t i = 0; i < datum.values->size(); ++i) {
      if (!is_valid_metric_value((*datum.values)[i]))
        return check_value((*datum.values)[i], prefix, n, fmt::format("Values.member.{}", i + 1));
      if (datum.counts && !((*datum.counts)[i] >= 0 && (*datum.counts)[i] <= kValueMax))
        return invalid_value(fmt::format("The value {} for parameter {} is invalid.",
                                         number_text((*datum.counts)[i]),
                                         path(fmt::format("Counts.member.{}", i + 1))));
    }
  if (datum.statistic_values) {
    const StatisticSet& set = *datum.statistic_values;
    TRYV(check_value(set.sample_count, prefix, n, "StatisticValues.SampleCount"));
    TRYV(check_value(set.sum, prefix, n, "StatisticValues.Sum"));
    TRYV(check_value(set.minimum, prefix, n, "StatisticValues.Minimum"));
    TRYV(check_value(set.maximum, prefix, n, "StatisticValues.Maximum"));
    if (set.sample_count < 0)
      return bad_text(number_text(set.sample_count), path("StatisticValues.SampleCount"));
    if (set.minimum > set.maximum)
      return invalid_value(fmt::format("The parameter {} must be greater than or equal to the parameter {}.",
                                       path("StatisticValues.Maximum"), path("StatisticValues.Minimum")));
  }
  if (datum.storage_resolution && *datum.storage_resolution != 1 && *datum.storage_resolution != 60)
    return invalid_value(fmt::format("The value {} for parameter {} is invalid.", *datum.storage_resolution,
                                     path("StorageResolution")));
  const Timestamp time = datum.timestamp.value_or(now);
  if (time < now - kPastMax)
    return invalid_value(
        fmt::format("The parameter {} must specify a time within the past two weeks.", path("Timestamp")));
  if (time > now + kFutureMax)
    return invalid_value(fmt::format("The parameter {} must specify a time no more than two hours in the future.",
                                     path("Timestamp")));

  scratch.dimensions_at.push_back(scratch.dimensions.size());
  if (datum.dimensions) {
    const std::size_t first = scratch.dimensions.size();
    for (std::size_t i = 0; i < datum.dimensions->size(); ++i) {
      const Dimension& d = (*datum.dimensions)[i];
      const auto at = [&](std::string_view member) {
        return path(fmt::format("Dimensions.member.{}.{}", i + 1, member));
      };
      if (!is_valid_name(d.name, false, 255)) return bad_text(d.name, at("Name"));
      if (!is_valid_name(d.value, true, 1024)) return bad_text(d.value, at("Value"));
      for (std::size_t k = first; k < scratch.dimensions.size(); ++k)
        if (scratch.dimensions[k].name == d.name)
          return invalid_value(fmt::format("The parameter {} must not name the dimension {} more than once.",
                                           path("Dimensions"), d.name));
      scratch.dimensions.push_back({d.name, d.value});
    }
  }
  MetricPoint& point = scratch.points.emplace_back();
  point.metric_name = datum.metric_name;
  point.time = time;
  point.unit = datum.unit ? to_code(*datum.unit) : kUnitNone;
  point.high_resolution = datum.storage_resolution == 1;
  if (datum.value) point.values = std::span(&*datum.value, 1);
  if (datum.values) {
    point.values = *datum.values;
    if (datum.counts) point.counts = *datum.counts;
  }
  if (datum.statistic_values) {
    const StatisticSet& set = *datum.statistic_values;
    point.set = StatisticSetValue{set.sample_count, set.sum, set.minimum, set.maximum};
  }
  return Ok{};
}

// --- entities -----------------------------------------------------------------------------------------

// The name of what is wrong, as the X-Amzn-Failure-Message header carries it; empty: nothing.
std::string_view entity_fault(const Entity& entity) {
  if (!entity.key_attributes) return "MissingRequiredFields";
  const auto& keys = *entity.key_attributes;
  constexpr std::string_view kAllowed[] = {"Type", "ResourceType", "Identifier", "Name", "Environment"};
  for (const auto& [key, value] : keys)
    if (std::find(std::begin(kAllowed), std::end(kAllowed), key) == std::end(kAllowed) || value.empty())
      return "InvalidKeyAttributes";
  const auto type = keys.find("Type");
  if (type == keys.end()) return "MissingRequiredFields";
  constexpr std::string_view kTypes[] = {"Service", "Resource", "AWS::Service", "AWS::Resource", "RemoteService"};
  if (std::find(std::begin(kTypes), std::end(kTypes), type->second) == std::end(kTypes)) return "InvalidTypeValue";
  const auto has = [&](const char* key) { return keys.contains(key); };
  if (type->second == "Service" && !(has("Name") && has("Environment"))) return "MissingRequiredFields";
  if ((type->second == "Resource" || type->second == "AWS::Resource") && !(has("ResourceType") && has("Identifier")))
    return "MissingRequiredFields";
  return {};
}

// Key and value pairs, each with its length before it; opaque to the store.
std::string entity_document(const Entity& entity) {
  std::string document;
  const auto append = [&](const auto& map) {
    document += fmt::format("{};", map ? map->size() : 0);
    if (map)
      for (const auto& [key, value] : *map)
        document += fmt::format("{}:{}{}:{}", key.size(), key, value.size(), value);
  };
  append(entity.key_attributes);
  append(entity.attributes);
  return document;
}

Result<Empty> put_metric_data(Call& call, const PutMetricDataInput& in) {
  if (!in.metric_data && !in.entity_metric_data) return missing("The parameter MetricData is required.");
  if (!is_valid_name(in.namespace_, false, 255)) return bad_text(in.namespace_, "Namespace");
  std::size_t datums = in.metric_data ? in.metric_data->size() : 0;
  if (in.entity_metric_data)
    for (const EntityMetricData& data : *in.entity_metric_data)
      datums += data.metric_data ? data.metric_data->size() : 0;
  if (datums > kDatumsMax)
    return invalid_value(fmt::format("The collection MetricData must not have a size greater than {}.", kDatumsMax));
  if (datums == 0) return missing("The parameter MetricData is required.");
  if (Meters* meters = call.services->find<Meters>()) meters->saw(call.account, call.region);
  if (in.entity_metric_data && !in.strict_entity_validation)
    return missing("The parameter StrictEntityValidation is required.");

  thread_local Scratch scratch;
  scratch.dimensions.clear();
  scratch.points.clear();
  scratch.dimensions_at.clear();
  if (in.metric_data)
    for (std::size_t i = 0; i < in.metric_data->size(); ++i)
      TRYV(add_datum((*in.metric_data)[i], "MetricData", i + 1, call.now, scratch));

  std::vector<std::string> entities;
  if (in.entity_metric_data) {
    std::string_view wrong = in.entity_metric_data->size() > kEntitiesMax ? "EntitySizeTooLarge" : "";
    entities.reserve(in.entity_metric_data->size());
    for (std::size_t e = 0; e < in.entity_metric_data->size(); ++e) {
      const EntityMetricData& data = (*in.entity_metric_data)[e];
      const std::string_view fault = data.entity ? entity_fault(*data.entity) : "InvalidEntity";
      if (wrong.empty()) wrong = fault;
      entities.push_back(fault.empty() ? entity_document(*data.entity) : std::string());
      if (!data.metric_data) continue;
      const std::string prefix = fmt::format("EntityMetricData.member.{}.MetricData", e + 1);
      for (std::size_t i = 0; i < data.metric_data->size(); ++i) {
        TRYV(add_datum((*data.metric_data)[i], prefix, i + 1, call.now, scratch));
        scratch.points.back().entity = entities.back();
      }
    }
    if (!wrong.empty()) {
      if (*in.strict_entity_validation) return invalid_value(fmt::format("The entity is invalid: {}", wrong));
      call.response_headers.emplace_back("X-Amzn-Failure-Message", std::string(wrong));
      for (MetricPoint& point : scratch.points) point.entity = {};
    }
  }
  for (std::size_t i = 0; i < scratch.points.size(); ++i) {
    const std::size_t end =
        i + 1 < scratch.dimensions_at.size() ? scratch.dimensions_at[i + 1] : scratch.dimensions.size();
    scratch.points[i].metric_namespace = in.namespace_;
    scratch.points[i].dimensions =
        std::span(scratch.dimensions).subspan(scratch.dimensions_at[i], end - scratch.dimensions_at[i]);
  }
  TRY(const Lsn lsn, call.service<MetricStore>().put({call.account, call.region, scratch.points}));
  call.durable_after(lsn);
  return Empty{};
}

constexpr Operation kOperations[] = {bind<put_metric_data>(on_invalid)};

// --- the sink --------------------------------------------------------------------------------------

class StoreSink final : public MetricSink {
 public:
  StoreSink(MetricStore& store, const Clock& clock) : store_(store), clock_(clock) {}

  Result<Outcome> put_metrics(std::string_view account, std::string_view region,
                              std::span<const SinkDatum> datums) override {
    const Timestamp now = clock_.now();
    Outcome outcome;
    std::vector<std::vector<DimensionView>> dimensions(datums.size());
    std::vector<MetricPoint> points;
    for (std::size_t i = 0; i < datums.size(); ++i) {
      const SinkDatum& datum = datums[i];
      if (!fits(datum, now)) {
        ++outcome.rejected;
        continue;
      }
      for (const auto& [name, value] : datum.dimensions) dimensions[i].push_back({name, value});
      points.push_back({.metric_namespace = datum.metric_namespace,
                        .metric_name = datum.metric_name,
                        .dimensions = dimensions[i],
                        .time = datum.time,
                        .unit = datum.unit,
                        .high_resolution = datum.high_resolution,
                        .values = datum.values,
                        .counts = datum.counts,
                        .set = datum.set,
                        .entity = {}});
    }
    if (points.empty()) return outcome;
    TRY(outcome.lsn, store_.put({account, region, points}));
    return outcome;
  }

 private:
  static bool fits(const SinkDatum& datum, Timestamp now) {
    if (!is_valid_name(datum.metric_namespace, false, 255) || datum.metric_name.empty() ||
        datum.metric_name.size() > 255 ||
        datum.time < now - kPastMax || datum.time > now + kFutureMax || datum.dimensions.size() > 30 ||
        datum.unit >= kMetricUnits.size() ||
        (!datum.counts.empty() && datum.counts.size() != datum.values.size()))
      return false;
    for (std::size_t i = 0; i < datum.dimensions.size(); ++i) {
      const auto& [name, value] = datum.dimensions[i];
      if (!is_valid_name(name, false, 255) || !is_valid_name(value, true, 1024)) return false;
      for (std::size_t k = 0; k < i; ++k)
        if (datum.dimensions[k].first == name) return false;
    }
    for (const double value : datum.values)
      if (!is_valid_metric_value(value)) return false;
    for (const double count : datum.counts)
      if (!(count >= 0 && count <= kValueMax)) return false;
    if (datum.set)
      for (const double part : {datum.set->count, datum.set->sum, datum.set->min, datum.set->max})
        if (!is_valid_metric_value(part)) return false;
    return !datum.values.empty() || datum.set;
  }

  MetricStore& store_;
  const Clock& clock_;
};

}  // namespace

std::span<const Operation> put_metric_operations() { return kOperations; }

std::unique_ptr<MetricSink> make_metric_sink(MetricStore& store, const Clock& clock) {
  return std::make_unique<StoreSink>(store, clock);
}

namespace {

// Eight bytes at once: is each from ' ' to '~'?
bool all_printable(const char* eight) {
  constexpr std::uint64_t kOnes = 0x0101010101010101u;
  constexpr std::uint64_t kHigh = 0x8080808080808080u;
  std::uint64_t x = 0;
  std::memcpy(&x, eight, 8);
  return (((x - kOnes * ' ') & ~x) & kHigh) == 0 && (((x + kOnes) | x) & kHigh) == 0;
}

bool all_printable(std::string_view text) {
  if (text.size() >= 8) {
    for (std::size_t i = 0; i + 8 < text.size(); i += 8)
      if (!all_printable(text.data() + i)) return false;
    return all_printable(text.data() + text.size() - 8);
  }
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

bool is_valid_name(std::string_view text, bool colon_first_allowed, std::size_t length_max) {
  if (text.empty() || text.size() > length_max) return false;
  if (!colon_first_allowed && text.front() == ':') return false;
  if (!all_printable(text)) return false;
  return text.front() != ' ' || text.find_first_not_of(' ') != std::string_view::npos;
}

bool is_valid_metric_value(double value) { return std::fabs(value) <= kValueMax; }

}  // namespace fog::cloudwatch
