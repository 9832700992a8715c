// What happens behind the writers' backs: flush, join, roll-up, retention, resets.
#include "storage/metrics/engine.h"

#include <algorithm>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include "storage/base/log.h"
#include "storage/metrics/chunk.h"

namespace fog::metrics {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kPartsJoin = 8;
// A closed bucket is joined once nothing came for so long; late data would else rewrite it often.
constexpr std::int64_t kQuietMs = 600'000;
constexpr std::int64_t kMaintenanceMs = 60'000;
// A metric without data for 15 months disappears.
constexpr std::int64_t kSeriesKeepMs = 455ll * 86'400'000;
// Series are joined in groups, so that memory stays bounded.
constexpr SeriesId kJoinGroup = 512;
// While the lock is held once. Writers wait meanwhile: these take a few milliseconds.
constexpr std::size_t kRemovedAtOnceMax = 1024;
constexpr std::size_t kDescribedAtOnceMax = 1024;

}  // namespace

// --- flush -------------------------------------------------------------------------------------------

std::vector<bool> Engine::live_series(SeriesId& base) const {
  const std::shared_lock lock(mutex_);
  base = catalogue_.base();
  std::vector<bool> live(catalogue_.next_id() - base);
  for (std::size_t i = 0; i < live.size(); ++i) live[i] = catalogue_.contains(base + i);
  return live;
}

Status Engine::flush() {
  const std::lock_guard one(maintenance_);
  return flush_locked();
}

Status Engine::flush_locked() {
  if (pending_) TRYV(write_flush());
  {
    const std::unique_lock lock(mutex_);
    if (head_->last_lsn == 0 && added_.empty() && removed_.empty()) return Ok{};
    Flush flush;
    flush.generation = generation_;
    flush.added = std::exchange(added_, {});
    flush.entities = std::exchange(entities_changed_, {});
    flush.changes.removed = std::exchange(removed_, {});
    if (head_->last_lsn == 0) head_->last_lsn = applied_lsn_;
    flushing_ = std::shared_ptr<const Head>(std::move(head_));
    flush.head = flushing_;
    head_ = std::make_unique<Head>(catalogue_.base());
    head_begun_ms_ = 0;
    pending_ = std::move(flush);
  }
  return write_flush();
}

// What the series file is to learn. Later news may slip in; the next flush tells them again.
void Engine::describe_changes(Flush& flush) {
  flush.changes.added.clear();
  flush.changes.entities.clear();
  flush.changes.activity.clear();
  for (std::size_t at = 0; at < flush.added.size(); at += kDescribedAtOnceMax) {
    const std::shared_lock lock(mutex_);
    for (std::size_t i = at; i < std::min(flush.added.size(), at + kDescribedAtOnceMax); ++i)
      if (catalogue_.contains(flush.added[i])) flush.changes.added.push_back(catalogue_.info(flush.added[i]));
  }
  {
    const std::shared_lock lock(mutex_);
    for (const SeriesId id : flush.entities)
      if (catalogue_.contains(id)) flush.changes.entities.emplace_back(id, std::string(catalogue_.entity(id)));
  }
  std::set<std::uint64_t> blocks;
  for (const Stripe& stripe : flush.head->stripes()) blocks.insert(stripe.series() / SeriesFile::kActivityBlock);
  for (const std::uint64_t block : blocks) {
    std::string bytes;
    ByteWriter out(bytes);
    const std::shared_lock lock(mutex_);
    for (std::uint64_t i = 0; i < SeriesFile::kActivityBlock; ++i) {
      const SeriesId id = block * SeriesFile::kActivityBlock + i;
      out.fixed(catalogue_.contains(id) ? catalogue_.at(id).newest_ms : INT64_MIN);
    }
    flush.changes.activity.emplace_back(block, std::move(bytes));
  }
}

