// Service graphs: the sums of whole minutes from the buckets, the rest from traces.
#include "storage/traces/engine.h"

namespace fog::traces {

namespace {

bool has_label(const Trace& trace, std::uint64_t label) {
  return label == 0 ||
         std::find(trace.labels.begin(), trace.labels.end(), label) != trace.labels.end();
}

constexpr std::int64_t kMinuteUs = 60'000'000;

}  // namespace

Result<std::map<std::int64_t, Graph>> Engine::minutes(const TraceScope& scope, Timestamp from,
                                                      Timestamp to, std::uint64_t label) {
  std::map<std::int64_t, Graph> sum;
  const auto number = scope_number(scope);
  if (!number) return sum;
  const std::int64_t first = floor_div(to_ms(from), 60'000);
  const std::int64_t last = floor_div(to_ms(to) + 59'999, 60'000);
  const auto resolve = resolver(scope);
  const std::shared_lock gate(gate_);
  for (const auto& one : whole_head(*number, scope)) {
    if (has_label(*one->trace, label)) add_by_minute(sum, *one->trace, 1, &resolve);
    if (one->base && has_label(*one->base->trace, label))
      add_by_minute(sum, *one->base->trace, -1, &resolve);
  }
  std::erase_if(sum, [&](const auto& each) { return each.first < first || each.first >= last; });
  for (const auto& [day, where] :
       buckets(floor_div(first, 1440) - 1, floor_div(last, 1440) + 1)) {
    if (auto added = where->minutes(*number, first, last, label, sum); !added.ok())
      ++damaged_blocks_;
  }
  return sum;
}

// Items of a part of a minute: from the traces themselves.
Status Engine::add_partial(std::uint64_t number, const TraceScope& scope, Graph::Span span,
                           std::uint64_t label, const IdSet& skip, Graph& sum) {
  const auto resolve = resolver(scope);
  for (const auto& [day, where] : buckets(floor_div(span.from_us, kDayMs * 1000) - 1,
                                          floor_div(span.to_us, kDayMs * 1000) + 1)) {
    TRY(const auto runs, where->runs(number));
    for (const auto& info : runs) {
      auto columns = where->columns(info.run, true);
      if (!columns.ok()) {
        ++damaged_blocks_;
        continue;
      }
      const auto& rows = (*columns)->rows;
      for (std::uint32_t ordinal = 0; ordinal < rows.size(); ++ordinal) {
        const auto& row = rows[ordinal];
        if ((*columns)->dead[ordinal] || row.start_us >= span.to_us ||
            row.last_time_us < span.from_us)
          continue;
        auto facts = where->facts({info.run, ordinal});
        if (!facts.ok()) {
          ++damaged_blocks_;
          continue;
        }
        if (skip.contains(facts->id) || !has_label(*facts, label)) continue;
        sum.add(*facts, 1, span, &resolve);
      }
    }
  }
  return Ok{};
}

Result<Graph> Engine::graph(const TraceScope& scope, Timestamp from, Timestamp to,
                            std::uint64_t label) {
  Graph sum;
  const auto number = scope_number(scope);
  if (!number || from >= to) return sum;
  const Graph::Span all{to_ms(from) * 1000, to_ms(to) * 1000};
  // Whole minutes from their sums, what sticks out on both sides from the traces.
  const std::int64_t first = floor_div(all.from_us + kMinuteUs - 1, kMinuteUs);
  const std::int64_t last = floor_div(all.to_us, kMinuteUs);
  const bool whole_minutes = first < last;
  std::vector<Graph::Span> parts;
  if (!whole_minutes) {
    parts.push_back(all);
  } else {
    if (all.from_us < first * kMinuteUs) parts.push_back({all.from_us, first * kMinuteUs});
    if (last * kMinuteUs < all.to_us) parts.push_back({last * kMinuteUs, all.to_us});
  }

  const auto resolve = resolver(scope);
  const std::shared_lock places(places_);
  const std::shared_lock gate(gate_);
  const auto fresh = whole_head(*number, scope);
  const IdSet in_head(fresh);
  for (const auto& one : fresh) {
    if (has_label(*one->trace, label)) sum.add(*one->trace, 1, all, &resolve);
    if (one->base && whole_minutes && has_label(*one->base->trace, label))
      sum.add(*one->base->trace, -1, {first * kMinuteUs, last * kMinuteUs}, &resolve);
  }
  if (whole_minutes) {
    for (const auto& [day, where] :
         buckets(floor_div(first, 1440) - 1, floor_div(last, 1440) + 1)) {
      if (auto added = where->graph(*number, first, last, label, sum); !added.ok())
        ++damaged_blocks_;
    }
  }
  for (const auto& part : parts) TRYV(add_partial(*number, scope, part, label, in_head, sum));
  return sum;
}

}  // namespace fog::traces
