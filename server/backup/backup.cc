#include "server/backup/backup.h"

#include <ctime>
#include <map>
#include <system_error>

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/backup/tar.h"
#include "storage/backup/copy.h"
#include "storage/wal/file.h"

namespace fog::backup {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMark = "fogwatch backup ";
constexpr int kFormat = 1;
constexpr std::string_view kSelf = "this ";  // the last line's first word
constexpr std::string_view kSums = "SHA256SUMS";
constexpr std::string_view kSeal = "BACKUP";
constexpr std::size_t kPiece = 256 * 1024;

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new()) { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }
  void add(std::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }
  std::string hex() {
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    EVP_DigestFinal_ex(context_.get(), bytes, &size);
    std::string text;
    for (unsigned int i = 0; i < size; ++i) text += fmt::format("{:02x}", bytes[i]);
    return text;
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

std::string sha256_of(std::string_view bytes) {
  Sha256 hash;
  hash.add(bytes);
  return hash.hex();
}

Error disk_error(const char* what, const fs::path& path) {
  return Error::internal(fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(errno)));
}

// Gone with all that is in it when its user leaves early.
class Scratch {
 public:
  explicit Scratch(fs::path path) : path_(std::move(path)) {}
  ~Scratch() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const fs::path& path() const { return path_; }
  void keep() { path_.clear(); }

 private:
  fs::path path_;
};

Status make_private_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return Error::internal(fmt::format("cannot make {}: {}", folder.string(), error.message()));
  fs::permissions(folder, fs::perms::owner_all, error);
  return Ok{};
}

// True if the path is free, or an empty folder.
bool is_free(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) return true;
  return fs::is_directory(path, error) && fs::is_empty(path, error);
}

// Relative paths of all files, in order.
std::vector<std::string> files_below(const fs::path& root) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::recursive_directory_iterator at(root, error), end; !error && at != end; at.increment(error))
    if (at->is_regular_file(error)) files.push_back(fs::relative(at->path(), root, error).generic_string());
  std::sort(files.begin(), files.end());
  return files;
}

Status read_in_pieces(const fs::path& file, const std::function<Status(std::string_view)>& take) {
  const OpenFile opened(std::fopen(file.c_str(), "rbe"));
  if (!opened) return disk_error("open", file);
  std::string piece(kPiece, '\0');
  while (true) {
    const std::size_t n = std::fread(piece.data(), 1, piece.size(), opened.get());
    if (n > 0) TRYV(take(std::string_view(piece).substr(0, n)));
    if (n < piece.size()) break;
  }
  return std::ferror(opened.get()) != 0 ? Status(disk_error("read", file)) : Status(Ok{});
}

// Where a backup's files go: a folder or an archive.
class Target {
 public:
  virtual ~Target() = default;
  virtual Status begin(const std::string& path, std::uint64_t size) = 0;
  virtual Status write(std::string_view bytes) = 0;
  virtual Status end() = 0;
  virtual Status finish() = 0;
};

class FolderTarget final : public Target {
 public:
  explicit FolderTarget(fs::path root) : root_(std::move(root)) {}
  Status begin(const std::string& path, std::uint64_t) override {
    path_ = root_ / path;
    TRYV(make_private_folder(path_.parent_path()));
    const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return disk_error("create", path_);
    file_.reset(::fdopen(fd, "wb"));
    return Ok{};
  }
  Status write(std::string_view bytes) override {
    if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size()) return disk_error("write", path_);
    return Ok{};
  }
  Status end() override {
    if (std::fflush(file_.get()) != 0 || ::fsync(::fileno(file_.get())) != 0) return disk_error("sync", path_);
    file_.reset();
    return Ok{};
  }
  Status finish() override {
    std::error_code error;
    for (fs::recursive_directory_iterator at(root_, error), last; !error && at != last; at.increment(error))
      if (at->is_directory(error)) TRYV(sync_folder(at->path()));
    return sync_folder(root_);
  }

 private:
  fs::path root_;
  fs::path path_;
  OpenFile file_;
};

class TarTarget final : public Target {
 public:
  explicit TarTarget(TarWriter writer) : writer_(std::move(writer)) {}
  Status begin(const std::string& path, std::uint64_t size) override { return writer_.begin(path, size, std::time(nullptr)); }
  Status write(std::string_view bytes) override { return writer_.write(bytes); }
  Status end() override { return Ok{}; }
  Status finish() override { return writer_.finish(); }

 private:
  TarWriter writer_;
};

Status put_text(Target& target, std::string_view path, std::string_view text) {
  TRYV(target.begin(std::string(path), text.size()));
  TRYV(target.write(text));
  return target.end();
}