Status Engine::write_flush() {
  Flush& flush = *pending_;
  const Head& head = *flush.head;
  const Lsn generation = flush.generation;
  const fs::path folder = generation_folder(generation);
  std::shared_ptr<SeriesFile> file;
  SeriesFile::Marks marks;
  {
    const std::shared_lock lock(mutex_);
    if (generation != generation_) {  // everything was forgotten since
      pending_.reset();
      return Ok{};
    }
    file = file_;
    marks = {.series_lsn = head.last_lsn,
             .applied_lsn = applied_lsn_,
             .next_id = catalogue_.next_id(),
             .next_part = next_part_};
  }
  if (file && !flush.changes_done) {
    describe_changes(flush);
    TRYV(file->apply(flush.changes, marks));
  }
  flush.changes = {};
  flush.changes_done = true;
  SeriesId live_base = 0;
  const std::vector<bool> live = live_series(live_base);

  // Which stripes have slots in which bucket, in the order of chunk ids.
  struct Piece {
    BucketKey bucket;
    std::uint64_t id;
    std::uint32_t stripe;
    auto operator<=>(const Piece&) const = default;
  };
  std::vector<Piece> pieces;
  for (std::uint32_t i = 0; i < head.stripes().size(); ++i) {
    const Stripe& stripe = head.stripes()[i];
    if (stripe.size() == 0) continue;
    if (stripe.series() < live_base || stripe.series() - live_base >= live.size() ||
        !live[stripe.series() - live_base])
      continue;
    const std::int64_t width_s = kTierWidthMs[static_cast<std::size_t>(stripe.tier())] / 1000;
    std::int64_t bucket_end = INT64_MIN;
    for (std::size_t k = 0; k < stripe.size(); ++k) {
      const std::int64_t time_s = stripe.slots()[k] * width_s;
      if (time_s < bucket_end) continue;
      const std::int64_t start = bucket_start_s(stripe.tier(), time_s);
      bucket_end = bucket_end_s(stripe.tier(), start);
      pieces.push_back({{stripe.tier(), start}, chunk_id(stripe.series(), stripe.unit()), i});
    }
  }
  std::sort(pieces.begin(), pieces.end());

  SlotBlock block;
  for (std::size_t at = 0; at < pieces.size();) {
    const BucketKey bucket = pieces[at].bucket;
    std::size_t end = at;
    while (end < pieces.size() && pieces[end].bucket == bucket) ++end;
    if (!flush.parts.contains(bucket)) {
      PartName name{.tier = bucket.tier, .bucket_s = bucket.start_s, .lsn = head.last_lsn, .source = {}};
      {
        const std::unique_lock lock(mutex_);
        name.first = name.last = next_part_++;
      }
      TRY(auto writer, write_part(folder, name));
      const std::int64_t width_s = kTierWidthMs[static_cast<std::size_t>(bucket.tier)] / 1000;
      const auto from = static_cast<std::uint32_t>(bucket.start_s / width_s);
      const auto to =
          static_cast<std::uint32_t>(bucket_end_s(bucket.tier, bucket.start_s) / width_s);
      for (std::size_t i = at; i < end; ++i) {
        block.clear();
        head.stripes()[pieces[i].stripe].copy(from, to, block);
        TRYV(writer->add(pieces[i].id, encode_chunk(block)));
        ++chunks_written_;
      }
      TRY(flush.parts[bucket], writer->finish());
    }
    at = end;
  }

  {
    const std::unique_lock lock(mutex_);
    if (generation != generation_) {  // everything was forgotten meanwhile
      pending_.reset();
      return Ok{};
    }
    const std::int64_t now = to_ms(clock_.now());
    for (auto& [key, part] : flush.parts) {
      parts_[key].parts.push_back(part);
      parts_[key].touched_ms = now;
    }
    flushing_ = nullptr;
    series_lsn_ = head.last_lsn;
    applied_lsn_ = head.last_lsn;
    marks.applied_lsn = applied_lsn_;
    marks.next_part = next_part_;
    marks.next_id = catalogue_.next_id();
  }
  ++flushes_;
  pending_.reset();
  if (file) TRYV(file->set_marks(marks));
  wal_.set_applied(StoreId::kMetrics, marks.applied_lsn);
  return Ok{};
}

// --- joining, rolling up, forgetting -----------------------------------------------------------------

