#include "api/cloudwatch/metric_queries.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "api/cloudwatch/anomaly.h"
#include "api/cloudwatch/insight_rules.h"
#include "api/cloudwatch/labels.h"
#include "api/cloudwatch/metric_tags.h"
#include "api/cloudwatch/model.h"
#include "api/common/services.h"
#include "query/metric_math/evaluate.h"
#include "query/metric_math/search.h"
#include "query/metrics_insights/select.h"
#include "storage/base/worker_pool.h"
#include "storage/metric_units.h"

namespace fog::cloudwatch {
namespace {

namespace math = metric_math;

constexpr std::size_t kQueriesMax = 500;
constexpr Millis kSearchedWithin = std::chrono::days(14);

bool is_query_id(std::string_view id) {
  return !id.empty() && id.size() <= 255 && id[0] >= 'a' && id[0] <= 'z' &&
         std::all_of(id.begin(), id.end(),
                     [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; });
}

}  // namespace

bool is_select(std::string_view expression) {
  const std::size_t at = expression.find_first_not_of(" \t\r\n");
  if (at == std::string_view::npos || expression.size() < at + 7) return false;
  constexpr std::string_view kWord = "SELECT";
  for (std::size_t i = 0; i < kWord.size(); ++i)
    if (std::toupper(static_cast<unsigned char>(expression[at + i])) != kWord[i]) return false;
  return std::isspace(static_cast<unsigned char>(expression[at + kWord.size()])) != 0;
}

Status check_queries(std::span<const MetricDataQuery> queries, std::string_view parameter) {
  if (queries.size() > kQueriesMax)
    return validation(fmt::format("The collection {} must not have a size greater than {}.", parameter, kQueriesMax));
  std::set<std::string_view> ids;
  int selects = 0;
  for (std::size_t i = 0; i < queries.size(); ++i) {
    const MetricDataQuery& q = queries[i];
    const std::string at = fmt::format("{}.member.{}", parameter, i + 1);
    if (!is_query_id(q.id))
      return validation(fmt::format("The value {} for parameter {}.Id is not matching the expected pattern "
                                    "^[a-z][a-zA-Z0-9_]*$.",
                                    q.id, at));
    if (!ids.insert(q.id).second)
      return validation(fmt::format("The values for parameter id in {} are not unique.", parameter));
    if (q.expression && q.metric_stat)
      return validation(fmt::format(
          "The parameters {0}.Expression and {0}.MetricStat are mutually exclusive and you have specified both.", at));
    if (!q.expression && !q.metric_stat)
      return validation(fmt::format("The parameter {}.MetricStat is required.\n", at));
    if (q.period && !is_period(*q.period))
      return validation(fmt::format("The value {} for parameter {}.Period is invalid.", *q.period, at));
    if (q.expression) {
      if (is_select(*q.expression) && ++selects > 1)
        return validation("Only one Metrics Insights query is allowed per request.");
      continue;
    }
    const MetricStat& stat = *q.metric_stat;
    if (!stat.metric.namespace_)
      return validation(fmt::format("The parameter {}.MetricStat.Metric.Namespace is required.\n", at));
    if (!stat.metric.metric_name)
      return validation(fmt::format("The parameter {}.MetricStat.Metric.MetricName is required.\n", at));
    if (!is_period(stat.period))
      return validation(fmt::format("The value {} for parameter {}.MetricStat.Period is invalid.", stat.period, at));
    if (!parse_statistic(stat.stat))
      return validation(fmt::format("The value {} for parameter {}.MetricStat.Stat is not supported.", stat.stat, at));
  }
  return Ok{};
}

namespace {

// --- reading several metrics at once ---------------------------------------------------------------

struct MetricRead {
  SeriesId id = 0;  // 0: there is no such metric
  ::fog::Statistic statistic;
  std::int64_t period_s = 60;
  std::optional<UnitCode> unit;
};

struct MetricValues {
  TimedValues values;
  std::vector<UnitCode> units;  // that have data in the range, in the order of preference
};

// Metrics of the same period, kind and unit are read in one scan.
Result<std::vector<MetricValues>> read_metrics(const MetricQueryContext& context, const MetricStore& store,
                                               std::span<const MetricRead> reads) {
  std::vector<MetricValues> out(reads.size());
  using Key = std::tuple<std::int64_t, bool, std::optional<UnitCode>>;
  std::map<Key, std::map<SeriesId, std::vector<std::size_t>>> groups;
  for (std::size_t i = 0; i < reads.size(); ++i)
    if (reads[i].id != 0)
      groups[{reads[i].period_s, reads[i].statistic.is_extended(), reads[i].unit}][reads[i].id].push_back(i);
  for (const auto& [key, series] : groups) {
    ReadMetrics spec;
    spec.start = context.start;
    spec.end = context.end;
    spec.period = std::chrono::seconds(std::get<0>(key));
    spec.with_distribution = std::get<1>(key);
    spec.unit = std::get<2>(key);
    spec.align_to_start = context.align_to_start;
    std::vector<SeriesId> ids;
    std::vector<const std::vector<std::size_t>*> askers;
    for (const auto& [id, who] : series) {
      ids.push_back(id);
      askers.push_back(&who);
    }
    // Units come in ascending order of preference; without a unit asked for, the first is used.
    TRYV(store.scan(ids, spec, [&](std::size_t position, SlotColumns& columns) {
      for (const std::size_t i : *askers[position]) {
        if (out[i].units.empty()) out[i].values = compute(reads[i].statistic, columns);
        out[i].units.push_back(columns.unit);
      }
    }));
  }
  return out;
}

math::Series to_series(TimedValues values, std::int64_t period_s, int source, std::string label) {
  math::Series series;
  series.label = std::move(label);
  series.period_ms = period_s * 1000;
  series.time_ms = std::move(values.start_ms);
  series.value = std::move(values.value);
  series.source = source;
  return series;
}

std::optional<MessageData> unit_message(const std::vector<UnitCode>& units) {
  if (units.size() < 2) return std::nullopt;
  std::string text = "Multiple units returned: '[";
  for (std::size_t i = 0; i < units.size(); ++i) {
    if (i > 0) text += ", ";
    text += kMetricUnits[units[i]];
  }
  MessageData message;
  message.code = "MultipleUnits";
  message.value = text + "]'";
  return message;
}

// --- one request ---------------------------------------------------------------------------------------

class Run {
 public:
  Run(const MetricQueryContext& context, std::span<const MetricDataQuery> queries)
      : context_(context), queries_(queries), store_(context.services->get<MetricStore>()) {}

