// The cases again over the real log store, once with the newest events still in memory and once sealed
// into segments: field discovery, columns and predicates of the store under the engine.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "query/insights/query.h"
#include "storage/log_store.h"

namespace fog::insights::test {
namespace {

using nlohmann::json;

class StoreScan final : public Scan {
 public:
  StoreScan(LogStore& store, std::vector<std::string> streams) : store_(store), streams_(std::move(streams)) {}
  Result<ScanBlocks> open(const ScanRequest& request) override {
    LogScanSpec spec;
    spec.groups = {1};
    spec.from_ms = request.from_ms;
    spec.to_ms = request.to_ms;
    spec.where = request.where;
    spec.newest_first = request.newest_first;
    TRY(LogSnapshot snapshot, store_.snapshot(spec));
    ScanBlocks blocks;
    blocks.blocks = std::move(snapshot.blocks);
    blocks.events_skipped = snapshot.skipped.events;
    blocks.bytes_skipped = snapshot.skipped.bytes;
    blocks.groups = 1;
    return blocks;
  }
  std::string_view log_name(LogGroupId) override { return "000000000000:/group"; }
  std::string_view stream_name(LogStreamId stream) override { return streams_[stream - 1]; }
  std::string pointer(LogGroupId, LogStreamId, std::int64_t, LogSequence sequence) override { return std::to_string(sequence); }

 private:
  LogStore& store_;
  std::vector<std::string> streams_;
};

void check(const json& one, bool sealed, const std::filesystem::path& folder) {
  SCOPED_TRACE(one["name"].get<std::string>() + (sealed ? ", sealed" : ", in memory"));
  auto query = parse(one["query"].get<std::string>(), {});
  if (one.contains("expectError")) {
    EXPECT_FALSE(query.ok());
    return;
  }
  ASSERT_TRUE(query.ok()) << query.error().message();
  auto wal = Wal::open({.folder = {}, .durability = Durability::kEphemeral});
  ASSERT_TRUE(wal.ok());
  auto store = open_log_store(**wal, {.folder = sealed ? folder : std::filesystem::path(), .threads = 0});
  ASSERT_TRUE(store.ok()) << store.error().message();
  (*store)->replayed();
  std::vector<std::string> streams;
  for (const json& e : one["events"]) {
    std::string name = e.value("logStream", "default");
    auto it = std::find(streams.begin(), streams.end(), name);
    auto id = static_cast<LogStreamId>(it - streams.begin()) + 1;
    if (it == streams.end()) streams.push_back(name);
    std::string message = e["message"].get<std::string>();
    LogEventIn event{e["timestamp"].get<std::int64_t>(), message};
    auto done = (*store)->append({.group = 1, .stream = id, .ingestion_ms = event.timestamp_ms, .events = {&event, 1}, .fields = {}});
    ASSERT_TRUE(done.ok()) << done.error().message();
  }
  if (sealed) {
    ASSERT_TRUE((*store)->flush().ok());
  }
  StoreScan scan(**store, streams);
  RunOptions options;
  options.start_ms = one["startTime"].get<std::int64_t>() * 1000;
  options.end_ms = one["endTime"].get<std::int64_t>() * 1000 + 999;
  options.now_ms = options.end_ms;
  auto table = run(**query, scan, options);
  ASSERT_TRUE(table.ok()) << table.error().message();
  std::vector<std::map<std::string, std::string>> got;
  for (std::size_t r = 0; r < table->rows.size(); ++r) {
    auto& row = got.emplace_back();
    for (std::size_t c = 0; c < table->columns.size(); ++c)
      if (auto text = table->text(r, c)) row[table->columns[c]] = *text;
  }
  auto want = one["expect"].get<std::vector<std::map<std::string, std::string>>>();
  if (!one["ordered"].get<bool>()) {
    std::sort(got.begin(), got.end());
    std::sort(want.begin(), want.end());
  }
  EXPECT_EQ(got, want) << json(got).dump();
}

TEST(InsightsStoreCases, every_case_gives_its_rows) {
  std::ifstream file(FOG_SOURCE_DIR "/tests/query/insights/cases.json");
  json cases = json::parse(file);
  auto root = std::filesystem::temp_directory_path() / ("insights_cases_" + std::to_string(::getpid()));
  int n = 0;
  for (const json& one : cases) {
    check(one, false, root);
    check(one, true, root / std::to_string(n++));
  }
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace fog::insights::test
