// GetLogRecord: everything known of the event behind an @ptr.
#include <fmt/format.h>

#include "api/common/sink.h"
#include "api/logs/common.h"
#include "api/logs/operations.h"
#include "api/logs/shown_block.h"
#include "api/logs/store_scan.h"

namespace fog::logs {
namespace {

Error bad_pointer() { return invalid_parameter("The specified logRecordPointer is invalid."); }

// The discovered fields of one event, by way of the block that holds it.
Result<std::map<std::string, std::string>> fields_of(Logs& logs, const GroupPtr& group, const EventPointer& pointer, bool unmask) {
  std::map<std::string, std::string> fields;
  LogScanSpec spec;
  spec.groups = {pointer.group};
  spec.from_ms = pointer.timestamp_ms;
  spec.to_ms = pointer.timestamp_ms;
  TRY(LogSnapshot snapshot, logs.store().snapshot(spec));
  const GroupRulesPtr rules = logs.rules().of(*group);
  for (auto& stored : snapshot.blocks) {
    const std::unique_ptr<LogBlock> block = shown(std::move(stored), group, rules);
    TRY(const auto sequences, block->sequences());
    const auto it = std::find(sequences.begin(), sequences.end(), pointer.sequence);
    if (it == sequences.end()) continue;
    const auto row = static_cast<std::size_t>(it - sequences.begin());
    for (const LogBlock::Field& field : block->fields()) {
      std::shared_ptr<const LogColumn> column;
      if (unmask) {
        TRY(column, block->column(std::string(insights::kUnmaskedPrefix) + std::string(field.name)));
      }
      if (column == nullptr) {
        TRY(column, block->column(field.name));
      }
      if (column != nullptr && column->has(row)) column->append_text(row, fields[std::string(field.name)]);
    }
    break;
  }
  return fields;
}

Result<GetLogRecordResponse> get_log_record(Call& call, const GetLogRecordRequest& in) {
  const std::optional<EventPointer> pointer = decode_pointer(in.log_record_pointer);
  if (!pointer) return bad_pointer();
  Logs& logs = call.service<Logs>();
  const GroupPtr group = logs.by_id(pointer->group);
  if (group == nullptr || group->account != call.account || group->region != call.region) return bad_pointer();
  const Result<::fog::LogEvent> event = logs.store().find(pointer->group, pointer->sequence, pointer->timestamp_ms);
  if (!event.ok() && event.error().kind() != ErrorKind::kNotFound) return event.error();
  if (!event.ok() || event->timestamp_ms < Logs::oldest_visible_ms(*group, call.now)) return bad_pointer();
  GetLogRecordResponse out;
  auto& record = out.log_record.emplace();
  if (group->settings.lock_shared()->log_group_class == LogGroupClass::STANDARD) {
    TRY(record, fields_of(logs, group, *pointer, in.unmask.value_or(false)));
  }
  std::string message = event->message;
  const GroupRulesPtr rules = in.unmask.value_or(false) ? nullptr : logs.rules().of(*group);
  if (rules != nullptr) rules->mask(event->ingestion_ms, event->sequence, message);
  record["@message"] = std::move(message);
  record["@timestamp"] = std::to_string(event->timestamp_ms);
  record["@ingestionTime"] = std::to_string(event->ingestion_ms);
  record["@log"] = fmt::format("{}:{}", group->account, group->name);
  record["@logStream"] = group->stream_name(event->stream);
  record["@ptr"] = in.log_record_pointer;
  return out;
}

// No event here is so large that it is kept apart.
Status get_log_object(Call&, const GetLogObjectRequest&, Sink&) {
  return fault(ResourceNotFoundException{.message = "The specified log object does not exist."});
}

constexpr Operation kOperations[] = {bind<get_log_record>(), bind_stream<get_log_object>()};

}  // namespace

std::span<const Operation> log_record_operations() { return kOperations; }

}  // namespace fog::logs
