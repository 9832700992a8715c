#include "storage/spool/spool.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "storage/base/bytes.h"
#include "storage/base/hash.h"
#include "storage/base/log.h"
#include "storage/wal/file.h"

namespace fog {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kHeaderBytes = 8;

class MemorySpool final : public Spool {
 public:
  explicit MemorySpool(std::size_t bytes_max) : bytes_max_(bytes_max) {}
  Status push(std::string_view record) override {
    if (record.size() > bytes_max_) return Error::limit("a record is larger than its spool");
    records_.emplace_back(record);
    bytes_ += record.size();
    for (; bytes_ > bytes_max_; ++dropped_) pop();
    return Ok{};
  }
  std::optional<std::string> front() override {
    return records_.empty() ? std::nullopt : std::optional(records_.front());
  }
  void pop() override {
    if (records_.empty()) return;
    bytes_ -= records_.front().size();
    records_.pop_front();
    ++next_;
  }
  std::uint64_t front_number() const override { return next_; }
  Status sync() override { return Ok{}; }
  std::size_t records() const override { return records_.size(); }
  std::size_t bytes() const override { return bytes_; }
  std::uint64_t dropped() const override { return dropped_; }

 private:
  std::size_t bytes_max_;
  std::deque<std::string> records_;
  std::uint64_t next_ = 0;
  std::size_t bytes_ = 0;
  std::uint64_t dropped_ = 0;
};

Error disk(std::string_view what) {
  ++disk_faults().writes;
  return Error::busy(std::string(what) + ": " + std::strerror(errno));
}

bool write_all(int fd, std::string_view bytes, std::size_t at) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
    at += static_cast<std::size_t>(n);
  }
  return true;
}

