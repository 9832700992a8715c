// MetricStreamWorker: sends what metric streams promise: one record per metric, unit and minute, half
// a minute after the minute has ended.
//
// Where a stream's records go is configuration: the Firehose ARN is a name that maps to an HTTP(S)
// endpoint (the request of Firehose's HTTP destination), to a folder of files, or to nothing (records
// are counted and dropped). Data that was published while a stream was stopped is never sent.
// Threads: tick from one at a time; answers of endpoints come on threads of Outbound.
#pragma once

#include <atomic>
#include <filesystem>
#include <map>
#include <string>

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

  std::uint64_t records() const { return records_; }
  std::uint64_t failures() const { return failures_; }

 private:
  void emit(const Resource& stream, Timestamp from, Timestamp to);
  void send(const StreamDestination& destination, const std::string& stream, std::string records, Timestamp now);

  Deps deps_;
  std::map<std::string, StreamDestination> destinations_;
  std::int64_t sent_until_ms_ = 0;  // minutes before are done
  std::atomic<std::uint64_t> records_{0};
  std::atomic<std::uint64_t> failures_{0};
  std::atomic<int> under_way_{0};
};

}  // namespace fog::cloudwatch
