// Packed bodies: gzip, deflate, and snappy as remote write uses it.
#include "api/codec/gzip.h"

#include "api/otlp/snappy.h"
#include "tests/fuzz/target.h"

namespace fog::fuzz {

FOG_FUZZ(gzip) {
  constexpr std::size_t kMost = 1u << 20;
  for (const Packing packing : {Packing::kGzip, Packing::kDeflate}) {
    const auto out = gunzip(input, kMost, packing);
    if (out.ok()) must(out->size() <= kMost, "never more than the limit");
  }
  const auto out = otlp::unsnappy(input, kMost);
  if (out.ok()) must(out->size() <= kMost, "never more than the limit");
}

FOG_FUZZ_SEEDS(gzip) {
  return {std::string("\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x48\xcd\xc9\xc9\x57\xc8\x40\x27\x00\x8e\xd1\x6f\x5a\x0e\x00\x00\x00", 28),
          std::string("\x78\x9c\xcb\x48\xcd\xc9\xc9\x07\x00\x06\x2c\x02\x15", 13), std::string("\x0b\x28hello world", 13), std::string("\x14\x0chello\x11\x05 abc", 12)};
}

}  // namespace fog::fuzz
