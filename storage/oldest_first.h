// OldestFirst: what an engine offers to whoever must make room on disk.
#pragma once

#include <cstdint>
#include <optional>

namespace fog {

class OldestFirst {
 public:
  virtual ~OldestFirst() = default;
  // When the range of time of the oldest files ends (ms since 1970); nothing: there are none.
  virtual std::optional<std::int64_t> oldest_end_ms() const = 0;
  // Deletes the files whose range of time ends at or before `end_ms`.
  virtual void drop_files_before(std::int64_t end_ms) = 0;
};

}  // namespace fog
