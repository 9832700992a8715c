// Checked pages: a layer of SQLite's file access that gives each page of a database a checksum.
//
// The last 8 bytes of every page, which SQLite leaves alone when they are reserved:
//   u32 LE  crc32c of the bytes before, then of the page's number (4 bytes, LE)
//   u32 LE  the page's number, from 1
// so that a flipped byte and a page in another's place are both found. A page of zeros was never written and
// passes. Databases made before this layer have nothing reserved and are read as they are.
//
// What happens with a page that fails is for whoever opens the database to say: it reads as SQLITE_IOERR_DATA, which
// Database reports as corrupt; or it is counted, said once for the file, and given as it is to a reader whose rows
// carry checksums of their own, so that one byte costs one row and not the page.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <span>

namespace fog {

inline constexpr int kPageCheckBytes = 8;

enum class PageCheck : std::uint8_t {
  kNone,    // pages are taken as they are and written without checksums
  kFail,    // a page that fails is not given
  kReport,  // a page that fails is given
};

// The name under which SQLite knows the layer; registers it on the first call. Null: the system's file access alone.
const char* checked_pages(PageCheck check);
// Pages that failed since the process began.
std::atomic<std::uint64_t>& damaged_pages();

// What the header of a database says; true of one that is yet to be.
bool carries_checksums(const std::filesystem::path& file);

// A whole page with its number (from 1): puts the checksum into its last 8 bytes.
void seal_page(std::span<unsigned char> page, std::uint32_t number);
// False: the page is not what was written there.
bool page_is_sound(std::span<const unsigned char> page, std::uint32_t number);

}  // namespace fog
