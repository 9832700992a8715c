// Documents: kinds "cw-alarm", "cw-composite-alarm", "cw-log-alarm" (StoredAlarm by name),
// "cw-mute-rule" (StoredMuteRule by name), "cw-alarm-history" (AlarmHistoryItem by
// "<alarm name>\n<time, 16 digits>\n<number, 12 digits>"; names hold no line feeds).
#include "api/cloudwatch/alarm_book.h"

#include <fmt/format.h>

#include <charconv>

#include "api/cloudwatch/alarm_log.h"
#include "api/codec/json.h"
#include "storage/base/log.h"

namespace fog::cloudwatch {
namespace {

constexpr std::string_view kHistoryKind = "cw-alarm-history";
constexpr std::string_view kMuteRuleKind = "cw-mute-rule";
const std::vector<std::string> kNoActions;

ResourceKey resource_key(std::string_view kind, const AlarmKey& key) {
  return {std::string(kind), key.account, key.region, key.name};
}

bool in_scope(const AlarmKey& key, std::string_view account, std::string_view region) {
  return (account.empty() || key.account == account) && (region.empty() || key.region == region);
}

// The part of a history key that orders items of different alarms: time and number.
std::string_view order_of(std::string_view name) { return name.substr(name.find('\n') + 1); }

// "arn:aws:cloudwatch:r:a:alarm:NAME" -> NAME; a name stays.
std::string_view name_of_reference(std::string_view reference) {
  if (!reference.starts_with("arn:")) return reference;
  const std::size_t at = reference.find(":alarm:");
  return at == std::string_view::npos ? reference : reference.substr(at + 7);
}

}  // namespace

std::string_view kind_of(AlarmType type) {
  switch (type) {
    case AlarmType::CompositeAlarm: return "cw-composite-alarm";
    case AlarmType::LogAlarm: return "cw-log-alarm";
    case AlarmType::MetricAlarm: break;
  }
  return "cw-alarm";
}

std::optional<alarm_rules::State> to_rules_state(StateValue state) {
  return alarm_rules::parse_state(to_string(state));
}

StateValue from_rules_state(alarm_rules::State state) {
  switch (state) {
    case alarm_rules::State::kOk: return StateValue::OK;
    case alarm_rules::State::kAlarm: return StateValue::ALARM;
    case alarm_rules::State::kInsufficientData: break;
  }
  return StateValue::INSUFFICIENT_DATA;
}

StateValue AlarmEntry::state() const {
  return visit([](const auto& a) { return a.state_value.value_or(StateValue::INSUFFICIENT_DATA); });
}
const std::string& AlarmEntry::arn() const {
  return visit([](const auto& a) -> const std::string& { return *a.alarm_arn; });
}
std::string AlarmEntry::reason() const {
  return visit([](const auto& a) { return a.state_reason.value_or(""); });
}
std::string AlarmEntry::reason_data() const {
  return visit([](const auto& a) { return a.state_reason_data.value_or(""); });
}
Timestamp AlarmEntry::state_updated() const {
  return visit([](const auto& a) { return a.state_updated_timestamp.value_or(Timestamp{}); });
}
bool AlarmEntry::actions_enabled() const {
  return visit([](const auto& a) { return a.actions_enabled.value_or(true); });
}
const std::vector<std::string>& AlarmEntry::actions(StateValue state) const {
  return visit([&](const auto& a) -> const std::vector<std::string>& {
    const auto& list = state == StateValue::OK      ? a.ok_actions
                       : state == StateValue::ALARM ? a.alarm_actions
                                                    : a.insufficient_data_actions;
    return list ? *list : kNoActions;
  });
}

Status prepare(AlarmEntry& entry) {
  using namespace alarm_rules;
  entry.rules = {};
  Rules& rules = entry.rules;
  if (entry.type == AlarmType::CompositeAlarm) {
    TRY(CompositeRule rule, CompositeRule::parse(entry.document.composite->alarm_rule.value_or("")));
    entry.rule = std::make_shared<const CompositeRule>(std::move(rule));
    return Ok{};
  }
  const auto shared = [&](const auto& alarm) {
    rules.threshold = alarm.threshold.value_or(0);
    if (alarm.comparison_operator)
      rules.comparison = parse_comparison(to_string(*alarm.comparison_operator)).value_or(Comparison::kGreater);
    rules.missing_data = parse_missing_data(alarm.treat_missing_data.value_or("missing")).value_or(MissingData::kMissing);
  };
  if (entry.type == AlarmType::LogAlarm) {
    shared(*entry.document.log);
    rules.evaluation_periods = entry.document.log->query_results_to_evaluate.value_or(1);
    rules.datapoints_to_alarm = entry.document.log->query_results_to_alarm;
    if (const auto& query = entry.document.log->scheduled_query_configuration) {
      TRY(const auto rate, parse_rate(query->schedule_configuration.schedule_expression));
      rules.period_seconds = rate.count();
    }
    return Ok{};
  }
  const MetricAlarm& alarm = *entry.document.metric;
  shared(alarm);
  rules.evaluation_periods = alarm.evaluation_periods.value_or(1);
  if (alarm.datapoints_to_alarm) rules.datapoints_to_alarm = *alarm.datapoints_to_alarm;
  if (alarm.period) rules.period_seconds = *alarm.period;
  entry.is_band = alarm.threshold_metric_id.has_value();
  if (alarm.namespace_ == "AWS/DynamoDB") rules.missing_data = MissingData::kIgnore;
  entry.keeps_on_few_samples = alarm.evaluate_low_sample_count_percentile == "ignore";
  if (alarm.unit) rules.unit = std::string(to_string(*alarm.unit));
  if (alarm.metrics) {
    for (const auto& query : *alarm.metrics) {
      if (query.metric_stat) rules.period_seconds = query.metric_stat->period;
      else if (query.period) rules.period_seconds = *query.period;
    }
  } else {
    const std::string name = alarm.statistic ? std::string(to_string(*alarm.statistic)) : alarm.extended_statistic.value_or("");
    entry.statistic = parse_statistic(name);
    rules.statistic = name;
  }
  if (alarm.evaluation_window && alarm.evaluation_window->wall_clock_window) {
    TRY(entry.wall_clock, TimeZone::find(alarm.evaluation_window->wall_clock_window->timezone.value_or("UTC")));
  }
  return Ok{};
}

// --- mute rules -----------------------------------------------------------------------------------

std::optional<alarm_rules::Bucket> MuteRuleEntry::active_at(Timestamp now) const {
  if (!schedule) return std::nullopt;
  const auto& rule = document.rule;
  if ((rule.start_date && now < *rule.start_date) || (rule.expire_date && now >= *rule.expire_date)) return std::nullopt;
  auto window = schedule->active_at(now);
  if (window && rule.expire_date) window->end = std::min(window->end, *rule.expire_date);
  if (window && rule.start_date) window->start = std::max(window->start, *rule.start_date);
  return window;
}

std::optional<Timestamp> MuteRuleEntry::next_start(Timestamp now) const {
  if (!schedule) return std::nullopt;
  const auto& rule = document.rule;
  const Timestamp from = rule.start_date ? std::max(now, *rule.start_date - Millis(1)) : now;
  const auto start = schedule->next_start(from);
  if (!start || (rule.expire_date && *start >= *rule.expire_date)) return std::nullopt;
  return start;
}

AlarmMuteRuleStatus MuteRuleEntry::status(Timestamp now) const {
  if (active_at(now)) return AlarmMuteRuleStatus::ACTIVE;
  return next_start(now) ? AlarmMuteRuleStatus::SCHEDULED : AlarmMuteRuleStatus::EXPIRED;
}

MuteRulePtr AlarmBook::mute_rule(const AlarmKey& key) const {
  const auto index = index_.lock_shared();
  const auto found = index->mute_rules.find(key);
  return found == index->mute_rules.end() ? nullptr : found->second;
}

std::vector<MuteRulePtr> AlarmBook::mute_rules(std::string_view account, std::string_view region) const {
  std::vector<MuteRulePtr> out;
  const auto index = index_.lock_shared();
  for (auto it = index->mute_rules.lower_bound({std::string(account), std::string(region), ""});
       it != index->mute_rules.end() && it->first.account == account && it->first.region == region; ++it)
    out.push_back(it->second);
  return out;
}

std::vector<MuteRulePtr> AlarmBook::all_mute_rules() const {
  std::vector<MuteRulePtr> out;
  const auto index = index_.lock_shared();
  for (const auto& [key, rule] : index->mute_rules) out.push_back(rule);
  return out;
}

namespace {

MuteRulePtr make_mute_rule(StoredMuteRule document, const AlarmKey& key) {
  auto entry = std::make_shared<MuteRuleEntry>();
  entry->key = key;
  const auto& schedule = document.rule.rule.schedule;
  auto parsed = alarm_rules::MuteSchedule::parse(schedule.expression, schedule.duration, schedule.timezone.value_or("UTC"));
  if (parsed.ok()) entry->schedule = std::make_shared<const alarm_rules::MuteSchedule>(std::move(parsed).value());
  entry->document = std::move(document);
  return entry;
}

}  // namespace

Status AlarmBook::put_mute_rule(StoredMuteRule rule, const AlarmKey& key) {
  std::vector<ResourceStore::Change> batch;
  batch.push_back({resource_key(kMuteRuleKind, key), encode_json(rule)});
  TRYV(write(std::move(batch)));
  index_.lock()->mute_rules[key] = make_mute_rule(std::move(rule), key);
  return Ok{};
}

Status AlarmBook::erase_mute_rule(const AlarmKey& key) {
  std::vector<ResourceStore::Change> batch;
  batch.push_back({resource_key(kMuteRuleKind, key), std::nullopt});
  TRYV(write(std::move(batch)));
  index_.lock()->mute_rules.erase(key);
  return Ok{};
}

// --- alarms ---------------------------------------------------------------------------------------

void AlarmBook::insert(Index& index, const AlarmPtr& alarm) {
  remove(index, alarm->key);
  index.alarms[alarm->key] = alarm;
  if (!alarm->rule) return;
  const auto note = [&](std::string_view reference) {
    index.named_by[{alarm->key.account, alarm->key.region, std::string(name_of_reference(reference))}].insert(alarm->key);
  };
  for (const auto& child : alarm->rule->children()) note(child);
  if (alarm->document.composite->actions_suppressor) note(*alarm->document.composite->actions_suppressor);
}

void AlarmBook::remove(Index& index, const AlarmKey& key) {
  const auto found = index.alarms.find(key);
  if (found == index.alarms.end()) return;
  const AlarmPtr old = found->second;
  index.alarms.erase(found);
  if (!old->rule) return;
  const auto drop = [&](std::string_view reference) {
    const auto names = index.named_by.find({key.account, key.region, std::string(name_of_reference(reference))});
    if (names == index.named_by.end()) return;
    names->second.erase(key);
    if (names->second.empty()) index.named_by.erase(names);
  };
  for (const auto& child : old->rule->children()) drop(child);
  if (old->document.composite->actions_suppressor) drop(*old->document.composite->actions_suppressor);
}

Status AlarmBook::load() {
  Index fresh;
  for (const AlarmType type : {AlarmType::MetricAlarm, AlarmType::CompositeAlarm, AlarmType::LogAlarm}) {
    store_.for_each(kind_of(type), [&](const Resource& resource) {
      auto document = decode_json<StoredAlarm>(resource.document);
      auto entry = std::make_shared<AlarmEntry>();
      entry->key = {resource.key.account, resource.key.region, resource.key.name};
      entry->type = type;
      Status status = Ok{};
      if (document.ok()) {
        entry->document = std::move(document).value();
        const bool whole = type == AlarmType::MetricAlarm      ? entry->document.metric.has_value()
                           : type == AlarmType::CompositeAlarm ? entry->document.composite.has_value()
                                                               : entry->document.log.has_value();
        status = whole ? prepare(*entry) : Status(Error::corrupt("a member is missing"));
      } else {
        status = document.error();
      }
      if (!status.ok()) {
        LOG_ERROR("alarm document {} is damaged: {}", resource.key.name, status.error().message());
        return;
      }
      insert(fresh, entry);
    });
  }
  store_.for_each(kMuteRuleKind, [&](const Resource& resource) {
    auto document = decode_json<StoredMuteRule>(resource.document);
    if (!document.ok()) {
      LOG_ERROR("mute rule document {} is damaged: {}", resource.key.name, document.error().message());
      return;
    }
    const AlarmKey key{resource.key.account, resource.key.region, resource.key.name};
    fresh.mute_rules[key] = make_mute_rule(std::move(document).value(), key);
  });
  *index_.lock() = std::move(fresh);
  return Ok{};
}

void AlarmBook::forget(std::string_view account, std::string_view region) {
  auto index = index_.lock();
  std::vector<AlarmKey> gone;
  for (const auto& [key, alarm] : index->alarms) {
    if (in_scope(key, account, region)) gone.push_back(key);
  }
  for (const auto& key : gone) remove(*index, key);
  std::erase_if(index->mute_rules, [&](const auto& rule) { return in_scope(rule.first, account, region); });
}

AlarmPtr AlarmBook::find(const AlarmKey& key) const {
  const auto index = index_.lock_shared();
  const auto found = index->alarms.find(key);
  return found == index->alarms.end() ? nullptr : found->second;
}

AlarmPtr AlarmBook::resolve(std::string_view account, std::string_view region, std::string_view reference) const {
  const std::string_view name = name_of_reference(reference);
  const AlarmPtr found = find({std::string(account), std::string(region), std::string(name)});
  if (found && reference.starts_with("arn:") && found->arn() != reference) return nullptr;
  return found;
}

std::vector<AlarmPtr> AlarmBook::list(std::string_view account, std::string_view region) const {
  std::vector<AlarmPtr> out;
  const auto index = index_.lock_shared();
  for (auto it = index->alarms.lower_bound({std::string(account), std::string(region), ""});
       it != index->alarms.end() && it->first.account == account && it->first.region == region; ++it)
    out.push_back(it->second);
  return out;
}

std::vector<AlarmPtr> AlarmBook::all() const {
  std::vector<AlarmPtr> out;
  const auto index = index_.lock_shared();
  for (const auto& [key, alarm] : index->alarms) out.push_back(alarm);
  return out;
}

std::size_t AlarmBook::size() const { return index_.lock_shared()->alarms.size(); }

std::vector<AlarmPtr> AlarmBook::parents(const AlarmEntry& child) const {
  std::vector<AlarmPtr> out;
  const auto index = index_.lock_shared();
  const auto names = index->named_by.find(child.key);
  if (names == index->named_by.end()) return out;
  for (const auto& key : names->second) {
    if (const auto found = index->alarms.find(key); found != index->alarms.end()) out.push_back(found->second);
  }
  return out;
}

std::vector<AlarmPtr> AlarmBook::children(const AlarmEntry& composite) const {
  std::vector<AlarmPtr> out;
  if (!composite.rule) return out;
  for (const auto& reference : composite.rule->children())
    out.push_back(resolve(composite.key.account, composite.key.region, reference));
  return out;
}

void AlarmBook::add_history(std::vector<ResourceStore::Change>& batch, std::vector<HistoryRecord> history) {
  for (auto& record : history) {
    const std::string name = fmt::format("{}\n{:016}\n{:012}", record.key.name,
                                         to_ms(record.item.timestamp.value_or(Timestamp{})), store_.next_id());
    batch.push_back({{std::string(kHistoryKind), record.key.account, record.key.region, name}, encode_json(record.item)});
  }
}

Status AlarmBook::write(std::vector<ResourceStore::Change> batch) {
  if (log_ == nullptr) return store_.apply(std::move(batch));
  TRYV(log_->put(std::move(batch)));
  return Ok{};
}

Status AlarmBook::save(std::vector<std::shared_ptr<AlarmEntry>> alarms, std::vector<HistoryRecord> history) {
  std::vector<ResourceStore::Change> batch;
  for (const auto& alarm : alarms)
    batch.push_back({resource_key(kind_of(alarm->type), alarm->key), encode_json(alarm->document)});
  add_history(batch, std::move(history));
  if (batch.empty()) return Ok{};
  TRYV(write(std::move(batch)));
  auto index = index_.lock();
  for (auto& alarm : alarms) insert(*index, std::move(alarm));
  return Ok{};
}

Status AlarmBook::erase(const std::vector<AlarmPtr>& alarms, std::vector<HistoryRecord> history) {
  std::vector<ResourceStore::Change> batch;
  for (const auto& alarm : alarms) batch.push_back({resource_key(kind_of(alarm->type), alarm->key), std::nullopt});
  add_history(batch, std::move(history));
  TRYV(write(std::move(batch)));
  auto index = index_.lock();
  for (const auto& alarm : alarms) remove(*index, alarm->key);
  return Ok{};
}

// --- history --------------------------------------------------------------------------------------

AlarmBook::HistoryPage AlarmBook::history(const HistoryQuery& query) const {
  ResourceStore::ListSpec spec;
  spec.kind = std::string(kHistoryKind);
  spec.account = query.account;
  spec.region = query.region;
  if (!query.name.empty()) spec.name_prefix = query.name + "\n";
  if (log_ != nullptr) {
    if (Status flushed = log_->flush(); !flushed.ok()) LOG_WARN("the newest alarm history is not readable: {}", flushed.error().message());
  }
  std::vector<Resource> items = store_.list(spec);
  // Items of one alarm come in order; of several they have to be brought into it.
  std::sort(items.begin(), items.end(), [&](const Resource& a, const Resource& b) {
    const auto x = order_of(a.key.name), y = order_of(b.key.name);
    return query.newest_first ? x > y : x < y;
  });
  HistoryPage page;
  for (const Resource& resource : items) {
    const std::string_view order = order_of(resource.key.name);
    if (!query.after.empty() && (query.newest_first ? order >= query.after : order <= query.after)) continue;
    std::int64_t ms = 0;
    std::from_chars(order.data(), order.data() + 16, ms);
    if ((query.start && from_ms(ms) < *query.start) || (query.end && from_ms(ms) > *query.end)) continue;
    auto item = decode_json<AlarmHistoryItem>(resource.document);
    if (!item.ok() || (query.keep && !query.keep(*item))) continue;
    if (page.items.size() == query.limit) return page;
    page.items.push_back(std::move(item).value());
    page.last = std::string(order);
  }
  page.last.clear();
  return page;
}

Status AlarmBook::trim_history(Timestamp before) {
  if (log_ != nullptr) TRYV(log_->flush());
  std::vector<ResourceStore::Change> batch;
  store_.for_each(kHistoryKind, [&](const Resource& resource) {
    const std::string_view order = order_of(resource.key.name);
    std::int64_t ms = 0;
    if (order.size() >= 16) std::from_chars(order.data(), order.data() + 16, ms);
    if (from_ms(ms) < before) batch.push_back({resource.key, std::nullopt});
  });
  return batch.empty() ? Status(Ok{}) : write(std::move(batch));
}

}  // namespace fog::cloudwatch