std::string seal_text(const Summary& summary, const std::string& sums) {
  std::string text = fmt::format("{}{}\nmade {:%Y-%m-%dT%H:%M:%SZ}\nversion {}\nfiles {}\nbytes {}\nsums {}\n", kMark, kFormat,
                                 fmt::gmtime(std::time(nullptr)), FOG_VERSION, summary.files, summary.bytes, sha256_of(sums));
  return text + std::string(kSelf) + sha256_of(text) + "\n";
}

// The last line speaks of those above. The first backups ended with their "sums".
bool seal_is_whole(std::string_view seal) {
  if (!seal.ends_with('\n') || seal.size() < 2) return false;
  const std::size_t at = seal.rfind('\n', seal.size() - 2) + 1;
  const std::string_view last = seal.substr(at);
  return last.starts_with("sums ") || last == std::string(kSelf) + sha256_of(seal.substr(0, at)) + "\n";
}

// All files of both trees, their sums, the seal.
Result<Summary> write_out(Target& target, const std::vector<fs::path>& roots) {
  Summary summary;
  std::map<std::string, std::string> sums;
  for (const fs::path& root : roots) {
    for (const std::string& path : files_below(root)) {
      std::error_code error;
      const std::uint64_t size = fs::file_size(root / path, error);
      if (error) return Error::internal(fmt::format("cannot read {}: {}", path, error.message()));
      TRYV(target.begin(path, size));
      Sha256 hash;
      std::uint64_t seen = 0;
      const auto take = [&](std::string_view bytes) -> Status {
        // A linked file of the log may still grow; what is behind its end now is not of this backup.
        bytes = bytes.substr(0, size - seen);
        seen += bytes.size();
        hash.add(bytes);
        return target.write(bytes);
      };
      TRYV(read_in_pieces(root / path, take));
      if (seen != size) return Error::internal(fmt::format("{} became shorter while it was read", path));
      TRYV(target.end());
      sums[path] = hash.hex();
      ++summary.files;
      summary.bytes += size;
    }
  }
  std::string text;
  for (const auto& [path, sum] : sums) text += fmt::format("{}  {}\n", sum, path);
  TRYV(put_text(target, kSums, text));
  TRYV(put_text(target, kSeal, seal_text(summary, text)));
  TRYV(target.finish());
  return summary;
}

// --- reading a backup -------------------------------------------------------------------------------------

// A path of a backup must not lead out of the folder it is put into.
bool is_safe(std::string_view path) {
  if (path.empty() || path.front() == '/') return false;
  const fs::path parsed(path);
  return std::none_of(parsed.begin(), parsed.end(), [](const fs::path& part) { return part == ".." || part == "."; });
}

using TakeFile = std::function<Status(const std::string& path, std::uint64_t size, const std::function<Status(const std::function<Status(std::string_view)>&)>& bytes)>;

// Every file of a backup, in any order.
Status walk(const fs::path& from, const TakeFile& take) {
  std::error_code error;
  if (fs::is_directory(from, error)) {
    for (const std::string& path : files_below(from)) {
      const auto bytes = [&](const std::function<Status(std::string_view)>& to) { return read_in_pieces(from / path, to); };
      TRYV(take(path, fs::file_size(from / path, error), bytes));
    }
    return Ok{};
  }
  TRY(TarReader reader, TarReader::open(from));
  while (true) {
    TRY(const auto entry, reader.next());
    if (!entry) return Ok{};
    TRYV(take(entry->path, entry->size, [&](const std::function<Status(std::string_view)>& to) { return reader.read(to); }));
  }
}

struct Contents {
  std::map<std::string, std::string> found;  // path -> sum of what is there
  Summary summary;
  std::string sums;
  std::string seal;
};

Result<std::map<std::string, std::string>> parse_sums(std::string_view text) {
  std::map<std::string, std::string> sums;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.size() < 67 || line.substr(64, 2) != "  ") return Error::corrupt(fmt::format("{} is damaged", kSums));
    sums[std::string(line.substr(66))] = line.substr(0, 64);
  }
  return sums;
}

