// Mute rules: windows in which alarms' actions are held back.
#include <fmt/format.h>

#include "api/cloudwatch/alarm_operations.h"
#include "api/cloudwatch/model.h"
#include "storage/base/hash.h"

namespace fog::cloudwatch {
namespace {

constexpr std::size_t kRulesDefault = 50;

std::string mute_rule_arn(const Call& call, const std::string& name) {
  return fmt::format("arn:{}:cloudwatch:{}:{}:alarm-mute-rule:{}", partition_of(call.region), call.region, call.account, name);
}

std::string mute_type(const MuteRuleEntry& rule) {
  return rule.schedule && rule.schedule->recurring() ? "RECURRING" : "ONE_TIME";
}

Result<Empty> put_alarm_mute_rule(Call& call, const PutAlarmMuteRuleInput& in) {
  const auto& schedule = in.rule.schedule;
  auto parsed = alarm_rules::MuteSchedule::parse(schedule.expression, schedule.duration, schedule.timezone.value_or("UTC"));
  if (!parsed.ok()) return validation(parsed.error().message());
  if (in.start_date && in.expire_date && *in.start_date >= *in.expire_date)
    return validation("StartDate must be before ExpireDate");
  AlarmEngine& engine = call.service<AlarmEngine>();
  AlarmBook& book = engine.book();
  const std::lock_guard changes(book.changes());
  if (in.mute_targets) {
    for (const auto& name : in.mute_targets->alarm_names) {
      if (!book.resolve(call.account, call.region, name))
        return validation(fmt::format("MuteTargets refers to an alarm that does not exist: {}", name));
    }
  }
  const AlarmKey key = alarm_key(call, in.name);
  const bool is_new = !book.mute_rule(key);
  StoredMuteRule document;
  document.rule = in;
  document.rule.tags.reset();
  document.arn = mute_rule_arn(call, in.name);
  document.updated_ms = to_ms(call.now);
  const std::string arn = document.arn;
  TRYV(book.put_mute_rule(std::move(document), key));
  if (is_new) TRYV(add_tags(call, arn, in.tags));
  engine.mute_rules_changed();
  call.durable_after(book.last_lsn());
  return Empty{};
}

Result<GetAlarmMuteRuleOutput> get_alarm_mute_rule(Call& call, const GetAlarmMuteRuleInput& in) {
  const MuteRulePtr rule = call.service<AlarmEngine>().book().mute_rule(alarm_key(call, in.alarm_mute_rule_name));
  if (!rule)
    return not_found("AWS::CloudWatch::AlarmMuteRule", in.alarm_mute_rule_name,
                     fmt::format("Alarm mute rule {} does not exist", in.alarm_mute_rule_name));
  GetAlarmMuteRuleOutput out;
  out.name = in.alarm_mute_rule_name;
  out.alarm_mute_rule_arn = rule->document.arn;
  out.description = rule->document.rule.description;
  out.rule = rule->document.rule.rule;
  out.mute_targets = rule->document.rule.mute_targets;
  out.start_date = rule->document.rule.start_date;
  out.expire_date = rule->document.rule.expire_date;
  out.status = rule->status(call.now);
  out.last_updated_timestamp = from_ms(rule->document.updated_ms);
  out.mute_type = mute_type(*rule);
  return out;
}

Result<ListAlarmMuteRulesOutput> list_alarm_mute_rules(Call& call, const ListAlarmMuteRulesInput& in) {
  std::string statuses;
  for (const auto status : in.statuses.value_or(std::vector<AlarmMuteRuleStatus>{})) statuses += std::string(to_string(status)) + ",";
  const std::uint64_t parameters = hash64(in.alarm_name.value_or("") + "\n" + statuses);
  std::string after;
  if (in.next_token) {
    const auto key = page_key("ListAlarmMuteRules", parameters, *in.next_token);
    if (!key) return fault(InvalidNextToken{.message = "The next token is invalid."});
    after = *key;
  }
  const auto limit = static_cast<std::size_t>(in.max_records.value_or(kRulesDefault));
  ListAlarmMuteRulesOutput out;
  out.alarm_mute_rule_summaries.emplace();
  std::string last;
  for (const auto& rule : call.service<AlarmEngine>().book().mute_rules(call.account, call.region)) {
    if (!after.empty() && rule->key.name <= after) continue;
    if (in.alarm_name) {
      const auto& targets = rule->document.rule.mute_targets;
      if (!targets || std::find(targets->alarm_names.begin(), targets->alarm_names.end(), *in.alarm_name) == targets->alarm_names.end())
        continue;
    }
    const auto status = rule->status(call.now);
    if (in.statuses && !in.statuses->empty() &&
        std::find(in.statuses->begin(), in.statuses->end(), status) == in.statuses->end())
      continue;
    if (out.alarm_mute_rule_summaries->size() == limit) {
      out.next_token = page_token("ListAlarmMuteRules", parameters, last);
      break;
    }
    out.alarm_mute_rule_summaries->push_back({.alarm_mute_rule_arn = rule->document.arn,
                                              .expire_date = rule->document.rule.expire_date,
                                              .status = status,
                                              .mute_type = mute_type(*rule),
                                              .last_updated_timestamp = from_ms(rule->document.updated_ms)});
    last = rule->key.name;
  }
  return out;
}

Result<Empty> delete_alarm_mute_rule(Call& call, const DeleteAlarmMuteRuleInput& in) {
  AlarmEngine& engine = call.service<AlarmEngine>();
  const std::lock_guard changes(engine.book().changes());
  TRYV(engine.book().erase_mute_rule(alarm_key(call, in.alarm_mute_rule_name)));
  TRYV(erase_tags(call, mute_rule_arn(call, in.alarm_mute_rule_name)));
  engine.mute_rules_changed();
  call.durable_after(engine.book().last_lsn());
  return Empty{};
}

constexpr Operation kOperations[] = {
    bind<put_alarm_mute_rule>(),
    bind<get_alarm_mute_rule>(),
    bind<list_alarm_mute_rules>(),
    bind<delete_alarm_mute_rule>(),
};

}  // namespace

std::span<const Operation> alarm_mute_operations() { return kOperations; }

}  // namespace fog::cloudwatch
