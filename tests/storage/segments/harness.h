// What the log store's tests share: a store over a temporary folder that can be closed and reopened,
// and a naive model of what it must hold.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "storage/log_store.h"

namespace fog::testing {

inline std::filesystem::path fresh_folder(const std::string& name) {
  const auto path = std::filesystem::temp_directory_path() /
                    ("fog-" + name + "-" + std::to_string(::getpid()) + "-" +
                     ::testing::UnitTest::GetInstance()->current_test_info()->name());
  std::filesystem::remove_all(path);
  std::filesystem::create_directories(path);
  return path;
}

struct OpenLogStore {
  std::unique_ptr<Wal> wal;
  std::unique_ptr<RecoverableLogStore> store;

  LogStore* operator->() const { return store.get(); }
  ~OpenLogStore() {
    store.reset();  // before the log it writes to
    wal.reset();
  }
  OpenLogStore() = default;
  OpenLogStore(OpenLogStore&& other) = default;
  OpenLogStore& operator=(OpenLogStore&& other) {
    store.reset();
    wal.reset();
    wal = std::move(other.wal);
    store = std::move(other.store);
    return *this;
  }
};

inline OpenLogStore open_logs(const std::filesystem::path& folder, LogStoreOptions options = {.folder = {}, .threads = 0}) {
  OpenLogStore open;
  Wal::Options wal;
  if (folder.empty()) {
    wal.durability = Durability::kEphemeral;
  } else {
    wal.folder = folder / "wal";
    wal.durability = Durability::kRelaxed;
    options.folder = folder / "logs";
  }
  auto made = Wal::open(wal);
  EXPECT_TRUE(made.ok());
  open.wal = std::move(made).value();
  auto store = open_log_store(*open.wal, options);
  EXPECT_TRUE(store.ok()) << (store.ok() ? "" : store.error().message());
  open.store = std::move(store).value();
  const Status replayed = open.wal->replay([&](const Wal::Record& record) {
    if (record.store == StoreId::kLogs) {
      const Status status = open.store->apply(record);
      EXPECT_TRUE(status.ok()) << (status.ok() ? "" : status.error().message());
    }
  });
  EXPECT_TRUE(replayed.ok());
  open.store->replayed();
  return open;
}

struct ModelEvent {
  LogStreamId stream = 0;
  std::int64_t ingestion_ms = 0;
  std::string message;
  std::string entity;
  bool operator==(const ModelEvent&) const = default;
};
// (timestamp, sequence) -> event
using ModelGroup = std::map<std::pair<std::int64_t, LogSequence>, ModelEvent>;

// Everything that the store shows of a group under a spec; duplicates fail the test.
inline ModelGroup read_group(LogStore& store, LogScanSpec spec) {
  ModelGroup result;
  auto snapshot = store.snapshot(spec);
  EXPECT_TRUE(snapshot.ok());
  for (auto& block : snapshot->blocks) {
    auto visible = block->rows_visible();
    if (!visible.ok()) continue;  // damaged
    auto times = block->timestamps_ms();
    auto ingestions = block->ingestion_times_ms();
    auto sequences = block->sequences();
    auto codes = block->stream_codes();
    auto streams = block->stream_ids();
    auto messages = block->messages(*visible);
    auto entity = block->column("@entity.Name");
    if (!times.ok() || !ingestions.ok() || !sequences.ok() || !codes.ok() || !messages.ok() || !entity.ok()) continue;
    visible->visit([&](std::size_t row) {
      ModelEvent event{(*streams)[(*codes)[row]], (*ingestions)[row], std::string((*messages)->text(row)), {}};
      if (*entity != nullptr && (*entity)->has(row)) event.entity = (*entity)->text(row);
      std::string alone;
      EXPECT_TRUE(block->append_message(row, alone).ok());
      EXPECT_EQ(alone, event.message);
      const auto [it, fresh] = result.emplace(std::make_pair((*times)[row], (*sequences)[row]), std::move(event));
      EXPECT_TRUE(fresh) << "event twice: " << it->second.message;
    });
  }
  return result;
}

}  // namespace fog::testing
