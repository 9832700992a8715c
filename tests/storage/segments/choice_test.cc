// Which blocks a query looks at, when their bytes are slow to come: the answers are those of blocks in memory,
// and the reads of all blocks are under way before the first is waited for.
#include <gtest/gtest.h>

#include "storage/segments/block_reader.h"

namespace fog::segments {
namespace {

constexpr std::size_t kBlocks = 12;
constexpr std::size_t kRows = 3000;

struct Reads {
  std::size_t begun = 0;         // asked for without waiting
  std::size_t waited = 0;        // waited for
  std::size_t begun_before = 0;  // of those begun, before the first was waited for
};

// A disk that has nothing at once.
class SlowSource final : public ByteSource {
 public:
  SlowSource(std::shared_ptr<const std::string> bytes, Reads& reads) : memory_(std::move(bytes)), reads_(reads) {}
  Result<std::string> read(std::uint64_t offset, std::size_t size) const override {
    if (reads_.waited++ == 0) reads_.begun_before = reads_.begun;
    return memory_.read(offset, size);
  }
  std::optional<std::string> read_now(std::uint64_t, std::size_t) const override {
    ++reads_.begun;
    return std::nullopt;
  }

 private:
  MemorySource memory_;
  Reads& reads_;
};

class Choice : public ::testing::Test {
 protected:
  void SetUp() override {
    for (std::size_t b = 0; b < kBlocks; ++b) {
      std::vector<std::string> lines;
      for (std::size_t r = 0; r < kRows; ++r)
        lines.push_back("{\"id\":\"blk" + std::to_string(b) + "-row" + std::to_string(r) + "\",\"n\":" + std::to_string(b * 100 + r % 100) + "}");
      BlockInput input;
      for (std::size_t r = 0; r < kRows; ++r)
        input.rows.push_back({static_cast<std::int64_t>(r), b * kRows + r + 1, 0, b < 4 ? LogStreamId{7} : LogStreamId{8}, 0, lines[r]});
      auto bytes = std::make_shared<std::string>();
      summaries_.push_back(write_block(input, [](std::string_view) { return true; }, *bytes));
      bytes_.push_back(std::move(bytes));
    }
  }
  // Fresh blocks: nothing of them is known yet.
  std::vector<std::unique_ptr<LogBlock>> blocks(bool slow, const ReadScope& scope) {
    std::vector<std::unique_ptr<LogBlock>> made;
    for (std::size_t b = 0; b < kBlocks; ++b) {
      std::shared_ptr<const ByteSource> source;
      if (slow) {
        source = std::make_shared<SlowSource>(bytes_[b], reads_);
      } else {
        source = std::make_shared<MemorySource>(bytes_[b]);
      }
      made.push_back(make_block_reader(std::make_shared<const StoredBlock>(summaries_[b], source), scope, nullptr));
    }
    return made;
  }

  std::vector<BlockSummary> summaries_;
  std::vector<std::shared_ptr<std::string>> bytes_;
  Reads reads_;
};

using What = LogPredicate::What;

TEST_F(Choice, slow_blocks_answer_as_those_in_memory_do) {
  const LogConditions conditions[] = {
      {{{What::kFieldEquals, "id", "blk3-row77", 0}}},
      {{{What::kMessageContains, "", "\"blk9-row5\"", 0}}},
      {{{What::kFieldAtLeast, "n", "", 950}}},
      {{{What::kFieldEquals, "id", "blk3-row77", 0}, {What::kFieldEquals, "id", "blk5-row1", 0}}, {{What::kFieldAtMost, "n", "", 450}}},
      {{{What::kFieldPresent, "none", "", 0}}},
      {},
  };
  for (const LogConditions& where : conditions) {
    const auto fast = choose_blocks(blocks(false, {}), where);
    EXPECT_EQ(choose_blocks(blocks(true, {}), where), fast);
    std::size_t looks = 0;
    for (std::size_t b = 0; b < kBlocks; ++b) {
      const auto alone = std::move(blocks(false, {})[b]);
      const bool possible = std::all_of(where.begin(), where.end(), [&](const auto& clause) {
        return std::any_of(clause.begin(), clause.end(), [&](const LogPredicate& p) { return alone->may_contain(p); });
      });
      EXPECT_EQ(fast[b] == BlockChoice::kLook, possible) << b;
      looks += possible ? 1 : 0;
    }
    if (where.empty()) {
      EXPECT_EQ(looks, kBlocks);
    } else {
      EXPECT_LT(looks, kBlocks / 2);
    }
  }
}

TEST_F(Choice, all_reads_are_under_way_before_the_first_is_waited_for) {
  const auto chosen = choose_blocks(blocks(true, {}), {{{What::kFieldEquals, "id", "blk3-row77", 0}}});
  EXPECT_EQ(chosen[3], BlockChoice::kLook);
  EXPECT_EQ(reads_.begun_before, kBlocks);  // the directories
  EXPECT_EQ(reads_.begun, 2 * kBlocks);     // and a page of each filter
}

TEST_F(Choice, blocks_of_other_streams_are_told_from_those_without_a_match) {
  ReadScope scope;
  scope.streams = std::make_shared<const std::unordered_set<LogStreamId>>(std::unordered_set<LogStreamId>{7});
  for (const bool slow : {false, true}) {
    const auto chosen = choose_blocks(blocks(slow, scope), {{{What::kFieldEquals, "id", "blk3-row77", 0}}});
    for (std::size_t b = 0; b < kBlocks; ++b)
      EXPECT_EQ(chosen[b], b == 3 ? BlockChoice::kLook : b < 4 ? BlockChoice::kNothing : BlockChoice::kOtherStreams) << b;
  }
}

TEST_F(Choice, a_damaged_block_is_looked_at) {
  bytes_[5]->at(summaries_[5].size - 20) ^= 1;
  for (const bool slow : {false, true})
    EXPECT_EQ(choose_blocks(blocks(slow, {}), {{{What::kFieldEquals, "id", "blk3-row77", 0}}})[5], BlockChoice::kLook);
}

}  // namespace
}  // namespace fog::segments
