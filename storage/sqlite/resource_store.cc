// The resource store: one table in SQLite, all of it mirrored in an ordered map.
//
// Writers queue; the first of them commits for all that have gathered (one transaction, one sync),
// then the map changes, then everybody returns. So a reader sees only what is durable.
//
// Schema (PRAGMA user_version 1):
//   resources(kind, account, region, name, document)  primary key: the first four
//   counters(name, value)                             "next_id": ids below it may be in use
//
// Damage: the file is checked when it opens, page by page (checked_pages.h). Of a damaged one every row is taken that
// lies in sound pages and can be reached from an end. If the table itself is damaged, rows that are missing come from
// the last good copy (good_copy.h): what was deleted since then may be back, which is better than what was kept being
// gone. Without a copy what a damaged page still shows is taken as it is.
#include "storage/resource_store.h"

#include "storage/base/log.h"
#include "storage/sqlite/database.h"
#include "storage/sqlite/good_copy.h"

#include <condition_variable>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <tuple>

namespace fog {
namespace {

// Ids are reserved on disk by the block, so that giving one out is rarely a write.
constexpr std::int64_t kIdBlock = 4096;
constexpr std::int64_t kIdsAfterDamage = 1 << 24;

using Map = std::map<ResourceKey, std::string>;

bool in_scope(const ResourceKey& key, std::string_view account, std::string_view region) {
  return (account.empty() || key.account == account) && (region.empty() || key.region == region);
}

class SqliteResourceStore final : public ResourceStore {
 public:
  ~SqliteResourceStore() override { copy_.end(db_); }

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

  Status load(const std::filesystem::path& file);
  Status rescue(const std::filesystem::path& file);

  Database db_;
  GoodCopy copy_;  // under db_mutex_
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

// Rows of a damaged file from one end up to where it cannot be read. True: to the other end.
bool read_rows(Database& db, const char* sql, Map& rows) {
  auto query = db.prepare(sql);
  if (!query.ok()) return false;
  for (;;) {
    const auto more = query->step();
    if (!more.ok()) return false;
    if (!*more) return true;
    rows.emplace(ResourceKey{std::string(query->text(0)), std::string(query->text(1)), std::string(query->text(2)), std::string(query->text(3))},
                 std::string(query->text(4)));
  }
}

std::optional<std::int64_t> read_next_id(Database& db) {
  auto counter = db.prepare("SELECT value FROM counters WHERE name='next_id'");
  if (!counter.ok()) return std::nullopt;
  const auto found = counter->step();
  if (!found.ok() || !*found) return std::nullopt;
  return counter->integer(0);
}

// Adds what can be read of a damaged file to `rows`, with kFail from sound pages only. Gives whether that is all.
bool read_damaged(const std::filesystem::path& file, PageCheck pages, Map& rows, std::optional<std::int64_t>& next_id) {
  auto damaged = Database::open(file, {.write_ahead = false, .pages = pages});
  if (!damaged.ok()) return false;
  // A damaged inner page may hide rows without any error.
  auto check = damaged->prepare("PRAGMA quick_check('resources')");
  const auto verdict = check.ok() ? check->step() : Result<bool>(false);
  bool complete = verdict.ok() && *verdict && check->text(0) == "ok";
  if (!read_rows(*damaged, "SELECT kind, account, region, name, document FROM resources ORDER BY 1,2,3,4", rows)) {
    complete = false;
    (void)read_rows(*damaged, "SELECT kind, account, region, name, document FROM resources ORDER BY 1 DESC,2 DESC,3 DESC,4 DESC", rows);
  }
  if (!next_id) next_id = read_next_id(*damaged);
  return complete;
}

Status SqliteResourceStore::open_file(const std::filesystem::path& file) {
  Status loaded = load(file);
  if (!loaded.ok() && loaded.error().kind() == ErrorKind::kCorrupt && !file.empty()) {
    LOG_ERROR("{} is damaged: {}", file.string(), loaded.error().message());
    TRYV(rescue(file));
  } else {
    TRYV(std::move(loaded));
  }
  copy_ = GoodCopy(file);
  return Ok{};
}

// Puts a sound database in the place of a damaged one and loads it.
Status SqliteResourceStore::rescue(const std::filesystem::path& file) {
  for (SqliteStatement* statement : {&upsert_, &erase_, &erase_scope_, &reserve_}) *statement = SqliteStatement();
  db_ = {};
  map_.clear();
  TRY(const std::filesystem::path aside, set_aside(file));
  Map rows;
  std::optional<std::int64_t> next_id;
  bool complete = read_damaged(aside, PageCheck::kFail, rows, next_id);
  std::size_t read = rows.size();
  std::optional<std::int64_t> copied_next_id;
  TRY(const bool restored, restore_good_copy(file));
  if (restored) {
    TRYV(load(file));
    copied_next_id = reserved_below_;
    for (const auto& [key, document] : map_)
      if (!complete) rows.emplace(key, document);
  } else if (!complete) {
    (void)read_damaged(aside, PageCheck::kReport, rows, next_id);
    read = rows.size();
    if (rows.empty())
      return Error::corrupt(file.string() + " is damaged, nothing of it can be read, and there is no copy; it is kept as " + aside.filename().string());
  }
  map_.clear();
  TRYV(load(file));
  // Ids that were given out must not be given out again, even if nobody knows how far they went.
  std::int64_t reserve = std::max(next_id.value_or(0), copied_next_id.value_or(1));
  if (!next_id) reserve += kIdsAfterDamage;
  Status written = db_.transaction([&]() -> Status {
    TRYV(erase_scope_.bind(1, std::string_view()).bind(2, std::string_view()).run());
    for (const auto& [key, document] : rows)
      TRYV(upsert_.bind(1, std::string_view(key.kind)).bind(2, std::string_view(key.account)).bind(3, std::string_view(key.region))
               .bind_blob(4, key.name).bind_blob(5, document).run());
    return reserve_.bind(1, reserve).run();
  });
  TRYV(std::move(written));
  next_id_ = reserved_below_ = reserve;
  LOG_ERROR("{}: {} documents were read from the damaged file, {} come from the last good copy{}; the damaged file is kept as {}", file.string(),
            read, rows.size() - read, complete ? "" : "; what changed there since that copy is lost, what was deleted may be back", aside.filename().string());
  map_ = std::move(rows);
  return Ok{};
}

Status SqliteResourceStore::load(const std::filesystem::path& file) {
  TRY(db_, open_checked(file, {}));
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
  Status written = db_.transaction([&]() -> Status {
    for (const Pending* one : group) TRYV(write_one(*one));
    return Ok{};
  });
  if (written.ok()) copy_.changed(db_);
  return written;
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
