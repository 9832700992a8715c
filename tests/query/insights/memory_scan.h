// A Scan over events held in a vector, for tests: blocks of a chosen size, columns of the types a
// store would choose, predicates answered as strictly as the contract allows.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "query/insights/scan.h"

namespace fog::insights::test {

struct Event {
  std::int64_t timestamp_ms = 0;
  std::string message;
  std::string stream = "default";
  std::string group = "/group";
};

// The discovered fields of a message, by the rules of section 6 of the language, plainly.
std::vector<std::pair<std::string, std::string>> discover(const std::string& message);

class MemoryScan final : public Scan {
 public:
  explicit MemoryScan(std::vector<Event> events, std::size_t block_rows = 4) ;
  Result<ScanBlocks> open(const ScanRequest& request) override;
  std::string_view log_name(LogGroupId group) override { return groups_[group]; }
  std::string_view stream_name(LogStreamId stream) override { return streams_[stream]; }
  std::string pointer(LogGroupId group, LogStreamId stream, std::int64_t timestamp_ms, LogSequence sequence) override;

  const std::vector<Event>& events() const { return events_; }
  std::size_t opened = 0;     // blocks handed out
  std::string region_name = "us-east-1";
  std::string_view region() override { return region_name; }

  struct Row {
    const Event* event;
    LogSequence sequence;
    std::size_t stream;
    std::map<std::string, std::string> fields;
  };

 private:
  std::vector<Event> events_;
  std::size_t block_rows_;
  std::vector<std::string> groups_, streams_;
  std::vector<std::vector<Row>> blocks_;  // each of one group, ascending
  std::vector<std::size_t> block_group_;
};

}  // namespace fog::insights::test
