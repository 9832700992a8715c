// The resource store: one table in SQLite, all of it mirrored in an ordered map.
//
// Writers queue; the first of them commits for all that have gathered (one transaction, one sync),
// then the map changes, then everybody returns. So a reader sees only what is durable.
//
// Schema (PRAGMA user_version 1):
//   resources(kind, account, region, name, document)  primary key: the first four
//   counters(name, value)                             "next_id": ids below it may be in use
#include "storage/resource_store.h"

#include "storage/sqlite/database.h"

#include <condition_variable>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <tuple>

namespace fog {
namespace {

// Ids are reserved on disk by the block, so that giving one out is rarely a write.
constexpr std::int64_t kIdBlock = 4096;

using Map = std::map<ResourceKey, std::string>;

bool in_scope(const ResourceKey& key, std::string_view account, std::string_view region) {
  return (account.empty() || key.account == account) && (region.empty() || key.region == region);
}

class SqliteResourceStore final : public ResourceStore {
 public:
  Status open_file(const std::filesystem::path& file);

  std::optional<std::string> get(const ResourceKey& key) const override;
  Status apply(std::vector<Change> batch) override;
  std::vector<Resource> list(const ListSpec& spec) const override;
  void for_each(std::string_view kind,
                const std::function<void(const Resource&)>& visit) const override;
  std::uint64_t next_id() override;
  Status erase_scope(std::string_view account, std::string_view region) override;

 private:
  // A writer waiting for its turn; lives on the writer's stack.
  struct Pending {
    std::vector<Change> changes;
    // Set instead of changes: erase everything of (account, region).
    std::optional<std::pair<std::string, std::string>> erased_scope;
    std::optional<Status> result;
  };

  Status commit(Pending pending);
  Status write(const std::vector<Pending*>& group);
  Status write_one(const Pending& pending);
  void show(const Pending& pending);

  Database db_;
  SqliteStatement upsert_;
  SqliteStatement erase_;
  SqliteStatement erase_scope_;
  SqliteStatement reserve_;

  std::mutex queue_mutex_;
  std::condition_variable queue_done_;
  std::vector<Pending*> queue_;
  bool committing_ = false;

  mutable std::shared_mutex map_mutex_;
  Map map_;

