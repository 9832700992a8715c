// Spool: a bounded first-in first-out queue of records on disk: what waits to be delivered elsewhere.
//
// push() writes to the system at once, so that a record survives kill -9; sync() makes all that was
// pushed survive power loss. pop() notes the place; after a crash the last few records popped may
// come again, none is ever lost or out of order. Past the bound the oldest records give way and are
// counted. A damaged record ends its file: what stands behind it in that file is lost and counted.
//
// Files: NNNNNNNNNNNNNNNN.spool, named by the number of their first record in hex. Record: u32 size |
// u32 crc32c | bytes. File `place`: u64 number of the next record to pop | u32 crc32c of that.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "storage/base/result.h"

namespace fog {

class Spool {
 public:
  struct Options {
    std::filesystem::path folder;  // empty: memory only
    std::size_t bytes_max = 64u << 20;
    std::size_t file_bytes_max = 8u << 20;
  };
  // Opens or makes the folder. Errors: busy (the disk).
  static Result<std::unique_ptr<Spool>> open(Options options);
  virtual ~Spool() = default;

  // Errors: busy (the disk refuses), limit (larger than the whole bound), invalid (empty).
  virtual Status push(std::string_view record) = 0;
  // The oldest record; nothing: empty.
  virtual std::optional<std::string> front() = 0;
  virtual void pop() = 0;
  virtual Status sync() = 0;

  // The number of the oldest record; grows by one a record, never falls.
  virtual std::uint64_t front_number() const = 0;
  virtual std::size_t records() const = 0;
  virtual std::size_t bytes() const = 0;
  // Records that gave way or were damaged, since open.
  virtual std::uint64_t dropped() const = 0;
};

}  // namespace fog
