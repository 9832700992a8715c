// MetricEmission: gathers the metrics that follow from events: of metric filters, of embedded metrics,
// of Lambda's platform lines. Samples of one minute of one metric become one datum.
//
// Threads: one at a time.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/common/metric_sink.h"
#include "api/logs/event_batch.h"
#include "api/logs/lambda_lines.h"

namespace fog::logs {

// What became of a filter with a default value in one minute of events.
struct FilterMinute {
  const MetricRule* rule = nullptr;
  std::int64_t minute_ms = 0;
  bool matched = false;
};

// Per stream of a Lambda group: the invocation under way.
struct LambdaState {
  bool running = false;
  bool failed = false;
};
using LambdaStates = std::unordered_map<LogStreamId, LambdaState>;

class MetricEmission {
 public:
  struct Embedded {
    std::uint64_t documents = 0, parsing_errors = 0, validation_errors = 0;
  };

  // Matches of the metric filters; tells each minute of those with a default value.
  void add_filters(const EventBatch& batch, const std::function<void(const FilterMinute&)>& on_default);
  Embedded add_embedded(const EventBatch& batch, Timestamp now);
  // `states`: of the function, by stream.
  void add_lambda(const EventBatch& batch, LambdaStates& states);
  void add(SinkDatum datum, std::string_view account, std::string_view region);

  struct Share {
    std::string account;
    std::string region;
    std::vector<SinkDatum> datums;
  };
  // Everything so far, one share an account and region; empties this.
  std::vector<Share> take();

 private:
  struct Series {
    SinkDatum datum;
    std::map<double, double> counts;
  };
  using Scope = std::pair<std::string, std::string>;
  struct Gathered {
    std::unordered_map<std::string, Series> series;  // by all that identifies a minute of a metric
    std::vector<SinkDatum> others;
  };
  void sample(Gathered& to, const MetricRule& rule, std::int64_t minute_ms, const std::vector<std::string>& dimensions, double value,
              double count);

  std::map<Scope, Gathered> scopes_;
};

}  // namespace fog::logs
