// Sums: what reading adds up: slots of a tier onto the slots of a period.
//
// An Accumulator is one series and unit; a GroupAccumulator takes slots of any number of series.
// Threads: none of their own.
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "storage/metric_store.h"
#include "storage/metrics/slots.h"

namespace fog::metrics {

// The slots of a read: start + k * period, all before the end.
struct Grid {
  std::int64_t start_ms = 0;
  std::int64_t end_ms = 0;  // start + slots * period
  std::int64_t period_ms = 60'000;
  std::size_t slots = 0;
  bool distributions = false;
};

// Slots of one series, unit and tier, ascending; marks of wide slots are looked up in `wides`.
struct SlotSpan {
  const std::uint32_t* slots = nullptr;
  const double* values = nullptr;
  std::size_t size = 0;
  std::int64_t width_ms = 60'000;
  const WideSlot* wides = nullptr;  // null: there are none
};

class Accumulator {
 public:
  Accumulator(UnitCode unit, const Grid& grid);
  UnitCode unit() const { return columns_.unit; }
  void add(const SlotSpan& in);
  SlotColumns take();

 private:
  struct Cell {
    double count = 0;
    double sum = 0;
    double min = 0;
    double max = 0;
  };
  const Grid* grid_;
  std::vector<Cell> cells_;
  std::vector<Distribution> distributions_;
  SlotColumns columns_;
};

class GroupAccumulator {
 public:
  explicit GroupAccumulator(const Grid& grid);
  void add(const SlotSpan& in);
  SlotSums take() { return std::move(sums_); }

 private:
  void add_one(std::size_t at, const SlotSpan& in, double value);

  const Grid grid_;
  SlotSums sums_;
};

}  // namespace fog::metrics
