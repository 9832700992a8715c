// The write-ahead log's file format.
//
// Folder: files named <first LSN, 20 decimal digits>.wal, in LSN order.
// File:   header (16 bytes): "FOGWAL1\n", u64 first LSN | records | zeros, perhaps
// Record: u32 crc32c (of everything behind it) | u32 payload length | u64 LSN | u8 store |
//         u64 id | payload                                        all integers little-endian
//         LSNs grow; they need not follow each other where one process ended and the next began.
// Zeros at the end are room that was reserved: a write into bytes that a file has already changes nothing else of
// it, so its sync is cheaper. No record begins with a zero length and LSN 0, so they are never taken for one.
// A record is valid if its length fits, its CRC matches and its LSN is above that of the one before. Recovery
// stops at the first invalid record of the last file and cuts the file there (a torn tail); in an earlier place
// it searches byte by byte for the next valid record, so damage costs the records it touched.
//
// Example: the first record of store 1, id 7, payload "hi" is 27 bytes: crc, 02 00 00 00,
// 01 00 00 00 00 00 00 00, 01, 07 00 00 00 00 00 00 00, 68 69.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "storage/wal/wal.h"

namespace fog::wal {

inline constexpr std::string_view kMagic = "FOGWAL1\n";
inline constexpr std::size_t kFileHeaderBytes = 16;
inline constexpr std::size_t kRecordHeaderBytes = 25;
// One more than the highest StoreId, also of stores that wal.h does not name (resource_log.h).
inline constexpr std::size_t kStoresMax = 8;
static_assert(kStoresMax >= kStoreIdMax);
inline constexpr std::size_t kPayloadBytesMax = 256u << 20;  // far above any request's size

struct RecordHeader {
  std::uint32_t crc;
  std::uint32_t length;
  Lsn lsn;
  std::uint8_t store;
  std::uint64_t id;
};

RecordHeader read_header(std::string_view bytes);
// The record at the front of `bytes`, if it is whole and sound and follows `expected`.
std::optional<Wal::Record> parse_record(std::string_view bytes, Lsn expected);
void append_record(std::string& out, const Wal::Record& record);

std::string file_header(Lsn first);
std::string file_name(Lsn first);
// The first LSN a file's name speaks of; nothing for other files.
std::optional<Lsn> lsn_of_name(const std::filesystem::path& path);
// Where the zeros begin that end a file; its size if there are none.
std::size_t zeros_at_end(std::string_view file);

}  // namespace fog::wal