Status compare(const Contents& contents) {
  if (contents.seal.empty()) return Error::corrupt("the backup has no seal: it was never finished, or is no backup");
  const std::string head = fmt::format("{}{}\n", kMark, kFormat);
  if (!contents.seal.starts_with(kMark)) return Error::corrupt("this is no backup of Fogwatch");
  if (!contents.seal.starts_with(head)) return Error::invalid("the backup was made by a newer version of Fogwatch");
  if (!seal_is_whole(contents.seal)) return Error::corrupt(fmt::format("{} is damaged", kSeal));
  if (contents.seal.find("\nsums " + sha256_of(contents.sums) + "\n") == std::string::npos) return Error::corrupt(fmt::format("{} is damaged", kSums));
  TRY(const auto wanted, parse_sums(contents.sums));
  for (const auto& [path, sum] : wanted) {
    const auto found = contents.found.find(path);
    if (found == contents.found.end()) return Error::corrupt(fmt::format("{} is missing", path));
    if (found->second != sum) return Error::corrupt(fmt::format("{} is damaged", path));
  }
  for (const auto& [path, sum] : contents.found)
    if (!wanted.contains(path)) return Error::corrupt(fmt::format("{} does not belong to the backup", path));
  return Ok{};
}

// Reads all; copies to `target` when there is one.
Result<Summary> read_backup(const fs::path& from, Target* target) {
  std::error_code error;
  if (!fs::exists(from, error)) return Error::invalid(fmt::format("{} does not exist", from.string()));
  Contents contents;
  const auto take = [&](const std::string& path, std::uint64_t size, const auto& bytes) -> Status {
    if (!is_safe(path)) return Error::corrupt(fmt::format("the path {} leads out of the backup", path));
    if (path == kSums || path == kSeal) {
      std::string& text = path == kSums ? contents.sums : contents.seal;
      return bytes([&](std::string_view piece) -> Status {
        text += piece;
        return Ok{};
      });
    }
    if (target != nullptr) TRYV(target->begin(path, size));
    Sha256 hash;
    const auto into = [&](std::string_view piece) -> Status {
      hash.add(piece);
      return target != nullptr ? target->write(piece) : Status(Ok{});
    };
    TRYV(bytes(into));
    if (target != nullptr) TRYV(target->end());
    if (!contents.found.emplace(path, hash.hex()).second) return Error::corrupt(fmt::format("{} is there twice", path));
    ++contents.summary.files;
    contents.summary.bytes += size;
    return Ok{};
  };
  TRYV(walk(from, take));
  TRYV(compare(contents));
  if (target != nullptr) TRYV(target->finish());
  return contents.summary;
}

fs::path beside(const fs::path& path, std::string_view word) {
  fs::path name = path;
  if (!name.has_filename()) name = name.parent_path();  // "folder/"
  name += fmt::format(".{}-{}", word, ::getpid());
  return name;
}

}  // namespace

Result<Summary> make_backup(const fs::path& data, const fs::path& to) {
  std::error_code error;
  if (!fs::is_regular_file(data / "FORMAT", error)) return Error::invalid(data.string() + " is not a data folder of Fogwatch");
  if (!is_free(to)) return Error::invalid(to.string() + " is there already; a backup never overwrites");
  const bool is_tar = to.extension() == ".tar";
  const Scratch links(data / fmt::format(".backup-{}", ::getpid()));
  const Scratch copies(beside(to, "part"));
  const Scratch target_folder(beside(to, "new"));
  TRYV(make_private_folder(copies.path()));
  TRY(const CopyReport copied, copy_data_folder({.data = data, .links = links.path(), .copies = copies.path()}, CopyScope::kAll));
  std::unique_ptr<Target> target;
  if (is_tar) {
    ::umask(077);
    TRY(auto writer, TarWriter::create(target_folder.path()));
    target = std::make_unique<TarTarget>(std::move(writer));
  } else {
    TRYV(make_private_folder(target_folder.path()));
    target = std::make_unique<FolderTarget>(target_folder.path());
  }
  TRY(Summary summary, write_out(*target, {links.path(), copies.path()}));
  if (!is_tar) fs::remove(to, error);  // the empty folder
  fs::rename(target_folder.path(), to, error);
  if (error) return Error::internal(fmt::format("cannot rename the backup to {}: {}", to.string(), error.message()));
  summary.retries = copied.retries;
  return summary;
}

Result<Summary> restore_backup(const fs::path& from, const fs::path& data) {
  if (!is_free(data)) return Error::invalid(data.string() + " is not empty; restore makes a new data folder");
  const Scratch fresh(beside(data, "restoring"));
  TRYV(make_private_folder(fresh.path()));
  FolderTarget target(fresh.path());
  TRY(const Summary summary, read_backup(from, &target));
  std::error_code error;
  fs::remove(data, error);  // the empty folder
  fs::rename(fresh.path(), data, error);
  if (error) return Error::internal(fmt::format("cannot rename the restored folder to {}: {}", data.string(), error.message()));
  return summary;
}

Result<Summary> verify_backup(const fs::path& from) { return read_backup(from, nullptr); }

bool is_backup(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return fs::exists(path / kSeal, error);
  return path.extension() == ".tar" && fs::is_regular_file(path, error);
}

}  // namespace fog::backup
