// What one step of the alarm engine changes, until it is saved; inside the engine's own files alone.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/cloudwatch/alarm_engine.h"

namespace fog::cloudwatch {

struct AlarmEngine::Work {
  std::map<AlarmKey, std::shared_ptr<AlarmEntry>> changed;
  std::vector<HistoryRecord> history;
  std::vector<AlarmTransition> of_contributors;
  std::vector<AlarmTransition> transitions;  // stored with the next save, then followed up
  AlarmBook& book;

  explicit Work(AlarmBook& b) : book(b) {}

  // A copy that may be changed and will be saved.
  std::shared_ptr<AlarmEntry> edit(const AlarmKey& key) {
    auto& slot = changed[key];
    if (!slot) {
      const AlarmPtr current = book.find(key);
      if (!current) {
        changed.erase(key);
        return nullptr;
      }
      slot = std::make_shared<AlarmEntry>(*current);
    }
    return slot;
  }
  Status save() {
    std::vector<std::shared_ptr<AlarmEntry>> alarms;
    for (auto& [key, alarm] : changed) alarms.push_back(std::move(alarm));
    changed.clear();
    return book.save(std::move(alarms), std::exchange(history, {}));
  }
};

// A JSON string with its quotes.
std::string json_quoted(std::string_view text);
// `summary` is cut to what AWS keeps.
HistoryRecord history_record(const AlarmEntry& alarm, HistoryItemType type, std::string summary, std::string data, Timestamp now);
// Who suppresses the composite's actions from now on, and until when; nothing: nobody.
void set_suppression(AlarmEntry& composite, std::optional<ActionsSuppressedBy> by, std::optional<Timestamp> due);

}  // namespace fog::cloudwatch
