// Scans: the head and the runs of the days in range, newest trace first.
#include "storage/traces/engine.h"
#include "storage/traces/terms.h"

namespace fog::traces {

namespace {

bool row_in_range(const RunColumns::Row& row, const TraceScan& spec) {
  switch (spec.range) {
    case TraceScan::Range::kFilingTime:
      return row.time_s * 1000 >= spec.from_ms && row.time_s * 1000 < spec.to_ms;
    case TraceScan::Range::kReceived:
      return row.last_received_ms >= spec.from_ms && row.first_received_ms < spec.to_ms;
    case TraceScan::Range::kSegmentEnd:
      return row.first_end_ms <= row.last_end_ms && row.last_end_ms >= spec.from_ms &&
             row.first_end_ms < spec.to_ms;
  }
  return false;
}

// What row_in_range can't say: whether an event lies between the outermost two.
bool trace_in_range(const Trace& trace, const TraceScan& spec) {
  const auto inside = [&](std::int64_t ms) { return ms >= spec.from_ms && ms < spec.to_ms; };
  switch (spec.range) {
    case TraceScan::Range::kFilingTime: return true;
    case TraceScan::Range::kReceived:
      return std::any_of(trace.updates_ms.begin(), trace.updates_ms.end(), inside);
    case TraceScan::Range::kSegmentEnd:
      return std::any_of(trace.entities.begin(), trace.entities.end(), [&](const Entity& e) {
        return e.kind == EntityKind::kSegment && !e.in_progress && inside(e.end_us / 1000);
      });
  }
  return false;
}

bool row_passes(const RunColumns::Row& row, const TraceScan& spec) {
  if ((row.flags & spec.flags_set) != spec.flags_set || (row.flags & spec.flags_clear) != 0)
    return false;
  if (spec.response_ms_min && row.response_ms < *spec.response_ms_min) return false;
  if (spec.response_ms_max && (row.response_ms < 0 || row.response_ms > *spec.response_ms_max))
    return false;
  if (spec.duration_ms_min && row.duration_ms < *spec.duration_ms_min) return false;
  return !(spec.duration_ms_max && row.duration_ms > *spec.duration_ms_max);
}

bool comes_after(const RunColumns::Row& row, const TraceScan& spec) {
  return !spec.after || TracePosition{row.start_us, row.id_low} < *spec.after;
}

}  // namespace

namespace {

// Postings of a day by run, one map for each clause of a scan.
using Clause = std::unordered_map<std::int64_t, std::vector<std::uint32_t>>;

struct RunToScan {
  std::uint32_t bucket = 0;  // index into the days of the scan
  RunInfo info;
};

struct Candidate {
  TracePosition position;
  std::uint32_t bucket = 0;  // index into the days; the head is kHead
  std::uint32_t ordinal = 0;
  std::int64_t run = 0;  // of the head: index into what is fresh
  bool operator<(const Candidate& other) const { return position < other.position; }
};
constexpr std::uint32_t kHead = UINT32_MAX;

bool overlaps(const RunInfo& info, const TraceScan& spec) {
  switch (spec.range) {
    case TraceScan::Range::kFilingTime:
      return info.time_max_s * 1000 >= spec.from_ms && info.time_min_s * 1000 < spec.to_ms;
    case TraceScan::Range::kReceived:
      return info.received_max_ms >= spec.from_ms && info.received_min_ms < spec.to_ms;
    case TraceScan::Range::kSegmentEnd:
      return info.end_max_ms >= spec.from_ms && info.end_min_ms < spec.to_ms;
  }
  return false;
}

// Every trace of the run counts as in range: its rows need not be looked at to know how many.
bool all_in_range(const RunInfo& info, const TraceScan& spec) {
  if (spec.after && info.start_max_us >= spec.after->start_us) return false;
  return spec.range == TraceScan::Range::kFilingTime && info.time_min_s * 1000 >= spec.from_ms &&
         info.time_max_s * 1000 < spec.to_ms;
}

// One scan under way: runs are opened newest first, no sooner than one of their traces may be next.
class Scan {
 public:
  Scan(const TraceScan& spec, std::vector<std::pair<std::int64_t, std::shared_ptr<Bucket>>> days)
      : spec_(spec), days_(std::move(days)), clauses_(days_.size()) {}

  void find_runs(std::uint64_t scope, std::atomic<std::uint64_t>& damaged) {
    for (std::uint32_t b = 0; b < days_.size(); ++b) {
      auto& where = *days_[b].second;
      auto runs = where.runs(scope);
      if (!runs.ok()) {
        ++damaged;
        continue;
      }
      for (const auto& info : *runs)
        if (overlaps(info, spec_) && !(spec_.after && info.start_min_us > spec_.after->start_us)) runs_.push_back({b, info});
      if (!find_postings(b, scope)) {  // without its index a day is looked at trace by trace
        ++damaged;
        clauses_[b].clear();
      }
    }
    std::sort(runs_.begin(), runs_.end(), [](const RunToScan& a, const RunToScan& b) { return a.info.start_max_us > b.info.start_max_us; });
  }

  void add(const Candidate& candidate) {
    candidates_.push_back(candidate);
    std::push_heap(candidates_.begin(), candidates_.end());
  }

  std::optional<Candidate> next(std::int64_t& in_range, std::atomic<std::uint64_t>& damaged) {
    while (opened_ < runs_.size() &&
           (candidates_.empty() || runs_[opened_].info.start_max_us >= candidates_.front().position.start_us))
      if (!open(runs_[opened_++], in_range)) ++damaged;
    if (candidates_.empty()) return std::nullopt;
    std::pop_heap(candidates_.begin(), candidates_.end());
    const auto next = candidates_.back();
    candidates_.pop_back();
    return next;
  }