// Rewrites all parts of `from` as one part of `to`: the same bucket (a join) or one of the next tier.
Status Engine::rewrite(BucketKey from, BucketKey to) {
  std::vector<std::shared_ptr<Part>> sources;
  PartName name{.tier = to.tier, .bucket_s = to.start_s, .source = {}};
  Lsn generation = 0;
  {
    const std::unique_lock lock(mutex_);
    generation = generation_;
    sources = parts_[from].parts;
    if (sources.empty()) return Ok{};
    for (const auto& part : sources) name.lsn = std::max(name.lsn, part->name().lsn);
    if (from == to) {
      name.first = sources.front()->name().first;
      for (const auto& part : sources) name.last = std::max(name.last, part->name().last);
    } else {
      name.first = name.last = next_part_++;
      name.source = {.tier = from.tier, .bucket_s = from.start_s, .lsn = name.lsn};
      name.lsn = 0;  // says nothing about records of its own bucket
    }
  }
  const auto factor = static_cast<std::uint32_t>(kTierWidthMs[static_cast<std::size_t>(to.tier)] /
                                                 kTierWidthMs[static_cast<std::size_t>(from.tier)]);
  SeriesId base = 0;
  const std::vector<bool> live = live_series(base);
  TRY(auto writer, write_part(generation_folder(generation), name));
  std::size_t written = 0;
  for (SeriesId first = base; first < base + live.size(); first += kJoinGroup) {
    std::map<std::uint64_t, std::vector<std::string>> chunks;
    for (const auto& part : sources)
      TRYV(part->read_range(chunk_id(first, 0), chunk_id(first + kJoinGroup, 0),
                            [&](std::uint64_t id, std::string_view chunk) {
                              chunks[id].emplace_back(chunk);
                              return true;
                            }));
    for (const auto& [id, pieces] : chunks) {
      const SeriesId series = id / 32;
      if (series - base >= live.size() || !live[series - base]) continue;
      ++written;
      if (pieces.size() == 1 && factor == 1) {
        TRYV(writer->add(id, pieces[0]));
        continue;
      }
      SlotBlock sum;
      for (const std::string& piece : pieces) {
        SlotBlock block;
        if (const Status decoded = decode_chunk(piece, true, block); !decoded.ok()) {
          ++damaged_;
          LOG_ERROR("metrics: a chunk of series {} is damaged and was left out of a join", series);
          continue;
        }
        sum = sum.size() == 0 ? std::move(block) : merge_blocks(sum, block);
      }
      if (sum.size() == 0) continue;
      if (factor > 1) sum = coarsen(sum, factor);
      TRYV(writer->add(id, encode_chunk(sum)));
      ++chunks_written_;
    }
  }
  TRY(auto part, writer->finish());
  {
    const std::unique_lock lock(mutex_);
    if (generation != generation_) return Ok{};
    parts_[from].parts.clear();  // maintenance_ keeps every other writer of parts out
    if (from != to) {
      parts_.erase(from);
      ++roll_ups_;
    }
    if (written > 0) parts_[to].parts.push_back(part);
  }
  for (const auto& source : sources) source->discard();
  if (written == 0) part->discard();
  return Ok{};
}

Status Engine::maintain(std::int64_t now_ms) {
  std::vector<fs::path> rubbish;
  {
    const std::unique_lock lock(mutex_);
    rubbish.swap(rubbish_);
  }
  for (const fs::path& path : rubbish) {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  if (checkpoint_first_) {  // parts of an interrupted flush: complete it before anything moves
    TRYV(flush_locked());
    checkpoint_first_ = false;
  }
  std::vector<BucketKey> keys;
  {
    const std::shared_lock lock(mutex_);
    for (const auto& [key, bucket] : parts_) keys.push_back(key);
  }
  // Finest first, so that a datum may fall through several tiers in one round.
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const BucketKey key = keys[i];
    const std::int64_t end_s = bucket_end_s(key.tier, key.start_s);
    std::size_t parts_n = 0;
    std::int64_t touched = 0;
    {
      const std::shared_lock lock(mutex_);
      const auto bucket = parts_.find(key);
      if (bucket == parts_.end()) continue;
      parts_n = bucket->second.parts.size();
      touched = bucket->second.touched_ms;
    }
    if (end_s * 1000 + keep_ms(key.tier) <= now_ms) {
      if (key.tier == Tier::k60s || key.tier == Tier::k300s) {
        const Tier next = key.tier == Tier::k60s ? Tier::k300s : Tier::k3600s;
        const BucketKey to{next, bucket_start_s(next, key.start_s)};
        TRYV(rewrite(key, to));
        if (std::find(keys.begin() + static_cast<std::ptrdiff_t>(i), keys.end(), to) == keys.end())
          keys.insert(keys.begin() + static_cast<std::ptrdiff_t>(i) + 1, to);
      } else {
        Bucket expired;
        {
          const std::unique_lock lock(mutex_);
          expired = std::move(parts_[key]);
          parts_.erase(key);
        }
        for (const auto& part : expired.parts) part->discard();
      }
      continue;
    }
    const bool closed = end_s * 1000 + kWindowMs <= now_ms && now_ms - touched >= kQuietMs;
    if (parts_n >= kPartsJoin || (closed && parts_n > 1)) TRYV(rewrite(key, key));
  }
  // A few at a time: writers get in between.
  for (SeriesId from = 0;;) {
    const std::unique_lock lock(mutex_);
    const auto gone = catalogue_.remove_some(from, kRemovedAtOnceMax, [&](SeriesId, const Catalogue::Series& series) {
      return series.newest_ms != INT64_MIN && series.newest_ms + kSeriesKeepMs < now_ms;
    });
    removed_.insert(removed_.end(), gone.begin(), gone.end());
    if (from >= catalogue_.next_id()) break;
  }
  return Ok{};
}

