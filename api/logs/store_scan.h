// StoreScan: gives the query engine the events of log groups.
#pragma once

#include <deque>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/logs/logs.h"
#include "query/insights/scan.h"

namespace fog::logs {

// The opaque @ptr of an event.
struct EventPointer {
  LogGroupId group = 0;
  LogStreamId stream = 0;
  std::int64_t timestamp_ms = 0;
  LogSequence sequence = 0;
};
std::string encode_pointer(const EventPointer& pointer);
std::optional<EventPointer> decode_pointer(std::string_view text);

class StoreScan final : public insights::Scan {
 public:
  StoreScan(Logs& logs, std::string account, std::string region, std::vector<GroupPtr> groups, Timestamp now)
      : logs_(logs), account_(std::move(account)), region_(std::move(region)), groups_(std::move(groups)), now_(now) {}

  // The groups that a SOURCE clause names. Errors: not_found (text of StartQuery), limit.
  static Result<std::vector<GroupPtr>> resolve(Logs& logs, std::string_view account, std::string_view region,
                                               const insights::Source& source);

  Result<insights::ScanBlocks> open(const insights::ScanRequest& request) override;
  std::string_view log_name(LogGroupId group) override;
  std::string_view stream_name(LogStreamId stream) override;
  bool discovers_fields(LogGroupId group) override;
  std::string_view region() override { return region_; }
  std::string pointer(LogGroupId group, LogStreamId stream, std::int64_t timestamp_ms, LogSequence sequence) override {
    return encode_pointer({group, stream, timestamp_ms, sequence});
  }

 private:
  void remember(const std::vector<GroupPtr>& groups);

  Logs& logs_;
  const std::string account_;
  const std::string region_;
  const std::vector<GroupPtr> groups_;
  const Timestamp now_;

  std::mutex mutex_;
  std::unordered_map<LogGroupId, GroupPtr> known_;
  std::unordered_map<LogGroupId, std::string> log_names_;
  std::unordered_map<LogStreamId, std::string> stream_names_;
};

// "Log group '<name>' does not exist for account ID '<account>'"
Error queried_group_missing(std::string_view name, std::string_view account);

}  // namespace fog::logs
