// DataFolder: the folder one server owns. FORMAT says what wrote it, LOCK keeps a second server out.
//
//   DATA/FORMAT  "fogwatch data 1\n"; a newer number is refused, so that a downgrade harms nothing
//   DATA/LOCK    held with flock while the server runs; the kernel lets go of it when the process ends
#pragma once

#include <filesystem>

#include "storage/base/result.h"

namespace fog {

class DataFolder {
 public:
  // Makes the folder when absent. Errors: busy (another server), invalid (not ours), internal.
  static Result<DataFolder> open(const std::filesystem::path& folder);

  DataFolder(DataFolder&& other) noexcept;
  DataFolder& operator=(DataFolder&&) = delete;
  ~DataFolder();

 private:
  explicit DataFolder(int lock) : lock_(lock) {}
  int lock_;
};

}  // namespace fog
