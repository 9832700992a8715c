#include "api/control/clock_keeper.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include <nlohmann/json.hpp>

namespace fog {
namespace {

Error failed(const std::filesystem::path& file, const char* what) {
  return Error::internal(fmt::format("{}: {}: {}", file.string(), what, std::strerror(errno)));
}

// Whole or not at all: a new file, synced, renamed over the old one, the folder synced.
Status write_whole(const std::filesystem::path& file, const std::string& text) {
  const std::filesystem::path fresh = file.string() + ".new";
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return failed(fresh, "open");
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  ::close(fd);
  if (!written) return failed(fresh, "write");
  if (::rename(fresh.c_str(), file.c_str()) != 0) return failed(file, "rename");
  const int folder = ::open(file.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return failed(file, "open folder");
  const bool synced = ::fsync(folder) == 0;
  ::close(folder);
  if (!synced) return failed(file, "sync folder");
  return Ok{};
}

}  // namespace

Status ClockKeeper::restore() {
  if (file_.empty()) return Ok{};
  std::ifstream in(file_);
  if (!in) return Ok{};  // never set
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const auto document = nlohmann::json::parse(text, nullptr, false);
  const auto number = [&](const char* name) {
    return document.is_object() && document.contains(name) && document[name].is_number_integer();
  };
  if (!number("offset_ms") || !number("frozen_ms") || !number("rate")) {
    return Error::corrupt(file_.string() + " is damaged; delete it to return to real time");
  }
  clock_.restore({.offset_ms = document["offset_ms"].get<std::int64_t>(),
                  .frozen_ms = document["frozen_ms"].get<std::int64_t>(),
                  .rate = document["rate"].get<int>() == 0 ? 0 : 1});
  return Ok{};
}

Status ClockKeeper::save() {
  if (file_.empty()) return Ok{};
  const std::lock_guard lock(mutex_);
  const auto state = clock_.state();
  if (state.rate == 1 && state.offset_ms == 0) {
    std::error_code ignored;
    std::filesystem::remove(file_, ignored);
    return Ok{};
  }
  return write_whole(file_, fmt::format("{{\"offset_ms\":{},\"frozen_ms\":{},\"rate\":{}}}\n", state.offset_ms,
                                        state.frozen_ms, state.rate));
}

}  // namespace fog
