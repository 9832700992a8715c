// PowerDisk: a disk that forgets what was not synced.
//
// This program's own open, write, fsync, rename ... stand in front of the C library's (power_disk.cc), so that
// every file operation below one folder is noted, whoever asks for it: engines, SQLite, std::filesystem. The real
// folder changes as always. At a moment of the test's choice the power fails: what the disk then holds is made
// from the notes. A file's bytes are certain once it was synced, a name once its folder was; of the rest each
// write may be there, be missing, be there in part (sectors of 512 bytes), or be there as zeros, in any
// combination; names come in order up to some point, or each by itself. Syncs cost nothing here.
//
// Threads: any. One folder at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "storage/base/random.h"

namespace fog::testing {

enum class Loss {
  kNothing,     // the process ends, the system lives on
  kUnsynced,    // everything that was not synced
  kInOrder,     // each write by chance; names up to some point
  kAnyOrder,    // each write and each name by chance
};

class PowerDisk {
 public:
  // Begins to note what happens below `root`; what is there already is certain.
  static void watch(const std::filesystem::path& root);
  // Fails the power when `operations` more were noted; 0: only by fail().
  static void fail_after(std::uint64_t operations);
  // ... before the operation of this name happens for the `time`-th time from now. Names are "create N.wal",
  // "sync folder", "rename MANIFEST": what and the kind of file, numbers in its name as N.
  static void fail_at(const std::string& point, std::uint64_t time);
  // What happened so far, by name, and how often.
  static std::map<std::string, std::uint64_t> points();
  static void fail();
  static bool failed();
  static bool failed_at_point();  // and not for the number of operations
  // Runs `note` unless the power failed before; so an acknowledgement is either before the failure or none.
  template <typename Note>
  static void acknowledge(const Note& note) {
    const Hold hold;
    if (!failed()) note();
  }
  static std::uint64_t operations();
  // Makes the folder `to` what the disk holds after the failure. Files that SQLite maps (-shm) are never there.
  static void restore(const std::filesystem::path& to, Loss loss, Random& random);
  static void unwatch();

 private:
  struct Hold {
    Hold();
    ~Hold();
  };
};

}  // namespace fog::testing
