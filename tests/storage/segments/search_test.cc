// Searching blocks on their encoded forms, single values read where they lie, and the cache of pieces: all must
// tell what the messages themselves tell, the first time and when the cache answers.
#include <random>

#include "storage/block_memory.h"
#include "storage/message_search.h"
#include "storage/segments/piece_cache.h"
#include "tests/storage/segments/harness.h"

namespace fog {
namespace {

constexpr std::int64_t kStart = 1787184000000;

// Lines whose columns take every encoding: constants, numbers with and without fractions, times, small and
// large dictionaries, packed ids, free text, and lines that are no JSON.
std::string line(std::mt19937_64& random, std::int64_t time_ms) {
  const auto pick = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  const auto hex = [&](std::size_t n) {
    std::string text;
    for (std::size_t i = 0; i < n; ++i) text.push_back("0123456789abcdef"[pick(16)]);
    return text;
  };
  const std::string id = hex(8) + "-" + hex(4) + "-" + hex(12);
  switch (pick(6)) {
    case 0: return "START RequestId: " + id + " Version: $LATEST";
    case 1: return "[ERROR]\t" + id + "\tconnection reset by peer after " + std::to_string(pick(3000)) + " ms";
    default:
      return "{\"time\":\"2026-08-20T00:00:" + std::to_string(10 + time_ms % 50) + ".00" + std::to_string(pick(10)) + "Z\",\"level\":\"" +
             std::vector<std::string>{"INFO", "WARN", "ERROR"}[pick(3)] + "\",\"service\":\"api\",\"id\":\"" + id + "\",\"user\":\"u-" +
             std::to_string(pick(900)) + "\",\"tokens\":" + std::to_string(pick(5000)) + ",\"latency_ms\":" + std::to_string(pick(900)) + "." +
             std::to_string(pick(10)) + ",\"cached\":" + (pick(2) != 0 ? "true" : "null") + ",\"message\":\"Retry " +
             std::to_string(pick(4)) + " of 3 \\\"" + hex(pick(6)) + "\\\" done\"}";
  }
}

class Search : public ::testing::Test {
 protected:
  void SetUp() override {
    std::mt19937_64 random(7);
    logs_ = testing::open_logs({}, {.folder = {}, .threads = 0, .block_events_max = 2000});
    for (int batch = 0; batch < 6; ++batch) {
      std::vector<std::string> texts;
      std::vector<LogEventIn> events;
      for (int k = 0; k < 1000; ++k) texts.push_back(line(random, kStart + batch * 1000 + k));
      for (int k = 0; k < 1000; ++k) events.push_back({kStart + batch * 1000 + k, texts[static_cast<std::size_t>(k)]});
      ASSERT_TRUE(logs_->append({.group = 1, .stream = 5, .ingestion_ms = kStart, .events = events, .fields = {}}).ok());
      all_.insert(all_.end(), texts.begin(), texts.end());
    }
    ASSERT_TRUE(logs_->flush().ok());
  }
  std::vector<std::unique_ptr<LogBlock>> blocks() {
    LogScanSpec spec;
    spec.groups = {1};
    auto snapshot = logs_->snapshot(spec);
    EXPECT_TRUE(snapshot.ok());
    return std::move(snapshot->blocks);
  }
  static std::vector<std::string> messages(LogBlock& block) {
    std::vector<std::string> texts(block.rows());
    for (std::size_t row = 0; row < block.rows(); ++row) EXPECT_TRUE(block.append_message(row, texts[row]).ok());
    return texts;
  }
  testing::OpenLogStore logs_;
  std::vector<std::string> all_;
};

TEST_F(Search, a_block_that_forgot_what_it_decoded_decodes_it_again) {
  for (auto& block : blocks()) {
    const auto look = [&] {
      std::vector<std::string> seen = messages(*block);
      const auto all = block->messages(RowSet(block->rows(), true));
      const auto level = block->column("level");
      const auto latency = block->column("latency_ms");
      const auto times = block->timestamps_ms();
      const auto sequences = block->sequences();
      const auto codes = block->stream_codes();
      const auto ingestions = block->ingestion_times_ms();
      EXPECT_TRUE(all.ok() && level.ok() && latency.ok() && times.ok() && sequences.ok() && codes.ok() && ingestions.ok());
      for (std::size_t row = 0; row < block->rows(); ++row) {
        EXPECT_EQ(seen[row], (*all)->text(row));
        seen[row] += " " + std::to_string((*times)[row]) + " " + std::to_string((*sequences)[row]) + " " +
                     std::to_string((*codes)[row]) + " " + std::to_string((*ingestions)[row]) + " ";
        if ((*level)->has(row)) (*level)->append_text(row, seen[row]);
        if ((*latency)->has(row)) (*latency)->append_text(row, seen[row]);
      }
      return seen;
    };
    const std::vector<std::string> before = look();
    const auto held = block->column("level");  // lives on with whoever holds it
    ASSERT_TRUE(held.ok());
    auto* memory = dynamic_cast<BlockMemory*>(block.get());
    ASSERT_NE(memory, nullptr);
    memory->forget();
    EXPECT_EQ(look(), before);
    memory->forget();
    memory->forget();
    RowSet rows(block->rows(), true);
    ASSERT_TRUE(block->narrow({LogPredicate::What::kFieldEquals, "level", "ERROR", 0}, rows).ok());
    rows.visit([&](std::size_t row) { EXPECT_EQ((*held)->text(row), "ERROR"); });
  }
}

TEST_F(Search, rows_that_hold_a_text_are_found_exactly_or_not_lost) {
  std::mt19937_64 random(3);
  std::vector<std::string> needles = {"ERROR", "Retry ", "reset by peer", " of 3", "u-1", "true", "null", "RequestId", "absent-word", "\\\"", "Z\"", "{", "api"};
  for (int k = 0; k < 150; ++k) {
    const std::string& text = all_[random() % all_.size()];
    const std::size_t at = random() % text.size();
    needles.push_back(text.substr(at, 1 + random() % 40));
  }
  std::size_t exact_answers = 0;
  // The second round finds its pieces in the cache.
  for (int round = 0; round < 2; ++round) {
    for (const auto& block : blocks()) {
      const std::vector<std::string> texts = messages(*block);
      for (const std::string& needle : needles) {
        LogScanSpec spec;
        RowSet rows(block->rows(), true);
        auto* search = dynamic_cast<MessageSearch*>(block.get());
        ASSERT_NE(search, nullptr);
        const auto exact = search->narrow_to(needle, rows);
        ASSERT_TRUE(exact.ok());
        exact_answers += *exact ? 1 : 0;
        for (std::size_t row = 0; row < texts.size(); ++row) {
          const bool holds = texts[row].find(needle) != std::string::npos;
          ASSERT_TRUE(!holds || rows.test(row)) << "lost: " << needle << " in " << texts[row];
          if (*exact) {
            ASSERT_EQ(rows.test(row), holds) << "not exact: " << needle << " in " << texts[row];
          }
        }
      }
    }
  }
  EXPECT_GT(exact_answers, 100u);
}

TEST_F(Search, a_fresh_reader_a_needle_each) {
  // Readers that have decoded nothing yet take the shortest ways.
  std::mt19937_64 random(4);
  for (int k = 0; k < 60; ++k) {
    const std::string& text = all_[random() % all_.size()];
    const std::size_t at = text.find("\"id\":\"");
    if (at == std::string::npos) continue;
    const std::string id = text.substr(at + 6, 26);
    std::size_t found = 0;
    for (const auto& block : blocks()) {
      LogPredicate equals;
      equals.what = LogPredicate::What::kFieldEquals;
      equals.field = "id";
      equals.text = k % 3 == 0 ? id.substr(0, 25) + (id[25] == 'x' ? "y" : "x") : id;
      RowSet rows(block->rows(), true);
      ASSERT_TRUE(block->narrow(equals, rows).ok());
      rows.visit([&](std::size_t row) {
        std::string message;
        ASSERT_TRUE(block->append_message(row, message).ok());
        EXPECT_NE(message.find(equals.text), std::string::npos);
        ++found;
      });
    }
    EXPECT_EQ(found, k % 3 == 0 ? 0u : 1u) << id;
  }
}

TEST_F(Search, a_few_messages_are_the_same_as_all) {
  for (const auto& block : blocks()) {
    RowSet few(block->rows(), false);
    for (std::size_t row = 3; row < block->rows(); row += 211) few.set(row);
    const auto some = block->messages(few);
    ASSERT_TRUE(some.ok());
    for (auto& other : blocks()) {
      if (other->timestamp_min_ms() != block->timestamp_min_ms()) continue;
      const auto all = other->messages(RowSet(other->rows(), true));
      ASSERT_TRUE(all.ok());
      few.visit([&](std::size_t row) { EXPECT_EQ((*some)->text(row), (*all)->text(row)); });
    }
  }
}

TEST(PieceCache, stays_within_its_budget_and_keeps_what_is_used) {
  segments::PieceCache cache(1 << 20);
  const auto piece = std::make_shared<const std::string>(1000, 'x');
  for (std::uint64_t k = 0; k < 10'000; ++k) {
    cache.add({k, segments::PieceKind::kSection, 0}, piece, 1000);
    if (k > 0) {
      (void)cache.find<std::string>({1, segments::PieceKind::kSection, 0});
    }
    EXPECT_LE(cache.bytes(), std::size_t{1} << 20);
  }
  EXPECT_NE(cache.find<std::string>({1, segments::PieceKind::kSection, 0}), nullptr);
  EXPECT_EQ(cache.find<std::string>({1, segments::PieceKind::kColumn, 0}), nullptr);
  EXPECT_GT(cache.bytes(), std::size_t{1} << 19);
  // A piece as large as much of the cache is not kept at all.
  cache.add({77'777, segments::PieceKind::kSection, 0}, piece, 1 << 18);
  EXPECT_EQ(cache.find<std::string>({77'777, segments::PieceKind::kSection, 0}), nullptr);
  for (int second = 0; second < 1'000; ++second) cache.age();
  EXPECT_EQ(cache.bytes(), 0u);
}

}  // namespace
}  // namespace fog
