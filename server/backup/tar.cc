#include "server/backup/tar.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include <fmt/format.h>
#include <unistd.h>

namespace fog::backup {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kPiece = 256 * 1024;
constexpr std::uint64_t kOctalSizeMax = 077777777777;  // 8 GiB - 1

// Offsets and lengths of the fields of a head.
struct Field {
  std::size_t at;
  std::size_t size;
};
constexpr Field kName{0, 100}, kMode{100, 8}, kOwner{108, 8}, kGroup{116, 8}, kSize{124, 12}, kTime{136, 12}, kSum{148, 8}, kPrefix{345, 155};
constexpr std::size_t kTypeAt = 156;

using Head = std::array<char, kBlock>;

void put_octal(Head& head, Field field, std::uint64_t value) {
  const std::string digits = fmt::format("{:0{}o}", value, field.size - 1);
  std::memcpy(head.data() + field.at, digits.data(), field.size - 1);
}

std::uint64_t sum_of(const Head& head) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kBlock; ++i)
    sum += i >= kSum.at && i < kSum.at + kSum.size ? std::uint64_t{' '} : static_cast<unsigned char>(head[i]);
  return sum;
}

std::string text_of(const Head& head, Field field) {
  const char* begin = head.data() + field.at;
  return {begin, ::strnlen(begin, field.size)};
}

std::optional<std::uint64_t> octal_of(const Head& head, Field field) {
  std::uint64_t value = 0;
  bool any = false;
  for (const char c : text_of(head, field)) {
    if (c == ' ') continue;
    if (c < '0' || c > '7') return std::nullopt;
    value = value * 8 + static_cast<std::uint64_t>(c - '0');
    any = true;
  }
  if (!any) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> size_of(const Head& head) {
  if ((static_cast<unsigned char>(head[kSize.at]) & 0x80) == 0) return octal_of(head, kSize);
  std::uint64_t value = 0;
  for (std::size_t i = 4; i < kSize.size; ++i) value = value << 8 | static_cast<unsigned char>(head[kSize.at + i]);
  return value;
}

Error disk_error(const char* what) { return Error::internal(fmt::format("cannot {} the archive: {}", what, std::strerror(errno))); }
Error damaged() { return Error::corrupt("the archive is damaged or cut short"); }

}  // namespace

Result<TarWriter> TarWriter::create(const std::filesystem::path& file) {
  OpenFile opened(std::fopen(file.c_str(), "wbe"));
  if (!opened) return disk_error("create");
  return TarWriter(std::move(opened));
}

Status TarWriter::put(std::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size()) return disk_error("write");
  return Ok{};
}

Status TarWriter::pad() {
  const std::size_t over = in_file_ % kBlock;
  in_file_ = 0;
  return over == 0 ? Status(Ok{}) : put(std::string(kBlock - over, '\0'));
}

Status TarWriter::begin(std::string_view path, std::uint64_t size, std::int64_t modified_s) {
  TRYV(pad());
  Head head{};
  std::string_view name = path;
  if (path.size() > kName.size) {  // cut at a slash, so that both parts fit
    const std::size_t cut = path.find('/', path.size() - kName.size - 1);
    if (cut == std::string_view::npos || cut > kPrefix.size) return Error::invalid(fmt::format("the path {} is too long for an archive", path));
    std::memcpy(head.data() + kPrefix.at, path.data(), cut);
    name = path.substr(cut + 1);
  }
  std::memcpy(head.data() + kName.at, name.data(), name.size());
  put_octal(head, kMode, 0600);
  put_octal(head, kOwner, 0);
  put_octal(head, kGroup, 0);
  if (size <= kOctalSizeMax) {
    put_octal(head, kSize, size);
  } else {
    head[kSize.at] = static_cast<char>(0x80);
    for (std::size_t i = 0; i < 8; ++i) head[kSize.at + 4 + i] = static_cast<char>(size >> (56 - 8 * i));
  }
  put_octal(head, kTime, static_cast<std::uint64_t>(std::max<std::int64_t>(0, modified_s)));
  head[kTypeAt] = '0';
  std::memcpy(head.data() + 257, "ustar\00000", 8);
  put_octal(head, {kSum.at, 7}, sum_of(head));
  head[kSum.at + 7] = ' ';
  return put({head.data(), head.size()});
}

Status TarWriter::write(std::string_view bytes) {
  in_file_ += bytes.size();
  return put(bytes);
}

Status TarWriter::finish() {
  TRYV(pad());
  TRYV(put(std::string(2 * kBlock, '\0')));
  if (std::fflush(file_.get()) != 0 || ::fsync(::fileno(file_.get())) != 0) return disk_error("sync");
  return Ok{};
}

Result<TarReader> TarReader::open(const std::filesystem::path& file) {
  OpenFile opened(std::fopen(file.c_str(), "rbe"));
  if (!opened) return disk_error("open");
  return TarReader(std::move(opened));
}

Result<std::optional<TarReader::Entry>> TarReader::next() {
  if (left_ > 0) TRYV(read([](std::string_view) -> Status { return Ok{}; }));
  std::array<char, kBlock> skipped{};
  if (padding_ > 0 && std::fread(skipped.data(), 1, padding_, file_.get()) != padding_) return damaged();
  padding_ = 0;
  Head head{};
  if (std::fread(head.data(), 1, kBlock, file_.get()) != kBlock) return damaged();
  if (std::all_of(head.begin(), head.end(), [](char c) { return c == '\0'; })) return std::optional<Entry>();
  const auto size = size_of(head);
  if (octal_of(head, kSum) != sum_of(head) || !size || *size > (std::uint64_t{1} << 62)) return damaged();
  if (head[kTypeAt] != '0' && head[kTypeAt] != '\0') return Error::corrupt("the archive holds something that is not a file");
  Entry entry{.path = text_of(head, kPrefix), .size = *size};
  if (!entry.path.empty()) entry.path += '/';
  entry.path += text_of(head, kName);
  left_ = entry.size;
  padding_ = (kBlock - entry.size % kBlock) % kBlock;
  return std::optional<Entry>(std::move(entry));
}

Status TarReader::read(const std::function<Status(std::string_view)>& take) {
  std::string piece;
  while (left_ > 0) {
    piece.resize(std::min<std::uint64_t>(left_, kPiece));
    if (std::fread(piece.data(), 1, piece.size(), file_.get()) != piece.size()) return damaged();
    left_ -= piece.size();
    TRYV(take(piece));
  }
  return Ok{};
}

}  // namespace fog::backup
