// kRoomyListOps: kListOps for lists that are read in: the first element brings room for some more.
//
// A vector that grows from one element to two to four moves what it has each time, and most lists have a few.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "api/common/shape.h"

namespace fog {

// Small elements get room for more of them; a list of one large element costs little.
template <typename T>
inline constexpr std::size_t kListRoom = std::clamp<std::size_t>(256 / sizeof(T), 2, 16);

template <typename T>
inline constexpr ListOps kRoomyListOps = {
    [](const Shape&, void* list) -> void* {
      auto& elements = *static_cast<std::vector<T>*>(list);
      if (elements.capacity() == 0) elements.reserve(kListRoom<T>);
      return &elements.emplace_back();
    },
    kListOps<T>.size, kListOps<T>.at, kListOps<T>.clear};

}  // namespace fog