  Result<QueryResults> run() {
    out_.results.resize(queries_.size());
    given_.resize(queries_.size());
    for (std::size_t i = 0; i < queries_.size(); ++i) out_.results[i].query = &queries_[i];
    TRYV(read_metric_stats());
    for (std::size_t i = 0; i < queries_.size(); ++i) {
      given_[i].id = queries_[i].id;
      if (!queries_[i].expression) continue;
      if (is_select(*queries_[i].expression)) {
        TRYV(select(i));
      } else {
        given_[i].expression = *queries_[i].expression;
        given_[i].period_ms = std::int64_t{queries_[i].period.value_or(0)} * 1000;
      }
    }
    TRYV(evaluate());
    return std::move(out_);
  }

 private:
  Status read_metric_stats() {
    std::vector<std::size_t> which;
    std::vector<MetricRead> reads;
    for (std::size_t i = 0; i < queries_.size(); ++i) {
      if (!queries_[i].metric_stat) continue;
      const MetricDataQuery& q = queries_[i];
      const MetricStat& stat = *q.metric_stat;
      SeriesSource source;
      source.account = q.account_id.value_or(context_.account);
      source.region = context_.region;
      source.metric_namespace = *stat.metric.namespace_;
      source.metric_name = *stat.metric.metric_name;
      source.statistic = stat.stat;
      source.period_s = stat.period;
      const auto dimensions = dimension_views(stat.metric.dimensions);
      for (const DimensionView& d : dimensions) source.dimensions.emplace_back(d.name, d.value);
      std::sort(source.dimensions.begin(), source.dimensions.end());
      MetricRead read;
      read.id = store_
                    .find({source.account, source.region, source.metric_namespace, source.metric_name, dimensions})
                    .value_or(0);
      read.statistic = *parse_statistic(stat.stat);
      read.period_s = stat.period;
      if (stat.unit) read.unit = to_code(*stat.unit);
      reads.push_back(std::move(read));
      sources_.push_back(std::move(source));
      which.push_back(i);
    }
    TRY(auto values, read_metrics(context_, store_, reads));
    const auto labels = distinguishing_labels(sources_);
    for (std::size_t k = 0; k < which.size(); ++k) {
      const std::size_t i = which[k];
      if (const auto message = unit_message(values[k].units)) out_.results[i].messages.push_back(*message);
      given_[i].given =
          math::Value(to_series(std::move(values[k].values), reads[k].period_s, static_cast<int>(k), labels[k]));
      given_[i].is_metric = true;
      given_[i].period_ms = reads[k].period_s * 1000;
    }
    return Ok{};
  }

