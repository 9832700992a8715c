#include "storage/wal/format.h"

#include <cstring>

#include "storage/base/bytes.h"
#include "storage/base/hash.h"

namespace fog::wal {
namespace {

// No more records than this can follow one that was lost; keeps the search for the next sound
// record from computing checksums over noise.
constexpr Lsn kLsnGapMax = 1u << 30;

}  // namespace

RecordHeader read_header(std::string_view bytes) {
  ByteReader in(bytes);
  RecordHeader header{};
  header.crc = in.fixed<std::uint32_t>();
  header.length = in.fixed<std::uint32_t>();
  header.lsn = in.fixed<std::uint64_t>();
  header.store = in.fixed<std::uint8_t>();
  header.id = in.fixed<std::uint64_t>();
  return header;
}

std::optional<Wal::Record> parse_record(std::string_view bytes, Lsn expected) {
  if (bytes.size() < kRecordHeaderBytes) return std::nullopt;
  const RecordHeader header = read_header(bytes);
  if (header.length > kPayloadBytesMax || header.length > bytes.size() - kRecordHeaderBytes)
    return std::nullopt;
  const std::string_view covered = bytes.substr(4, kRecordHeaderBytes - 4 + header.length);
  if (header.lsn < expected || header.lsn - expected > kLsnGapMax) return std::nullopt;
  if (header.store == 0 || header.store >= kStoresMax) return std::nullopt;
  if (crc32c(covered) != header.crc) return std::nullopt;
  return Wal::Record{.store = static_cast<StoreId>(header.store),
                     .id = header.id,
                     .lsn = header.lsn,
                     .payload = bytes.substr(kRecordHeaderBytes, header.length)};
}

void append_record(std::string& out, const Wal::Record& record) {
  const std::size_t start = out.size();
  ByteWriter writer(out);
  writer.fixed<std::uint32_t>(0);
  writer.fixed(static_cast<std::uint32_t>(record.payload.size()));
  writer.fixed<std::uint64_t>(record.lsn);
  writer.fixed(static_cast<std::uint8_t>(record.store));
  writer.fixed<std::uint64_t>(record.id);
  writer.raw(record.payload);
  const std::uint32_t crc = crc32c(std::string_view(out).substr(start + 4));
  std::memcpy(out.data() + start, &crc, sizeof(crc));
}

std::string file_header(Lsn first) {
  std::string header(kMagic);
  ByteWriter(header).fixed<std::uint64_t>(first);
  return header;
}

std::string file_name(Lsn first) {
  std::string digits = std::to_string(first);
  return std::string(20 - digits.size(), '0') + digits + ".wal";
}

std::optional<Lsn> lsn_of_name(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  if (name.size() != 24 || !name.ends_with(".wal")) return std::nullopt;
  Lsn lsn = 0;
  for (const char c : name.substr(0, 20)) {
    if (c < '0' || c > '9') return std::nullopt;
    lsn = lsn * 10 + static_cast<Lsn>(c - '0');
  }
  return lsn;
}

std::size_t zeros_at_end(std::string_view file) {
  const std::size_t last = file.find_last_not_of('\0');
  return last == std::string_view::npos ? 0 : last + 1;
}

}  // namespace fog::wal
