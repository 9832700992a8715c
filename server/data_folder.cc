#include "server/data_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace fog {
namespace {

constexpr std::string_view kFormat = "fogwatch data 1\n";
constexpr std::string_view kFormatPrefix = "fogwatch data ";

Error failed(const std::filesystem::path& path, const char* what) {
  return Error::internal(fmt::format("{}: cannot {}: {}", path.string(), what, std::strerror(errno)));
}

Status check_format(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "FORMAT";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return failed(path, "open");
  std::array<char, 64> buffer{};
  const ssize_t n = ::read(fd, buffer.data(), buffer.size());
  const std::string_view text(buffer.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
  Status status = Ok{};
  if (n < 0) {
    status = failed(path, "read");
  } else if (text.empty()) {
    const bool ok = ::write(fd, kFormat.data(), kFormat.size()) == static_cast<ssize_t>(kFormat.size()) && ::fsync(fd) == 0;
    if (!ok) status = failed(path, "write");
  } else if (text != kFormat) {
    status = text.starts_with(kFormatPrefix)
                 ? Error::invalid(fmt::format("{} was written by a newer version of Fogwatch", folder.string()))
                 : Error::invalid(fmt::format("{} is not a data folder of Fogwatch", folder.string()));
  }
  ::close(fd);
  return status;
}

}  // namespace

Result<DataFolder> DataFolder::open(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return Error::internal(fmt::format("{}: cannot make the folder: {}", folder.string(), error.message()));
  const std::filesystem::path path = folder / "LOCK";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return failed(path, "open");
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const bool taken = errno == EWOULDBLOCK;
    Error failure = failed(path, "lock");
    ::close(fd);
    if (taken) return Error::busy(fmt::format("{} is in use by another fogwatch; choose another folder with --data", folder.string()));
    return failure;
  }
  DataFolder opened(fd);
  TRYV(check_format(folder));
  return opened;
}

DataFolder::DataFolder(DataFolder&& other) noexcept : lock_(std::exchange(other.lock_, -1)) {}

DataFolder::~DataFolder() {
  if (lock_ >= 0) ::close(lock_);
}

}  // namespace fog
