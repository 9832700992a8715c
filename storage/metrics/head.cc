#include "storage/metrics/head.h"

#include <algorithm>
#include <cstring>

namespace fog::metrics {
namespace {

// A first block fits the slots of a few minutes; then capacity grows by half.
constexpr std::uint32_t kFirstCapacity = 4;

}  // namespace

void Stripe::grow() {
  const std::uint32_t capacity = capacity_ == 0 ? kFirstCapacity : capacity_ + capacity_ / 2 + 2;
  // Slot numbers take half a double each.
  auto memory = std::make_unique_for_overwrite<double[]>(capacity + (capacity + 1) / 2);
  if (size_ > 0) {
    std::memcpy(memory.get(), memory_.get(), size_ * sizeof(double));
    std::memcpy(reinterpret_cast<char*>(memory.get() + capacity), slots(),
                size_ * sizeof(std::uint32_t));
  }
  memory_ = std::move(memory);
  capacity_ = capacity;
}

std::pair<std::uint32_t, bool> Stripe::locate(std::uint32_t slot) const {
  if (size_ == 0) return {0, false};
  const std::uint32_t* begin = std::as_const(*this).slots();
  if (begin[size_ - 1] < slot) return {size_, false};
  // Programs report every minute: then the place is the distance from the first or the last.
  if (const std::uint32_t guess = slot - begin[0]; slot >= begin[0] && guess < size_ && begin[guess] == slot) return {guess, true};
  if (const std::uint32_t back = begin[size_ - 1] - slot; back < size_ && begin[size_ - 1 - back] == slot)
    return {size_ - 1 - back, true};
  const std::uint32_t* at = std::lower_bound(begin, begin + size_, slot);
  return {static_cast<std::uint32_t>(at - begin), *at == slot};
}

void Stripe::insert(std::uint32_t at, std::uint32_t slot, double value) {
  if (size_ == capacity_) grow();
  double* values = memory_.get();
  std::uint32_t* numbers = slots();
  std::memmove(values + at + 1, values + at, (size_ - at) * sizeof(double));
  std::memmove(numbers + at + 1, numbers + at, (size_ - at) * sizeof(std::uint32_t));
  values[at] = value;
  numbers[at] = slot;
  ++size_;
}

void Stripe::add_value(std::uint32_t slot, double value) {
  const auto [at, present] = locate(slot);
  if (!present)
    insert(at, slot, value);
  else
    widen(slot).add_value(value, 1);
}

WideSlot& Stripe::widen(std::uint32_t slot) {
  if (!wides_) wides_ = std::make_unique<std::vector<WideSlot>>();
  const auto [at, present] = locate(slot);
  if (present && is_wide(memory_[at])) return (*wides_)[wide_index(memory_[at])];
  const double mark = wide_mark(static_cast<std::uint32_t>(wides_->size()));
  WideSlot& wide = wides_->emplace_back();
  if (present) {
    wide.add_value(memory_[at], 1);
    memory_[at] = mark;
  } else {
    insert(at, slot, mark);
  }
  return wide;
}

void Stripe::copy(std::uint32_t from, std::uint32_t to, SlotBlock& into) const {
  if (size_ == 0) return;
  const std::uint32_t* numbers = slots();
  const std::uint32_t* end = numbers + size_;
  const std::uint32_t* at = std::lower_bound(numbers, end, from);
  for (; at != end && *at < to; ++at) {
    const double value = memory_[static_cast<std::size_t>(at - numbers)];
    if (is_wide(value))
      into.push_wide(*at, wide(value));
    else
      into.push_value(*at, value);
  }
}

std::size_t Stripe::memory_bytes() const {
  std::size_t bytes = sizeof(*this) + capacity_ * 12;
  if (wides_)
    for (const WideSlot& wide : *wides_) bytes += sizeof(wide) + wide.distribution.memory_bytes();
  return bytes;
}

Stripe& Head::stripe(SeriesId series, UnitCode unit, Tier tier) {
  const auto number = static_cast<std::size_t>(series - base_);
  if (number >= first_.size()) first_.resize(std::max(number + 1, first_.size() * 3 / 2), UINT32_MAX);
  std::uint32_t at = first_[number];
  std::uint32_t last = UINT32_MAX;
  for (; at != UINT32_MAX; last = at, at = stripes_[at].next)
    if (stripes_[at].unit() == unit && stripes_[at].tier() == tier) return stripes_[at];
  const auto fresh = static_cast<std::uint32_t>(stripes_.size());
  stripes_.emplace_back(series, unit, tier);
  bytes += sizeof(Stripe) + 12 * kFirstCapacity;
  if (last == UINT32_MAX)
    first_[number] = fresh;
  else
    stripes_[last].next = fresh;
  return stripes_[fresh];
}

const Stripe* Head::first(SeriesId series) const {
  const auto number = static_cast<std::size_t>(series - base_);
  if (series < base_ || number >= first_.size() || first_[number] == UINT32_MAX) return nullptr;
  return &stripes_[first_[number]];
}

}  // namespace fog::metrics