  // Without a period, one that the whole range can be served with.
  std::int64_t automatic_period_s() const {
    const auto age = context_.now - context_.start;
    return age > std::chrono::days(63) ? 3600 : age > std::chrono::days(15) ? 300 : 60;
  }

  Status select(std::size_t i) {
    auto parsed = metrics_insights::parse(*queries_[i].expression);
    if (!parsed.ok())
      return validation("Error in expression '" + queries_[i].id + "': " + parsed.error().message());
    const std::string account = queries_[i].account_id.value_or(context_.account);
    metrics_insights::TagsOf tags_of;
    const auto* tags = context_.services->find<MetricTags>();
    const auto* resources = context_.services->find<ResourceStore>();
    if (tags != nullptr && resources != nullptr && is_enriched(*resources, account, context_.region))
      tags_of = [tags](const SeriesView& series) { return tags->of(series); };
    const auto plan = metrics_insights::plan(*parsed, store_, account, context_.region, tags_of);
    const std::int64_t period_s =
        std::max<std::int64_t>(60, queries_[i].period ? std::int64_t{*queries_[i].period} : automatic_period_s());
    metrics_insights::Parallel parallel;
    if (auto* pool = context_.services->find<WorkerPool>())
      parallel = [pool](std::size_t n, const std::function<void(std::size_t)>& task) { pool->parallel_for(n, task); };
    TRY(auto outcome, metrics_insights::execute(*parsed, plan, store_, context_.start, context_.end,
                                                std::chrono::seconds(period_s), parallel));
    if (outcome.is_truncated) {
      out_.is_partial = true;
      say_once("MaxMetricsExceeded", "Maximum number of allowed metrics exceeded");
    }
    given_[i].period_ms = period_s * 1000;
    if (outcome.is_grouped) {
      given_[i].given = math::Value(std::move(outcome.series));
    } else {
      math::Series series;
      series.period_ms = period_s * 1000;
      if (!outcome.series.empty()) series = std::move(outcome.series[0]);
      given_[i].given = math::Value(std::move(series));
    }
    return Ok{};
  }

