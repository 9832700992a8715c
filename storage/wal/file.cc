#include "storage/wal/file.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace fog {
namespace {

// Of something that changes the disk: counted.
Error refused(std::atomic<std::uint64_t>& counter, const char* what, const std::filesystem::path& path);

Error system_error(const char* what, const std::filesystem::path& path) {
  const int code = errno;
  std::string message =
      std::string(what) + " " + path.filename().string() + ": " + std::strerror(code);
  if (code == ENOENT) return Error::not_found(std::move(message));
  if (code == ENOSPC || code == EDQUOT || code == EIO || code == EROFS || code == EMFILE || code == ENFILE)
    return Error::busy(std::move(message));
  return Error::internal(std::move(message));
}

Error refused(std::atomic<std::uint64_t>& counter, const char* what, const std::filesystem::path& path) {
  counter.fetch_add(1, std::memory_order_relaxed);
  return system_error(what, path);
}

}  // namespace

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

Result<File> File::create(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0640);
  if (fd < 0) return refused(disk_faults().writes, "cannot create", path);
  return File(fd);
}

Result<File> File::create_for_places(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (fd < 0) return refused(disk_faults().writes, "cannot create", path);
  return File(fd);
}

Result<File> File::open_append(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  if (fd < 0) return system_error("cannot open", path);
  return File(fd);
}

Status File::write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return refused(disk_faults().writes, "cannot write", "file");
    }
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return Ok{};
}

Status File::write_at(std::size_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0) {
      if (errno == EINTR) continue;
      return refused(disk_faults().writes, "cannot write", "file");
    }
    offset += static_cast<std::size_t>(n);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return Ok{};
}

Status File::sync_data() {
  if (::fdatasync(fd_) != 0) return refused(disk_faults().syncs, "cannot sync", "file");
  return Ok{};
}

Status File::truncate(std::size_t size) {
  if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) return refused(disk_faults().writes, "cannot cut", "file");
  return Ok{};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return system_error("cannot open", path);
  struct stat status {};
  if (::fstat(fd, &status) != 0) {
    Error error = system_error("cannot read", path);
    ::close(fd);
    return error;
  }
  MappedFile file;
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size > 0) {
    void* at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED) {
      Error error = system_error("cannot map", path);
      ::close(fd);
      return error;
    }
    file.bytes_ = {static_cast<const char*>(at), size};
  }
  ::close(fd);
  return file;
}

Status write_whole(const std::filesystem::path& path, std::string_view bytes) {
  std::filesystem::path temporary = path;
  temporary += ".tmp";
  {
    TRY(File file, File::create(temporary));
    TRYV(file.write_all(bytes));
    TRYV(file.sync_data());
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return refused(disk_faults().writes, "cannot rename", path);
  return sync_folder(path.parent_path());
}

Status truncate_file(const std::filesystem::path& path, std::size_t size) {
  if (::truncate(path.c_str(), static_cast<off_t>(size)) != 0)
    return system_error("cannot cut", path);
  return Ok{};
}

Status sync_folder(const std::filesystem::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return system_error("cannot open", folder);
  Status synced = Ok{};
  if (::fsync(fd) != 0) synced = refused(disk_faults().syncs, "cannot sync", folder);
  ::close(fd);
  return synced;
}

Status make_folders(const std::filesystem::path& folder) {
  if (folder.empty() || folder == folder.parent_path()) return Ok{};
  std::error_code ignored;
  if (std::filesystem::is_directory(folder, ignored)) return Ok{};
  TRYV(make_folders(folder.parent_path()));
  if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) return refused(disk_faults().writes, "cannot create", folder);
  const std::filesystem::path parent = folder.parent_path();
  return sync_folder(parent.empty() ? "." : parent);
}

Result<std::string> read_whole(const std::filesystem::path& path) {
  TRY(const MappedFile file, MappedFile::open(path));
  return std::string(file.bytes());
}

}  // namespace fog
