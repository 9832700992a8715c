// Chunk: the compressed form of a SlotBlock. Format at the top of chunk.cc. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "storage/base/result.h"
#include "storage/metrics/slots.h"

namespace fog::metrics {

std::string encode_chunk(const SlotBlock& block);

// Replaces `into`. Without distributions those of wide slots come back empty (and are skipped
// quickly). Slots outside [from, to) may be left out, which saves work. Error: corrupt.
Status decode_chunk(std::string_view bytes, bool with_distributions, SlotBlock& into,
                    std::uint32_t from = 0, std::uint32_t to = UINT32_MAX);

}  // namespace fog::metrics
