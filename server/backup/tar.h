// TarWriter, TarReader: the ustar format, as far as a backup needs it: plain files with paths of up to 255
// bytes; sizes of 8 GiB and more in GNU's binary form. `tar xf` reads what this writes.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "storage/base/result.h"

namespace fog::backup {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using OpenFile = std::unique_ptr<std::FILE, CloseFile>;

class TarWriter {
 public:
  static Result<TarWriter> create(const std::filesystem::path& file);
  // A file's head; then exactly `size` bytes by write(). The next begin() or finish() pads.
  Status begin(std::string_view path, std::uint64_t size, std::int64_t modified_s);
  Status write(std::string_view bytes);
  // The end mark; everything is on the disk when this returns.
  Status finish();

 private:
  explicit TarWriter(OpenFile file) : file_(std::move(file)) {}
  Status put(std::string_view bytes);
  Status pad();
  OpenFile file_;
  std::uint64_t in_file_ = 0;
};

class TarReader {
 public:
  static Result<TarReader> open(const std::filesystem::path& file);
  struct Entry {
    std::string path;
    std::uint64_t size = 0;
  };
  // The next file's head; nothing at the end mark. Error: corrupt.
  Result<std::optional<Entry>> next();
  // The bytes of the entry, in pieces.
  Status read(const std::function<Status(std::string_view)>& take);

 private:
  explicit TarReader(OpenFile file) : file_(std::move(file)) {}
  OpenFile file_;
  std::uint64_t left_ = 0;  // of the entry, unread
  std::uint64_t padding_ = 0;
};

}  // namespace fog::backup
