#include "tests/storage/power/power_disk.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSector = 512;

struct Node;
using NodePtr = std::shared_ptr<Node>;

// What was done to a file or a folder and is not certain yet.
struct Change {
  enum class Kind { kWrite, kCut, kNames } kind = Kind::kWrite;
  std::size_t offset = 0;  // of a write; the new size of a cut
  std::string bytes;
  std::vector<std::pair<std::string, NodePtr>> names;  // together or not at all; nullptr: gone
};

struct Node {
  bool folder = false;
  std::string kind;                      // of its name at birth, numbers as N
  std::string bytes;                     // certain
  std::map<std::string, NodePtr> names;  // certain
  std::vector<Change> pending;
  std::size_t size = 0;                  // of the file as the system shows it
  std::map<std::string, NodePtr> shown;  // of the folder as the system shows it
};

struct OpenFile {
  NodePtr node;
  bool append = false;
};

struct Disk {
  std::recursive_mutex mutex;
  fs::path root;
  NodePtr top;
  std::map<int, OpenFile> open;
  std::uint64_t operations = 0;
  std::uint64_t fail_at = 0;
  std::map<std::string, std::uint64_t> points;  // "sync N.wal" -> how often
  std::string fail_point;
  std::uint64_t fail_point_at = 0;
  bool failed_at_point = false;
  bool failed = false;
};

Disk& disk() {
  static Disk* const one = new Disk;  // outlives every file
  return *one;
}

std::atomic<bool> watching{false};

template <typename Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}
#define REAL(name) static const auto real_##name = real<decltype(&::name)>(#name)

using Lock = std::lock_guard<std::recursive_mutex>;

// The folder and name of a path below the root; nothing for others.
struct Place {
  NodePtr folder;
  std::string name;
  NodePtr node() const {
    if (folder == nullptr) return nullptr;
    const auto at = folder->shown.find(name);
    return at == folder->shown.end() ? nullptr : at->second;
  }
};

Place walk(NodePtr from, const fs::path& path) {
  Place place{std::move(from), "."};
  bool first = true;
  for (const fs::path& part : path) {
    if (part.empty() || part == ".") continue;
    if (!first) place.folder = place.node();
    first = false;
    if (place.folder == nullptr || !place.folder->folder) return {};
    place.name = part;
  }
  if (first) return {};
  return place;
}

Place place_of(const char* path) {
  Disk& d = disk();
  const fs::path given = fs::path(path).lexically_normal();
  const fs::path relative = given.lexically_relative(d.root);
  if (relative.empty() || *relative.begin() == "..") return {};
  return walk(d.top, relative);
}

Place place_at(int folder, const char* path) {
  if (path[0] == '/' || folder == AT_FDCWD) return place_of(path);
  const auto at = disk().open.find(folder);
  if (at == disk().open.end()) return {};
  return walk(at->second.node, fs::path(path).lexically_normal());
}

NodePtr node_at(int folder, const char* path) {
  Disk& d = disk();
  if ((path[0] == '/' || folder == AT_FDCWD) && fs::path(path).lexically_normal().lexically_relative(d.root) == ".") return d.top;
  return place_at(folder, path).node();
}

std::string kind_of(const std::string& name) {
  std::string kind;
  for (const char c : name) {
    if (c < '0' || c > '9') kind += c;
    else if (kind.empty() || kind.back() != 'N') kind += 'N';
  }
  return kind;
}

// Counts one operation; false once the power is gone.
bool note(const char* what, const std::string& kind) {
  Disk& d = disk();
  if (d.failed) return false;
  ++d.operations;
  if (d.fail_at != 0 && d.operations >= d.fail_at) d.failed = true;
  if (kind.ends_with("-shm")) return !d.failed;  // not on disk in any sense that counts
  const std::string point = std::string(what) + " " + kind;
  if (point == d.fail_point && d.points[point] + 1 == d.fail_point_at && !d.failed) d.failed = d.failed_at_point = true;
  ++d.points[point];
  return !d.failed;
}

// Names change in what the system shows; the notes only while there is power.
void name_change(const char* what, const NodePtr& folder, std::vector<std::pair<std::string, NodePtr>> names) {
  const std::string kind = kind_of(names.back().first);
  for (const auto& [name, node] : names) {
    if (node != nullptr) folder->shown[name] = node;
    else folder->shown.erase(name);
  }
  if (note(what, kind)) folder->pending.push_back({.kind = Change::Kind::kNames, .offset = 0, .bytes = {}, .names = std::move(names)});
}

