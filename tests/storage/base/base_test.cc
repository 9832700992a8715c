// The ground floor: results, bytes, hashes, clock, ids, worker pool.
#include "storage/base/bytes.h"
#include "storage/base/clock.h"
#include "storage/base/hash.h"
#include "storage/base/random.h"
#include "storage/base/result.h"
#include "storage/base/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>

namespace fog {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return Error::invalid("odd").at(3);
  return n / 2;
}
Result<int> quarter(int n) {
  TRY(const int h, half(n));
  return half(h);
}

TEST(Result, try_returns_the_first_error) {
  EXPECT_EQ(quarter(8).value(), 2);
  const auto failed = quarter(6);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().kind(), ErrorKind::kInvalid);
  EXPECT_EQ(failed.error().position(), 3u);
}

TEST(Bytes, what_is_written_reads_back) {
  std::string out;
  ByteWriter writer(out);
  writer.varint(0);
  writer.varint(UINT64_MAX);
  writer.zigzag(-5);
  writer.zigzag(INT64_MIN);
  writer.fixed(2.5);
  writer.text("héllo");
  ByteReader reader(out);
  EXPECT_EQ(reader.varint(), 0u);
  EXPECT_EQ(reader.varint(), UINT64_MAX);
  EXPECT_EQ(reader.zigzag(), -5);
  EXPECT_EQ(reader.zigzag(), INT64_MIN);
  EXPECT_EQ(reader.fixed<double>(), 2.5);
  EXPECT_EQ(reader.text(), "héllo");
  EXPECT_TRUE(reader.ok() && reader.at_end());
}

TEST(Bytes, every_cut_is_noticed) {
  std::string out;
  ByteWriter writer(out);
  writer.varint(300);
  writer.fixed<std::uint64_t>(7);
  writer.text("abc");
  for (std::size_t n = 0; n < out.size(); ++n) {
    ByteReader reader(std::string_view(out).substr(0, n));
    reader.varint();
    reader.fixed<std::uint64_t>();
    reader.text();
    EXPECT_FALSE(reader.ok()) << n;
  }
}

TEST(Hash, crc32c_has_the_published_check_value) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c("6789", crc32c("12345")), 0xe3069283u);
  EXPECT_EQ(crc32_ieee("123456789"), 0xcbf43926u);
}

TEST(Hash, hash64_spreads_and_is_stable) {
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 10000; ++i) seen.insert(hash64(std::to_string(i)));
  EXPECT_EQ(seen.size(), 10000u);
  EXPECT_NE(hash64("a"), hash64(std::string_view("a\0", 2)));
  EXPECT_NE(hash64("a", 1), hash64("a", 2));
  EXPECT_EQ(hash64(std::string_view()), hash64(""));  // a view that points nowhere
}

TEST(Clock, virtual_time_freezes_moves_and_returns) {
  VirtualClock clock;
  const Timestamp there = from_ms(1'767'225'600'000);
  clock.set(there);
  clock.set_rate(0);
  const Timestamp frozen = clock.now();
  EXPECT_GE(frozen, there);
  EXPECT_LT(frozen - there, Millis(1000));
  clock.set(there + Millis(5000));
  EXPECT_EQ(clock.now(), there + Millis(5000));
  const auto state = clock.state();
  VirtualClock other;
  other.restore(state);
  EXPECT_EQ(other.now(), clock.now());
  clock.reset();
  EXPECT_LT(clock.real_now() - clock.now(), Millis(1000));
}

TEST(Random, uuids_have_version_and_variant) {
  SystemRandom random;
  for (int i = 0; i < 100; ++i) {
    const std::string id = random.uuid();
    ASSERT_EQ(id.size(), 36u);
    EXPECT_EQ(id[14], '4');
    EXPECT_NE(std::string("89ab").find(id[19]), std::string::npos);
  }
}

TEST(WorkerPool, parallel_for_runs_each_index_once) {
  WorkerPool pool(3);
  std::vector<std::atomic<int>> hits(500);
  pool.parallel_for(hits.size(), [&](std::size_t i) { ++hits[i]; });
  for (const auto& hit : hits) EXPECT_EQ(hit, 1);
}

TEST(WorkerPool, nested_parallel_for_does_not_lock_up) {
  WorkerPool pool(2);
  std::atomic<int> count{0};
  pool.parallel_for(8, [&](std::size_t) { pool.parallel_for(8, [&](std::size_t) { ++count; }); });
  EXPECT_EQ(count, 64);
}

}  // namespace
}  // namespace fog
