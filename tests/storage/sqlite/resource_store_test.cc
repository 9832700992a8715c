// The resource store against a naive map: same answers, also after reopening.
#include "storage/resource_store.h"

#include "tests/storage/temp_folder.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <thread>

namespace fog {
namespace {

std::unique_ptr<ResourceStore> open(const std::filesystem::path& file) {
  auto store = ResourceStore::open(file);
  EXPECT_TRUE(store.ok());
  return std::move(store).value();
}

ResourceKey key(std::string name, std::string account = "000000000000") {
  return {"alarm", std::move(account), "us-east-1", std::move(name)};
}

std::vector<std::string> names(const std::vector<Resource>& resources) {
  std::vector<std::string> out;
  for (const auto& one : resources) out.push_back(one.key.name);
  return out;
}

using Names = std::vector<std::string>;

TEST(ResourceStore, keeps_documents_over_a_reopening) {
  const testing::TempFolder folder;
  const auto file = folder.path() / "resources.db";
  const std::string binary("a\0b\xff", 4);
  {
    auto store = open(file);
    ASSERT_TRUE(store->put(key("cpu"), "one").ok());
    ASSERT_TRUE(store->put(key("cpu"), binary).ok());
    ASSERT_TRUE(store->put(key("gone"), "x").ok());
    ASSERT_TRUE(store->erase(key("gone")).ok());
  }
  auto store = open(file);
  EXPECT_EQ(store->get(key("cpu")), binary);
  EXPECT_EQ(store->get(key("gone")), std::nullopt);
}

TEST(ResourceStore, lists_by_prefix_in_both_directions_and_pages) {
  auto store = open({});
  for (const char* name : {"a", "b1", "b2", "b3", "c"})
    ASSERT_TRUE(store->put(key(name), "d").ok());
  ASSERT_TRUE(store->put(key("b2", "111111111111"), "other").ok());
  ResourceStore::ListSpec spec{.kind = "alarm", .account = "000000000000", .region = "us-east-1"};
  EXPECT_EQ(names(store->list(spec)), (Names{"a", "b1", "b2", "b3", "c"}));
  spec.name_prefix = "b";
  spec.limit = 2;
  EXPECT_EQ(names(store->list(spec)), (Names{"b1", "b2"}));
  spec.after = "b2";
  EXPECT_EQ(names(store->list(spec)), (Names{"b3"}));
  spec.newest_first = true;
  spec.after.reset();
  EXPECT_EQ(names(store->list(spec)), (Names{"b3", "b2"}));
  spec.after = "b2";
  EXPECT_EQ(names(store->list(spec)), (Names{"b1"}));
  spec.name_prefix = "";
  spec.after.reset();
  EXPECT_EQ(names(store->list(spec)), (Names{"c", "b3"}));
}

TEST(ResourceStore, never_gives_an_id_twice) {
  const testing::TempFolder folder;
  const auto file = folder.path() / "resources.db";
  std::uint64_t last = 0;
  for (int round = 0; round < 3; ++round) {
    auto store = open(file);
    for (int i = 0; i < 5000; ++i) {
      const std::uint64_t id = store->next_id();
      ASSERT_GT(id, last);
      last = id;
    }
  }
}

TEST(ResourceStore, a_scope_is_erased_alone) {
  auto store = open({});
  ASSERT_TRUE(store->put(key("a"), "1").ok());
  ASSERT_TRUE(store->put(key("a", "111111111111"), "2").ok());
  ASSERT_TRUE(store->erase_scope("111111111111", "").ok());
  EXPECT_EQ(store->get(key("a")), "1");
  EXPECT_EQ(store->get(key("a", "111111111111")), std::nullopt);
  ASSERT_TRUE(store->erase_scope("", "").ok());
  EXPECT_EQ(store->get(key("a")), std::nullopt);
}

TEST(ResourceStore, many_writers_lose_nothing) {
  const testing::TempFolder folder;
  const auto file = folder.path() / "resources.db";
  {
    auto store = open(file);
    std::vector<std::thread> writers;
    for (int t = 0; t < 4; ++t)
      writers.emplace_back([&store, t] {
        for (int i = 0; i < 100; ++i)
          EXPECT_TRUE(store->put(key(std::to_string(t) + "-" + std::to_string(i)), "v").ok());
      });
    for (auto& writer : writers) writer.join();
  }
  auto store = open(file);
  EXPECT_EQ(store->list({.kind = "alarm", .account = "000000000000", .region = "us-east-1"}).size(),
            400u);
}

TEST(ResourceStore, agrees_with_a_map_on_random_operations) {
  const testing::TempFolder folder;
  const auto file = folder.path() / "resources.db";
  std::map<ResourceKey, std::string> model;
  std::mt19937 random(11);
  auto store = open(file);
  for (int step = 0; step < 1500; ++step) {
    const ResourceKey at{random() % 2 ? "alarm" : "topic", random() % 2 ? "1" : "2",
                         random() % 2 ? "r" : "r2",
                         std::string(1, static_cast<char>('a' + random() % 8))};
    switch (random() % 8) {
      case 0:
        ASSERT_TRUE(store->erase(at).ok());
        model.erase(at);
        break;
      case 1:
        store = open(file);
        break;
      case 2: {
        const auto listed =
            store->list({.kind = at.kind, .account = at.account, .region = at.region});
        std::vector<std::string> expected;
        for (const auto& [k, v] : model)
          if (k.kind == at.kind && k.account == at.account && k.region == at.region)
            expected.push_back(k.name);
        ASSERT_EQ(names(listed), expected);
        break;
      }
      default: {
        const std::string value = std::to_string(random());
        ASSERT_TRUE(store->put(at, value).ok());
        model[at] = value;
      }
    }
    const auto found = model.find(at);
    ASSERT_EQ(store->get(at), found == model.end() ? std::nullopt : std::optional(found->second));
  }
}

}  // namespace
}  // namespace fog
