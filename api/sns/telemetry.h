// Telemetry: what the service tells about itself: delivery-status logs (one JSON event a delivery,
// for topics whose feedback roles are set), the AWS/SNS metrics, once a minute, and the segments of
// topics with active tracing.
// Threads: any; tick from one.
#pragma once

#include <array>
#include <map>

#include "api/common/log_sink.h"
#include "api/common/metric_sink.h"
#include "api/common/trace_sink.h"
#include "api/sns/delivery.h"
#include "api/sns/state.h"
#include "storage/base/guarded.h"
#include "storage/base/worker.h"

namespace fog::sns {

class Telemetry final : public Worker {
 public:
  struct Deps {
    SnsState& state;
    const Clock& clock;
    Random& random;
  };
  enum class Count : std::size_t {
    kPublished, kDelivered, kFailed, kFilteredOut, kFilteredOutByAttributes, kFilteredOutByBody, kFilteredOutNoAttributes,
    kFilteredOutInvalidBody, kRedriven, kRedriveFailed, kWithFindings, kWithoutFindings, kPublishBytes, kCounts
  };

  explicit Telemetry(Deps deps) : deps_(deps) {}
  // Known once the other services are there; before the first request.
  void set_sinks(LogSink* logs, MetricSink* metrics, TraceSink* traces) {
    logs_ = logs;
    metrics_ = metrics;
    traces_ = traces;
  }

  void count(std::string_view topic_arn, Count what, double by = 1);
  void report(const DeliveryReport& report);
  // Deliveries that arrived since the process began, by protocol.
  std::map<std::string, std::uint64_t> delivered() const { return *delivered_.lock_shared(); }
  // The trace header that a message published under `header` carries on. A topic with active tracing
  // and a sampled trace gets a segment of its own there, which becomes the parent.
  std::string trace(const TopicEntry& topic, std::string_view header, Timestamp published);
  // A delivery that an outbound data protection policy forbids.
  void denied(const StoredMessage& message, const StoredSubscription& subscription, std::string_view policy_name);
  // An event in a log group, made when it is missing.
  void log(std::string_view account, std::string_view region, std::string_view group, std::string_view text, Timestamp now);

  std::string_view name() const override { return "sns telemetry"; }
  std::optional<Timestamp> next_due(Timestamp now) override;
  void tick(Timestamp now) override;

 private:
  using Counts = std::array<double, static_cast<std::size_t>(Count::kCounts)>;
  void status_log(const DeliveryReport& report, bool success);
  void trace_delivery(const DeliveryReport& report);

  Deps deps_;
  LogSink* logs_ = nullptr;
  MetricSink* metrics_ = nullptr;
  TraceSink* traces_ = nullptr;
  Guarded<std::map<std::string, Counts, std::less<>>> counts_;  // by topic
  Guarded<std::optional<Timestamp>> due_;
  Guarded<std::map<std::string, std::uint64_t>> delivered_;
};

}  // namespace fog::sns
