// Chunks of metric slots and the distributions inside.
#include "storage/metrics/chunk.h"

#include "tests/fuzz/target.h"

namespace fog::fuzz {

using namespace metrics;

FOG_FUZZ(metric_chunk) {
  SlotBlock block;
  if (!decode_chunk(input, true, block).ok()) return;
  for (std::size_t i = 0; i < block.size(); ++i) (void)block.wide_at(i).distribution.weighted();
  SlotBlock part;
  (void)decode_chunk(input, false, part, 100, 200);
  const std::string again = encode_chunk(block);
  SlotBlock back;
  must(decode_chunk(again, true, back).ok() && back.slots == block.slots, "what was decoded can be encoded");
}

FOG_FUZZ_SEEDS(metric_chunk) {
  std::vector<std::string> out;
  for (int kind = 0; kind < 5; ++kind) {
    SlotBlock block;
    for (std::uint32_t i = 0; i < 60; ++i) {
      const std::uint32_t slot = 29'000'000 + i * (kind == 2 ? 3 : 1);
      if (kind == 4 || (kind == 3 && i % 5 == 0)) {
        WideSlot wide;
        for (int k = 0; k < 5; ++k) wide.add_value(i * 1.5 + k, 1 + k);
        if (i % 7 == 0) wide.add_set(3, 9, 1, 5);
        block.push_wide(slot, std::move(wide));
      } else {
        block.push_value(slot, kind == 0 ? 1 : kind == 1 ? i * 0.01 : i * 1000.0);
      }
    }
    out.push_back(encode_chunk(block));
  }
  return out;
}

}  // namespace fog::fuzz
