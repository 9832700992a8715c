// StringTable: numbers for texts, in the order in which they first came.
//
// Open addressing over one piece of memory: a block of traces asks for a few texts a thousand times.
// Not for threads. Texts are copied; views from at() hold until the next ref() or clear().
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/hash.h"

namespace fog::traces {

class StringTable {
 public:
  std::uint32_t ref(std::string_view text) {
    if (slots_.size() < 2 * (entries_.size() + 1)) grow();
    const std::uint64_t hash = hash64(text);
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
      const auto number = slots_[at];
      if (number == kFree) {
        slots_[at] = static_cast<std::uint32_t>(entries_.size());
        entries_.push_back({hash, text_.size(), text.size()});
        text_.append(text);
        return slots_[at];
      }
      if (entries_[number].hash == hash && this->at(number) == text) return number;
    }
  }
  std::string_view at(std::uint32_t number) const {
    const auto& entry = entries_[number];
    return std::string_view(text_).substr(entry.first, entry.size);
  }
  std::size_t size() const { return entries_.size(); }
  void clear() {
    slots_.assign(slots_.size(), kFree);
    entries_.clear();
    text_.clear();
  }

 private:
  static constexpr std::uint32_t kFree = UINT32_MAX;
  struct Entry {
    std::uint64_t hash;
    std::size_t first, size;
  };
  void grow() {
    slots_.assign(slots_.empty() ? 256 : slots_.size() * 2, kFree);
    const std::size_t mask = slots_.size() - 1;
    for (std::uint32_t i = 0; i < entries_.size(); ++i) {
      std::size_t at = entries_[i].hash & mask;
      while (slots_[at] != kFree) at = (at + 1) & mask;
      slots_[at] = i;
    }
  }

  std::vector<std::uint32_t> slots_;
  std::vector<Entry> entries_;
  std::string text_;
};

}  // namespace fog::traces
