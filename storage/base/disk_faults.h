// How often the disk refused, since the process began.
#pragma once

#include <atomic>
#include <cstdint>

namespace fog {

struct DiskFaults {
  std::atomic<std::uint64_t> writes{0};  // no space, input/output errors, names that cannot be made
  std::atomic<std::uint64_t> syncs{0};   // each is final for its file
};
DiskFaults& disk_faults();

}  // namespace fog
