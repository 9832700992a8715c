#include "api/logs/data_protection_audit.h"

#include <fmt/format.h>

#include "api/logs/common.h"
#include "api/logs/masking.h"
#include "query/transformers/date_format.h"
#include "query/transformers/json_tree.h"
#include "storage/base/log.h"

namespace fog::logs {
namespace {

constexpr std::string_view kStream = "data-protection-findings";

// {"auditTimestamp":...,"resourceArn":...,"dataIdentifiers":[{"name":...,"count":2,"detections":[{"start":13,"end":26}]}]}
std::string finding_record(const Group& group, std::int64_t now_ms, const std::vector<data_protection::Policy::Finding>& findings) {
  using Json = transformers::JsonTree;
  Json record = Json::object();
  record.set("auditTimestamp", Json::string(transformers::iso_time(now_ms)));
  record.set("resourceArn", Json::string(group_arn(group) + ":*"));
  Json identifiers = Json::array();
  std::map<std::string, std::vector<const data_protection::Policy::Finding*>> by_name;
  for (const auto& finding : findings) by_name[std::string(finding.identifier)].push_back(&finding);
  for (const auto& [name, found] : by_name) {
    Json item = Json::object();
    item.set("name", Json::string(name));
    item.set("count", Json::number(std::to_string(found.size())));
    Json detections = Json::array();
    for (const auto* finding : found) {
      Json place = Json::object();
      place.set("start", Json::number(std::to_string(finding->begin)));
      place.set("end", Json::number(std::to_string(finding->end)));
      detections.items.push_back(std::move(place));
    }
    item.set("detections", std::move(detections));
    identifiers.items.push_back(std::move(item));
  }
  record.set("dataIdentifiers", std::move(identifiers));
  std::string text;
  transformers::print_json(record, text);
  return text;
}

}  // namespace

void DataProtectionAudit::on_log_batch(const CommittedLogBatch& batch) {
  const GroupPtr group = deps_.logs.by_id(batch.group);
  if (group == nullptr) return;
  const GroupRulesPtr rules = deps_.logs.rules().of(*group);
  if (rules == nullptr || !rules->has_masks() || rules->policies(batch.ingestion_ms, batch.first_sequence).empty()) return;
  auto lines = std::make_shared<std::vector<Line>>();
  LogSequence sequence = batch.first_sequence;
  for (const LogEventIn& event : batch.events) lines->push_back({sequence++, event.timestamp_ms, std::string(event.message)});
  jobs_.start(fmt::format("audit {}", ++number_), [this, group, at = batch.ingestion_ms, lines] { examine(group, at, *lines); });
}

void DataProtectionAudit::examine(const GroupPtr& group, std::int64_t ingestion_ms, const std::vector<Line>& lines) {
  const GroupRulesPtr rules = deps_.logs.rules().of(*group);
  if (rules == nullptr) return;
  double with_findings = 0;
  std::map<std::string, std::vector<std::string>> reports;  // by destination
  for (const Line& line : lines) {
    bool any = false;
    for (const data_protection::Policy* policy : rules->policies(ingestion_ms, line.sequence)) {
      const auto findings = policy->find(line.message);
      if (findings.empty()) continue;
      any = true;
      const std::string& to = policy->destination().log_group;
      if (!to.empty() && to != group->name) reports[to].push_back(finding_record(*group, ingestion_ms, findings));
    }
    with_findings += any ? 1 : 0;
  }
  for (const auto& [to, records] : reports) {
    const GroupPtr destination = deps_.logs.find(group->account, group->region, to);
    if (destination == nullptr) continue;  // as with AWS, the group must exist
    std::vector<LogEventIn> events;
    for (const std::string& record : records) events.push_back({ingestion_ms, record});
    const auto put = deps_.logs.put_logs(group->account, group->region, to, kStream, events, true);
    if (!put.ok()) LOG_WARN("findings of {} cannot be reported to {}: {}", group->name, to, put.error().message());
  }
  if (with_findings == 0 || deps_.metrics == nullptr) return;
  SinkDatum datum;
  datum.metric_namespace = "AWS/Logs";
  datum.metric_name = "LogEventsWithFindings";
  datum.dimensions = {{"LogGroupName", group->name}};
  datum.time = from_ms(ingestion_ms);
  datum.values = {with_findings};
  const auto counted = deps_.metrics->put_metrics(group->account, group->region, {&datum, 1});
  if (!counted.ok()) LOG_WARN("LogEventsWithFindings of {}: {}", group->name, counted.error().message());
}

}  // namespace fog::logs
