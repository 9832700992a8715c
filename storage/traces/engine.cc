#include "storage/traces/engine.h"

#include <fmt/format.h>

#include "storage/base/log.h"
#include "storage/wal/file.h"

namespace fog {

using namespace traces;

std::uint8_t trace_flags(const Trace& trace) {
  std::uint8_t flags = 0;
  if (trace.root >= 0) {
    const auto& root = trace.at(trace.root);
    flags |= TraceFlags::kHasRoot;
    if (root.error) flags |= TraceFlags::kError;
    if (root.fault) flags |= TraceFlags::kFault;
    if (root.throttle) flags |= TraceFlags::kRootThrottle;
  }
  if (trace.has_throttle()) flags |= TraceFlags::kThrottle;
  if (trace.partial) flags |= TraceFlags::kPartial;
  if (trace.has_inferred()) flags |= TraceFlags::kInferred;
  return flags;
}

Result<std::unique_ptr<TraceStore>> TraceStore::open(Options options, Wal& wal, const Clock& clock) {
  auto engine = std::make_unique<Engine>(std::move(options), wal, clock);
  TRYV(engine->start());
  return std::unique_ptr<TraceStore>(std::move(engine));
}

namespace traces {

namespace {

std::string day_name(std::int64_t day) {
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{day}}};
  return fmt::format("{:04}-{:02}-{:02}.db", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

std::optional<std::int64_t> day_of_name(std::string_view name) {
  if (name.size() != 13 || name.substr(10) != ".db" || name[4] != '-' || name[7] != '-')
    return std::nullopt;
  int parts[3] = {0, 0, 0};
  constexpr std::pair<std::size_t, std::size_t> kFields[] = {{0, 4}, {5, 2}, {8, 2}};
  for (std::size_t i = 0; i < 3; ++i) {
    for (const char c : name.substr(kFields[i].first, kFields[i].second)) {
      if (c < '0' || c > '9') return std::nullopt;
      parts[i] = parts[i] * 10 + (c - '0');
    }
  }
  const std::chrono::year_month_day date{std::chrono::year(parts[0]),
                                         std::chrono::month(static_cast<unsigned>(parts[1])),
                                         std::chrono::day(static_cast<unsigned>(parts[2]))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count();
}

}  // namespace

// --- opening, scopes, days ---------------------------------------------------------------------

Status Engine::start() {
  auto catalogue = catalogue_.lock();
  std::filesystem::path file;
  if (!options_.folder.empty()) {
    TRYV(make_folders(options_.folder));
    std::error_code failed;
    file = options_.folder / "catalogue.db";
    auto days = days_.lock();
    for (const auto& entry : std::filesystem::directory_iterator(options_.folder, failed))
      if (const auto day = day_of_name(entry.path().filename().string())) days->open[*day] = nullptr;
  }
  Database::Options database;
  database.synchronous_full = options_.strict;
  bool restored = false;
  TRY(catalogue->database, open_or_restore(file, database, restored));
  auto& db = catalogue->database;
  TRYV(db.execute("CREATE TABLE IF NOT EXISTS scope(id INTEGER PRIMARY KEY AUTOINCREMENT,"
                  " account TEXT, region TEXT, UNIQUE(account, region));"
                  "CREATE TABLE IF NOT EXISTS state(key TEXT PRIMARY KEY, value INTEGER)"
                  " WITHOUT ROWID;"));
  // Scopes made since the copy have lost their names; their numbers must not become others'.
  if (restored) TRYV(db.execute("UPDATE sqlite_sequence SET seq=seq+1048576 WHERE name='scope'"));
  catalogue->copy = GoodCopy(file);
  TRY(auto query, db.prepare("SELECT id, account, region FROM scope"));
  while (true) {
    TRY(const bool found, query.step());
    if (!found) break;
    const auto number = static_cast<std::uint64_t>(query.integer(0));
    TraceScope scope{std::string(query.text(1)), std::string(query.text(2))};
    catalogue->numbers[scope] = number;
    catalogue->scopes[number] = std::move(scope);
  }
  TRY(auto applied, db.prepare("SELECT value FROM state WHERE key='applied'"));
  TRY(const bool found, applied.step());
  if (found) replay_from_ = static_cast<Lsn>(applied.integer(0));
  wal_.set_applied(StoreId::kTraces, replay_from_);
  return Ok{};
}

std::optional<std::uint64_t> Engine::scope_number(const TraceScope& scope) const {
  auto catalogue = catalogue_.lock_shared();
  const auto found = catalogue->numbers.find(scope);
  if (found == catalogue->numbers.end()) return std::nullopt;
  return found->second;
}

Result<std::uint64_t> Engine::scope_number_or_new(const TraceScope& scope) {
  if (const auto known = scope_number(scope)) return *known;
  auto catalogue = catalogue_.lock();
  if (const auto known = catalogue->numbers.find(scope); known != catalogue->numbers.end())
    return known->second;
  TRY(auto insert,
      catalogue->database.prepare("INSERT INTO scope(account, region) VALUES(?,?) RETURNING id"));
  insert.bind(1, std::string_view(scope.account)).bind(2, std::string_view(scope.region));
  TRY(const bool found, insert.step());
  if (!found) return Error::internal("no number for a new scope");
  const auto number = static_cast<std::uint64_t>(insert.integer(0));
  TRY(const bool more, insert.step());  // to the end, so that the row is committed
  FOG_ASSERT(!more, "one row was inserted");
  insert.reset();
  catalogue->numbers[scope] = number;
  catalogue->scopes[number] = scope;
  catalogue->copy.changed(catalogue->database);
  return number;
}

std::shared_ptr<Bucket> Engine::bucket(std::int64_t day, bool create) {
  auto days = days_.lock();
  const auto known = days->open.find(day);
  if (known == days->open.end() && !create) return nullptr;
  if (known != days->open.end() && known->second) return known->second;
  std::filesystem::path file;
  if (!options_.folder.empty()) file = options_.folder / day_name(day);
  auto opened = Bucket::open(file, options_.strict);
  if (!opened.ok() && !file.empty() && std::filesystem::exists(file)) {
    // Set aside, so that new traces of that day still find a place.
    LOG_ERROR("traces: {} is damaged ({}); kept as {}.damaged", file.string(),
              opened.error().message(), file.filename().string());
    ++damaged_files_;
    std::error_code ignored;
    for (const char* suffix : {"", "-wal", "-shm"})
      std::filesystem::rename(file.string() + suffix, file.string() + suffix + ".damaged", ignored);
    days->open.erase(day);
    if (!create) return nullptr;
    opened = Bucket::open(file, options_.strict);
  }
  if (!opened.ok()) {
    LOG_ERROR("traces: can't open {}: {}", file.string(), opened.error().message());
    return nullptr;
  }
  return days->open[day] = std::move(*opened);
}

std::vector<std::pair<std::int64_t, std::shared_ptr<Bucket>>> Engine::buckets(
    std::int64_t from_day, std::int64_t to_day) {
  std::vector<std::int64_t> wanted;
  {
    auto days = days_.lock();
    for (const auto& [day, open] : days->open)
      if (day >= from_day && day <= to_day) wanted.push_back(day);
  }
  std::vector<std::pair<std::int64_t, std::shared_ptr<Bucket>>> found;
  for (const auto day : wanted)
    if (auto one = bucket(day, false)) found.emplace_back(day, std::move(one));
  return found;
}

// --- retention, erasing ------------------------------------------------------------------------

void Engine::drop_old_days(Timestamp now) {
  const std::int64_t today = floor_div(to_ms(now), kDayMs);
  if (retention_day_.exchange(today) == today) return;
  drop_days_before(today - options_.retention.count());
}

std::optional<std::int64_t> Engine::oldest_end_ms() const {
  const auto days = days_.lock_shared();
  if (days->open.empty()) return std::nullopt;
  return (days->open.begin()->first + 1) * kDayMs;
}

void Engine::drop_files_before(std::int64_t end_ms) { drop_days_before(floor_div(end_ms, kDayMs)); }

void Engine::drop_days_before(std::int64_t oldest) {
  auto days = days_.lock();
  for (auto it = days->open.begin(); it != days->open.end() && it->first < oldest;) {
    // Readers that hold the bucket finish on the open file.
    if (!options_.folder.empty()) {
      std::error_code ignored;
      const auto file = (options_.folder / day_name(it->first)).string();
      for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(file + suffix, ignored);
    }
    ++expired_;
    it = days->open.erase(it);
  }
}

void Engine::drop_erased_scopes() {
  if (!scopes_erased_.exchange(false)) return;
  std::unordered_set<std::uint64_t> kept;
  {
    auto catalogue = catalogue_.lock_shared();
    for (const auto& [number, scope] : catalogue->scopes) kept.insert(number);
  }
  for (const auto& [day, where] : buckets(std::numeric_limits<std::int64_t>::min(),
                                          std::numeric_limits<std::int64_t>::max()))
    if (auto done = where->keep_scopes(kept); !done.ok())
      LOG_WARN("traces: erased data stays on disk: {}", done.error().message());
}

Status Engine::erase(std::string_view account, std::string_view region) {
  std::unordered_set<std::uint64_t> gone;
  {
    auto catalogue = catalogue_.lock();
    TRY(auto remove, catalogue->database.prepare("DELETE FROM scope WHERE id=?"));
    for (auto it = catalogue->scopes.begin(); it != catalogue->scopes.end();) {
      const bool hit = (account.empty() || it->second.account == account) &&
                       (region.empty() || it->second.region == region);
      if (!hit) {
        ++it;
        continue;
      }
      TRYV(remove.bind(1, static_cast<std::int64_t>(it->first)).run());
      gone.insert(it->first);
      catalogue->numbers.erase(it->second);
      it = catalogue->scopes.erase(it);
    }
  }
  auto head = head_.lock();
  for (auto it = head->traces.begin(); it != head->traces.end();) {
    if (!gone.contains(it->first.scope)) {
      ++it;
      continue;
    }
    head->bytes -= std::min(head->bytes, it->second.bytes);
    it = head->traces.erase(it);
  }
  if (!gone.empty()) scopes_erased_ = true;
  return Ok{};
}

void Engine::settle_labels(const TraceScope& scope) {
  if (const auto number = scope_number(scope)) (void)whole_head(*number, scope);
}

std::vector<TraceScope> Engine::scopes() const {
  auto catalogue = catalogue_.lock_shared();
  std::vector<TraceScope> all;
  for (const auto& [scope, number] : catalogue->numbers) all.push_back(scope);
  return all;
}

TraceStore::Stats Engine::stats() const {
  Stats out;
  {
    auto head = head_.lock_shared();
    out.head_traces = head->traces.size();
    out.head_bytes = head->bytes;
  }
  out.documents_accepted = accepted_;
  out.documents_rejected = rejected_;
  out.traces_sealed = sealed_;
  out.damaged_blocks = damaged_blocks_;
  out.damaged_files = damaged_files_;
  out.traces_expired_days = expired_;
  return out;
}

}  // namespace traces
}  // namespace fog
