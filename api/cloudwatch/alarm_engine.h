// AlarmEngine: evaluates alarms when they are due and carries out what their changes of state mean:
// history, composites above them, suppression and mute windows, actions, events.
//
// A worker: tick() evaluates everything due at `now`. Verdicts are reached without a lock and
// committed under the book's changes(); one that was overtaken by a change meanwhile is dropped, the
// next evaluation decides. Order of effects: state and history stored, event, composites, actions.
// Threads: handlers from any; tick from one.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "api/cloudwatch/alarm_book.h"
#include "api/cloudwatch/alarm_messages.h"
#include "api/common/resettable.h"
#include "api/common/services.h"
#include "api/common/topic_publisher.h"
#include "storage/base/outbound.h"
#include "storage/base/random.h"
#include "storage/base/worker.h"

namespace fog::cloudwatch {

struct AlarmOptions {
  // Functions' ARN prefix -> base URL of a service that can invoke them.
  std::map<std::string, std::string> function_targets{};
  std::vector<std::string> event_urls{};  // each receives every event
  std::string console_url = "http://127.0.0.1:4566";
  Millis grace{2'000};  // evaluate a window this long after it ended, for late data
};

class AlarmEngine final : public Worker, public Resettable {
 public:
  struct Deps {
    AlarmBook& book;
    const Services& services;  // MetricStore and what queries need
    const Clock& clock;
    Random& random;
    TopicPublisher* topics = nullptr;
    Outbound* outbound = nullptr;
  };
  AlarmEngine(Deps deps, AlarmOptions options) : deps_(deps), options_(std::move(options)) {}

  // After the book was loaded (or reloaded): schedules everything.
  void start(Timestamp now);
  void set_console_url(std::string url) { options_.console_url = std::move(url); }
  AlarmBook& book() { return deps_.book; }

  // --- for handlers; book().changes() is NOT held -----------------------------------------------
  // Stores a new or changed configuration and evaluates it soon (a composite: at once).
  Status put(std::shared_ptr<AlarmEntry> alarm, bool is_new, Timestamp now);
  // The caller holds changes() for the checks before; both erase with history.
  Status erase_locked(const std::vector<AlarmPtr>& alarms, Timestamp now);
  Status put_locked(std::shared_ptr<AlarmEntry> alarm, bool is_new, Timestamp now);
  Status set_state(const AlarmKey& key, StateValue state, std::string reason, std::optional<std::string> data, Timestamp now);
  Status enable_actions(const std::vector<AlarmKey>& keys, bool enabled, Timestamp now);
  // A mute rule came, went or changed.
  void mute_rules_changed();

  std::string_view name() const override { return "alarms"; }
  std::optional<Timestamp> next_due(Timestamp now) override;
  void tick(Timestamp now) override;
  Status reset(std::string_view account, std::string_view region) override;

 private:
  struct Outcome {
    AlarmPtr seen{};
    StateValue state = StateValue::OK;
    std::string reason{};
    std::string data{};
    std::optional<std::vector<StoredContributor>> contributors{};
    std::optional<EvaluationState> evaluation{};
    std::optional<std::vector<StoredRun>> runs{};  // of a log alarm
    std::vector<AlarmLogLine> log_lines{};         // of a log alarm that goes to ALARM
  };
  struct Work;  // what one commit gathers

  Outcome evaluate(const AlarmPtr& alarm, Timestamp now) const;
  Outcome evaluate_contributors(const AlarmPtr& alarm, const struct AlarmData& data, Timestamp now) const;
  Outcome evaluate_logs(const AlarmPtr& alarm, Timestamp now) const;
  // All below: changes() held.
  void commit(std::vector<Outcome> outcomes, Timestamp now);
  void change_state(Work& work, const AlarmPtr& alarm, StateValue state, std::string reason, std::optional<std::string> data,
                    Timestamp now);
  void flush(Work& work, Timestamp now);
  void reconsider_parents(Work& work, const AlarmTransition& cause, Timestamp now);
  void reconsider(Work& work, const AlarmPtr& composite, const AlarmTransition* cause, bool is_new, Timestamp now);
  void suppressor_changed(Work& work, const AlarmPtr& composite, StateValue was, StateValue is, Timestamp now);
  void act_or_hold(Work& work, AlarmTransition transition, Timestamp now);
  void act(Work& work, const AlarmTransition& transition);
  void contributor_changed(Work& work, const AlarmEntry& alarm, const StoredContributor& contributor, Timestamp now);
  void send_event(std::string event);
  void expire_timers(Timestamp now);
  void release_muted(Timestamp now);
  bool is_in_cycle(const AlarmEntry& composite) const;
  bool is_muted(const AlarmKey& key, Timestamp now) const;

  void schedule(const AlarmKey& key, Timestamp due);
  void unschedule(const AlarmKey& key);
  Timestamp next_evaluation(const AlarmEntry& alarm, Timestamp now) const;

  struct Agenda {
    std::set<std::pair<Timestamp, AlarmKey>> by_time;
    std::map<AlarmKey, Timestamp> by_key;
    std::set<std::pair<Timestamp, AlarmKey>> timers;  // suppression
    std::set<AlarmKey> held;                          // actions held back by mute rules
    bool mute_rules_changed = false;
    Timestamp last_tick{};
    Timestamp next_trim{};
  };

  Deps deps_;
  AlarmOptions options_;
  Guarded<Agenda> agenda_;
};

}  // namespace fog::cloudwatch
