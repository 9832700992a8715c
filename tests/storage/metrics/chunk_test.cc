// Chunks and distributions: what is encoded comes back, damage is found, sketches keep their promise.
#include "storage/metrics/chunk.h"

#include <gtest/gtest.h>

#include <random>

namespace fog::metrics {
namespace {

bool same(const SlotBlock& a, const SlotBlock& b) {
  if (a.slots != b.slots) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const WideSlot x = a.wide_at(i);
    const WideSlot y = b.wide_at(i);
    if (is_wide(a.values[i]) != is_wide(b.values[i]) || x.count != y.count || x.sum != y.sum ||
        x.min != y.min || x.max != y.max ||
        x.distribution.available() != y.distribution.available() ||
        x.distribution.weighted() != y.distribution.weighted())
      return false;
  }
  return true;
}

SlotBlock random_block(std::mt19937_64& random) {
  SlotBlock block;
  std::uint32_t slot = static_cast<std::uint32_t>(random() % 30'000'000);
  const std::size_t n = 1 + random() % 400;
  const auto gaps = random() % 4;
  const auto kind = random() % 6;
  std::uniform_real_distribution<double> real(-5, 1e6);
  for (std::size_t i = 0; i < n; ++i) {
    double value = 0;
    switch (kind) {
      case 0: value = 1; break;
      case 1: value = static_cast<double>(random() % 100000) / 100; break;
      case 2: value = real(random); break;
      case 3: value = static_cast<double>(i) * 1000 + static_cast<double>(random() % 7); break;
      case 4: value = std::ldexp(real(random), static_cast<int>(random() % 700) - 350); break;
      default: value = -static_cast<double>(random() % 4096) / 8; break;
    }
    if (random() % 10 < (kind == 0 ? 0 : 2)) {
      WideSlot wide;
      for (std::size_t k = 0; k < 1 + random() % 5; ++k)
        wide.add_value(std::fabs(value) + static_cast<double>(k), 1 + static_cast<double>(random() % 3) / 2);
      if (random() % 5 == 0) wide.add_set(3, 9, 1, 5);
      block.push_wide(slot, std::move(wide));
    } else {
      block.push_value(slot, value);
    }
    slot += gaps == 0 ? 1 : static_cast<std::uint32_t>(1 + random() % (gaps == 3 ? 1000 : 3));
  }
  return block;
}

TEST(Chunk, gives_back_what_was_encoded) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 1000; ++i) {
    const SlotBlock block = random_block(random);
    SlotBlock back;
    const std::string bytes = encode_chunk(block);
    ASSERT_TRUE(decode_chunk(bytes, true, back).ok()) << i;
    ASSERT_TRUE(same(block, back)) << i;
    // A part of it holds at least the slots asked for, with their values.
    const std::uint32_t from = block.slots[random() % block.size()];
    const std::uint32_t to = from + static_cast<std::uint32_t>(random() % 500);
    ASSERT_TRUE(decode_chunk(bytes, true, back, from, to).ok());
    for (std::size_t k = 0; k < block.size(); ++k) {
      if (block.slots[k] < from || block.slots[k] >= to) continue;
      const auto at = std::find(back.slots.begin(), back.slots.end(), block.slots[k]);
      ASSERT_NE(at, back.slots.end());
      ASSERT_EQ(back.wide_at(static_cast<std::size_t>(at - back.slots.begin())).sum, block.wide_at(k).sum);
    }
  }
}

TEST(Chunk, finds_every_flipped_byte_and_every_cut) {
  std::mt19937_64 random(8);
  for (int i = 0; i < 20; ++i) {
    const std::string bytes = encode_chunk(random_block(random));
    SlotBlock back;
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      std::string bad = bytes;
      bad[at] = static_cast<char>(bad[at] ^ (1 << (random() % 8)));
      EXPECT_FALSE(decode_chunk(bad, true, back).ok());
      EXPECT_FALSE(decode_chunk(std::string_view(bytes).substr(0, at), true, back).ok());
    }
  }
}

TEST(Chunk, takes_at_most_two_bytes_for_a_value_with_two_decimals) {
  std::mt19937_64 random(9);
  SlotBlock block;
  for (std::uint32_t i = 0; i < 1440; ++i)
    block.push_value(i, static_cast<double>(20000 + random() % 16384) / 100);
  EXPECT_LE(encode_chunk(block).size(), 1440 * 2);
}

TEST(Chunk, coarsening_adds_up_and_keeps_lonely_values) {
  SlotBlock block;
  block.push_value(10, 1);
  block.push_value(11, 3);
  block.push_value(25, 7);
  const SlotBlock coarse = coarsen(block, 5);
  ASSERT_EQ(coarse.slots, (std::vector<std::uint32_t>{2, 5}));
  EXPECT_EQ(coarse.wide_at(0).sum, 4);
  EXPECT_EQ(coarse.wide_at(0).distribution.weighted().size(), 2u);
  EXPECT_FALSE(is_wide(coarse.values[1]));
}

TEST(Chunk, merging_is_a_union_that_adds_up) {
  SlotBlock a;
  a.push_value(1, 1);
  a.push_value(3, 5);
  SlotBlock b;
  b.push_value(2, 2);
  b.push_value(3, 7);
  const SlotBlock both = merge_blocks(a, b);
  ASSERT_EQ(both.slots, (std::vector<std::uint32_t>{1, 2, 3}));
  EXPECT_EQ(both.wide_at(2).count, 2);
  EXPECT_EQ(both.wide_at(2).sum, 12);
}

TEST(Distribution, sketch_stays_within_half_a_percent) {
  std::mt19937_64 random(10);
  std::lognormal_distribution<double> draw(3, 2);
  Distribution merged;
  std::vector<double> exact;
  for (int part = 0; part < 4; ++part) {
    Distribution one;
    for (int i = 0; i < 8000; ++i) {
      const double value = draw(random);
      one.add(value, 1);
      exact.push_back(value);
    }
    merged.merge(one);
  }
  ASSERT_FALSE(merged.is_exact());
  std::sort(exact.begin(), exact.end());
  const auto weighted = merged.weighted();
  double seen = 0;
  for (const auto& [value, weight] : weighted) {
    // Every value of the bucket lies within 0.5 % of its representative.
    for (double k = 0; k < weight; ++k) {
      const double truth = exact[static_cast<std::size_t>(seen + k)];
      ASSERT_NEAR(value / truth, 1, 0.00502);
    }
    seen += weight;
  }
  EXPECT_EQ(seen, static_cast<double>(exact.size()));
}

TEST(Distribution, is_lost_for_good_after_a_negative_value) {
  Distribution d;
  d.add(1, 1);
  d.add(-1, 1);
  EXPECT_FALSE(d.available());
  Distribution other;
  other.add(2, 1);
  other.merge(d);
  EXPECT_FALSE(other.available());
}

TEST(Distribution, adds_weights_of_equal_values) {
  Distribution d;
  for (const double value : {3.0, 1.0, 3.0, 2.0, 1.0}) d.add(value, 0.5);
  EXPECT_EQ(d.weighted(), (std::vector<Distribution::Weighted>{{1, 1}, {2, 0.5}, {3, 1}}));
}

}  // namespace
}  // namespace fog::metrics
