// `fogwatch backup` and `fogwatch restore`: a data folder as a folder of files, or as one tar file.
//
// A backup holds the files of a copy (storage/backup/copy.h), SHA256SUMS (as sha256sum prints it, so that
// `sha256sum -c SHA256SUMS` verifies it anywhere) and, last, BACKUP:
//   fogwatch backup 1
//   made <ISO 8601, UTC>
//   version <of the program>
//   files <number>
//   bytes <their sum>
//   sums <SHA-256 of SHA256SUMS>
//   this <SHA-256 of the lines above>
// One without BACKUP was never finished. Files are readable by their owner only: keys are among them.
//
// No part of this talks to a running server: it works beside one, and without one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "storage/base/result.h"

namespace fog::backup {

struct Summary {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::uint64_t retries = 0;  // units that changed while they were copied
};

// `to` must not exist, or be an empty folder; a name that ends in ".tar" becomes one file.
// Errors: invalid (no data folder, `to` is taken), busy, internal.
Result<Summary> make_backup(const std::filesystem::path& data, const std::filesystem::path& to);

// Makes the data folder `data`, which must not exist or be empty, of a backup; every byte is compared with
// its sum first. When anything is wrong `data` stays as it was. Errors: invalid, corrupt (names the file).
Result<Summary> restore_backup(const std::filesystem::path& from, const std::filesystem::path& data);

// Reads a backup to its end and compares. The same errors.
Result<Summary> verify_backup(const std::filesystem::path& from);
bool is_backup(const std::filesystem::path& path);

}  // namespace fog::backup
