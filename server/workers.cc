#include "server/workers.h"

#include <exception>

#include "storage/base/log.h"

namespace fog {
namespace {

constexpr Millis kRound{1000};
// A tick may make another worker due at the same instant (an alarm publishes, a delivery begins).
// More rounds than this at one instant are a worker that never gets done.
constexpr int kRoundsAtOneInstantMax = 100;
constexpr Millis kSlowTick{2000};

std::int64_t steady_ms() {
  return std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

Workers::~Workers() { stop(); }

void Workers::add(Worker& worker) {
  const std::lock_guard lock(round_);
  const std::lock_guard report(report_mutex_);
  entries_.push_back({.worker = &worker, .report = reports_.size()});
  reports_.push_back({.name = worker.name()});
}

void Workers::start() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = false;
  }
  last_round_ms_ = steady_ms();
  thread_ = std::thread([this] { run(); });
}

void Workers::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Workers::run() {
  auto next = std::chrono::steady_clock::now() + kRound;
  std::unique_lock lock(mutex_);
  while (!wake_.wait_until(lock, next, [this] { return stopping_; })) {
    lock.unlock();
    {
      const std::lock_guard round(round_);
      const Timestamp now = clock_.now();
      for (Entry& entry : entries_) tick(entry, now);
    }
    last_round_ms_ = steady_ms();
    // After a long round the missed ones are skipped: a tick does all that is due anyway.
    next = std::max(next + kRound, std::chrono::steady_clock::now());
    lock.lock();
  }
}

void Workers::tick(Entry& entry, Timestamp now) {
  const std::int64_t began = steady_ms();
  try {
    entry.worker->tick(now);
  } catch (const std::exception& e) {
    LOG_ERROR("worker {}: {}", entry.worker->name(), e.what());
  }
  const Millis took(steady_ms() - began);
  {
    const std::lock_guard lock(report_mutex_);
    Report& report = reports_[entry.report];
    ++report.ticks;
    report.slowest = std::max(report.slowest, took);
  }
  if (took > kSlowTick) LOG_WARN("worker {} took {} ms", entry.worker->name(), took.count());
}

bool Workers::tick_due(Timestamp now) {
  bool any = false;
  for (Entry& entry : entries_) {
    const auto due = entry.worker->next_due(now);
    if (!due || *due > now) continue;
    tick(entry, now);
    any = true;
  }
  return any;
}

bool Workers::wait_idle(std::chrono::steady_clock::time_point until) {
  Millis pause{0};
  while (true) {
    const bool idle = std::all_of(entries_.begin(), entries_.end(), [](Entry& e) { return e.worker->idle(); });
    if (idle) return true;
    if (std::chrono::steady_clock::now() >= until) return false;
    std::this_thread::sleep_for(pause.count() == 0 ? std::chrono::microseconds(100) : std::chrono::microseconds(pause));
    pause = std::min(pause + Millis(1), Millis(10));
  }
}

bool Workers::advance(Millis by, Millis real_time_max) {
  const auto until = std::chrono::steady_clock::now() + real_time_max;
  const std::lock_guard lock(round_);
  const int rate = clock_.state().rate;
  clock_.set_rate(0);
  const Timestamp target = clock_.now() + by;
  // What is under way already is no less due.
  bool idle = wait_idle(until);
  int rounds = 0;
  while (true) {
    const Timestamp now = clock_.now();
    if (rounds < kRoundsAtOneInstantMax && tick_due(now)) {
      ++rounds;
      idle = wait_idle(until);
      continue;
    }
    // Nothing more here: on to the next instant at which some worker has work.
    std::optional<Timestamp> next;
    for (Entry& entry : entries_) {
      auto due = entry.worker->next_due(now);
      if (!due) continue;
      *due = std::max(*due, now + Millis(1));
      if (!next || *due < *next) next = *due;
    }
    if (!next || *next > target) break;
    clock_.set(*next);
    rounds = 0;
  }
  clock_.set(target);
  clock_.set_rate(rate);
  return idle;
}

std::vector<Workers::Report> Workers::report() const {
  const std::lock_guard lock(report_mutex_);
  return reports_;
}

Millis Workers::since_last_round() const {
  const std::int64_t last = last_round_ms_.load();
  return last == 0 ? Millis(0) : Millis(steady_ms() - last);
}

}  // namespace fog
