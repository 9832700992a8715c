// The columns that a search looks at before it reads facts: one row a trace of a run.
#include "storage/traces/bucket.h"

#include "storage/base/bytes.h"
#include "storage/traces/bucket_keys.h"
#include "storage/traces/wrapping.h"

namespace fog::traces {

RunColumns::Row RunColumns::row_of(const Trace& trace) {
  Row row;
  row.start_us = trace.start_us;
  row.id_low = trace.id.lo;
  row.time_s = trace.time_s();
  if (!trace.updates_ms.empty()) {
    row.first_received_ms =
        *std::min_element(trace.updates_ms.begin(), trace.updates_ms.end());
    row.last_received_ms = *std::max_element(trace.updates_ms.begin(), trace.updates_ms.end());
  }
  row.first_end_ms = std::numeric_limits<std::int64_t>::max();
  row.last_end_ms = std::numeric_limits<std::int64_t>::min();
  row.last_time_us = trace.end_us;
  for (const auto& e : trace.entities) {
    row.last_time_us = std::max(row.last_time_us, item_time_us(e));
    if (e.kind != EntityKind::kSegment || e.in_progress) continue;
    row.first_end_ms = std::min(row.first_end_ms, e.end_us / 1000);
    row.last_end_ms = std::max(row.last_end_ms, e.end_us / 1000);
  }
  row.response_ms = trace.response_ms().value_or(-1);
  row.duration_ms = trace.duration_ms();
  row.flags = trace_flags(trace);
  return row;
}

// Column after column: what varies alike compresses together.
std::string RunColumns::encode() const {
  std::string bytes;
  ByteWriter out(bytes);
  out.varint(rows.size());
  std::int64_t before = 0;
  for (const auto& r : rows) {
    out.zigzag(r.start_us - before);
    before = r.start_us;
  }
  for (const auto& r : rows) out.fixed(r.id_low);
  for (const auto& r : rows) out.zigzag(r.time_s - r.start_us / 1000000);
  for (const auto& r : rows) out.zigzag(r.response_ms);
  for (const auto& r : rows) out.zigzag(r.duration_ms);
  for (const auto& r : rows) out.fixed(r.flags);
  for (const auto& r : rows) out.zigzag(r.first_received_ms - r.start_us / 1000);
  for (const auto& r : rows) out.zigzag(r.last_received_ms - r.first_received_ms);
  for (const auto& r : rows) {
    const bool any = r.first_end_ms <= r.last_end_ms;
    out.zigzag(any ? r.first_end_ms - r.start_us / 1000 + 1 : 0);
    out.zigzag(any ? r.last_end_ms - r.first_end_ms : -1);
  }
  for (const auto& r : rows) out.zigzag(r.last_time_us - r.start_us);
  return bytes;
}

Result<RunColumns> RunColumns::decode(std::string_view bytes, bool whole) {
  ByteReader in(bytes);
  RunColumns columns;
  const auto n = in.varint();
  if (n > bytes.size()) return Error::corrupt("run columns: too many traces");
  columns.rows.resize(static_cast<std::size_t>(n));
  columns.dead.resize(columns.rows.size());
  std::int64_t before = 0;
  for (auto& r : columns.rows) r.start_us = before = wrapping_sum(before, in.zigzag());
  for (auto& r : columns.rows) r.id_low = in.fixed<std::uint64_t>();
  for (auto& r : columns.rows) r.time_s = wrapping_sum(r.start_us / 1000000, in.zigzag());
  for (auto& r : columns.rows) r.response_ms = in.zigzag();
  for (auto& r : columns.rows) r.duration_ms = in.zigzag();
  for (auto& r : columns.rows) r.flags = in.fixed<std::uint8_t>();
  columns.whole = whole;
  if (!whole) {
    if (!in.ok()) return Error::corrupt("run columns: wrong length");
    return columns;
  }
  for (auto& r : columns.rows) r.first_received_ms = wrapping_sum(r.start_us / 1000, in.zigzag());
  for (auto& r : columns.rows) r.last_received_ms = wrapping_sum(r.first_received_ms, in.zigzag());
  for (auto& r : columns.rows) {
    const auto first = in.zigzag();
    const auto length = in.zigzag();
    r.first_end_ms = length < 0 ? std::numeric_limits<std::int64_t>::max()
                                : wrapping_sum(r.start_us / 1000 - 1, first);
    r.last_end_ms = length < 0 ? std::numeric_limits<std::int64_t>::min() : wrapping_sum(r.first_end_ms, length);
  }
  for (auto& r : columns.rows) r.last_time_us = wrapping_sum(r.start_us, in.zigzag());
  if (!in.ok() || !in.at_end()) return Error::corrupt("run columns: wrong length");
  return columns;
}

}  // namespace fog::traces