void change(const NodePtr& node, Change one) {
  if (note(one.kind == Change::Kind::kCut ? "cut" : "write", node->kind)) node->pending.push_back(std::move(one));
}

void apply(Node& node, const Change& one) {
  switch (one.kind) {
    case Change::Kind::kWrite:
      if (node.bytes.size() < one.offset + one.bytes.size()) node.bytes.resize(one.offset + one.bytes.size());
      node.bytes.replace(one.offset, one.bytes.size(), one.bytes);
      break;
    case Change::Kind::kCut: node.bytes.resize(one.offset); break;
    case Change::Kind::kNames:
      for (const auto& [name, other] : one.names) {
        if (other != nullptr) node.names[name] = other;
        else node.names.erase(name);
      }
      break;
  }
}

void settle(const NodePtr& node) {
  if (!note("sync", node->folder ? "folder" : node->kind)) return;
  for (const Change& one : node->pending) apply(*node, one);
  node->pending.clear();
}

void opened(int fd, int folder, const char* path, int flags) {
  if (fd < 0) return;
  Disk& d = disk();
  NodePtr node = node_at(folder, path);
  if (node == nullptr) {
    const Place place = place_at(folder, path);
    if (place.folder == nullptr) return;
    node = std::make_shared<Node>();
    node->kind = kind_of(place.name);
    name_change("create", place.folder, {{place.name, node}});
  } else if ((flags & O_TRUNC) != 0 && !node->folder) {
    node->size = 0;
    change(node, {.kind = Change::Kind::kCut, .offset = 0, .bytes = {}, .names = {}});
  }
  d.open[fd] = {node, (flags & O_APPEND) != 0};
}

const OpenFile* file_of(int fd) {
  const auto at = disk().open.find(fd);
  return at == disk().open.end() ? nullptr : &at->second;
}

void written(const NodePtr& node, std::size_t offset, const void* bytes, ssize_t n) {
  if (n <= 0) return;
  const auto count = static_cast<std::size_t>(n);
  node->size = std::max(node->size, offset + count);
  change(node, {.kind = Change::Kind::kWrite, .offset = offset, .bytes = std::string(static_cast<const char*>(bytes), count), .names = {}});
}

void cut(const NodePtr& node, std::size_t size) {
  node->size = size;
  change(node, {.kind = Change::Kind::kCut, .offset = size, .bytes = {}, .names = {}});
}

mode_t mode_of(int flags, va_list list) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? static_cast<mode_t>(va_arg(list, int)) : 0;
}

}  // namespace

// ---- the calls ---------------------------------------------------------------------------------------------

