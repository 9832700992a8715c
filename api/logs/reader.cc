#include "api/logs/reader.h"

namespace fog::logs {
namespace {

// False: the visitor has had enough.
Result<bool> visit_block(LogBlock& block, std::int64_t first_ms, std::int64_t last_ms, const LogReader::Visit& visit) {
  TRY(const RowSet rows, block.rows_visible());
  TRY(const auto times, block.timestamps_ms());
  std::string message;
  bool go_on = true;
  Status failed = Ok{};
  rows.visit([&](std::size_t row) {
    if (!go_on || !failed.ok() || times[row] < first_ms || times[row] > last_ms) return;
    message.clear();
    failed = block.append_message(row, message);
    if (failed.ok()) go_on = visit(from_ms(times[row]), message);
  });
  TRYV(std::move(failed));
  return go_on;
}

}  // namespace

Status StoreLogReader::read_logs(const Spec& spec, const Visit& visit) {
  const Timestamp now = logs_.clock().now();
  for (const GroupPtr& group : logs_.list(spec.account, spec.region)) {
    const bool wanted = std::any_of(spec.groups.begin(), spec.groups.end(), [&](std::string_view name) {
      return name.ends_with('*') ? group->name.starts_with(name.substr(0, name.size() - 1)) : group->name == name;
    });
    if (!wanted) continue;
    LogScanSpec scan;
    scan.groups = {group->id};
    scan.from_ms = std::max(to_ms(spec.start), Logs::oldest_visible_ms(*group, now));
    scan.to_ms = to_ms(spec.end) - 1;
    if (scan.from_ms > scan.to_ms) continue;
    TRY(const LogSnapshot snapshot, logs_.store().snapshot(scan));
    for (const auto& block : snapshot.blocks) {
      auto went_on = visit_block(*block, scan.from_ms, scan.to_ms, visit);
      if (!went_on.ok()) {
        if (went_on.error().kind() == ErrorKind::kCorrupt) continue;  // its events are lost, the others are not
        return std::move(went_on).error();
      }
      if (!*went_on) return Ok{};
    }
  }
  return Ok{};
}

}  // namespace fog::logs