bool read_all(int fd, char* to, std::size_t n, std::size_t at) {
  while (n > 0) {
    const ssize_t got = ::pread(fd, to, n, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    to += got;
    n -= static_cast<std::size_t>(got);
    at += static_cast<std::size_t>(got);
  }
  return true;
}

class DiskSpool final : public Spool {
 public:
  explicit DiskSpool(Options options) : options_(std::move(options)) {}
  ~DiskSpool() override {
    for (File& file : files_) ::close(file.fd);
    if (place_fd_ >= 0) ::close(place_fd_);
  }

  Status open();
  Status push(std::string_view record) override;
  std::optional<std::string> front() override;
  void pop() override;
  Status sync() override;
  std::uint64_t front_number() const override { return next_; }
  std::size_t records() const override { return static_cast<std::size_t>(end_ - next_); }
  std::size_t bytes() const override { return bytes_; }
  std::uint64_t dropped() const override { return dropped_; }

 private:
  struct File {
    std::uint64_t first = 0;    // number of its first record
    std::uint64_t records = 0;  // in it
    std::size_t size = 0;
    int fd = -1;
    bool dirty = false;
    bool suspect = false;  // a sync failed
  };

  fs::path path_of(std::uint64_t first) const {
    char name[32];
    std::snprintf(name, sizeof name, "%016llx.spool", static_cast<unsigned long long>(first));
    return options_.folder / name;
  }
  Status scan(File& file);
  Status begin_file();
  Status rescue(File& file);
  void advance();
  void note_place();

  Options options_;
  std::deque<File> files_;
  int place_fd_ = -1;
  std::uint64_t next_ = 0;  // number of the record to pop next
  std::uint64_t end_ = 0;   // number of the record to push next
  std::size_t read_at_ = 0;  // of next_ in the first file
  std::size_t bytes_ = 0;    // waiting, with headers
  std::uint64_t dropped_ = 0;
  bool place_dirty_ = false;
  bool names_dirty_ = false;
};

Status DiskSpool::open() {
  std::error_code error;
  TRYV(make_folders(options_.folder));
  place_fd_ = ::open((options_.folder / "place").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (place_fd_ < 0) return disk("spool");
  char raw[12];
  if (read_all(place_fd_, raw, sizeof raw, 0)) {
    ByteReader in({raw, sizeof raw});
    const auto place = in.fixed<std::uint64_t>();
    if (in.fixed<std::uint32_t>() == crc32c({raw, 8})) next_ = place;
  }
  std::vector<std::uint64_t> firsts;
  for (const auto& entry : fs::directory_iterator(options_.folder, error)) {
    if (entry.path().extension() != ".spool") continue;
    firsts.push_back(std::strtoull(entry.path().stem().c_str(), nullptr, 16));
  }
  std::sort(firsts.begin(), firsts.end());
  end_ = next_;
  for (const std::uint64_t first : firsts) {
    File file{.first = first};
    file.fd = ::open(path_of(first).c_str(), O_RDWR | O_CLOEXEC);
    if (file.fd < 0) return disk("spool");
    TRYV(scan(file));
    files_.push_back(file);
    end_ = std::max(end_, first + file.records);
  }
  // The place may lie behind what a lost tail took away, or before the first file.
  if (!files_.empty()) next_ = std::max(next_, files_.front().first);
  if (next_ > end_) end_ = next_;
  while (!files_.empty() && files_.front().first + files_.front().records <= next_) {
    ::close(files_.front().fd);
    ::unlink(path_of(files_.front().first).c_str());
    files_.pop_front();
  }
  if (!files_.empty()) {
    const std::uint64_t skip = next_ - std::min(next_, files_.front().first);
    next_ = std::max(next_, files_.front().first);
    for (std::uint64_t i = 0; i < skip; ++i) {
      std::uint32_t size = 0;
      if (!read_all(files_.front().fd, reinterpret_cast<char*>(&size), sizeof size, read_at_)) break;
      read_at_ += kHeaderBytes + size;
    }
  }
  for (const File& file : files_) bytes_ += file.size;
  bytes_ -= std::min(bytes_, read_at_);
  return Ok{};
}

// Counts the records of a file and cuts off what a crash left half written.
Status DiskSpool::scan(File& file) {
  struct stat info {};
  if (::fstat(file.fd, &info) != 0) return disk("spool");
  const auto size = static_cast<std::size_t>(info.st_size);
  std::string record;
  while (file.size + kHeaderBytes <= size) {
    char raw[kHeaderBytes];
    if (!read_all(file.fd, raw, sizeof raw, file.size)) break;
    ByteReader in({raw, sizeof raw});
    const auto length = in.fixed<std::uint32_t>();
    const auto sum = in.fixed<std::uint32_t>();
    // No record is empty: eight zero bytes would pass for one, and zeros are what power loss leaves.
    if (length == 0 || length > size - file.size - kHeaderBytes) break;
    record.resize(length);
    if (!read_all(file.fd, record.data(), length, file.size + kHeaderBytes) || crc32c(record) != sum) break;
    file.size += kHeaderBytes + length;
    ++file.records;
  }
  if (file.size == size) return Ok{};
  LOG_WARN("spool {}: {} bytes at the end cannot be read", path_of(file.first).string(), size - file.size);
  ++dropped_;
  if (::ftruncate(file.fd, static_cast<off_t>(file.size)) != 0) return disk("spool");
  return Ok{};
}

Status DiskSpool::begin_file() {
  File file{.first = end_};
  file.fd = ::open(path_of(end_).c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file.fd < 0) return disk("spool");
  if (files_.empty()) read_at_ = 0;
  files_.push_back(file);
  names_dirty_ = true;
  return Ok{};
}

Status DiskSpool::push(std::string_view record) {
  if (record.empty()) return Error::invalid("an empty record");
  if (record.size() + kHeaderBytes > options_.bytes_max) return Error::limit("a record is larger than its spool");
  // A gap in the numbers (a damaged tail) begins a file, so that a file's numbers stay consecutive.
  if (files_.empty() || files_.back().size >= options_.file_bytes_max || files_.back().first + files_.back().records != end_)
    TRYV(begin_file());
  File& file = files_.back();
  std::string framed;
  framed.reserve(kHeaderBytes + record.size());
  ByteWriter out(framed);
  out.fixed(static_cast<std::uint32_t>(record.size()));
  out.fixed(crc32c(record));
  out.raw(record);
  if (!write_all(file.fd, framed, file.size)) return disk("spool");
  file.size += framed.size();
  ++file.records;
  file.dirty = true;
  ++end_;
  bytes_ += framed.size();
  for (; bytes_ > options_.bytes_max && records() > 1; ++dropped_) pop();
  return Ok{};
}

std::optional<std::string> DiskSpool::front() {
  while (next_ < end_ && !files_.empty()) {
    const File& file = files_.front();
    char raw[kHeaderBytes];
    if (read_all(file.fd, raw, sizeof raw, read_at_)) {
      ByteReader in({raw, sizeof raw});
      const auto size = in.fixed<std::uint32_t>();
      const auto sum = in.fixed<std::uint32_t>();
      if (read_at_ + kHeaderBytes + size <= file.size) {
        std::string record(size, '\0');
        if (read_all(file.fd, record.data(), size, read_at_ + kHeaderBytes) && crc32c(record) == sum) return record;
      }
    }
    // Damaged since it was opened: the rest of the file cannot be trusted.
    const std::uint64_t lost = file.first + file.records - next_;
    dropped_ += lost;
    bytes_ -= std::min(bytes_, file.size - std::min(file.size, read_at_));
    next_ += lost;
    read_at_ = file.size;
    advance();
  }
  return std::nullopt;
}

void DiskSpool::pop() {
  if (next_ >= end_ || files_.empty()) return;
  std::uint32_t size = 0;
  if (read_all(files_.front().fd, reinterpret_cast<char*>(&size), sizeof size, read_at_)) {
    read_at_ += kHeaderBytes + size;
    bytes_ -= std::min(bytes_, kHeaderBytes + std::size_t{size});
  }
  ++next_;
  advance();
  note_place();
}

// Drops files that are done.
void DiskSpool::advance() {
  while (!files_.empty() && files_.front().first + files_.front().records <= next_) {
    // The file in use is kept until it is full.
    if (files_.size() == 1 && files_.front().size < options_.file_bytes_max) return;
    ::close(files_.front().fd);
    ::unlink(path_of(files_.front().first).c_str());
    files_.pop_front();
    read_at_ = 0;
    if (!files_.empty()) next_ = std::max(next_, files_.front().first);
  }
}

void DiskSpool::note_place() {
  std::string raw;
  ByteWriter out(raw);
  out.fixed(next_);
  out.fixed(crc32c(raw));
  if (!write_all(place_fd_, raw, 0)) LOG_WARN("spool {}: the place cannot be noted", options_.folder.string());
  place_dirty_ = true;
}

Status DiskSpool::sync() {
  for (File& file : files_) {
    if (!file.dirty) continue;
    if (!file.suspect && ::fdatasync(file.fd) != 0) {
      ++disk_faults().syncs;
      file.suspect = true;  // a second sync that succeeds would not mean that the disk has it
    }
    if (file.suspect) TRYV(rescue(file));
    file.dirty = false;
  }
  if (names_dirty_) TRYV(sync_folder(options_.folder));
  names_dirty_ = false;
  if (place_dirty_ && ::fdatasync(place_fd_) != 0) {
    ++disk_faults().syncs;
    note_place();  // written again, so that the next sync has something to say
    return Error::busy("spool: the place cannot be synced");
  }
  place_dirty_ = false;
  return Ok{};
}

// Writes a file of which no one knows what the disk has as a new one, from what the system still holds.
Status DiskSpool::rescue(File& file) {
  std::string bytes(file.size, '\0');
  if (!read_all(file.fd, bytes.data(), bytes.size(), 0)) return disk("spool");
  TRYV(write_whole(path_of(file.first), bytes));
  const int fd = ::open(path_of(file.first).c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return disk("spool");
  ::close(std::exchange(file.fd, fd));
  file.suspect = false;
  LOG_WARN("spool {}: written anew after a sync that failed", path_of(file.first).string());
  return Ok{};
}

}  // namespace

Result<std::unique_ptr<Spool>> Spool::open(Options options) {
  if (options.folder.empty()) return std::unique_ptr<Spool>(std::make_unique<MemorySpool>(options.bytes_max));
  auto spool = std::make_unique<DiskSpool>(std::move(options));
  TRYV(spool->open());
  return std::unique_ptr<Spool>(std::move(spool));
}

}  // namespace fog
