// AlarmBook: all alarms of all accounts, in memory for every read and written through to the
// resource store together with their history.
//
// Entries are immutable; a change puts a new one in its place. Handlers and the engine hold
// changes() while they read, decide and write. Threads: any.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/cloudwatch/alarm_documents.h"
#include "query/alarm_rules/composite.h"
#include "query/alarm_rules/evaluate.h"
#include "query/alarm_rules/mute_schedule.h"
#include "query/alarm_rules/time_zone.h"
#include "query/statistics/statistic.h"
#include "storage/base/guarded.h"
#include "storage/resource_store.h"
#include "storage/wal/resource_log.h"

namespace fog::cloudwatch {

struct AlarmKey {
  std::string account;
  std::string region;
  std::string name;
  auto operator<=>(const AlarmKey&) const = default;
};

struct AlarmEntry {
  AlarmKey key{};
  AlarmType type = AlarmType::MetricAlarm;
  StoredAlarm document{};  // the member of `type` is set
  std::uint64_t version = 0;  // grows with every configuration, so that a late verdict is recognised

  // Worked out once from the document.
  alarm_rules::Rules rules{};
  std::optional<fog::Statistic> statistic{};
  bool is_band = false;
  bool keeps_on_few_samples = false;  // EvaluateLowSampleCountPercentile=ignore
  std::optional<alarm_rules::TimeZone> wall_clock{};
  std::shared_ptr<const alarm_rules::CompositeRule> rule{};

  // The members all three kinds share.
  template <typename F>
  decltype(auto) visit(F&& f) const {
    switch (type) {
      case AlarmType::CompositeAlarm: return f(*document.composite);
      case AlarmType::LogAlarm: return f(*document.log);
      case AlarmType::MetricAlarm: break;
    }
    return f(*document.metric);
  }
  template <typename F>
  decltype(auto) change(F&& f) {
    switch (type) {
      case AlarmType::CompositeAlarm: return f(*document.composite);
      case AlarmType::LogAlarm: return f(*document.log);
      case AlarmType::MetricAlarm: break;
    }
    return f(*document.metric);
  }
  StateValue state() const;
  const std::string& arn() const;
  std::string reason() const;
  std::string reason_data() const;
  Timestamp state_updated() const;
  bool actions_enabled() const;
  const std::vector<std::string>& actions(StateValue state) const;
};
using AlarmPtr = std::shared_ptr<const AlarmEntry>;

struct MuteRuleEntry {
  AlarmKey key{};
  StoredMuteRule document{};
  std::shared_ptr<const alarm_rules::MuteSchedule> schedule{};

  // The window that holds actions back at `now`, cut by start and expiry.
  std::optional<alarm_rules::Bucket> active_at(Timestamp now) const;
  AlarmMuteRuleStatus status(Timestamp now) const;
  std::optional<Timestamp> next_start(Timestamp now) const;
};
using MuteRulePtr = std::shared_ptr<const MuteRuleEntry>;

// One line of DescribeAlarmHistory.
struct HistoryRecord {
  AlarmKey key{};
  AlarmHistoryItem item{};
};

class AlarmBook {
 public:
  // Without a log every change is written (and synced) at once.
  explicit AlarmBook(ResourceStore& store, ResourceLog* log = nullptr) : store_(store), log_(log) {}
  Status load();
  void forget(std::string_view account, std::string_view region);

  std::mutex& changes() { return changes_; }
  // What callers of a change wait for before they say that it is done; 0: nothing to wait for.
  Lsn last_lsn() const { return log_ == nullptr ? 0 : log_->last_lsn(); }

  AlarmPtr find(const AlarmKey& key) const;
  // By name or ARN, within an account and region.
  AlarmPtr resolve(std::string_view account, std::string_view region, std::string_view reference) const;
  // Of a scope, by name.
  std::vector<AlarmPtr> list(std::string_view account, std::string_view region) const;
  std::vector<AlarmPtr> all() const;
  std::size_t size() const;
  // Composites whose rule or suppressor names this alarm.
  std::vector<AlarmPtr> parents(const AlarmEntry& child) const;
  // Children (not the suppressor) by reference; null where one does not exist.
  std::vector<AlarmPtr> children(const AlarmEntry& composite) const;

  MuteRulePtr mute_rule(const AlarmKey& key) const;
  std::vector<MuteRulePtr> mute_rules(std::string_view account, std::string_view region) const;
  std::vector<MuteRulePtr> all_mute_rules() const;
  Status put_mute_rule(StoredMuteRule rule, const AlarmKey& key);
  Status erase_mute_rule(const AlarmKey& key);

  // Writes alarms (new or changed) and history in one batch. changes() is held by the caller.
  Status save(std::vector<std::shared_ptr<AlarmEntry>> alarms, std::vector<HistoryRecord> history);
  Status erase(const std::vector<AlarmPtr>& alarms, std::vector<HistoryRecord> history);

  struct HistoryQuery {
    std::string account;
    std::string region;
    std::string name;  // empty: all alarms
    std::optional<Timestamp> start{};
    std::optional<Timestamp> end{};
    bool newest_first = true;
    std::string after;  // order key of the last shown; empty: from the start
    std::size_t limit = 100;
    std::function<bool(const AlarmHistoryItem&)> keep{};
  };
  struct HistoryPage {
    std::vector<AlarmHistoryItem> items;
    std::string last;  // order key of the last item, when more follow
  };
  HistoryPage history(const HistoryQuery& query) const;
  // Forgets items older than this.
  Status trim_history(Timestamp before);

 private:
  struct Index {
    std::map<AlarmKey, AlarmPtr> alarms;
    std::map<AlarmKey, MuteRulePtr> mute_rules;
    // (account, region, reference as written) -> composites that name it.
    std::map<AlarmKey, std::set<AlarmKey>> named_by;
  };
  static void insert(Index& index, const AlarmPtr& alarm);
  static void remove(Index& index, const AlarmKey& key);
  void add_history(std::vector<ResourceStore::Change>& batch, std::vector<HistoryRecord> history);
  Status write(std::vector<ResourceStore::Change> batch);

  ResourceStore& store_;
  ResourceLog* log_;
  std::mutex changes_;
  Guarded<Index> index_;
};

// Fills in what is worked out from the document. kInvalid: the document contradicts itself.
Status prepare(AlarmEntry& entry);
std::string_view kind_of(AlarmType type);
std::optional<alarm_rules::State> to_rules_state(StateValue state);
StateValue from_rules_state(alarm_rules::State state);

}  // namespace fog::cloudwatch
