// Hashes that nobody outside can predict: keyed by random bits of this process.
//
// Names that strangers choose (groups, metrics, fields, endpoints) are keys of hash tables. With a known
// hash somebody could send thousands that fall into one bucket and make every look-up a long walk. This
// file also replaces the function under std::hash of texts, so every std::unordered_map is keyed.
// Never write such a hash to disk: hash.h is for that.
#pragma once

#include <cstdint>
#include <string_view>

namespace fog {

std::uint64_t seeded_hash(std::string_view bytes);

// For tables with a hash of their own: to be mixed in at its start.
std::uint64_t process_seed();

}  // namespace fog
