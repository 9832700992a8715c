// The segment engine against a naive model: random operations, reopening, sealing, merging.
#include <random>

#include "tests/storage/segments/harness.h"

namespace fog {
namespace {

using testing::ModelEvent;
using testing::ModelGroup;

std::string random_message(std::mt19937_64& random) {
  const auto pick = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  const auto hex = [&](std::size_t n) {
    std::string text;
    for (std::size_t i = 0; i < n; ++i) text.push_back("0123456789abcdef"[pick(16)]);
    return text;
  };
  const auto uuid = [&] { return hex(8) + "-" + hex(4) + "-" + hex(4) + "-" + hex(4) + "-" + hex(12); };
  switch (pick(16)) {
    case 0: return "START RequestId: " + uuid() + " Version: $LATEST\n";
    case 1: return "END RequestId: " + uuid();
    case 2:
      return "REPORT RequestId: " + uuid() + "\tDuration: " + std::to_string(pick(1000)) + "." + std::to_string(10 + pick(90)) +
             " ms\tBilled Duration: " + std::to_string(pick(1000)) + " ms\tMemory Size: 512 MB\tMax Memory Used: " +
             std::to_string(pick(512)) + " MB\t\nXRAY TraceId: 1-" + hex(8) + "-" + hex(24) + "\tSegmentId: " + hex(16) + "\tSampled: true\t\n";
    case 3: return "";
    case 4: return "{";
    case 5: return "{\"a\":" + std::to_string(static_cast<double>(pick(1000)) / 8) + ",\"b\":\"" + hex(pick(4)) + "\"}";
    case 6: return "{\"a\":\"x\\n\\u00e9" + hex(2) + "\",\"nested\":{\"list\":[1,true,null,{\"deep\":\"" + hex(3) + "\"}]}} ";
    case 7: return " {\"a\" : -" + std::to_string(pick(50)) + " , \"e\": 1e" + std::to_string(pick(9)) + ", \"z\": 0." + std::to_string(pick(1000)) + "0}";
    case 8: return "{\"" + hex(3) + "\":" + std::to_string(pick(10)) + ",\"a\":1,\"a\":2}";
    case 9: return "2 123456789010 eni-" + hex(8) + " 10.0.0." + std::to_string(pick(255)) + " - 443 49152 6 10 840 1620140661 1620140721 ACCEPT OK";
    case 10:
      return "2026-08-20T00:00:0" + std::to_string(pick(10)) + ".123Z\t" + uuid() + "\tINFO\tgot {bad} {\"user\":{\"id\":" +
             std::to_string(pick(99)) + "}} tail " + hex(2);
    case 11: return "plain text with numbers " + std::to_string(pick(100000)) + " and \"quotes\" \\ and \x01 bytes \xc3\xa9";
    case 12: return "{\"timestamp\":\"2026-08-20T00:00:00." + std::to_string(100 + pick(900)) + "Z\",\"level\":\"" + (pick(3) != 0 ? "INFO" : "ERROR") + "\",\"n\":" + std::to_string(pick(5)) + "}";
    case 13: return std::string(pick(3), '\0') + hex(pick(20));
    case 14: return "{\"ok\":" + std::string(pick(2) != 0 ? "true" : "false") + ",\"none\":null,\"empty\":{},\"list\":[]}";
    default: return "{\"id\":\"" + uuid() + "\",\"latency_ms\":" + std::to_string(pick(9000)) + "." + std::to_string(pick(10)) + "}";
  }
}

struct World {
  std::map<LogGroupId, ModelGroup> groups;
};

void compare(LogStore& store, const World& world, std::mt19937_64& random) {
  for (const auto& [id, model] : world.groups) {
    LogScanSpec spec;
    spec.groups = {id};
    ASSERT_TRUE(testing::read_group(store, spec) == model) << "group " << id;
    // A random window and stream.
    spec.from_ms = 1787184000000 + static_cast<std::int64_t>(random() % 200000000);
    spec.to_ms = spec.from_ms + static_cast<std::int64_t>(random() % 100000000);
    spec.streams = std::vector<LogStreamId>{id * 100 + random() % 3};
    ModelGroup some;
    std::uint64_t bytes = 0;
    for (const auto& [key, event] : model) {
      bytes += event.message.size();
      if (key.first >= spec.from_ms && key.first <= spec.to_ms && event.stream == (*spec.streams)[0]) some.emplace(key, event);
    }
    ASSERT_TRUE(testing::read_group(store, spec) == some);
    const LogGroupStats stats = store.group_stats(id);
    EXPECT_EQ(stats.events, model.size());
    EXPECT_EQ(stats.message_bytes, bytes);
    if (!model.empty()) {
      auto it = model.begin();
      std::advance(it, static_cast<std::ptrdiff_t>(random() % model.size()));
      const auto found = store.find(id, it->first.second, it->first.first);
      ASSERT_TRUE(found.ok());
      EXPECT_EQ(found->message, it->second.message);
      EXPECT_EQ(found->stream, it->second.stream);
      EXPECT_EQ(found->ingestion_ms, it->second.ingestion_ms);
    }
  }
}

void run_model(std::uint64_t seed, bool on_disk, std::size_t threads) {
  std::mt19937_64 random(seed);
  const auto folder = on_disk ? testing::fresh_folder("logmodel") : std::filesystem::path();
  LogStoreOptions options;
  options.threads = threads;
  options.block_events_max = 64;
  options.block_bytes_max = 16 << 10;
  auto logs = testing::open_logs(folder, options);
  World world;
  std::map<LogGroupId, LogSequence> next;
  std::set<LogStreamId> dropped;
  std::uint64_t stream_salt = 0;
  for (int step = 0; step < 120; ++step) {
    const LogGroupId group = 1 + random() % 3;
    switch (random() % 14) {
      case 0: {
        ASSERT_TRUE(logs->flush().ok());
        break;
      }
      case 1: {
        const auto merged = logs->merge();
        ASSERT_TRUE(merged.ok()) << merged.error().message();
        break;
      }
      case 2:
        if (on_disk) {
          logs = {};
          logs = testing::open_logs(folder, options);
        }
        break;
      case 3:
        if (random() % 4 == 0) {
          const LogStreamId stream = group * 100 + random() % 3 + stream_salt;
          ASSERT_TRUE(logs->drop_stream(group, stream).ok());
          if (next.contains(group)) dropped.insert(stream);
          std::erase_if(world.groups[group], [&](const auto& e) { return e.second.stream == stream; });
        }
        break;
      case 4: {
        const std::int64_t before = 1787184000000 + static_cast<std::int64_t>(random() % 100000000);
        ASSERT_TRUE(logs->delete_before(group, before).ok());
        std::erase_if(world.groups[group], [&](const auto& e) { return e.first.first < before; });
        break;
      }
      case 5: compare(*logs.store, world, random); break;
      default: {
        LogBatch batch;
        batch.group = group;
        batch.stream = group * 100 + random() % 3 + stream_salt;
        if (dropped.contains(batch.stream)) {
          stream_salt += 10;
          break;
        }
        batch.ingestion_ms = 1787184000000 + step;
        if (random() % 3 == 0) batch.fields = {{"@entity.Name", "svc" + std::to_string(random() % 3)}};
        std::vector<std::string> texts;
        for (std::size_t n = random() % 40; n-- > 0;) texts.push_back(random_message(random));
        std::vector<LogEventIn> events;
        for (const std::string& text : texts)
          events.push_back({1787184000000 + static_cast<std::int64_t>(random() % 250000000), text});
        batch.events = events;
        const auto appended = logs->append(batch);
        ASSERT_TRUE(appended.ok()) << appended.error().message();
        LogSequence& expected = next[group];
        if (expected != 0) {
          ASSERT_EQ(appended->first_sequence, expected);
        }
        expected = appended->first_sequence + events.size();
        LogSequence sequence = appended->first_sequence;
        for (const LogEventIn& event : events)
          world.groups[group].emplace(
              std::make_pair(event.timestamp_ms, sequence++),
              ModelEvent{batch.stream, batch.ingestion_ms, std::string(event.message),
                         batch.fields.empty() ? "" : batch.fields[0].second});
      }
    }
    if (::testing::Test::HasFatalFailure()) FAIL() << "seed " << seed << " step " << step;
  }
  compare(*logs.store, world, random);
  ASSERT_TRUE(logs->flush().ok());
  compare(*logs.store, world, random);
  if (on_disk) {
    const auto report = check_log_folder(folder / "logs");
    ASSERT_TRUE(report.ok());
    EXPECT_TRUE(report->findings.empty()) << report->findings[0];
    std::filesystem::remove_all(folder);
  }
}

TEST(SegmentStore, agrees_with_a_naive_model_on_disk) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) run_model(seed, true, 0);
}
TEST(SegmentStore, agrees_with_a_naive_model_with_background_sealing) {
  for (std::uint64_t seed = 11; seed <= 12; ++seed) run_model(seed, true, 1);
}
TEST(SegmentStore, agrees_with_a_naive_model_in_memory) {
  for (std::uint64_t seed = 21; seed <= 23; ++seed) run_model(seed, false, 0);
}

}  // namespace
}  // namespace fog
