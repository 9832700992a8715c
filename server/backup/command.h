// The command lines of `fogwatch backup`, `fogwatch restore` and `fogwatch check`.
#pragma once

#include <string>
#include <vector>

#include "server/config.h"

namespace fog::backup {

// Each gives the exit code: 0 done, 1 failed or findings, 2 called wrongly. `arguments` begin behind the command.
int run_backup(const std::vector<std::string>& arguments, const Environment& environment);
int run_restore(const std::vector<std::string>& arguments, const Environment& environment);
int run_check(const std::filesystem::path& folder);

}  // namespace fog::backup
