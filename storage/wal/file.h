// Files: the few system calls the storage engines need, behind Result.
//
// What the disk refused is counted (storage/base/disk_faults.h). Tests refuse, shorten and lose writes one level
// below, in front of the C library (tests/storage/power), where SQLite's files are caught as well.
#pragma once

#include "storage/base/disk_faults.h"
#include "storage/base/result.h"

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace fog {

// A file open for appending, or for writing at places. One thread at a time.
class File {
 public:
  File() = default;
  File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  File& operator=(File&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File();

  static Result<File> create(const std::filesystem::path& path);  // empties an existing one
  static Result<File> create_for_places(const std::filesystem::path& path);  // for write_at()
  static Result<File> open_append(const std::filesystem::path& path);
  Status write_all(std::string_view bytes);
  Status write_at(std::size_t offset, std::string_view bytes);
  Status sync_data();
  // Cuts the file; the next write goes to its new end.
  Status truncate(std::size_t size);
  bool is_open() const { return fd_ >= 0; }

 private:
  explicit File(int fd) : fd_(fd) {}
  int fd_ = -1;
};

// A whole file mapped for reading. The bytes live as long as this object.
class MappedFile {
 public:
  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  static Result<MappedFile> open(const std::filesystem::path& path);
  std::string_view bytes() const { return bytes_; }

 private:
  std::string_view bytes_;
};

// Writes bytes to <path>.tmp, syncs, renames to path and syncs the folder: whole or not at all.
Status write_whole(const std::filesystem::path& path, std::string_view bytes);
Status truncate_file(const std::filesystem::path& path, std::size_t size);
Status sync_folder(const std::filesystem::path& folder);
// Makes the folder and those above it that are missing, and makes their names certain.
Status make_folders(const std::filesystem::path& folder);
Result<std::string> read_whole(const std::filesystem::path& path);

}  // namespace fog
