#include "storage/metrics/sums.h"

namespace fog {

void SlotSums::merge(const SlotSums& other) {
  if (other.size() == 0) return;
  if (size() == 0) {
    *this = other;
    return;
  }
  // Two reads may begin a slot apart when the clock moved between them: the later start counts.
  if (other.start_ms > start_ms) {
    const auto drop = static_cast<std::ptrdiff_t>(
        std::min<std::int64_t>((other.start_ms - start_ms) / period_ms, static_cast<std::int64_t>(size())));
    for (auto* column : {&count, &sum, &min, &max}) column->erase(column->begin(), column->begin() + drop);
    start_ms = other.start_ms;
  }
  const std::size_t skip = static_cast<std::size_t>((start_ms - other.start_ms) / period_ms);
  if (skip >= other.size()) return;
  const std::size_t n = other.size() - skip;
  if (n > size()) resize(n);
  for (std::size_t i = 0; i < n; ++i) {
    count[i] += other.count[skip + i];
    sum[i] += other.sum[skip + i];
    min[i] = std::min(min[i], other.min[skip + i]);
    max[i] = std::max(max[i], other.max[skip + i]);
  }
}

void SlotSums::resize(std::size_t slots) {
  count.resize(slots, 0);
  sum.resize(slots, 0);
  min.resize(slots, std::numeric_limits<double>::infinity());
  max.resize(slots, -std::numeric_limits<double>::infinity());
}

namespace metrics {

// --- one series -----------------------------------------------------------------------------------

Accumulator::Accumulator(UnitCode unit, const Grid& grid) : grid_(&grid), cells_(grid.slots) {
  columns_.unit = unit;
  if (grid.distributions) distributions_.resize(grid.slots);
}

void Accumulator::add(const SlotSpan& in) {
  std::int64_t cell_end = INT64_MIN;  // of the cell that `at` names
  std::size_t at = 0;
  for (std::size_t i = 0; i < in.size; ++i) {
    const std::int64_t time = in.slots[i] * in.width_ms;
    if (time < grid_->start_ms) continue;
    if (time >= grid_->end_ms) break;
    if (time >= cell_end) {
      // Usually the next cell; a division is dear.
      if (cell_end != INT64_MIN && time < cell_end + grid_->period_ms)
        ++at;
      else
        at = static_cast<std::size_t>((time - grid_->start_ms) / grid_->period_ms);
      cell_end = grid_->start_ms + static_cast<std::int64_t>(at + 1) * grid_->period_ms;
    }
    Cell& cell = cells_[at];
    const double value = in.values[i];
    if (is_wide(value)) [[unlikely]] {
      const WideSlot& wide = in.wides[wide_index(value)];
      if (!(wide.count > 0)) continue;
      cell.min = cell.count > 0 ? std::min(cell.min, wide.min) : wide.min;
      cell.max = cell.count > 0 ? std::max(cell.max, wide.max) : wide.max;
      cell.count += wide.count;
      cell.sum += wide.sum;
      if (grid_->distributions) distributions_[at].merge(wide.distribution);
      continue;
    }
    cell.min = cell.count > 0 ? std::min(cell.min, value) : value;
    cell.max = cell.count > 0 ? std::max(cell.max, value) : value;
    cell.count += 1;
    cell.sum += value;
    if (grid_->distributions) distributions_[at].add(value, 1);
  }
}

SlotColumns Accumulator::take() {
  SlotColumns& out = columns_;
  std::size_t n = 0;
  for (const Cell& cell : cells_) n += cell.count > 0 ? 1 : 0;
  out.start_ms.reserve(n);
  for (auto* column : {&out.count, &out.sum, &out.min, &out.max}) column->reserve(n);
  if (grid_->distributions) out.distribution.reserve(n);
  for (std::size_t i = 0; i < cells_.size(); ++i) {
    const Cell& cell = cells_[i];
    if (!(cell.count > 0)) continue;
    out.start_ms.push_back(grid_->start_ms + static_cast<std::int64_t>(i) * grid_->period_ms);
    out.count.push_back(cell.count);
    out.sum.push_back(cell.sum);
    out.min.push_back(cell.min);
    out.max.push_back(cell.max);
    if (grid_->distributions) out.distribution.push_back(std::move(distributions_[i]));
  }
  return std::move(columns_);
}

// --- many series ----------------------------------------------------------------------------------

GroupAccumulator::GroupAccumulator(const Grid& grid) : grid_(grid) {
  sums_.start_ms = grid.start_ms;
  sums_.period_ms = grid.period_ms;
  sums_.resize(grid.slots);
}

void GroupAccumulator::add_one(std::size_t at, const SlotSpan& in, double value) {
  if (is_wide(value)) {
    const WideSlot& wide = in.wides[wide_index(value)];
    if (!(wide.count > 0)) return;
    sums_.count[at] += wide.count;
    sums_.sum[at] += wide.sum;
    sums_.min[at] = std::min(sums_.min[at], wide.min);
    sums_.max[at] = std::max(sums_.max[at], wide.max);
    return;
  }
  sums_.count[at] += 1;
  sums_.sum[at] += value;
  sums_.min[at] = std::min(sums_.min[at], value);
  sums_.max[at] = std::max(sums_.max[at], value);
}

void GroupAccumulator::add(const SlotSpan& in) {
  // What of `in` lies in the range.
  const auto number = [&](std::int64_t time_ms) {
    return static_cast<std::uint32_t>(
        std::clamp<std::int64_t>((time_ms + in.width_ms - 1) / in.width_ms, 0, UINT32_MAX));
  };
  const std::uint32_t* const first = std::lower_bound(in.slots, in.slots + in.size, number(grid_.start_ms));
  const std::uint32_t* const last = std::lower_bound(first, in.slots + in.size, number(grid_.end_ms));
  if (first == last) return;
  const auto n = static_cast<std::size_t>(last - first);
  const double* const values = in.values + (first - in.slots);
  const std::int64_t begin_ms = *first * in.width_ms;
  auto at = static_cast<std::size_t>((begin_ms - grid_.start_ms) / grid_.period_ms);

  // The usual case: no gap, a slot of the tier is a slot of the answer, every slot saw one value.
  if (in.width_ms == grid_.period_ms && in.wides == nullptr && *(last - 1) - *first == n - 1) {
    double* const count = sums_.count.data() + at;
    double* const sum = sums_.sum.data() + at;
    double* const min = sums_.min.data() + at;
    double* const max = sums_.max.data() + at;
    for (std::size_t i = 0; i < n; ++i) count[i] += 1;
    for (std::size_t i = 0; i < n; ++i) sum[i] += values[i];
    for (std::size_t i = 0; i < n; ++i) {
      min[i] = values[i] < min[i] ? values[i] : min[i];
      max[i] = values[i] > max[i] ? values[i] : max[i];
    }
    return;
  }
  std::int64_t cell_end = grid_.start_ms + static_cast<std::int64_t>(at + 1) * grid_.period_ms;
  for (std::size_t i = 0; i < n; ++i) {
    const std::int64_t time = first[i] * in.width_ms;
    if (time >= cell_end) {
      if (time < cell_end + grid_.period_ms)
        ++at;
      else
        at = static_cast<std::size_t>((time - grid_.start_ms) / grid_.period_ms);
      cell_end = grid_.start_ms + static_cast<std::int64_t>(at + 1) * grid_.period_ms;
    }
    add_one(at, in, values[i]);
  }
}

}  // namespace metrics
}  // namespace fog
