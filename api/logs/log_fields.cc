// GetLogGroupFields, GetLogFields, ListAggregateLogGroupSummaries: which fields events have.
#include "api/logs/common.h"
#include "api/logs/operations.h"
#include "api/logs/shown_block.h"

namespace fog::logs {
namespace {

constexpr std::int64_t kWindowMs = 8 * 60'000;
constexpr std::int64_t kRecentMs = 15 * 60'000;
constexpr std::string_view kSystemFields[] = {"@ingestionTime", "@log", "@logStream", "@message", "@timestamp"};

Result<GetLogGroupFieldsResponse> get_log_group_fields(Call& call, const GetLogGroupFieldsRequest& in) {
  TRY(const GroupPtr group, group_of(call, in.log_group_name, in.log_group_identifier));
  const std::int64_t now = to_ms(call.now);
  LogScanSpec spec;
  spec.groups = {group->id};
  spec.from_ms = now - kRecentMs;
  spec.to_ms = now;
  if (in.time) {
    // The service takes the time in seconds or in ms.
    const std::int64_t time = *in.time < 100'000'000'000 ? *in.time * 1000 : *in.time;
    spec.from_ms = time - kWindowMs;
    spec.to_ms = time + kWindowMs;
  }
  spec.from_ms = std::max(spec.from_ms, Logs::oldest_visible_ms(*group, call.now));
  TRY(LogSnapshot snapshot, call.service<Logs>().store().snapshot(spec));
  const bool discovers = group->settings.lock_shared()->log_group_class == LogGroupClass::STANDARD;
  std::map<std::string, std::size_t> counts;
  std::size_t events = 0;
  const GroupRulesPtr rules = call.service<Logs>().rules().of(*group);
  for (auto& stored : snapshot.blocks) {
    const std::unique_ptr<LogBlock> block = shown(std::move(stored), group, rules);
    const Result<RowSet> visible = block->rows_visible();
    if (!visible.ok()) continue;
    const std::size_t rows = visible->count();
    events += rows;
    if (!discovers) continue;
    for (const LogBlock::Field& field : block->fields()) {
      if (rows == block->rows()) {
        counts[std::string(field.name)] += field.present;
        continue;
      }
      const auto column = block->column(field.name);
      if (!column.ok() || *column == nullptr) continue;
      RowSet both = *visible;
      both &= (*column)->present;
      if (const std::size_t n = both.count(); n > 0) counts[std::string(field.name)] += n;
    }
  }
  GetLogGroupFieldsResponse out;
  auto& fields = out.log_group_fields.emplace();
  if (events == 0) return out;
  for (const std::string_view name : kSystemFields) counts[std::string(name)] = events;
  for (const auto& [name, count] : counts) {
    LogGroupField& field = fields.emplace_back();
    field.name = name;
    field.percent = static_cast<std::int32_t>(count * 100 / events);
  }
  std::stable_sort(fields.begin(), fields.end(), [](const LogGroupField& a, const LogGroupField& b) { return *a.percent > *b.percent; });
  return out;
}

Result<GetLogFieldsResponse> get_log_fields(Call&, const GetLogFieldsRequest&) {
  // Fields of a vended data source; none is attached here.
  GetLogFieldsResponse out;
  out.log_fields.emplace();
  return out;
}

Result<ListAggregateLogGroupSummariesResponse> list_aggregate_log_group_summaries(Call& call,
                                                                                  const ListAggregateLogGroupSummariesRequest& in) {
  ListAggregateLogGroupSummariesResponse out;
  auto& summaries = out.aggregate_log_group_summaries.emplace();
  std::int32_t count = 0;
  for (const GroupPtr& group : call.service<Logs>().list(call.account, call.region))
    if (!in.log_group_class || group->settings.lock_shared()->log_group_class == *in.log_group_class) ++count;
  if (count > 0) summaries.emplace_back().log_group_count = count;
  return out;
}

constexpr Operation kOperations[] = {
    bind<get_log_group_fields>(),
    bind<get_log_fields>(),
    bind<list_aggregate_log_group_summaries>(),
};

}  // namespace

std::span<const Operation> log_field_operations() { return kOperations; }

}  // namespace fog::logs
