// Head: what has been put since the last flush, in memory, one Stripe per (series, unit, tier).
//
// A stripe holds 12 bytes a slot: slot numbers and values in one block of memory, ascending; a slot
// that saw more than one value is marked as in SlotBlock and lives in a side list.
// Threads: none of its own. The engine locks while a head is being filled; a head handed to the
// flush is immutable and read without a lock.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "storage/metric_store.h"
#include "storage/metrics/slots.h"

namespace fog::metrics {

// The tiers in memory and on disk, finest first.
enum class Tier : std::uint8_t { k1s, k60s, k300s, k3600s };
inline constexpr std::size_t kTiers = 4;
inline constexpr std::int64_t kTierWidthMs[kTiers] = {1000, 60'000, 300'000, 3'600'000};

class Stripe {
 public:
  Stripe(SeriesId series, UnitCode unit, Tier tier) : series_(series), unit_(unit), tier_(tier) {}

  SeriesId series() const { return series_; }
  UnitCode unit() const { return unit_; }
  Tier tier() const { return tier_; }
  std::uint32_t next = UINT32_MAX;  // the next stripe of the same series

  void add_value(std::uint32_t slot, double value);  // weight 1
  // The slot as a wide one, to be added to by the caller.
  WideSlot& widen(std::uint32_t slot);

  std::size_t size() const { return size_; }
  const std::uint32_t* slots() const {
    return reinterpret_cast<const std::uint32_t*>(memory_.get() + capacity_);
  }
  const double* values() const { return memory_.get(); }
  const WideSlot& wide(double mark) const { return (*wides_)[wide_index(mark)]; }
  const WideSlot* wides() const { return wides_ ? wides_->data() : nullptr; }
  // Copies slots with from <= number < to.
  void copy(std::uint32_t from, std::uint32_t to, SlotBlock& into) const;
  std::size_t memory_bytes() const;

 private:
  std::uint32_t* slots() { return reinterpret_cast<std::uint32_t*>(memory_.get() + capacity_); }
  void grow();
  // Where the slot is or belongs; second: it is there already.
  std::pair<std::uint32_t, bool> locate(std::uint32_t slot) const;
  void insert(std::uint32_t at, std::uint32_t slot, double value);

  SeriesId series_;
  std::unique_ptr<double[]> memory_;  // capacity_ values, then capacity_ slot numbers
  std::unique_ptr<std::vector<WideSlot>> wides_;
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 0;
  UnitCode unit_;
  Tier tier_;
};

class Head {
 public:
  explicit Head(SeriesId base) : base_(base) {}

  Stripe& stripe(SeriesId series, UnitCode unit, Tier tier);
  // The first stripe of a series, or null; follow with next().
  const Stripe* first(SeriesId series) const;
  const Stripe* next(const Stripe& stripe) const {
    return stripe.next == UINT32_MAX ? nullptr : &stripes_[stripe.next];
  }
  const std::vector<Stripe>& stripes() const { return stripes_; }
  bool empty() const { return stripes_.empty(); }

  // An estimate, kept as things come in (12 bytes a slot, more for wide ones).
  std::size_t bytes = 0;
  std::uint64_t last_lsn = 0;
  std::int64_t oldest_ms = INT64_MAX;  // of the 60 s slots in here

 private:
  SeriesId base_;
  std::vector<std::uint32_t> first_;  // by series - base_
  std::vector<Stripe> stripes_;
};

}  // namespace fog::metrics