  Bucket& bucket(const Candidate& candidate) { return *days_[candidate.bucket].second; }

 private:
  bool find_postings(std::uint32_t day, std::uint64_t scope) {
    for (const auto& terms : spec_.terms) {
      auto& sum = clauses_[day].emplace_back();
      for (const auto term : terms) {
        auto places = days_[day].second->postings(scope, term);
        if (!places.ok()) return false;
        for (auto& [run, ordinals] : *places) {
          auto& list = sum[run];
          list.insert(list.end(), ordinals.begin(), ordinals.end());
        }
      }
    }
    return true;
  }
  bool open(const RunToScan& run, std::int64_t& in_range) {
    const auto& clauses = clauses_[run.bucket];
    const bool hopeless = std::any_of(clauses.begin(), clauses.end(),
                                      [&](const Clause& clause) { return !clause.contains(run.info.run); });
    if (hopeless && all_in_range(run.info, spec_)) {
      in_range += run.info.traces;
      return true;
    }
    const auto columns = days_[run.bucket].second->columns(run.info.run, spec_.range != TraceScan::Range::kFilingTime);
    if (!columns.ok()) return false;
    const auto& rows = (*columns)->rows;
    std::vector<std::uint8_t> hits;  // of each row: how many clauses it passed, one after the other
    const auto wanted = static_cast<std::uint8_t>(std::min<std::size_t>(clauses.size(), 255));
    if (!clauses.empty()) {
      hits.assign(rows.size(), hopeless ? 255 : 0);
      for (std::size_t c = 0; c < clauses.size() && !hopeless; ++c)
        for (const auto ordinal : clauses[c].at(run.info.run))
          if (ordinal < hits.size() && hits[ordinal] == std::min<std::size_t>(c, 255))
            hits[ordinal] = static_cast<std::uint8_t>(std::min<std::size_t>(c + 1, 255));
    }
    // As it was when the runs were listed: a trace that moves to a later run now is still seen here.
    std::size_t next_dead = 0;
    const auto& dead = run.info.dead;
    const std::size_t before = candidates_.size();
    for (std::uint32_t ordinal = 0; ordinal < rows.size(); ++ordinal) {
      const auto& row = rows[ordinal];
      while (next_dead < dead.size() && dead[next_dead] < ordinal) ++next_dead;
      if ((next_dead < dead.size() && dead[next_dead] == ordinal) || !row_in_range(row, spec_) || !comes_after(row, spec_)) continue;
      ++in_range;
      if (!clauses.empty() && (hopeless || hits[ordinal] != wanted)) continue;
      if (row_passes(row, spec_)) candidates_.push_back({{row.start_us, row.id_low}, run.bucket, ordinal, run.info.run});
    }
    if (candidates_.size() != before) std::make_heap(candidates_.begin(), candidates_.end());
    return true;
  }

  const TraceScan& spec_;
  std::vector<std::pair<std::int64_t, std::shared_ptr<Bucket>>> days_;
  std::vector<std::vector<Clause>> clauses_;  // by day
  std::vector<RunToScan> runs_;               // newest first
  std::size_t opened_ = 0;
  std::vector<Candidate> candidates_;         // a heap
};

}  // namespace

Result<TraceStore::ScanTotals> Engine::scan(const TraceScope& scope, const TraceScan& spec,
                                            const Visitor& visit) {
  ScanTotals totals;
  const auto number = scope_number(scope);
  if (!number) return totals;
  // The head first: what is sealed meanwhile is then found twice, and skipped once.
  const auto fresh = whole_head(*number, scope);
  const IdSet in_head(fresh);
  std::int64_t from_day = std::numeric_limits<std::int64_t>::min();
  std::int64_t to_day = std::numeric_limits<std::int64_t>::max();
  if (spec.range == TraceScan::Range::kFilingTime) {
    // A trace that came back to its first day may be filed a day from where its time says.
    from_day = floor_div(spec.from_ms, kDayMs) - 1;
    to_day = floor_div(spec.to_ms, kDayMs) + 1;
  }
  const std::shared_lock places(places_);
  Scan scan(spec, buckets(from_day, to_day));
  scan.find_runs(*number, damaged_blocks_);
  for (std::size_t i = 0; i < fresh.size(); ++i) {
    const auto& row = fresh[i]->row;
    if (!row_in_range(row, spec) || !comes_after(row, spec) || !trace_in_range(*fresh[i]->trace, spec)) continue;
    ++totals.in_range;
    if (row_passes(row, spec)) scan.add({{row.start_us, row.id_low}, kHead, 0, static_cast<std::int64_t>(i)});
  }
  while (const auto next = scan.next(totals.in_range, damaged_blocks_)) {
    std::shared_ptr<const Trace> trace;
    if (next->bucket == kHead) {
      trace = fresh[static_cast<std::size_t>(next->run)]->trace;
    } else {
      auto facts = scan.bucket(*next).facts({next->run, next->ordinal});
      if (!facts.ok()) {
        ++damaged_blocks_;
        continue;
      }
      if (in_head.contains(facts->id) || !trace_in_range(*facts, spec)) {
        --totals.in_range;
        continue;
      }
      trace = std::make_shared<const Trace>(std::move(*facts));
    }
    if (!visit(trace)) break;
  }
  return totals;
}

}  // namespace fog::traces
