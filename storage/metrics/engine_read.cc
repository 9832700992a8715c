// Reading: from the head, from the head being flushed and from parts, on the slots of a period.
#include "storage/metrics/engine.h"

#include <algorithm>

#include "storage/base/log.h"
#include "storage/metrics/chunk.h"

namespace fog::metrics {

namespace {

// Series are read in groups, so that memory stays bounded and in the processor's second cache.
constexpr std::size_t kScanGroupMax = 256;
constexpr std::size_t kScanSlotsMax = 1u << 15;  // of 32 bytes each

}  // namespace

std::int64_t Engine::keep_ms(Tier tier) const {
  switch (tier) {
    case Tier::k1s:
      return options_.keep_1s.count() * 1000;
    case Tier::k60s:
      return options_.keep_60s.count() * 1000;
    case Tier::k300s:
      return options_.keep_300s.count() * 1000;
    case Tier::k3600s:
      return options_.keep_3600s.count() * 1000;
  }
  return 0;
}

// The coarsest tier that serves the period decides how far back it reaches.
std::int64_t Engine::oldest_readable_ms(std::int64_t period_ms, std::int64_t now_ms) const {
  for (std::size_t tier = kTiers; tier-- > 0;)
    if (period_ms % kTierWidthMs[tier] == 0) {
      if (period_ms < 60'000) tier = 0;
      return now_ms - keep_ms(static_cast<Tier>(tier));
    }
  return INT64_MAX;
}

std::optional<Grid> Engine::prepare(std::span<const SeriesId> ids, const ReadMetrics& spec, Asked& asked) const {
  const std::int64_t period = spec.period.count() * 1000;
  std::int64_t newest = INT64_MIN;
  {
    const std::shared_lock lock(mutex_);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (!catalogue_.contains(ids[i])) continue;
      asked.emplace_back(ids[i], i);
      newest = std::max(newest, catalogue_.at(ids[i]).newest_ms);
    }
  }
  std::sort(asked.begin(), asked.end());

  Grid grid;
  grid.period_ms = period;
  grid.distributions = spec.with_distribution;
  grid.start_ms = spec.align_to_start ? floor_to(to_ms(spec.start), 1000)
                                      : floor_to(to_ms(spec.start), period);
  // No further back than anything is kept, nor further on than data goes.
  const std::int64_t oldest =
      std::max<std::int64_t>(0, oldest_readable_ms(period, to_ms(clock_.now())));
  if (oldest == INT64_MAX) return std::nullopt;
  if (oldest > grid.start_ms) {
    const std::int64_t cells = (oldest - grid.start_ms + period - 1) / period;
    grid.start_ms += cells * period;
  }
  grid.end_ms = std::min(to_ms(spec.end), newest + 1);
  if (grid.end_ms <= grid.start_ms) return std::nullopt;
  grid.slots = static_cast<std::size_t>((grid.end_ms - grid.start_ms + period - 1) / period);
  // A cell is returned whole if its start is before the end.
  grid.end_ms = grid.start_ms + static_cast<std::int64_t>(grid.slots) * period;
  return grid;
}

template <typename Sink>
Status Engine::visit_slots(std::span<const std::pair<SeriesId, std::size_t>> asked, const Grid& grid,
                           const ReadMetrics& spec, const Sink& sink) const {
  const bool fine = grid.period_ms % 60'000 != 0;
  const auto serves = [&](Tier tier) {
    return fine ? tier == Tier::k1s
                : tier != Tier::k1s && (tier == Tier::k60s || grid.period_ms % tier_width_ms(tier) == 0);
  };
  const auto visit_head = [&](const Head& head) {
    for (std::size_t i = 0; i < asked.size(); ++i)
      for (const Stripe* stripe = head.first(asked[i].first); stripe != nullptr; stripe = head.next(*stripe)) {
        if (!serves(stripe->tier()) || (spec.unit && *spec.unit != stripe->unit()) || stripe->size() == 0) continue;
        sink(i, stripe->unit(),
             SlotSpan{stripe->slots(), stripe->values(), stripe->size(), tier_width_ms(stripe->tier()),
                      stripe->wides()});
      }
  };

  std::vector<std::shared_ptr<Part>> parts;
  std::shared_ptr<const Head> flushing;
  {
    const std::shared_lock lock(mutex_);
    for (const auto& [key, bucket] : parts_)
      if (serves(key.tier) && key.start_s * 1000 < grid.end_ms &&
          bucket_end_s(key.tier, key.start_s) * 1000 > grid.start_ms)
        parts.insert(parts.end(), bucket.parts.begin(), bucket.parts.end());
    flushing = flushing_;
    visit_head(*head_);
  }
  if (flushing) visit_head(*flushing);

  std::vector<SeriesId> ids(asked.size());
  for (std::size_t i = 0; i < asked.size(); ++i) ids[i] = asked[i].first;
  SlotBlock block;
  for (const auto& part : parts) {
    std::size_t at = 0;
    const std::int64_t width = tier_width_ms(part->name().tier);
    const auto from = static_cast<std::uint32_t>(std::max<std::int64_t>(0, grid.start_ms / width));
    const auto to = static_cast<std::uint32_t>(
        std::min<std::int64_t>(UINT32_MAX, (grid.end_ms + width - 1) / width));
    TRYV(part->read(ids, [&](std::uint64_t id, std::string_view chunk) {
      while (ids[at] < id / 32) ++at;
      const auto unit = static_cast<UnitCode>(id % 32);
      if (spec.unit && *spec.unit != unit) return true;
      if (const Status decoded = decode_chunk(chunk, grid.distributions, block, from, to); !decoded.ok()) {
        ++damaged_;
        LOG_ERROR("metrics: chunk of series {} in {} is damaged", id / 32, part->name().file());
        return true;
      }
      sink(at, unit,
           SlotSpan{block.slots.data(), block.values.data(), block.size(), width,
                    block.wides.empty() ? nullptr : block.wides.data()});
      return true;
    }));
  }
  return Ok{};
}

Status Engine::scan(std::span<const SeriesId> ids, const ReadMetrics& spec,
                    const ScanVisit& visit) const {
  if (spec.period.count() <= 0) return Error::invalid("a period is at least a second");
  Asked asked;
  const auto grid = prepare(ids, spec, asked);
  if (!grid) return Ok{};
  const std::size_t step = std::clamp<std::size_t>(kScanSlotsMax / grid->slots, 1, kScanGroupMax);
  for (std::size_t at = 0; at < asked.size(); at += step) {
    const auto group = std::span(asked).subspan(at, std::min(step, asked.size() - at));
    std::vector<std::vector<Accumulator>> sums(group.size());
    TRYV(visit_slots(group, *grid, spec, [&](std::size_t i, UnitCode unit, const SlotSpan& slots) {
      for (Accumulator& sum : sums[i])
        if (sum.unit() == unit) return sum.add(slots);
      sums[i].emplace_back(unit, *grid).add(slots);
    }));
    for (std::size_t i = 0; i < group.size(); ++i) {
      std::sort(sums[i].begin(), sums[i].end(),
                [](const Accumulator& a, const Accumulator& b) { return a.unit() < b.unit(); });
      for (Accumulator& sum : sums[i]) {
        SlotColumns columns = sum.take();
        if (columns.size() > 0) visit(group[i].second, columns);
      }
    }
  }
  return Ok{};
}

Result<SlotSums> Engine::sum(std::span<const SeriesId> ids, const ReadMetrics& spec) const {
  if (spec.period.count() <= 0) return Error::invalid("a period is at least a second");
  Asked asked;
  auto grid = prepare(ids, spec, asked);
  if (!grid) return SlotSums{};
  grid->distributions = false;
  GroupAccumulator sums(*grid);
  for (std::size_t at = 0; at < asked.size(); at += kScanGroupMax)
    TRYV(visit_slots(std::span(asked).subspan(at, std::min(kScanGroupMax, asked.size() - at)), *grid, spec,
                     [&](std::size_t, UnitCode, const SlotSpan& slots) { sums.add(slots); }));
  return sums.take();
}

}  // namespace fog::metrics
