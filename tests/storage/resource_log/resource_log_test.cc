// ResourceLog: durable by the log alone, carried over in groups, not revived by a replay.
#include "storage/wal/resource_log.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <thread>

namespace fog {
namespace {

namespace fs = std::filesystem;

// A store and a log over one folder; open() again is a restart after a crash: nothing was flushed.
class ResourceLogTest : public testing::Test {
 protected:
  ResourceLogTest() {
    std::string name = (fs::temp_directory_path() / "fogwatch-resource-log-XXXXXX").string();
    folder = ::mkdtemp(name.data());
    open();
  }
  ~ResourceLogTest() override {
    close();
    fs::remove_all(folder);
  }
  void close() {
    log.reset();
    wal.reset();
    store.reset();
  }
  void open() {
    close();
    store = std::move(ResourceStore::open(folder / "resources.db")).value();
    wal = std::move(Wal::open({.folder = folder / "wal", .durability = Durability::kRelaxed})).value();
    log = std::make_unique<ResourceLog>(*store, *wal);
    ASSERT_TRUE(wal->replay([this](const Wal::Record& record) {
                     if (record.store == kResourceLogStore) log->replay(record);
                   }).ok());
  }
  void recover() {
    open();
    ASSERT_TRUE(log->flush().ok());
  }
  static ResourceKey key(const std::string& name, const std::string& account = "a") { return {"k", account, "r", name}; }
  Lsn put(const std::string& name, std::optional<std::string> document, const std::string& account = "a") {
    std::vector<ResourceStore::Change> batch;
    batch.push_back({key(name, account), std::move(document)});
    return std::move(log->put(std::move(batch))).value();
  }

  fs::path folder;
  std::unique_ptr<ResourceStore> store;
  std::unique_ptr<Wal> wal;
  std::unique_ptr<ResourceLog> log;
};

TEST_F(ResourceLogTest, what_was_put_is_there_after_a_crash) {
  put("one", "1");
  put("two", "2");
  put("two", "22");
  put("one", std::nullopt);
  const Lsn lsn = put("three", std::string("\0binary\n", 8));
  EXPECT_EQ(log->last_lsn(), lsn);
  EXPECT_FALSE(store->get(key("two")));  // not carried over yet
  ASSERT_TRUE(wal->wait_durable(lsn).ok());
  recover();
  EXPECT_FALSE(store->get(key("one")));
  EXPECT_EQ(store->get(key("two")), "22");
  EXPECT_EQ(store->get(key("three")), std::string("\0binary\n", 8));
}

TEST_F(ResourceLogTest, a_replay_does_not_undo_what_was_carried_over_or_written_since) {
  put("one", "1");
  ASSERT_TRUE(log->flush().ok());
  EXPECT_EQ(store->get(key("one")), "1");
  put("one", "2");
  ASSERT_TRUE(log->flush().ok());
  ASSERT_TRUE(wal->wait_durable(put("two", "3")).ok());
  recover();
  EXPECT_EQ(store->get(key("one")), "2");
  EXPECT_EQ(store->get(key("two")), "3");
  recover();
  EXPECT_EQ(store->get(key("one")), "2");
}

TEST_F(ResourceLogTest, an_erased_scope_stays_erased) {
  put("one", "1");
  put("one", "1", "b");
  ASSERT_TRUE(log->flush().ok());
  put("two", "2");
  ASSERT_TRUE(log->erase_scope("", "").ok());
  ASSERT_TRUE(store->erase_scope("", "").ok());  // with the note of what was carried over
  ASSERT_TRUE(wal->wait_durable(put("three", "3")).ok());
  recover();
  EXPECT_FALSE(store->get(key("one")));
  EXPECT_FALSE(store->get(key("one", "b")));
  EXPECT_FALSE(store->get(key("two")));
  EXPECT_EQ(store->get(key("three")), "3");
  put("one", "1", "b");
  ASSERT_TRUE(log->erase_scope("a", "").ok());
  ASSERT_TRUE(store->erase_scope("a", "").ok());
  ASSERT_TRUE(wal->wait_durable(log->last_lsn()).ok());
  recover();
  EXPECT_FALSE(store->get(key("three")));
  EXPECT_EQ(store->get(key("one", "b")), "1");
}

TEST_F(ResourceLogTest, readers_and_writers_meet) {
  std::vector<std::thread> writers;
  for (int w = 0; w < 4; ++w)
    writers.emplace_back([this, w] {
      for (int i = 0; i < 200; ++i) put(std::to_string(w), std::to_string(i));
    });
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(log->flush().ok());
  for (auto& writer : writers) writer.join();
  ASSERT_TRUE(log->flush().ok());
  for (int w = 0; w < 4; ++w) EXPECT_EQ(store->get(key(std::to_string(w))), "199");
}

}  // namespace
}  // namespace fog
