// Checksums and hashes.
//
// crc32c guards bytes on disk (hardware instruction where the CPU has it). hash64 spreads keys over
// tables and filters; it is stable across versions, because token filters on disk depend on it.
#pragma once

#include <cstdint>
#include <string_view>

namespace fog {

// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), as in iSCSI: crc32c("123456789") =
// 0xe3069283. Pass the previous result to continue over several pieces.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t previous = 0);

// CRC-32 (IEEE), as zlib and the AWS event stream use it.
std::uint32_t crc32_ieee(std::string_view bytes, std::uint32_t previous = 0);

std::uint64_t hash64(std::string_view bytes, std::uint64_t seed = 0);

}  // namespace fog