  Result<math::Array> search(const math::SearchCall& call) {
    TRY(auto search, math::Search::parse(call.query));
    const auto statistic = parse_statistic(call.statistic);
    if (!statistic) return Error::invalid("Invalid statistic '" + call.statistic + "'");
    const std::int64_t period_s = call.period_ms > 0 ? call.period_ms / 1000 : automatic_period_s();
    if (!is_period(period_s)) return Error::invalid("Invalid period");
    SeriesFilter filter;
    filter.account = context_.account;
    filter.region = context_.region;
    search.narrow(filter);
    filter.active_since = context_.now - kSearchedWithin;
    std::vector<SeriesSource> found;
    std::vector<MetricRead> reads;
    store_.select(filter, nullptr, [&](const SeriesView& view) {
      if (!search.matches(view, context_.account)) return true;
      if (found.size() == math::kSearchSeriesMax) {
        say_once("MaxMetricsExceeded", "Maximum number of allowed metrics exceeded");
        return false;
      }
      SeriesSource source;
      source.account = context_.account;
      source.region = context_.region;
      source.metric_namespace = view.metric_namespace;
      source.metric_name = view.metric_name;
      for (const DimensionView& d : view.dimensions) source.dimensions.emplace_back(d.name, d.value);
      source.statistic = call.statistic;
      source.period_s = period_s;
      found.push_back(std::move(source));
      MetricRead read;
      read.id = view.id;
      read.statistic = *statistic;
      read.period_s = period_s;
      reads.push_back(std::move(read));
      return true;
    });
    TRY(auto values, read_metrics(context_, store_, reads));
    const auto labels = distinguishing_labels(found);
    math::Array out;
    for (std::size_t i = 0; i < found.size(); ++i) {
      out.push_back(
          to_series(std::move(values[i].values), period_s, static_cast<int>(sources_.size()), labels[i]));
      sources_.push_back(std::move(found[i]));
    }
    return out;
  }

  void say_once(std::string code, std::string value) {
    for (const MessageData& m : out_.messages)
      if (m.code == code) return;
    MessageData message;
    message.code = std::move(code);
    message.value = std::move(value);
    out_.messages.push_back(std::move(message));
  }

  Status evaluate() {
    math::Environment environment;
    environment.start_ms = to_ms(context_.start);
    environment.end_ms = to_ms(context_.end);
    environment.search = [this](const math::SearchCall& call) { return search(call); };
    environment.band = [this](const math::Series& series, double width) {
      return anomaly_band(context_, series, series.source >= 0 ? &sources_[static_cast<std::size_t>(series.source)] : nullptr,
                          width);
    };
    environment.insight_rule = [this](const std::string& rule, const std::string& metric, std::int64_t period_ms) {
      return insight_rule_series(context_, rule, metric, period_ms);
    };
    auto evaluated = math::evaluate(given_, environment);
    if (!evaluated.ok()) {
      if (evaluated.error().kind() == ErrorKind::kInvalid) return validation(evaluated.error().message());
      return std::move(evaluated).error();
    }
    for (std::size_t i = 0; i < queries_.size(); ++i) {
      QueryResult& result = out_.results[i];
      math::Evaluated& e = (*evaluated)[i];
      result.is_array = e.is_array;
      for (const math::Message& m : e.messages) {
        MessageData message;
        message.code = m.code;
        message.value = m.value;
        result.messages.push_back(std::move(message));
      }
      for (math::Series& s : e.series) {
        QueriedSeries& series = result.series.emplace_back();
        const bool own_label = queries_[i].metric_stat.has_value() || (e.is_array && !s.label.empty());
        series.default_label = own_label ? s.label : queries_[i].id;
        if ((queries_[i].metric_stat || e.is_array) && s.source >= 0)
          series.source = sources_[static_cast<std::size_t>(s.source)];
        series.series = std::move(s);
      }
    }
    return Ok{};
  }

  const MetricQueryContext& context_;
  std::span<const MetricDataQuery> queries_;
  const MetricStore& store_;
  QueryResults out_;
  std::vector<math::Query> given_;
  std::vector<SeriesSource> sources_;  // by Series::source
};

}  // namespace

Result<QueryResults> run_queries(const MetricQueryContext& context, std::span<const MetricDataQuery> queries) {
  return Run(context, queries).run();
}

}  // namespace fog::cloudwatch
