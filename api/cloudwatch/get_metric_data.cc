// GetMetricData: runs the queries over the whole range, then hands the points out in pages.
#include <fmt/format.h>

#include "api/cloudwatch/labels.h"
#include "api/cloudwatch/metric_queries.h"
#include "api/cloudwatch/model.h"
#include "api/cloudwatch/service.h"
#include "api/codec/json.h"
#include "api/common/meters.h"
#include "storage/base/bytes.h"
#include "storage/base/hash.h"

namespace fog::cloudwatch {
namespace {

constexpr std::int32_t kDatapointsMax = 100'800;

// Where a page begins: the result, and the last time already handed out of it.
struct Position {
  std::uint64_t result = 0;
  std::optional<std::int64_t> after_ms;
};

std::string encode(const Position& p) {
  std::string key;
  ByteWriter out(key);
  out.varint(p.result);
  out.fixed(static_cast<std::uint8_t>(p.after_ms ? 1 : 0));
  out.zigzag(p.after_ms.value_or(0));
  return key;
}

std::optional<Position> decode(std::string_view key) {
  ByteReader in(key);
  Position p;
  p.result = in.varint();
  const bool has_time = in.fixed<std::uint8_t>() != 0;
  const std::int64_t time = in.zigzag();
  if (!in.ok() || !in.at_end()) return std::nullopt;
  if (has_time) p.after_ms = time;
  return p;
}

struct Shown {
  std::string id;
  std::string label;
  metric_math::Series series;
  std::vector<MessageData> messages;
};

// What GetMetricData is billed by: metrics named in queries, and those that a search or a query of Metrics Insights found.
std::uint64_t metrics_requested(const QueryResults& run) {
  std::uint64_t metrics = 0;
  for (const QueryResult& result : run.results) {
    const MetricDataQuery& query = *result.query;
    const bool finds = query.expression && (query.expression->find("SEARCH") != std::string::npos || query.expression->find("SELECT") != std::string::npos);
    metrics += query.metric_stat ? 1 : finds ? result.series.size() : 0;
  }
  return metrics;
}

Result<GetMetricDataOutput> get_metric_data(Call& call, const GetMetricDataInput& in) {
  TRYV(check_queries(in.metric_data_queries, "MetricDataQueries"));
  if (in.start_time == in.end_time) return validation("The parameter StartTime must not equal parameter EndTime.");
  if (in.start_time > in.end_time) return validation("The parameter EndTime must be greater than StartTime.");
  int utc_offset = 0;
  if (in.label_options && in.label_options->timezone) {
    const auto offset = parse_utc_offset(*in.label_options->timezone);
    if (!offset)
      return validation(
          fmt::format("The value {} for parameter LabelOptions.Timezone is invalid.", *in.label_options->timezone));
    utc_offset = *offset;
  }
  if (in.max_datapoints && *in.max_datapoints < 1)
    return validation("The parameter MaxDatapoints must be greater than or equal to 1.");
  GetMetricDataInput parameters = in;
  parameters.next_token.reset();
  const std::uint64_t hash = hash64(encode_json(parameters));
  Position position;
  if (in.next_token) {
    const auto key = page_key("GetMetricData", hash, *in.next_token);
    const auto decoded = key ? decode(*key) : std::nullopt;
    if (!decoded) return fault(InvalidNextToken{.message = "The specified token is not valid."});
    position = *decoded;
  }

  MetricQueryContext context;
  context.services = call.services;
  context.account = call.account;
  context.region = call.region;
  context.now = call.now;
  context.start = in.start_time;
  context.end = in.end_time;
  TRY(QueryResults run, run_queries(context, in.metric_data_queries));
  if (!in.next_token) count_use(call, Meter::kMetricsRequested, metrics_requested(run));

  std::vector<Shown> shown;
  for (QueryResult& result : run.results) {
    const MetricDataQuery& query = *result.query;
    if (!query.return_data.value_or(true)) continue;
    for (QueriedSeries& s : result.series) {
      const LabelFacts facts{&s.series, s.default_label, s.source ? &*s.source : nullptr, call.now, utc_offset};
      std::string label = s.default_label;
      if (query.label) {
        label = expand_label(*query.label, facts);
        // A label without placeholders goes before each metric's own in an array.
        if (result.is_array && query.label->find("${") == std::string::npos)
          label = query.label->empty() ? s.default_label : *query.label + " " + s.default_label;
      }
      shown.push_back({query.id, std::move(label), std::move(s.series), {}});
    }
    if (result.messages.empty()) continue;
    if (result.series.empty()) shown.push_back({query.id, query.label.value_or(query.id), {}, {}});
    shown.back().messages = std::move(result.messages);
  }

  GetMetricDataOutput out;
  out.messages = std::move(run.messages);
  auto& results = out.metric_data_results.emplace();
  const bool ascending = in.scan_by == ScanBy::TimestampAscending;
  auto budget = static_cast<std::size_t>(std::min(in.max_datapoints.value_or(kDatapointsMax), kDatapointsMax));
  std::optional<Position> next;
  for (std::size_t r = position.result; r < shown.size(); ++r) {
    Shown& from = shown[r];
    MetricDataResult& to = results.emplace_back();
    to.id = from.id;
    to.label = std::move(from.label);
    auto& times = to.timestamps.emplace();
    auto& values = to.values.emplace();
    if (!from.messages.empty()) to.messages = std::move(from.messages);
    const std::size_t n = from.series.size();
    std::size_t i = 0;
    if (r == position.result && position.after_ms) {
      const auto& t = from.series.time_ms;
      i = ascending
              ? static_cast<std::size_t>(std::upper_bound(t.begin(), t.end(), *position.after_ms) - t.begin())
              : static_cast<std::size_t>(t.end() - std::lower_bound(t.begin(), t.end(), *position.after_ms));
    }
    const std::size_t end = i + std::min(n - i, budget);
    times.reserve(end - i);
    values.reserve(end - i);
    std::optional<std::int64_t> last;
    if (r == position.result) last = position.after_ms;
    for (; i < end; ++i) {
      const std::size_t at = ascending ? i : n - 1 - i;
      last = from.series.time_ms[at];
      times.push_back(from_ms(*last));
      values.push_back(from.series.value[at]);
    }
    budget -= times.size();
    to.status_code = end < n ? StatusCode::PartialData : StatusCode::Complete;
    if (end < n && !next) next = Position{r, last};
  }
  if (next) out.next_token = page_token("GetMetricData", hash, encode(*next));
  return out;
}

constexpr Operation kOperations[] = {heavy(bind<get_metric_data>())};

}  // namespace

std::span<const Operation> metric_data_operations() { return kOperations; }

}  // namespace fog::cloudwatch
