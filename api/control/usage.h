// Usage: what the traffic of this server would have cost on AWS.
//
// Three kinds of numbers come together: what handlers count (Meters), totals that others keep anyway (calls of
// operations, traces, deliveries) and of which the growth counts, and what stands (alarms, stored bytes), weighed
// with the virtual time it has stood. Custom metrics are paid by the hour in which they had data.
//
// Kept in one small file, written at most once a minute and at the end: a crash loses the last minute's count. A reset
// of data does not touch it; DELETE /_fogwatch/usage does. Threads: any; tick() one at a time.
#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "api/common/http_message.h"
#include "api/common/log_listener.h"
#include "api/common/meters.h"
#include "api/control/prices.h"
#include "storage/base/clock.h"
#include "storage/base/guarded.h"
#include "storage/base/worker.h"

namespace fog {

class Usage final : public Worker, public LogListener {
 public:
  struct Sources {
    // Only ever grows while the process lives (a fall is taken as a new beginning).
    std::vector<std::pair<Meter, std::function<double()>>> totals;
    // How much there is now.
    std::vector<std::pair<Meter, std::function<double()>>> standing;
    // Custom metrics of a place that have had data since then.
    std::function<double(const std::string& account, const std::string& region, Timestamp since)> active_metrics;
    std::function<bool(const CommittedLogBatch&)> is_infrequent;  // empty: never
  };

  // An empty file keeps nothing.
  Usage(std::filesystem::path file, const Clock& clock) : file_(std::move(file)), clock_(clock) {}
  // A file that cannot be read is set aside: counts start anew. Before start().
  void restore();
  // `prices` of the operator, over the built-in ones and what was kept.
  Status set_prices(std::string_view json);
  void start(Sources sources);

  Meters& meters() { return meters_; }

  // GET and DELETE /_fogwatch/usage; GET and PUT /_fogwatch/usage/prices.
  http::Response page(const http::Request& request);
  std::string report_json();
  void save();
  void stop();  // counts to the end and saves

  std::string_view name() const override { return "usage"; }
  std::optional<Timestamp> next_due(Timestamp now) override;
  void tick(Timestamp now) override;
  void on_log_batch(const CommittedLogBatch& batch) override;

 private:
  struct State {
    std::int64_t since_ms = 0;
    std::int64_t seen_ms = 0;  // up to here what stands has been weighed
    std::array<double, kMeterCount> amounts{};
    PriceTable prices;
  };
  void gather(Timestamp now, State& state);
  double count_active(Timestamp since) const;
  void clear(Timestamp now);

  std::filesystem::path file_;
  const Clock& clock_;
  Meters meters_;
  Sources sources_;
  std::vector<double> last_totals_;
  Guarded<State> state_;
  std::chrono::steady_clock::time_point saved_{};
  std::string saved_text_;
};

}  // namespace fog
