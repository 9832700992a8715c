// Where a file of the write-ahead log ends, for those who copy one that is being written.
#pragma once

#include <cstdint>
#include <filesystem>

#include "storage/base/result.h"
#include "storage/wal/wal.h"

namespace fog {

struct WalTail {
  std::uint64_t sound_bytes = 0;  // behind the last whole record
  Lsn next = 0;                   // the LSN that would follow
};

// Errors: internal (cannot be read).
Result<WalTail> wal_tail(const std::filesystem::path& file);

// Writes an empty log file: whoever opens the folder goes on with `first`.
Status write_empty_wal_file(const std::filesystem::path& folder, Lsn first);

}  // namespace fog
