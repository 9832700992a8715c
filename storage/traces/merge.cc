// Merging: a slow stream of traces leaves a small run every few minutes; many of them become one.
#include "storage/base/log.h"
#include "storage/traces/engine.h"

namespace fog::traces {

namespace {

constexpr std::int64_t kSmallTraces = 1024;
constexpr std::size_t kSmallRunsMin = 8;
constexpr std::int64_t kMergedTracesMax = 8192;

}  // namespace

std::size_t Engine::merge_small_runs() {
  std::vector<std::uint64_t> numbers;
  {
    auto catalogue = catalogue_.lock_shared();
    for (const auto& [number, scope] : catalogue->scopes) numbers.push_back(number);
  }
  std::size_t gone = 0;
  for (const auto& [day, where] : buckets(std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()))
    for (const auto number : numbers) gone += merge_day(number, day, where);
  return gone;
}

std::size_t Engine::merge_day(std::uint64_t number, std::int64_t day, const std::shared_ptr<Bucket>& where) {
  const std::lock_guard one_at_a_time(sealing_);
  const auto runs = where->runs(number);
  if (!runs.ok()) return 0;
  const auto small = [](const RunInfo& info) { return info.traces < kSmallTraces; };
  if (static_cast<std::size_t>(std::count_if(runs->begin(), runs->end(), small)) < kSmallRunsMin) return 0;
  std::vector<std::int64_t> chosen;
  std::vector<SealItem> items;
  for (const auto& info : *runs) {
    if (!small(info) || static_cast<std::int64_t>(items.size()) + info.traces > kMergedTracesMax) continue;
    auto read = where->read_run(number, info.run);
    if (!read.ok()) continue;  // what is left of a damaged run stays where it is
    chosen.push_back(info.run);
    std::move(read->begin(), read->end(), std::back_inserter(items));
  }
  if (chosen.size() < kSmallRunsMin || items.empty()) return 0;
  std::sort(items.begin(), items.end(), [](const SealItem& a, const SealItem& b) {
    return std::pair(a.row.start_us, a.row.id_low) < std::pair(b.row.start_us, b.row.id_low);
  });
  const auto plan = plan_seal(items, nullptr);
  const std::unique_lock places(places_, std::try_to_lock);
  if (!places.owns_lock()) return 0;  // somebody reads: next time
  if (auto merged = where->merge(number, plan, chosen); !merged.ok()) {
    LOG_WARN("traces: merging failed, will be tried again: {}", merged.error().message());
    return 0;
  }
  auto head = head_.lock();
  ++merged_;
  for (auto& [key, trace] : head->traces) {
    if (!trace.base || trace.base->day != day) continue;
    trace.base_known = false;
    trace.base = nullptr;
    trace.whole = nullptr;
  }
  return chosen.size();
}

}  // namespace fog::traces
