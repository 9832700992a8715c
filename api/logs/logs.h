// Logs: the service as one object: which groups and streams exist, their settings, their listeners.
//
// Groups and streams are documents of the resource store ("log-group", "log-stream"), mirrored here
// by name; events are in the log store under their ids. Handlers find this object through their
// Call; main opens it, gives it listeners and runs its workers.
//
// Threads: any. Changes of what exists go one after another; readers never wait for the disk.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "api/common/call.h"
#include "api/common/log_listener.h"
#include "api/common/log_sink.h"
#include "api/common/resettable.h"
#include "api/logs/documents.h"
#include "storage/base/clock.h"
#include "storage/base/guarded.h"
#include "storage/log_store.h"
#include "storage/resource_store.h"

namespace fog::logs {

struct StreamEntry {
  LogStreamId id = 0;
  std::int64_t creation_ms = 0;
};

struct Streams {
  std::map<std::string, StreamEntry, std::less<>> by_name;
  std::unordered_map<LogStreamId, std::string> names;
};

// One log group. Its identity never changes; the rest lies behind locks.
struct Group {
  LogGroupId id = 0;
  std::string account{};
  std::string region{};
  std::string name{};
  Guarded<StoredLogGroup> settings;
  Guarded<Streams> streams;
  std::atomic<LogSequence> last_sequence{0};  // of what came in since the start; 0: nothing

  std::optional<StreamEntry> stream(std::string_view stream_name) const {
    const auto all = streams.lock_shared();
    const auto it = all->by_name.find(stream_name);
    return it == all->by_name.end() ? std::nullopt : std::optional(it->second);
  }
  std::string stream_name(LogStreamId stream_id) const {
    const auto all = streams.lock_shared();
    const auto it = all->names.find(stream_id);
    return it == all->names.end() ? std::string() : it->second;
  }
};
using GroupPtr = std::shared_ptr<Group>;
class EventRules;

class Logs final : public LogSink, public Resettable {
 public:
  struct Deps {
    ResourceStore& resources;
    LogStore& store;
    Wal& wal;
    const Clock& clock;
  };
  // Reads the groups and streams that exist.
  explicit Logs(Deps deps);
  ~Logs() override;

  // Who knows how many metric filters a group has; before the first request.
  void count_metric_filters_with(std::function<std::int32_t(const Group&)> count) { metric_filters_ = std::move(count); }
  std::int32_t metric_filter_count(const Group& group) const { return metric_filters_ ? metric_filters_(group) : 0; }
  // Which fields beyond the service's own have a field index, instead of what policies say; before the
  // first request.
  void find_indexes_with(std::function<bool(const Group&, std::string_view)> indexed) { indexed_ = std::move(indexed); }
  bool is_indexed(const Group& group, std::string_view field) const;
  void add_listener(LogListener& listener) { listeners_.push_back(&listener); }  // before the first request

  GroupPtr find(std::string_view account, std::string_view region, std::string_view name) const;
  // By name, in order; `after` is an exclusive lower bound.
  std::vector<GroupPtr> list(std::string_view account, std::string_view region) const;
  std::vector<GroupPtr> all() const;
  // Of any account and region.
  GroupPtr by_id(LogGroupId id) const;

  // Errors: exists.
  Result<GroupPtr> create_group(std::string_view account, std::string_view region, std::string_view name, StoredLogGroup settings);
  // The LSN after which the events are gone for good. Error: not_found.
  Result<Lsn> delete_group(const GroupPtr& group);
  // Changes the settings and stores them. Error: not_found when the group has gone.
  Status change(const GroupPtr& group, const std::function<Status(StoredLogGroup&)>& edit);
  Status create_stream(const GroupPtr& group, std::string_view name);
  Result<Lsn> delete_stream(const GroupPtr& group, std::string_view name);

  struct Accepted {
    Lsn lsn = 0;
    std::size_t too_old_end = 0;    // events before this index are too old
    std::size_t expired_end = 0;    // ... are older than the group keeps them
    std::size_t too_new_start = SIZE_MAX;
  };
  // Stores what is acceptable of events in chronological order and tells the listeners.
  Result<Accepted> put_events(Group& group, std::string_view stream_name, StreamEntry stream, std::span<const LogEventIn> events,
                              std::vector<std::pair<std::string, std::string>> fields, Timestamp now);
  // Events older than this are not shown (retention); INT64_MIN: all are.
  static std::int64_t oldest_visible_ms(const Group& group, Timestamp now);

  Result<Outcome> put_logs(std::string_view account, std::string_view region, std::string_view group, std::string_view stream,
                           std::span<const LogEventIn> events, bool create) override;
  Status reset(std::string_view account, std::string_view region) override;

  // Data protection and transformers (masking.h).
  EventRules& rules() { return *rules_; }
  // The sequence number of the newest event of a group, as far as known; 0: it has none.
  Result<LogSequence> last_sequence(const Group& group);

  LogStore& store() { return deps_.store; }
  const Clock& clock() const { return deps_.clock; }
  ResourceStore& resources() { return deps_.resources; }

 private:
  using ScopeKey = std::pair<std::string, std::string>;  // account, region
  struct Index {
    std::map<ScopeKey, std::map<std::string, GroupPtr, std::less<>>> by_scope;
    std::unordered_map<LogGroupId, GroupPtr> by_id;
  };
  void forget(const GroupPtr& group);

  Deps deps_;
  Guarded<Index> index_;
  std::mutex changes_;  // held while the resource store is written, so that two creators cannot both win
  std::vector<LogListener*> listeners_;
  std::unique_ptr<EventRules> rules_;
  std::function<std::int32_t(const Group&)> metric_filters_;
  std::function<bool(const Group&, std::string_view)> indexed_;
};

}  // namespace fog::logs
