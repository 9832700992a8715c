// StatsD: lines of a datagram to CloudWatch datums.
//
//   name:value[:value...]|type[|@rate][|#tag:value,tag ...]      type: c, g, ms, h, d, s
//   c  counter   value / rate: Sum is the count          g  gauge: the value; +n and -n change the last one
//   ms h d       value with weight 1 / rate (ms: Milliseconds)    s  set: how many different values a minute saw
// Tags are dimensions (a tag without a value: "true"); every datum bears metric_type as the CloudWatch agent's do
// (counter, gauge, timing, histogram, distribution, set). Namespace: the door's.
// Threads: one at a time.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "api/common/metric_sink.h"

namespace fog::otlp {

class Statsd {
 public:
  explicit Statsd(std::string metric_namespace) : namespace_(std::move(metric_namespace)) {}

  // Appends the datums of the datagram's lines; gives how many lines were none.
  std::size_t take(std::string_view datagram, Timestamp now, std::vector<SinkDatum>& out);
  // Sets of minutes that have ended.
  void close(Timestamp now, std::vector<SinkDatum>& out);
  // When there will be something to close; nothing: no set is open.
  std::optional<Timestamp> next_close(Timestamp now) const;

 private:
  struct Set {
    SinkDatum datum;
    std::int64_t minute = 0;
    std::unordered_set<std::string> values;
  };
  bool take_line(std::string_view line, Timestamp now, std::vector<SinkDatum>& out);

  std::string namespace_;
  std::map<std::string, double, std::less<>> gauges_;  // by name and tags as they came
  std::map<std::string, Set, std::less<>> sets_;
};

}  // namespace fog::otlp
