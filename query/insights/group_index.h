// GroupIndex: from the keys of a group to its number. Keys stay where they are: an entry is a hash and a number,
// eight bytes, so that ten million groups fit a query's budget.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fog::insights {

class GroupIndex {
 public:
  // The number of the group with this hash for which same(number) holds; where there is none, `next` is entered.
  template <typename Same>
  std::uint32_t find_or_add(std::uint64_t hash, std::uint32_t next, Same&& same) {
    if ((used_ + 1) * 4 > slots_.size() * 3) grow();
    const auto tag = static_cast<std::uint32_t>(hash >> 32);
    for (std::size_t i = place(tag, static_cast<std::uint32_t>(hash));; i = (i + 1) & (slots_.size() - 1)) {
      Slot& slot = slots_[i];
      if (slot.group == kFree) {
        slot = {tag, next};
        lows_.push_back(static_cast<std::uint32_t>(hash));
        ++used_;
        return next;
      }
      if (slot.tag == tag && same(slot.group)) return slot.group;
    }
  }
  std::size_t bytes() const { return slots_.capacity() * sizeof(Slot) + lows_.capacity() * sizeof(std::uint32_t); }

 private:
  static constexpr std::uint32_t kFree = ~0u;
  struct Slot {
    std::uint32_t tag = 0;
    std::uint32_t group = kFree;
  };
  std::size_t place(std::uint32_t tag, std::uint32_t low) const { return (low ^ tag) & (slots_.size() - 1); }
  void grow() {
    std::vector<Slot> old(slots_.empty() ? 16 : slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.group == kFree) continue;
      std::size_t i = place(slot.tag, lows_[slot.group]);
      while (slots_[i].group != kFree) i = (i + 1) & (slots_.size() - 1);
      slots_[i] = slot;
    }
  }

  std::vector<Slot> slots_;
  std::vector<std::uint32_t> lows_;  // by group: the other half of its hash
  std::size_t used_ = 0;
};

}  // namespace fog::insights
