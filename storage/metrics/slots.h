// SlotBlock: slots of one series, unit and tier in memory, ascending by time.
//
// A slot number is the slot's start divided by the tier's width. Nearly every slot saw one value,
// so a slot is one double; a slot that saw more (or a statistic set) is a NaN whose low 32 bits
// name its WideSlot (no datum is NaN).
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "storage/metrics/distribution.h"

namespace fog::metrics {

struct WideSlot {
  double count = 0;
  double sum = 0;
  double min = 0;
  double max = 0;
  Distribution distribution;

  void add_value(double value, double weight) {
    if (!(weight > 0)) return;
    widen(weight, value * weight, value, value);
    distribution.add(value, weight);
  }
  // A set says what its values were only if they were all the same.
  void add_set(double n, double total, double low, double high) {
    if (!(n > 0)) return;
    widen(n, total, low, high);
    if (low == high && total == low * n)
      distribution.add(low, n);
    else
      distribution.make_unavailable();
  }
  void merge(const WideSlot& other) {
    if (!(other.count > 0)) return;
    widen(other.count, other.sum, other.min, other.max);
    distribution.merge(other.distribution);
  }

 private:
  void widen(double n, double total, double low, double high) {
    min = count > 0 ? std::min(min, low) : low;
    max = count > 0 ? std::max(max, high) : high;
    count += n;
    sum += total;
  }
};

inline bool is_wide(double value) { return std::isnan(value); }
inline double wide_mark(std::uint32_t index) {
  return std::bit_cast<double>(0x7ff8000000000000ull | index);
}
inline std::uint32_t wide_index(double mark) {
  return static_cast<std::uint32_t>(std::bit_cast<std::uint64_t>(mark));
}

struct SlotBlock {
  std::vector<std::uint32_t> slots;
  std::vector<double> values;
  std::vector<WideSlot> wides;

  std::size_t size() const { return slots.size(); }
  void clear() {
    slots.clear();
    values.clear();
    wides.clear();
  }
  void push_value(std::uint32_t slot, double value) {
    slots.push_back(slot);
    values.push_back(value);
  }
  void push_wide(std::uint32_t slot, WideSlot wide) {
    slots.push_back(slot);
    values.push_back(wide_mark(static_cast<std::uint32_t>(wides.size())));
    wides.push_back(std::move(wide));
  }
  WideSlot wide_at(std::size_t i) const {
    if (is_wide(values[i])) return wides[wide_index(values[i])];
    WideSlot wide;
    wide.add_value(values[i], 1);
    return wide;
  }
};

// Both inputs by slot; slots present in both are added up.
SlotBlock merge_blocks(const SlotBlock& a, const SlotBlock& b);
// Slots of `factor` times the width.
SlotBlock coarsen(const SlotBlock& block, std::uint32_t factor);

}  // namespace fog::metrics
