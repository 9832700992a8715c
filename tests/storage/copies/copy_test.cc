// Copies of a data folder while all stores are written to, sealed, merged and flushed: each copy opens, holds all
// that was acknowledged before it was begun, once and whole, and nothing that was never sent.
#include "storage/backup/copy.h"

#include <fmt/format.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "storage/base/random.h"
#include "storage/wal/check.h"
#include "tests/storage/power/world.h"
#include "tests/storage/temp_folder.h"

namespace fog::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kStartMs = 1'787'184'000'000;
constexpr int kCopies = 5;
constexpr LogGroupId kGroups = 3;

// What one writer has sent, by key; the second: acknowledged.
class Journal {
 public:
  void sent(const std::string& key, const std::string& value) {
    const std::lock_guard lock(mutex_);
    items_[key] = {value, false};
  }
  void acknowledged(const std::vector<std::string>& keys) {
    const std::lock_guard lock(mutex_);
    for (const std::string& key : keys) items_[key].second = true;
  }
  std::map<std::string, std::pair<std::string, bool>> now() const {
    const std::lock_guard lock(mutex_);
    return items_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::pair<std::string, bool>> items_;
};

struct Journals {
  Journal logs, metrics, traces, things, changes;
};

std::string padded(std::uint64_t n, Random& random) {
  return fmt::format("{{\"n\":{},\"pad\":\"{}\"}}", n, std::string(static_cast<std::size_t>(random.next() % 300), 'x'));
}

class Writers {
 public:
  Writers(World& world, Journals& journals) : world_(world), journals_(journals) {}

  void start() {
    for (const auto work : {&Writers::logs, &Writers::logs, &Writers::metrics, &Writers::traces, &Writers::resources, &Writers::house})
      threads_.emplace_back([this, work, n = threads_.size()] {
        SeededRandom random(77 + n);
        for (std::uint64_t i = 0; !stop_; ++i) (this->*work)(random, (static_cast<std::uint64_t>(n) << 32) + i);
      });
  }
  void stop() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  void logs(Random& random, std::uint64_t n) {
    std::vector<std::string> messages;
    for (std::uint64_t k = 1 + random.next() % 20; k > 0; --k) messages.push_back(padded(n * 100 + k, random));
    std::vector<LogEventIn> events;
    for (const std::string& message : messages) {
      journals_.logs.sent(message, "");
      events.push_back({kStartMs + static_cast<std::int64_t>(random.next() % 3) * 86'400'000, message});
    }
    const auto put = world_.logs->append({1 + random.next() % kGroups, 1, kStartMs, events, {}});
    if (put.ok() && world_.wal->wait_durable(put->lsn).ok()) journals_.logs.acknowledged(messages);
  }

  // Every datum in a minute of its own: one that is counted twice shows.
  void metrics(Random&, std::uint64_t n) {
    const std::uint64_t number = n & 0xffffffff;
    const std::string name = fmt::format("m{}", number / 500);
    const std::string key = fmt::format("{} {}", name, number % 500);
    const double value = static_cast<double>(number) + 1;
    journals_.metrics.sent(key, fmt::format("{}", value));
    MetricPoint point;
    point.metric_namespace = "App";
    point.metric_name = name;
    point.time = from_ms(kStartMs + static_cast<std::int64_t>(number % 500) * 60'000);
    point.values = std::span(&value, 1);
    const auto put = world_.metrics->put({"1", "r", std::span(&point, 1)});
    if (put.ok() && world_.wal->wait_durable(*put).ok()) journals_.metrics.acknowledged({key});
  }

  void traces(Random& random, std::uint64_t n) {
    const std::string id = fmt::format("1-{:08x}-{:024x}", kStartMs / 1000, n);
    const std::string text = fmt::format(R"({{"trace_id":"{}","id":"{:016x}","name":"s","start_time":{}.5,"end_time":{}.75,"metadata":{{"a":{}}}}})",
                                         id, n + 1, kStartMs / 1000, kStartMs / 1000, padded(n, random));
    journals_.traces.sent(id, text);
    const std::string_view view = text;
    const auto receipt = world_.traces->append({"1", "r"}, std::span(&view, 1));
    if (receipt.lsn != 0 && world_.wal->wait_durable(receipt.lsn).ok()) journals_.traces.acknowledged({id});
  }

  void resources(Random& random, std::uint64_t n) {
    const std::string name = fmt::format("r{}", n);
    const std::string value = padded(n, random);
    if (random.next() % 2 == 0) {
      journals_.things.sent(name, value);
      if (world_.resources->put({"thing", "1", "r", name}, value).ok()) journals_.things.acknowledged({name});
    } else {
      journals_.changes.sent(name, value);
      const auto lsn = world_.resource_log->put({{{"change", "1", "r", name}, value}});
      if (lsn.ok() && world_.wal->wait_durable(*lsn).ok()) journals_.changes.acknowledged({name});
    }
  }

  void house(Random& random, std::uint64_t) {
    switch (random.next() % 8) {
      case 0: (void)world_.logs->flush(); break;
      case 1: (void)world_.logs->merge(); break;
      case 2: world_.logs->maintain(); break;
      case 3: (void)world_.metrics->flush(); break;
      case 4: world_.metrics->tick(world_.clock.now()); break;
      case 5: (void)world_.traces->seal_all(); break;
      case 6: world_.traces->merge_small_runs(); break;
      default: world_.resource_log->tick(world_.clock.now()); break;
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random.next() % 3000));
  }