  std::mutex id_mutex_;
  std::mutex db_mutex_;  // statements belong to one thread at a time
  std::int64_t next_id_ = 1;
  std::int64_t reserved_below_ = 1;
};

Status SqliteResourceStore::open_file(const std::filesystem::path& file) {
  TRY(db_, Database::open(file, {}));
  TRYV(db_.execute(
      "CREATE TABLE IF NOT EXISTS resources(kind TEXT NOT NULL, account TEXT NOT NULL,"
      " region TEXT NOT NULL, name BLOB NOT NULL, document BLOB NOT NULL,"
      " PRIMARY KEY(kind, account, region, name)) WITHOUT ROWID;"
      "CREATE TABLE IF NOT EXISTS counters(name TEXT PRIMARY KEY, value INTEGER NOT NULL);"
      "PRAGMA user_version=1;"));
  TRY(upsert_, db_.prepare("INSERT INTO resources VALUES(?,?,?,?,?) ON CONFLICT DO UPDATE SET"
                           " document=excluded.document"));
  TRY(erase_, db_.prepare("DELETE FROM resources WHERE kind=? AND account=? AND region=?"
                          " AND name=?"));
  TRY(erase_scope_, db_.prepare("DELETE FROM resources WHERE (?1='' OR account=?1)"
                                " AND (?2='' OR region=?2)"));
  TRY(reserve_, db_.prepare("INSERT INTO counters VALUES('next_id',?) ON CONFLICT DO UPDATE SET"
                            " value=excluded.value"));
  TRY(auto counter, db_.prepare("SELECT value FROM counters WHERE name='next_id'"));
  TRY(const bool counted, counter.step());
  if (counted) next_id_ = reserved_below_ = counter.integer(0);
  counter.reset();

  TRY(auto all, db_.prepare("SELECT kind, account, region, name, document FROM resources"));
  for (;;) {
    TRY(const bool more, all.step());
    if (!more) return Ok{};
    map_.emplace_hint(map_.end(),
                      ResourceKey{std::string(all.text(0)), std::string(all.text(1)),
                                  std::string(all.text(2)), std::string(all.text(3))},
                      std::string(all.text(4)));
  }
}

std::optional<std::string> SqliteResourceStore::get(const ResourceKey& key) const {
  const std::shared_lock lock(map_mutex_);
  const auto found = map_.find(key);
  if (found == map_.end()) return std::nullopt;
  return found->second;
}

Status SqliteResourceStore::apply(std::vector<Change> batch) {
  return commit({.changes = std::move(batch), .erased_scope = {}, .result = {}});
}

Status SqliteResourceStore::erase_scope(std::string_view account, std::string_view region) {
  return commit({.changes = {},
                 .erased_scope = std::pair(std::string(account), std::string(region)),
                 .result = {}});
}

Status SqliteResourceStore::commit(Pending pending) {
  std::unique_lock lock(queue_mutex_);
  queue_.push_back(&pending);
  // Whoever finds nobody at work commits for all; the others wait for their result.
  while (!pending.result) {
    if (committing_) {
      queue_done_.wait(lock);
      continue;
    }
    committing_ = true;
    std::vector<Pending*> group;
    group.swap(queue_);
    lock.unlock();
    const Status written = write(group);
    if (written.ok()) {
      const std::unique_lock map_lock(map_mutex_);
      for (const Pending* one : group) show(*one);
    }
    lock.lock();
    for (Pending* one : group) one->result = written;
    committing_ = false;
    queue_done_.notify_all();
  }
  return *std::move(pending.result);
}

Status SqliteResourceStore::write(const std::vector<Pending*>& group) {
  const std::lock_guard lock(db_mutex_);
  return db_.transaction([&]() -> Status {
    for (const Pending* one : group) TRYV(write_one(*one));
    return Ok{};
  });
}

Status SqliteResourceStore::write_one(const Pending& pending) {
  if (pending.erased_scope) {
    const auto& [account, region] = *pending.erased_scope;
    return erase_scope_.bind(1, std::string_view(account)).bind(2, std::string_view(region)).run();
  }
  for (const auto& [key, document] : pending.changes) {
    SqliteStatement& statement = document ? upsert_ : erase_;
    statement.bind(1, std::string_view(key.kind))
        .bind(2, std::string_view(key.account))
        .bind(3, std::string_view(key.region))
        .bind_blob(4, key.name);
    if (document) statement.bind_blob(5, *document);
    TRYV(statement.run());
  }
  return Ok{};
}

void SqliteResourceStore::show(const Pending& pending) {
  if (pending.erased_scope) {
    const auto& [account, region] = *pending.erased_scope;
    std::erase_if(map_, [&](const auto& item) { return in_scope(item.first, account, region); });
  }
  for (const auto& [key, document] : pending.changes) {
    if (document) {
      map_.insert_or_assign(key, *document);
    } else {
      map_.erase(key);
    }
  }
}

std::vector<Resource> SqliteResourceStore::list(const ListSpec& spec) const {
  const auto key_of = [&](std::string name) {
    return ResourceKey{spec.kind, spec.account, spec.region, std::move(name)};
  };
  const auto belongs = [&](const ResourceKey& key) {
    return key.kind == spec.kind && key.account == spec.account && key.region == spec.region &&
           key.name.starts_with(spec.name_prefix);
  };
  std::vector<Resource> found;
  const std::shared_lock lock(map_mutex_);
  auto begin = map_.lower_bound(key_of(spec.name_prefix));
  if (!spec.newest_first) {
    if (spec.after && *spec.after >= spec.name_prefix)
      begin = map_.upper_bound(key_of(*spec.after));
    for (auto at = begin; at != map_.end() && found.size() < spec.limit && belongs(at->first); ++at)
      found.push_back({at->first, at->second});
    return found;
  }
  // The end of the prefix range: the first key behind it that no longer has the prefix.
  auto end = begin;
  if (spec.after) {
    end = map_.lower_bound(key_of(*spec.after));
  } else if (std::string bound = spec.name_prefix; bound.empty()) {
    end = map_.lower_bound({spec.kind, spec.account, spec.region + '\0', ""});
  } else {
    while (!bound.empty() && bound.back() == '\xff') bound.pop_back();
    if (!bound.empty()) bound.back() = static_cast<char>(bound.back() + 1);
    end = bound.empty() ? map_.end() : map_.lower_bound(key_of(bound));
  }
  while (end != map_.begin() && found.size() < spec.limit) {
    --end;
    if (!belongs(end->first)) break;
    found.push_back({end->first, end->second});
  }
  return found;
}

void SqliteResourceStore::for_each(std::string_view kind,
                                   const std::function<void(const Resource&)>& visit) const {
  // Copied first: a visitor may write to the store.
  std::vector<Resource> all;
  {
    const std::shared_lock lock(map_mutex_);
    for (auto at = map_.lower_bound({std::string(kind), "", "", ""});
         at != map_.end() && at->first.kind == kind; ++at)
      all.push_back({at->first, at->second});
  }
  for (const Resource& one : all) visit(one);
}

std::uint64_t SqliteResourceStore::next_id() {
  const std::lock_guard lock(id_mutex_);
  if (next_id_ == reserved_below_) {
    const std::lock_guard db_lock(db_mutex_);
    const Status reserved = reserve_.bind(1, reserved_below_ + kIdBlock).run();
    // Without room on disk ids still grow in this process; the write that uses one will fail.
    if (reserved.ok())
      reserved_below_ += kIdBlock;
    else
      ++reserved_below_;
  }
  return static_cast<std::uint64_t>(next_id_++);
}

}  // namespace

Result<std::unique_ptr<ResourceStore>> ResourceStore::open(const std::filesystem::path& file) {
  auto store = std::make_unique<SqliteResourceStore>();
  TRYV(store->open_file(file));
  return std::unique_ptr<ResourceStore>(std::move(store));
}

}  // namespace fog
