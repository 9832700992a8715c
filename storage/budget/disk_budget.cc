#include "storage/budget/disk_budget.h"

#include <algorithm>
#include <system_error>

#include "storage/base/log.h"

namespace fog {
namespace {

namespace fs = std::filesystem;

constexpr int kWarnPercents[] = {90, 80};
constexpr int kCalmPercent = 75;       // below it the warnings begin anew
constexpr std::uint64_t kRoomShare = 20;  // a twentieth is free after data went
constexpr std::uint64_t kFreeShareMin = 20;
constexpr int kRoundsMax = 64;  // of one tick
constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kPresentMs = 60'000;  // the last minute never goes
constexpr std::int64_t kStepShare = 8;       // of the present day's logs go at a time

std::uint64_t bytes_below(const fs::path& folder) {
  std::uint64_t sum = 0;
  std::error_code error;
  // Files come and go meanwhile.
  for (fs::recursive_directory_iterator at(folder, fs::directory_options::skip_permission_denied, error), end; !error && at != end; at.increment(error)) {
    std::error_code gone;
    if (!at->is_regular_file(gone) || gone) continue;
    const auto size = at->file_size(gone);
    if (!gone) sum += size;
  }
  return sum;
}

std::int64_t end_of_day(std::int64_t ms) { return (ms >= 0 ? ms / kDayMs : -((-ms + kDayMs - 1) / kDayMs)) * kDayMs + kDayMs; }

std::uint64_t mib(std::uint64_t bytes) { return bytes >> 20; }

}  // namespace

DiskBudget::Stats DiskBudget::stats() const {
  return {.used_bytes = used_, .budget_bytes = budget_, .free_bytes = free_, .capacity_bytes = capacity_, .drops = drops_,
          .dropped_before_ms = dropped_before_ms_, .exceeded = exceeded_};
}

void DiskBudget::measure() {
  used_ = bytes_below(deps_.folder);
  std::error_code error;
  const fs::space_info space = fs::space(deps_.folder, error);
  if (error) return;
  free_ = space.available;
  capacity_ = space.capacity;
}

void DiskBudget::warn() {
  const bool scarce = capacity_ != 0 && free_ < capacity_ / kFreeShareMin;
  if (scarce && !warned_free_) LOG_WARN("disk: {} MiB of {} are free on the filesystem of the data", mib(free_), mib(capacity_));
  warned_free_ = scarce;
  if (budget_ == 0) return;
  const auto percent = static_cast<int>(std::min<std::uint64_t>(used_ / std::max<std::uint64_t>(1, budget_ / 100), 1000));
  if (percent < kCalmPercent) warned_percent_ = 0;
  for (const int level : kWarnPercents) {
    if (percent < level) continue;
    if (warned_percent_ < level) {
      warned_percent_ = level;
      LOG_WARN("disk: {} MiB of the budget of {} are used ({} %); the oldest data goes at 100 %", mib(used_), mib(budget_), percent);
    }
    break;
  }
}

void DiskBudget::tick(Timestamp now) {
  const auto real = std::chrono::steady_clock::now();
  if (real < next_) return;
  next_ = real + every_;
  measure();
  warn();
  if (budget_ == 0) return;
  bool more = true;
  if (used_ > budget_) {
    for (int round = 0; round < kRoundsMax && more && used_ > budget_ - budget_ / kRoomShare; ++round) {
      more = drop_oldest(to_ms(now));
      measure();
    }
  }
  const bool exceeded = used_ > budget_ && !more;
  if (exceeded && !exceeded_) LOG_ERROR("disk: {} MiB are used, the budget is {}, and nothing is left that may go", mib(used_), mib(budget_));
  exceeded_ = exceeded;
}

std::optional<std::int64_t> DiskBudget::oldest_log_ms() {
  if (deps_.logs == nullptr) return std::nullopt;
  LogScanSpec spec;
  spec.groups = deps_.groups();
  spec.newest_first = false;
  const auto snapshot = deps_.logs->snapshot(spec);
  if (!snapshot.ok() || snapshot->blocks.empty()) return std::nullopt;
  // Of a block that is cut already the rest counts.
  return std::max(snapshot->blocks.front()->timestamp_min_ms(), logs_cut_ms_);
}

void DiskBudget::drop_logs_before(std::int64_t ms) {
  if (deps_.logs == nullptr) return;
  logs_cut_ms_ = std::max(logs_cut_ms_, ms);
  for (const LogGroupId group : deps_.groups())
    if (const Status dropped = deps_.logs->delete_before(group, ms); !dropped.ok())
      LOG_ERROR("disk: log group {}: {}", group, dropped.error().message());
}

// False: nothing may go.
bool DiskBudget::drop_oldest(std::int64_t now_ms) {
  std::optional<std::int64_t> end;
  for (const OldestFirst* store : deps_.stores)
    if (const auto one = store->oldest_end_ms()) end = std::min(end.value_or(*one), *one);
  const auto oldest_log = oldest_log_ms();
  if (oldest_log) end = std::min(end.value_or(INT64_MAX), end_of_day(*oldest_log));
  if (!end) return false;
  if (*end <= now_ms) {
    for (OldestFirst* store : deps_.stores) store->drop_files_before(*end);
    drop_logs_before(*end);
  } else {
    // All there is belongs to the present; only logs can be taken apart further.
    if (!oldest_log || *oldest_log >= now_ms - kPresentMs) return false;
    end = std::min(now_ms - kPresentMs, *oldest_log + std::max((now_ms - *oldest_log) / kStepShare, kPresentMs));
    drop_logs_before(*end);
  }
  ++drops_;
  dropped_before_ms_ = *end;
  LOG_WARN("disk: {} MiB are used of a budget of {}: what is older than {} s went", mib(used_), mib(budget_), (now_ms - *end) / 1000);
  return true;
}

}  // namespace fog
