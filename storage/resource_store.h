// ResourceStore: an ordered key-value store of documents that survive: alarms, dashboards, topics,
// subscriptions, log groups and streams, rules, filters, tags, history.
//
// A key is (kind, account, region, name); kinds are short words chosen by the service ("alarm",
// "log-group"). Names may hold any bytes; order is bytewise. Documents are bytes to this room.
// Writes are durable when the call returns (SQLite, synchronous=FULL) unless the store is
// ephemeral; a Batch is applied whole or not at all. Reads come from memory.
// Threads: any.
#pragma once

#include "storage/base/result.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fog {

struct ResourceKey {
  std::string kind;
  std::string account;
  std::string region;
  std::string name;
  auto operator<=>(const ResourceKey&) const = default;
};

struct Resource {
  ResourceKey key;
  std::string document;
};

class ResourceStore {
 public:
  struct Change {
    ResourceKey key;
    std::optional<std::string> document;  // nothing: erase
  };
  struct ListSpec {
    std::string kind;
    std::string account;
    std::string region;
    std::string name_prefix;           // empty: all
    std::optional<std::string> after;  // exclusive lower bound of the name
    std::size_t limit = SIZE_MAX;
    bool newest_first = false;  // descending by name; `after` is then an upper bound
  };

  // A folder of "" keeps everything in memory.
  static Result<std::unique_ptr<ResourceStore>> open(const std::filesystem::path& file);
  virtual ~ResourceStore() = default;

  virtual std::optional<std::string> get(const ResourceKey& key) const = 0;
  virtual Status apply(std::vector<Change> batch) = 0;
  virtual std::vector<Resource> list(const ListSpec& spec) const = 0;
  // All (account, region, name) of a kind, in key order: for workers that serve every account.
  virtual void for_each(std::string_view kind,
                        const std::function<void(const Resource&)>& visit) const = 0;
  // A number that was never given out before and never will be again, also after a crash.
  virtual std::uint64_t next_id() = 0;
  // Erases every document whose key matches; empty account or region: all of them.
  virtual Status erase_scope(std::string_view account, std::string_view region) = 0;

  Status put(ResourceKey key, std::string document) {
    std::vector<Change> batch;
    batch.push_back({std::move(key), std::move(document)});
    return apply(std::move(batch));
  }
  Status erase(ResourceKey key) {
    std::vector<Change> batch;
    batch.push_back({std::move(key), std::nullopt});
    return apply(std::move(batch));
  }
};

}  // namespace fog
