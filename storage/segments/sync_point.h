// Named places in sealing and merging where a test may end the process, to see what is left.
//
// In order: seal: encoded, file created, file written, file synced, file renamed, folder synced (for every
// segment and for the manifest), sealed; merge: joined, the same for the file and the manifest, merged,
// and file deleted for every file that is not needed any more.
//
// Threads: any; the hook is set before the store opens.
#pragma once

#include <atomic>

namespace fog::segments {

using SyncPointHook = void (*)(const char* name);
inline std::atomic<SyncPointHook> sync_point_hook{nullptr};

inline void sync_point(const char* name) {
  if (const SyncPointHook hook = sync_point_hook.load(std::memory_order_relaxed)) hook(name);
}

}  // namespace fog::segments
