// MetricStreamWorker: sends what metric streams promise: one record per metric, unit and minute, half
// a minute after the minute has ended.
//
// Where a stream's records go is configuration: the Firehose ARN is a name that maps to an HTTP(S)
// endpoint (the request of Firehose's HTTP destination), to a folder of files, or to nothing (records
// are counted and dropped). Data that was published while a stream was stopped is never sent. Data that comes late, by
// a quarter of an hour at most, brings a further record of its minute. What a destination refuses is sent again, with
// growing pauses, for an hour.
// Threads: tick from one at a time; answers of endpoints come on threads of Outbound.
#pragma once

#include <atomic>
#include <deque>
#include <filesystem>
#include <map>
#include <string>
#include <unordered_map>

#include "storage/base/guarded.h"
#include "storage/base/outbound.h"
#include "storage/base/random.h"
#include "storage/base/worker.h"
#include "storage/metric_store.h"
#include "storage/resource_store.h"

namespace fog::cloudwatch {

struct StreamDestination {
  std::string url;               // http or https; else
  std::filesystem::path folder;  // files of records; both empty: dropped
  std::string access_key;        // of X-Amz-Firehose-Access-Key
};

class MetricStreamWorker final : public Worker {
 public:
  struct Deps {
    const MetricStore& metrics;
    const ResourceStore& resources;
    Outbound* outbound = nullptr;  // null: endpoints count as nothing
    Random& random;
  };
  MetricStreamWorker(Deps deps, std::map<std::string, StreamDestination> destinations)
      : deps_(deps), destinations_(std::move(destinations)) {}

  std::string_view name() const override { return "metric-streams"; }
  std::optional<Timestamp> next_due(Timestamp now) override;
  void tick(Timestamp now) override;
  bool idle() override { return under_way_ == 0; }

  static constexpr Millis kRetryFor{3'600'000};

  std::uint64_t records() const { return records_; }
  std::uint64_t failures() const { return failures_; }  // attempts that a destination refused
  std::uint64_t dropped() const { return dropped_; }    // batches given up

 private:
  // Records on their way to a destination.
  struct Batch {
    StreamDestination destination;
    std::string file_name;  // in a folder
    std::string id;
    std::string records;
    Timestamp made;
    Timestamp next_try;
    int attempts = 0;
  };
  struct Waiting {
    std::deque<Batch> batches;
    std::size_t bytes = 0;
  };

  void emit(const Resource& stream, Timestamp from, Timestamp to, Timestamp now);
  void send(Batch batch, Timestamp now);
  void refused(Batch batch, Timestamp now);
  void send_again(Timestamp now);

  Deps deps_;
  std::map<std::string, StreamDestination> destinations_;
  std::int64_t sent_until_ms_ = 0;  // minutes before are done
  std::int64_t begun_ms_ = 0;       // minutes before were another process's
  // How many observations of a slot went out last, by stream, series, unit and slot: so late ones are noticed.
  struct SlotKey {
    std::uint64_t stream = 0;
    SeriesId series = 0;
    std::int64_t start_ms = 0;
    UnitCode unit = 0;
    bool operator==(const SlotKey&) const = default;
  };
  struct SlotHash {
    std::size_t operator()(const SlotKey& k) const;
  };
  std::unordered_map<SlotKey, double, SlotHash> counts_;
  Guarded<Waiting> waiting_;
  std::atomic<std::uint64_t> records_{0};
  std::atomic<std::uint64_t> failures_{0};
  std::atomic<std::uint64_t> dropped_{0};
  std::atomic<int> under_way_{0};
};

}  // namespace fog::cloudwatch