  World& world_;
  Journals& journals_;
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

using Found = std::map<std::string, std::string>;
using Sent = std::map<std::string, std::pair<std::string, bool>>;

// `before`: when the copy was begun; `after`: when it was done.
void compare(const char* what, const Sent& before, const Sent& after, const Found& found) {
  std::size_t acknowledged = 0;
  for (const auto& [key, item] : before) {
    if (!item.second) continue;
    ++acknowledged;
    EXPECT_TRUE(found.contains(key)) << what << ": acknowledged before the copy and not in it: " << key.substr(0, 60);
  }
  EXPECT_GT(acknowledged, 0u) << what;
  for (const auto& [key, value] : found) {
    const auto at = after.find(key);
    ASSERT_NE(at, after.end()) << what << ": never sent: " << key.substr(0, 60);
    EXPECT_EQ(at->second.first, value) << what << ": torn: " << key.substr(0, 60);
  }
}

Found logs_of(World& world) {
  Found found;
  LogScanSpec spec;
  for (LogGroupId group = 1; group <= kGroups; ++group) spec.groups.push_back(group);
  auto snapshot = world.logs->snapshot(spec);
  EXPECT_TRUE(snapshot.ok());
  for (auto& block : snapshot->blocks) {
    auto rows = block->rows_visible();
    auto messages = rows.ok() ? block->messages(*rows) : Result<std::shared_ptr<const LogColumn>>(Error::internal("no rows"));
    EXPECT_TRUE(messages.ok());
    if (!messages.ok()) continue;
    rows->visit([&](std::size_t row) { EXPECT_TRUE(found.emplace((*messages)->text(row), "").second) << "twice"; });
  }
  return found;
}

Found metrics_of(World& world, const Sent& after) {
  Found found;
  for (std::size_t series = 0; series * 500 < after.size() + 500; ++series) {
    const std::string name = fmt::format("m{}", series);
    const auto id = world.metrics->find({"1", "r", "App", name, {}});
    if (!id) continue;
    const auto columns = world.metrics->read(*id, {.start = from_ms(kStartMs), .end = from_ms(kStartMs + 500 * 60'000), .unit = {}});
    EXPECT_TRUE(columns.ok());
    for (const SlotColumns& one : *columns)
      for (std::size_t i = 0; i < one.size(); ++i) {
        EXPECT_EQ(one.count[i], 1.0) << name << ": counted again";
        found[fmt::format("{} {}", name, (one.start_ms[i] - kStartMs) / 60'000)] = fmt::format("{}", one.sum[i]);
      }
  }
  return found;
}

Found traces_of(World& world, const Sent& after) {
  Found found;
  for (const auto& [key, item] : after) {
    const auto documents = world.traces->documents({"1", "r"}, *traces::parse_trace_id(key));
    if (!documents) continue;
    EXPECT_EQ(documents->documents.size(), 1u) << key;
    for (const auto& one : documents->documents) found[key] = one->text;
  }
  return found;
}

Found resources_of(World& world, const char* kind) {
  Found found;
  world.resources->for_each(kind, [&](const Resource& one) { found[one.key.name] = one.document; });
  return found;
}

struct Moment {
  Sent logs, metrics, traces, things, changes;
};

Moment moment(const Journals& journals) {
  return {journals.logs.now(), journals.metrics.now(), journals.traces.now(), journals.things.now(), journals.changes.now()};
}

void compare_all(const fs::path& copy, const Moment& before, const Moment& after) {
  const auto damaged = check_wal_folder(copy / "wal");
  ASSERT_TRUE(damaged.ok());
  EXPECT_TRUE(damaged->empty()) << damaged->front();
  const auto logs_damaged = check_log_folder(copy / "logs");
  ASSERT_TRUE(logs_damaged.ok());
  EXPECT_TRUE(logs_damaged->findings.empty()) << logs_damaged->findings.front();
  for (int start = 0; start < 2; ++start) {  // the second one reads what the first one wrote
    World world;
    const Status opened = world.open(copy, Durability::kRelaxed);
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    compare("logs", before.logs, after.logs, logs_of(world));
    compare("metrics", before.metrics, after.metrics, metrics_of(world, after.metrics));
    compare("traces", before.traces, after.traces, traces_of(world, after.traces));
    compare("resources", before.things, after.things, resources_of(world, "thing"));
    compare("resource log", before.changes, after.changes, resources_of(world, "change"));
    EXPECT_EQ(world.logs->health().damaged_files + world.logs->health().damaged_blocks, 0u);
    EXPECT_EQ(world.metrics->stats().chunks_damaged + world.traces->stats().damaged_blocks + world.traces->stats().damaged_files, 0u);
    // What is written from now on stays, whatever marks the copy brought along.
    if (start == 1) break;
    const std::string text = fmt::format("after {}", copy.string());
    const auto lsn = world.resource_log->put({{{"later", "1", "r", "x"}, text}});
    ASSERT_TRUE(lsn.ok() && world.wal->wait_durable(*lsn).ok());
  }
  World again;
  ASSERT_TRUE(again.open(copy, Durability::kRelaxed).ok());
  EXPECT_EQ(resources_of(again, "later").size(), 1u) << "a change after the restore was taken for an old one";
}

TEST(CopyDataFolder, holds_all_that_was_acknowledged_before_while_everything_goes_on) {
  TempFolder folder;
  const fs::path data = folder.path() / "data";
  fs::create_directories(data);
  World world;
  ASSERT_TRUE(world.open(data, Durability::kRelaxed).ok());
  Journals journals;
  Writers writers(world, journals);
  writers.start();
  std::vector<std::pair<Moment, Moment>> moments;
  CopyReport sum;
  std::vector<double> took_ms;
  for (int n = 0; n < kCopies; ++n) {
    std::this_thread::sleep_for(std::chrono::milliseconds(120));
    Moment before = moment(journals);
    const fs::path to = folder.path() / fmt::format("copy{}", n);
    const auto begun = std::chrono::steady_clock::now();
    const auto copied = copy_data_folder({.data = data, .links = to, .copies = to}, CopyScope::kStores);
    took_ms.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun).count());
    ASSERT_TRUE(copied.ok()) << copied.error().message();
    sum.linked += copied->linked;
    sum.retries += copied->retries;
    moments.emplace_back(std::move(before), moment(journals));
  }
  writers.stop();
  std::sort(took_ms.begin(), took_ms.end());
  fmt::print("{} copies of {} items, {:.1f} ms in the middle, {} files linked, {} units copied again\n", kCopies,
             moments.back().first.logs.size(), took_ms[took_ms.size() / 2], sum.linked, sum.retries);
  for (int n = 0; n < kCopies; ++n) compare_all(folder.path() / fmt::format("copy{}", n), moments[static_cast<std::size_t>(n)].first, moments[static_cast<std::size_t>(n)].second);
}

TEST(CopyDataFolder, a_clone_leaves_its_origin_as_it_was) {
  TempFolder folder;
  const fs::path data = folder.path() / "data";
  fs::create_directories(data);
  Moment before;
  {
    World world;
    ASSERT_TRUE(world.open(data, Durability::kRelaxed).ok());
    Journals journals;
    Writers writers(world, journals);
    writers.start();
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
    writers.stop();
    before = moment(journals);
    ASSERT_TRUE(copy_data_folder({.data = data, .links = folder.path() / "kept", .copies = folder.path() / "kept"}, CopyScope::kStores).ok());
  }
  for (int n = 0; n < 3; ++n) {
    const fs::path clone = folder.path() / fmt::format("clone{}", n);
    ASSERT_TRUE(clone_copy(folder.path() / "kept", clone).ok());
    compare_all(clone, before, before);  // opens, replays, seals, writes
    World world;
    ASSERT_TRUE(world.open(clone, Durability::kRelaxed).ok());
    Journals more;
    Writers writers(world, more);
    writers.start();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    writers.stop();
    ASSERT_TRUE(world.logs->flush().ok() && world.logs->merge().ok() && world.metrics->flush().ok());
  }
}

TEST(CopyDataFolder, an_empty_folder_makes_an_empty_copy) {
  TempFolder folder;
  fs::create_directories(folder.path() / "data");
  const auto copied = copy_data_folder({.data = folder.path() / "data", .links = folder.path() / "c", .copies = folder.path() / "c"}, CopyScope::kAll);
  ASSERT_TRUE(copied.ok()) << copied.error().message();
  World world;
  EXPECT_TRUE(world.open(folder.path() / "c", Durability::kRelaxed).ok());
}

}  // namespace
}  // namespace fog::testing
