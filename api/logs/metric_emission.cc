#include "api/logs/metric_emission.h"

#include <cmath>

#include "api/codec/text.h"
#include "query/emf/emf.h"
#include "storage/base/log.h"

namespace fog::logs {
namespace {

constexpr std::int64_t kMinuteMs = 60'000;
// Datums keep single values while few; beyond, several datums share the minute.
constexpr std::size_t kValuesMax = 500;
constexpr std::string_view kLambdaNamespace = "AWS/Lambda";
constexpr std::string_view kOwnLambdaNamespace = "Fogwatch/Lambda";
constexpr Millis kEmbeddedPastMax = std::chrono::hours(14 * 24);
constexpr Millis kEmbeddedFutureMax = std::chrono::hours(2);

std::int64_t minute_of(std::int64_t ms) { return ms - ((ms % kMinuteMs) + kMinuteMs) % kMinuteMs; }

}  // namespace

void MetricEmission::sample(Gathered& to, const MetricRule& rule, std::int64_t minute_ms, const std::vector<std::string>& dimensions,
                            double value, double count) {
  std::string key = rule.metric_namespace + '\n' + rule.metric_name + '\n' + static_cast<char>('A' + rule.unit);
  append_integer(minute_ms, key);
  for (std::size_t i = 0; i < dimensions.size(); ++i) key += '\n' + rule.dimensions[i].first + '\n' + dimensions[i];
  for (const auto& [name, text] : rule.system_dimensions) key += '\n' + name + '\n' + text;
  Series& series = to.series[key];
  if (series.counts.empty()) {
    SinkDatum& datum = series.datum;
    datum.metric_namespace = rule.metric_namespace;
    datum.metric_name = rule.metric_name;
    datum.time = from_ms(minute_ms);
    datum.unit = rule.unit;
    for (std::size_t i = 0; i < dimensions.size(); ++i) datum.dimensions.emplace_back(rule.dimensions[i].first, dimensions[i]);
    datum.dimensions.insert(datum.dimensions.end(), rule.system_dimensions.begin(), rule.system_dimensions.end());
  }
  series.counts[value] += count;
}

void MetricEmission::add_filters(const EventBatch& batch, const std::function<void(const FilterMinute&)>& on_default) {
  Gathered& to = scopes_[{batch.account, batch.region}];
  std::vector<std::string> transformed, dimensions;
  std::vector<std::int64_t> matched_minutes;
  for (const MetricRule& rule : batch.plan->metrics) {
    if (rule.created_ms > batch.ingestion_ms) continue;  // a replayed event from before the filter
    const bool simple = rule.constant && rule.dimensions.empty() && !rule.on_transformed;
    matched_minutes.clear();
    const auto matched = [&](std::int64_t minute) {
      if (rule.default_value && (matched_minutes.empty() || matched_minutes.back() != minute)) matched_minutes.push_back(minute);
    };
    if (simple && rule.pattern.pattern->matches_all()) {
      // Everything counts: one sample a minute is enough.
      for (std::size_t i = 0; i < batch.events.size();) {
        const std::int64_t minute = minute_of(batch.events[i].timestamp_ms);
        std::size_t end = i;
        while (end < batch.events.size() && minute_of(batch.events[end].timestamp_ms) == minute) ++end;
        sample(to, rule, minute, {}, *rule.constant, static_cast<double>(end - i));
        matched(minute);
        i = end;
      }
    } else {
      transformed.clear();
      const std::vector<std::size_t> rows = matching(rule.pattern, batch, rule.on_transformed, &transformed);
      for (std::size_t k = 0; k < rows.size(); ++k) {
        const std::size_t i = rows[k];
        const std::int64_t minute = minute_of(batch.events[i].timestamp_ms);
        matched(minute);
        const std::string_view message = transformed.empty() ? batch.message(i) : std::string_view(transformed[k]);
        double value = 0;
        if (rule.constant) {
          value = *rule.constant;
        } else {
          const auto text = rule.pattern.pattern->value(message, rule.selector);
          const auto number = text ? parse_double(*text) : std::nullopt;
          if (!number || !std::isfinite(*number)) continue;
          value = *number;
        }
        dimensions.clear();
        for (const auto& dimension : rule.dimensions) {
          auto text = rule.pattern.pattern->value(message, dimension.second);
          if (!text || text->empty()) break;
          dimensions.push_back(std::move(*text));
        }
        if (dimensions.size() == rule.dimensions.size()) sample(to, rule, minute, dimensions, value, 1);
      }
    }
    if (!rule.default_value) continue;
    std::int64_t last = INT64_MIN;
    for (const EventBatch::Event& event : batch.events) {
      const std::int64_t minute = minute_of(event.timestamp_ms);
      if (minute == last) continue;
      last = minute;
      on_default({&rule, minute, std::find(matched_minutes.begin(), matched_minutes.end(), minute) != matched_minutes.end()});
    }
  }
}

MetricEmission::Embedded MetricEmission::add_embedded(const EventBatch& batch, Timestamp now) {
  Embedded counts;
  for (std::size_t i = 0; i < batch.events.size(); ++i) {
    const std::string_view message = batch.message(i);
    if (!emf::may_be_document(message)) continue;
    emf::Extraction found = emf::extract(message);
    if (!found.is_document) continue;
    ++counts.documents;
    counts.parsing_errors += found.parsing_errors;
    counts.validation_errors += found.validation_errors;
    if (found.data.empty()) continue;
    const Timestamp time = from_ms(found.timestamp_ms.value_or(batch.events[i].timestamp_ms));
    if (time < now - kEmbeddedPastMax || time > now + kEmbeddedFutureMax) {
      ++counts.validation_errors;
      continue;
    }
    Gathered& to = scopes_[{batch.account, batch.region}];
    for (emf::Datum& each : found.data) {
      SinkDatum& datum = to.others.emplace_back();
      datum.metric_namespace = std::move(each.metric_namespace);
      datum.metric_name = std::move(each.metric_name);
      datum.dimensions = std::move(each.dimensions);
      datum.time = time;
      datum.unit = unit_code(each.unit).value_or(kUnitNone);
      datum.high_resolution = each.high_resolution;
      datum.values = std::move(each.values);
    }
  }
  return counts;
}

void MetricEmission::add_lambda(const EventBatch& batch, LambdaStates& states) {
  Gathered& to = scopes_[{batch.account, batch.region}];
  const auto put = [&](std::string_view ns, std::string_view name, std::string_view unit, std::int64_t at_ms, double value) {
    SinkDatum& datum = to.others.emplace_back();
    datum.metric_namespace = ns;
    datum.metric_name = name;
    datum.dimensions = {{"FunctionName", batch.plan->lambda_function}};
    datum.time = from_ms(at_ms);
    datum.unit = unit_code(unit).value_or(kUnitNone);
    datum.values = {value};
  };
  for (std::size_t i = 0; i < batch.events.size(); ++i) {
    const auto line = read_lambda_line(batch.message(i));
    if (!line) continue;
    const std::int64_t at_ms = batch.events[i].timestamp_ms;
    LambdaState& state = states[batch.stream];
    const auto fail = [&] {
      if (state.failed) return;
      state.failed = true;
      put(kLambdaNamespace, "Errors", "Count", at_ms, 1);
    };
    switch (line->kind) {
      case LambdaLine::Kind::kStart: {
        state = {.running = true, .failed = false};
        double running = 0;
        for (const auto& each : states) running += each.second.running ? 1 : 0;
        put(kLambdaNamespace, "ConcurrentExecutions", "Count", at_ms, running);
        break;
      }
      case LambdaLine::Kind::kEnd: state.running = false; break;
      case LambdaLine::Kind::kError: fail(); break;
      case LambdaLine::Kind::kReport:
        if (line->failed) fail();
        put(kLambdaNamespace, "Invocations", "Count", at_ms, 1);
        put(kLambdaNamespace, "Throttles", "Count", at_ms, 0);
        if (!state.failed) put(kLambdaNamespace, "Errors", "Count", at_ms, 0);
        if (line->duration_ms) put(kLambdaNamespace, "Duration", "Milliseconds", at_ms, *line->duration_ms);
        if (line->billed_ms) put(kOwnLambdaNamespace, "BilledDuration", "Milliseconds", at_ms, *line->billed_ms);
        if (line->init_ms) put(kOwnLambdaNamespace, "InitDuration", "Milliseconds", at_ms, *line->init_ms);
        if (line->memory_mb) put(kOwnLambdaNamespace, "MemorySize", "Megabytes", at_ms, *line->memory_mb);
        if (line->memory_used_mb) put(kOwnLambdaNamespace, "MaxMemoryUsed", "Megabytes", at_ms, *line->memory_used_mb);
        state = {};
        break;
    }
  }
}

void MetricEmission::add(SinkDatum datum, std::string_view account, std::string_view region) {
  scopes_[{std::string(account), std::string(region)}].others.push_back(std::move(datum));
}

std::vector<MetricEmission::Share> MetricEmission::take() {
  std::vector<Share> shares;
  for (auto& [scope, gathered] : scopes_) {
    Share share{scope.first, scope.second, std::move(gathered.others)};
    for (auto& entry : gathered.series) {
      Series& series = entry.second;
      SinkDatum datum = series.datum;
      for (const auto& [value, count] : series.counts) {
        datum.values.push_back(value);
        datum.counts.push_back(count);
        if (datum.values.size() < kValuesMax) continue;
        share.datums.push_back(datum);
        datum.values.clear();
        datum.counts.clear();
      }
      if (!datum.values.empty()) share.datums.push_back(std::move(datum));
    }
    if (!share.datums.empty()) shares.push_back(std::move(share));
  }
  scopes_.clear();
  return shares;
}

}  // namespace fog::logs