extern "C" {

int openat(int folder, const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = mode_of(flags, list);
  va_end(list);
  REAL(openat);
  if (!watching) return real_openat(folder, path, flags, mode);
  const Lock lock(disk().mutex);
  const int fd = real_openat(folder, path, flags, mode);
  opened(fd, folder, path, flags);
  return fd;
}

int openat64(int folder, const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = mode_of(flags, list);
  va_end(list);
  return openat(folder, path, flags | O_LARGEFILE, mode);
}

int open(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = mode_of(flags, list);
  va_end(list);
  return openat(AT_FDCWD, path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = mode_of(flags, list);
  va_end(list);
  return openat(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}

int close(int fd) {
  REAL(close);
  if (!watching) return real_close(fd);
  const Lock lock(disk().mutex);
  disk().open.erase(fd);
  return real_close(fd);
}

ssize_t write(int fd, const void* bytes, size_t n) {
  REAL(write);
  if (!watching) return real_write(fd, bytes, n);
  const Lock lock(disk().mutex);
  const OpenFile* file = file_of(fd);
  const off_t at = file == nullptr || file->append ? 0 : ::lseek(fd, 0, SEEK_CUR);
  const ssize_t done = real_write(fd, bytes, n);
  if (file != nullptr) written(file->node, file->append ? file->node->size : static_cast<std::size_t>(at), bytes, done);
  return done;
}

ssize_t pwrite64(int fd, const void* bytes, size_t n, off64_t offset) {
  REAL(pwrite64);
  if (!watching) return real_pwrite64(fd, bytes, n, offset);
  const Lock lock(disk().mutex);
  const ssize_t done = real_pwrite64(fd, bytes, n, offset);
  if (const OpenFile* file = file_of(fd)) written(file->node, static_cast<std::size_t>(offset), bytes, done);
  return done;
}

ssize_t pwrite(int fd, const void* bytes, size_t n, off_t offset) { return pwrite64(fd, bytes, n, offset); }

int ftruncate64(int fd, off64_t size) noexcept {
  REAL(ftruncate64);
  if (!watching) return real_ftruncate64(fd, size);
  const Lock lock(disk().mutex);
  const int done = real_ftruncate64(fd, size);
  if (const OpenFile* file = file_of(fd); file != nullptr && done == 0) cut(file->node, static_cast<std::size_t>(size));
  return done;
}

int ftruncate(int fd, off_t size) noexcept { return ftruncate64(fd, size); }

int truncate64(const char* path, off64_t size) noexcept {
  REAL(truncate64);
  if (!watching) return real_truncate64(path, size);
  const Lock lock(disk().mutex);
  const int done = real_truncate64(path, size);
  if (const NodePtr node = node_at(AT_FDCWD, path); node != nullptr && done == 0) cut(node, static_cast<std::size_t>(size));
  return done;
}

int truncate(const char* path, off_t size) noexcept { return truncate64(path, size); }

int fdatasync(int fd) {
  REAL(fdatasync);
  if (!watching) return real_fdatasync(fd);
  const Lock lock(disk().mutex);
  const OpenFile* file = file_of(fd);
  if (file == nullptr) return real_fdatasync(fd);
  settle(file->node);
  return 0;
}

int fsync(int fd) {
  REAL(fsync);
  if (!watching) return real_fsync(fd);
  const Lock lock(disk().mutex);
  const OpenFile* file = file_of(fd);
  if (file == nullptr) return real_fsync(fd);
  settle(file->node);
  return 0;
}

int rename(const char* from, const char* to) noexcept {
  REAL(rename);
  if (!watching) return real_rename(from, to);
  const Lock lock(disk().mutex);
  const Place old = place_of(from);
  const Place fresh = place_of(to);
  const NodePtr node = old.node();
  const int done = real_rename(from, to);
  if (done != 0 || node == nullptr) return done;
  if (fresh.folder == old.folder) {
    name_change("rename", old.folder, {{old.name, nullptr}, {fresh.name, node}});
  } else {
    if (fresh.folder != nullptr) name_change("rename", fresh.folder, {{fresh.name, node}});
    name_change("rename", old.folder, {{old.name, nullptr}});
  }
  return done;
}

int link(const char* from, const char* to) noexcept {
  REAL(link);
  if (!watching) return real_link(from, to);
  const Lock lock(disk().mutex);
  const NodePtr node = place_of(from).node();
  const Place fresh = place_of(to);
  const int done = real_link(from, to);
  if (done == 0 && node != nullptr && fresh.folder != nullptr) name_change("link", fresh.folder, {{fresh.name, node}});
  return done;
}

int unlinkat(int folder, const char* path, int flags) noexcept {
  REAL(unlinkat);
  if (!watching) return real_unlinkat(folder, path, flags);
  const Lock lock(disk().mutex);
  const Place place = place_at(folder, path);
  const int done = real_unlinkat(folder, path, flags);
  if (done == 0 && place.node() != nullptr) name_change("remove", place.folder, {{place.name, nullptr}});
  return done;
}

int unlink(const char* path) noexcept { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char* path) noexcept { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int remove(const char* path) noexcept {
  if (unlinkat(AT_FDCWD, path, 0) == 0) return 0;
  return errno == EISDIR || errno == EPERM ? unlinkat(AT_FDCWD, path, AT_REMOVEDIR) : -1;
}

int mkdir(const char* path, mode_t mode) noexcept {
  REAL(mkdir);
  if (!watching) return real_mkdir(path, mode);
  const Lock lock(disk().mutex);
  const int done = real_mkdir(path, mode);
  const Place place = place_of(path);
  if (done == 0 && place.folder != nullptr) {
    auto node = std::make_shared<Node>();
    node->folder = true;
    name_change("make folder", place.folder, {{place.name, node}});
  }
  return done;
}

}  // extern "C"

// ---- what the test sees --------------------------------------------------------------------------------------

namespace fog::testing {
namespace {

NodePtr load(const fs::path& path) {
  auto node = std::make_shared<Node>();
  node->folder = fs::is_directory(path);
  node->kind = kind_of(path.filename());
  if (node->folder) {
    for (const auto& entry : fs::directory_iterator(path)) node->names[entry.path().filename()] = load(entry.path());
    node->shown = node->names;
    return node;
  }
  std::ifstream in(path, std::ios::binary);
  node->bytes.assign(std::istreambuf_iterator<char>(in), {});
  node->size = node->bytes.size();
  return node;
}

bool chance(Random& random, std::uint64_t one_in) { return random.next() % one_in == 0; }

// What became of one write.
void apply_by_chance(Node& node, Change one, Random& random) {
  switch (random.next() % 4) {
    case 0: return;  // lost
    case 1: apply(node, one); return;
    case 2:  // the size is there, the bytes are not
      if (one.kind == Change::Kind::kWrite && node.bytes.size() < one.offset + one.bytes.size())
        node.bytes.resize(one.offset + one.bytes.size());
      return;
    default: break;
  }
  if (one.kind != Change::Kind::kWrite) return apply(node, one);
  // Torn: sector by sector, as the file has them.
  for (std::size_t at = 0; at < one.bytes.size();) {
    const std::size_t n = std::min(kSector - (one.offset + at) % kSector, one.bytes.size() - at);
    if (chance(random, 2)) apply(node, {.kind = Change::Kind::kWrite, .offset = one.offset + at, .bytes = one.bytes.substr(at, n), .names = {}});
    at += n;
  }
}

void settle_by_chance(Node& node, Loss loss, Random& random) {
  std::size_t names_kept = 0;
  if (loss == Loss::kInOrder) names_kept = static_cast<std::size_t>(random.next() % (node.pending.size() + 1));
  std::size_t n = 0;
  for (const Change& one : node.pending) {
    if (loss == Loss::kUnsynced) break;
    if (loss == Loss::kNothing) {
      apply(node, one);
    } else if (one.kind == Change::Kind::kNames) {
      if (loss == Loss::kInOrder ? n < names_kept : chance(random, 2)) apply(node, one);
    } else {
      apply_by_chance(node, one, random);
    }
    ++n;
  }
}

// `done` remembers nodes that two names show.
void write_out(const NodePtr& node, const fs::path& to, Loss loss, Random& random, std::map<Node*, std::unique_ptr<Node>>& done) {
  auto& kept = done[node.get()];
  if (kept == nullptr) {
    kept = std::make_unique<Node>(*node);
    settle_by_chance(*kept, loss, random);
  }
  if (!kept->folder) {
    std::ofstream(to, std::ios::binary) << kept->bytes;
    return;
  }
  fs::create_directories(to);
  for (const auto& [name, child] : kept->names)
    if (!name.ends_with("-shm")) write_out(child, to / name, loss, random, done);
}

}  // namespace

PowerDisk::Hold::Hold() { disk().mutex.lock(); }
PowerDisk::Hold::~Hold() { disk().mutex.unlock(); }

void PowerDisk::watch(const fs::path& root) {
  Disk& d = disk();
  const Lock lock(d.mutex);
  d.root = root.lexically_normal();
  d.top = load(root);
  d.open.clear();
  d.operations = d.fail_at = d.fail_point_at = 0;
  d.points.clear();
  d.failed_at_point = false;
  d.failed = false;
  watching = true;
}

void PowerDisk::fail_after(std::uint64_t operations) {
  const Lock lock(disk().mutex);
  disk().fail_at = operations == 0 ? 0 : disk().operations + operations;
}

void PowerDisk::fail_at(const std::string& point, std::uint64_t time) {
  const Lock lock(disk().mutex);
  disk().fail_point = point;
  disk().fail_point_at = disk().points[point] + time;
}

std::map<std::string, std::uint64_t> PowerDisk::points() {
  const Lock lock(disk().mutex);
  return disk().points;
}

void PowerDisk::fail() {
  const Lock lock(disk().mutex);
  disk().failed = true;
}

bool PowerDisk::failed() {
  const Lock lock(disk().mutex);
  return disk().failed;
}

bool PowerDisk::failed_at_point() {
  const Lock lock(disk().mutex);
  return disk().failed_at_point;
}

std::uint64_t PowerDisk::operations() {
  const Lock lock(disk().mutex);
  return disk().operations;
}

void PowerDisk::restore(const fs::path& to, Loss loss, Random& random) {
  const Lock lock(disk().mutex);
  watching = false;
  std::map<Node*, std::unique_ptr<Node>> done;
  write_out(disk().top, to, loss, random, done);
}

void PowerDisk::unwatch() { watching = false; }

}  // namespace fog::testing
