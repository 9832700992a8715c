// GoodCopy: databases that nothing else could bring back are checked when they open, and a copy that was whole
// stands ready for when one is damaged.
//
// The copy lies beside its database as <file>.good; it is made at an orderly end and once a day, checked, and put
// in the place of the one before. A damaged database is kept as <file>.damaged for whoever wants to look.
// Threads: those of the database.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>

#include "storage/sqlite/database.h"

namespace fog {

// Databases found damaged since the process began.
std::atomic<std::uint64_t>& damaged_databases();

// Opens and checks; a database without checksums gets them (checked_pages.h). Error: corrupt (the check failed),
// others as Database::open.
Result<Database> open_checked(const std::filesystem::path& file, Database::Options options);

// Moves a damaged database aside. Gives its new name. Error: busy.
Result<std::filesystem::path> set_aside(const std::filesystem::path& file);

// Puts the good copy in the place of `file` (which is not there). False: there is no copy that is whole.
Result<bool> restore_good_copy(const std::filesystem::path& file);

// The three of them: what is there when it is sound, else the copy, else the error of the check. `restored`
// says that it is the copy, which knows nothing of the time since it was made.
Result<Database> open_or_restore(const std::filesystem::path& file, Database::Options options, bool& restored);

// Says when a copy is due and makes it.
class GoodCopy {
 public:
  GoodCopy() = default;  // of nothing
  explicit GoodCopy(std::filesystem::path file);
  // The database changed: makes a copy if the last one is a day old. Outside of transactions.
  void changed(Database& db);
  // An orderly end: makes a copy if there was a change since the last.
  void end(Database& db);

 private:
  Status make(Database& db);
  void make_or_say(Database& db);

  std::filesystem::path file_;
  std::chrono::steady_clock::time_point due_;
  bool is_stale_ = false;
};

}  // namespace fog
