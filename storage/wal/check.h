// Reads a write-ahead log without changing it (`fogwatch check`).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "storage/base/result.h"

namespace fog {

// One line a finding. A last record that is cut short is none: a crash leaves such a thing, and what was
// never whole was never acknowledged. Error: not_found.
Result<std::vector<std::string>> check_wal_folder(const std::filesystem::path& folder);

}  // namespace fog