std::optional<std::int64_t> Engine::oldest_end_ms() const {
  const std::shared_lock lock(mutex_);
  std::optional<std::int64_t> oldest;
  for (const auto& [key, bucket] : parts_) {
    if (bucket.parts.empty()) continue;
    const std::int64_t end = bucket_end_s(key.tier, key.start_s) * 1000;
    oldest = std::min(oldest.value_or(end), end);
  }
  return oldest;
}

void Engine::drop_files_before(std::int64_t end_ms) {
  const std::lock_guard one(maintenance_);
  std::vector<Bucket> gone;
  {
    const std::unique_lock lock(mutex_);
    std::erase_if(parts_, [&](auto& entry) {
      if (bucket_end_s(entry.first.tier, entry.first.start_s) * 1000 > end_ms) return false;
      gone.push_back(std::move(entry.second));
      return true;
    });
  }
  for (const Bucket& bucket : gone)
    for (const auto& part : bucket.parts) part->discard();
}

void Engine::tick(Timestamp now) {
  const std::lock_guard one(maintenance_);
  const std::int64_t now_ms = to_ms(now);
  const Wal::Stats wal = wal_.stats();
  bool due = pending_.has_value();
  {
    const std::shared_lock lock(mutex_);
    // A few data points must not keep a log that others fill.
    const bool holds_log = head_begun_ms_ != 0 && wal.bytes_on_disk >= kWalBytesMax &&
                           wal.bytes_appended >= flushed_wal_bytes_ + kWalBytesMax / 2;
    due = due || holds_log || head_->bytes >= options_.head_bytes_max ||
          (head_begun_ms_ != 0 &&
           now_ms >= floor_to(head_begun_ms_, kWindowMs) + kWindowMs + kWindowGraceMs);
  }
  if (due) {
    flushed_wal_bytes_ = wal.bytes_appended;
    if (const Status done = flush_locked(); !done.ok())
      LOG_ERROR("metrics: cannot write to disk, will try again: {}", done.error().message());
  }
  if (now_ms >= maintained_ms_ && now_ms < maintained_ms_ + kMaintenanceMs && maintained_ms_ != 0)
    return;
  maintained_ms_ = now_ms;
  if (const Status done = maintain(now_ms); !done.ok())
    LOG_ERROR("metrics: maintenance failed, will try again: {}", done.error().message());
}

std::optional<Timestamp> Engine::next_due(Timestamp now) {
  const std::shared_lock lock(mutex_);
  std::int64_t due = INT64_MAX;
  if (head_begun_ms_ != 0) due = floor_to(head_begun_ms_, kWindowMs) + kWindowMs + kWindowGraceMs;
  for (const auto& [key, bucket] : parts_) {
    const std::int64_t end_ms = bucket_end_s(key.tier, key.start_s) * 1000;
    due = std::min(due, end_ms + keep_ms(key.tier));
    if (bucket.parts.size() > 1)
      due = std::min(due, std::max(end_ms + kWindowMs, bucket.touched_ms + kQuietMs));
  }
  if (due == INT64_MAX) return std::nullopt;
  return std::max(from_ms(due), now);
}

// Under the lock. The folder of the generation before goes away in the background.
void Engine::forget_all(Lsn generation) {
  const fs::path old = generation_folder(generation_);
  if (const Status opened = open_generation(generation); !opened.ok())
    LOG_ERROR("metrics: cannot begin anew: {}", opened.error().message());
  head_begun_ms_ = 0;
  if (!old.empty()) rubbish_.push_back(old);
}

void Engine::forget_scope(std::string_view account, std::string_view region) {
  for (SeriesId from = 0; from < catalogue_.next_id();) {
    const auto gone = catalogue_.remove_some(from, SIZE_MAX, [&](SeriesId, const Catalogue::Series& series) {
      return (account.empty() || catalogue_.scope_account(series.scope) == account) &&
             (region.empty() || catalogue_.scope_region(series.scope) == region);
    });
    removed_.insert(removed_.end(), gone.begin(), gone.end());
  }
}

Status Engine::reset(std::string_view account, std::string_view region) {
  Lsn lsn = 0;
  {
    const std::unique_lock lock(mutex_);
    std::string payload;
    ByteWriter out(payload);
    out.text(account);
    out.text(region);
    lsn = wal_.append(StoreId::kMetrics, kResetRecord, payload);
    if (account.empty() && region.empty()) {
      forget_all(lsn);
    } else {
      forget_scope(account, region);
      head_->last_lsn = lsn;
    }
  }
  return wal_.wait_durable(lsn);
}

}  // namespace fog::metrics
