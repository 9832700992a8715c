// What reading and writing a bucket's tables have in common.
#pragma once

#include <cstdint>
#include <string>

#include "storage/trace_store.h"

namespace fog::traces {

inline constexpr std::size_t kFactsBlockTraces = 128;

// 16 bytes, big-endian: in the order of the ids.
inline std::string id_key(TraceId id) {
  std::string key(16, '\0');
  for (std::size_t i = 0; i < 8; ++i) {
    key[i] = static_cast<char>(id.hi >> (56 - 8 * i));
    key[8 + i] = static_cast<char>(id.lo >> (56 - 8 * i));
  }
  return key;
}

inline std::int64_t sql_int(std::uint64_t value) { return static_cast<std::int64_t>(value); }

}  // namespace fog::traces
