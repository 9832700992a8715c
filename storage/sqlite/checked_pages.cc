#include "storage/sqlite/checked_pages.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/base/hash.h"
#include "storage/base/log.h"

namespace fog {
namespace {

constexpr std::size_t kReservedAt = 20;  // of the database's header: how many bytes of each page SQLite leaves alone
constexpr std::size_t kHeaderBytes = 100;
constexpr std::size_t kPageMin = 512;
constexpr std::size_t kPageMax = 65536;

std::uint32_t load_u32(const unsigned char* at) {
  std::uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | at[i];
  return value;
}

void store_u32(unsigned char* at, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<unsigned char>(value >> (8 * i));
}

std::string_view text_of(std::span<const unsigned char> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

std::uint32_t sum_of(std::span<const unsigned char> content, std::uint32_t number) {
  std::array<unsigned char, 4> place{};
  store_u32(place.data(), number);
  return crc32c(text_of(place), crc32c(text_of(content)));
}

// One open database file. SQLite gives the memory: this, then what the layer below needs.
struct File {
  sqlite3_file head;
  bool is_checked;           // its header says that pages carry checksums, or there is none yet
  bool reports;              // and gives what fails
  bool has_reported;
  const char* name;          // SQLite's, which outlives this
  std::vector<bool>* found;  // pages that were looked at when they were mapped, by number
};

sqlite3_file* below(sqlite3_file* file) { return reinterpret_cast<sqlite3_file*>(reinterpret_cast<File*>(file) + 1); }
File& of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }

bool is_page(sqlite3_int64 at, int size) {
  const auto bytes = static_cast<std::size_t>(size);
  return size > 0 && bytes >= kPageMin && bytes <= kPageMax && (bytes & (bytes - 1)) == 0 && at % size == 0;
}

std::uint32_t number_of(sqlite3_int64 at, int size) { return static_cast<std::uint32_t>(at / size + 1); }

// One flipped bit makes of a database with checksums one without: its first page tells.
bool hides_checksums(std::span<const unsigned char> first_page) {
  std::vector<unsigned char> page(first_page.begin(), first_page.end());
  page[kReservedAt] = kPageCheckBytes;
  return page_is_sound(page, 1);
}

// What a reader gets for a page that failed.
int failed(File& file, std::uint32_t number) {
  ++damaged_pages();
  if (!file.reports) return SQLITE_IOERR_DATA;
  if (!std::exchange(file.has_reported, true))
    LOG_ERROR("{}: page {} fails its checksum; rows that fail theirs are passed over", file.name == nullptr ? "" : file.name, number);
  return SQLITE_OK;
}

template <auto Method>
struct Forward;
template <typename R, typename... A, R (*sqlite3_io_methods::*Method)(sqlite3_file*, A...)>
struct Forward<Method> {
  static R call(sqlite3_file* file, A... a) { return (below(file)->pMethods->*Method)(below(file), a...); }
};

int close_file(sqlite3_file* file) {
  delete of(file).found;
  of(file).found = nullptr;
  return Forward<&sqlite3_io_methods::xClose>::call(file);
}

int read_file(sqlite3_file* file, void* out, int size, sqlite3_int64 at) {
  const int code = Forward<&sqlite3_io_methods::xRead>::call(file, out, size, at);
  if (code != SQLITE_OK) return code;
  const std::span bytes(static_cast<const unsigned char*>(out), static_cast<std::size_t>(size));
  if (at == 0 && bytes.size() >= kHeaderBytes) of(file).is_checked = bytes[kReservedAt] == kPageCheckBytes;
  if (!is_page(at, size)) return code;
  const std::uint32_t number = number_of(at, size);
  const bool sound = of(file).is_checked ? page_is_sound(bytes, number) : at != 0 || !hides_checksums(bytes);
  return sound ? SQLITE_OK : failed(of(file), number);
}

int write_file(sqlite3_file* file, const void* in, int size, sqlite3_int64 at) {
  const std::span bytes(static_cast<const unsigned char*>(in), static_cast<std::size_t>(size));
  if (at == 0 && bytes.size() >= kHeaderBytes) of(file).is_checked = bytes[kReservedAt] == kPageCheckBytes;
  if (!of(file).is_checked || !is_page(at, size)) return Forward<&sqlite3_io_methods::xWrite>::call(file, in, size, at);
  thread_local std::vector<unsigned char> page;
  page.assign(bytes.begin(), bytes.end());
  seal_page(page, number_of(at, size));
  return Forward<&sqlite3_io_methods::xWrite>::call(file, page.data(), size, at);
}

// A page in mapped memory, which SQLite reads without a call: looked at when it is first asked for. What fails is not
// given, and SQLite then reads it the other way, which says so.
int fetch(sqlite3_file* file, sqlite3_int64 at, int size, void** out) {
  const int code = Forward<&sqlite3_io_methods::xFetch>::call(file, at, size, out);
  if (code != SQLITE_OK || *out == nullptr || !of(file).is_checked || !is_page(at, size)) return code;
  std::vector<bool>& found = *of(file).found;
  const std::uint32_t number = number_of(at, size);
  if (number < found.size() && found[number]) return code;
  const bool sound = page_is_sound({static_cast<const unsigned char*>(*out), static_cast<std::size_t>(size)}, number);
  if (!sound && !of(file).reports) {
    (void)Forward<&sqlite3_io_methods::xUnfetch>::call(file, at, *out);
    *out = nullptr;
    return SQLITE_OK;
  }
  if (!sound) (void)failed(of(file), number);
  if (number >= found.size()) found.resize(std::max<std::size_t>(number + 1u, found.size() * 2));
  found[number] = true;
  return code;
}

constexpr sqlite3_io_methods kMethods = {
    .iVersion = 3,
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = Forward<&sqlite3_io_methods::xTruncate>::call,
    .xSync = Forward<&sqlite3_io_methods::xSync>::call,
    .xFileSize = Forward<&sqlite3_io_methods::xFileSize>::call,
    .xLock = Forward<&sqlite3_io_methods::xLock>::call,
    .xUnlock = Forward<&sqlite3_io_methods::xUnlock>::call,
    .xCheckReservedLock = Forward<&sqlite3_io_methods::xCheckReservedLock>::call,
    .xFileControl = Forward<&sqlite3_io_methods::xFileControl>::call,
    .xSectorSize = Forward<&sqlite3_io_methods::xSectorSize>::call,
    .xDeviceCharacteristics = Forward<&sqlite3_io_methods::xDeviceCharacteristics>::call,
    .xShmMap = Forward<&sqlite3_io_methods::xShmMap>::call,
    .xShmLock = Forward<&sqlite3_io_methods::xShmLock>::call,
    .xShmBarrier = Forward<&sqlite3_io_methods::xShmBarrier>::call,
    .xShmUnmap = Forward<&sqlite3_io_methods::xShmUnmap>::call,
    .xFetch = fetch,
    .xUnfetch = Forward<&sqlite3_io_methods::xUnfetch>::call,
};

sqlite3_vfs* system_files() {
  static sqlite3_vfs* const found = sqlite3_vfs_find(nullptr);
  return found;
}

// The layer under its two names.
struct Layers {
  sqlite3_vfs failing{};
  sqlite3_vfs reporting{};
};
Layers& layers() {
  static Layers made;
  return made;
}

// Only databases are wrapped: journals and logs carry checksums of SQLite's own.
int open_file(sqlite3_vfs* layer, sqlite3_filename name, sqlite3_file* file, int flags, int* flags_out) {
  if ((flags & SQLITE_OPEN_MAIN_DB) == 0) return system_files()->xOpen(system_files(), name, file, flags, flags_out);
  of(file) = {};
  const int code = system_files()->xOpen(system_files(), name, below(file), flags, flags_out);
  if (below(file)->pMethods == nullptr) return code;
  of(file).reports = layer == &layers().reporting;
  of(file).name = name;
  of(file).found = new std::vector<bool>;
  file->pMethods = &kMethods;
  // Pages of a new database may be written before its first, which holds the header.
  sqlite3_int64 size = 0;
  of(file).is_checked = below(file)->pMethods->xFileSize(below(file), &size) == SQLITE_OK && size == 0;
  return code;
}

}  // namespace

bool carries_checksums(const std::filesystem::path& file) {
  std::array<char, kReservedAt + 1> header{};
  std::ifstream in(file, std::ios::binary);
  return !in.read(header.data(), header.size()) || header[kReservedAt] == kPageCheckBytes;
}

void seal_page(std::span<unsigned char> page, std::uint32_t number) {
  const auto content = page.first(page.size() - kPageCheckBytes);
  store_u32(page.data() + content.size(), sum_of(content, number));
  store_u32(page.data() + content.size() + 4, number);
}

bool page_is_sound(std::span<const unsigned char> page, std::uint32_t number) {
  const auto content = page.first(page.size() - kPageCheckBytes);
  const unsigned char* check = page.data() + content.size();
  if (load_u32(check + 4) == number) return load_u32(check) == sum_of(content, number);
  return std::all_of(page.begin(), page.end(), [](unsigned char byte) { return byte == 0; });
}

const char* checked_pages(PageCheck check) {
  static const bool registered = [] {
    if (system_files() == nullptr) return false;
    bool all = true;
    for (const auto& [layer, name] : {std::pair(&layers().failing, "fogwatch"), std::pair(&layers().reporting, "fogwatch-reports")}) {
      *layer = *system_files();
      layer->pNext = nullptr;
      layer->zName = name;
      layer->szOsFile += static_cast<int>(sizeof(File));
      layer->xOpen = open_file;
      all = sqlite3_vfs_register(layer, 0) == SQLITE_OK && all;
    }
    return all;
  }();
  if (!registered || check == PageCheck::kNone) return nullptr;
  return (check == PageCheck::kFail ? layers().failing : layers().reporting).zName;
}

std::atomic<std::uint64_t>& damaged_pages() {
  static std::atomic<std::uint64_t> count{0};
  return count;
}

}  // namespace fog
