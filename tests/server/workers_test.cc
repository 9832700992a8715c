// Advancing the clock runs what falls due, in order, each at its own time.
#include "server/workers.h"

#include <gtest/gtest.h>

#include <deque>
#include <functional>

namespace fog {
namespace {

// Works at the times it is given; tells the test when it did.
class Scripted final : public Worker {
 public:
  Scripted(std::string name, std::deque<std::int64_t> due_ms, std::vector<std::string>& journal)
      : name_(std::move(name)), due_ms_(std::move(due_ms)), journal_(journal) {}
  std::string_view name() const override { return name_; }
  std::optional<Timestamp> next_due(Timestamp) override {
    return due_ms_.empty() ? std::nullopt : std::optional(from_ms(due_ms_.front()));
  }
  void tick(Timestamp now) override {
    while (!due_ms_.empty() && from_ms(due_ms_.front()) <= now) {
      journal_.push_back(name_ + "@" + std::to_string(to_ms(now)));
      due_ms_.pop_front();
      if (on_tick) on_tick(now);
    }
  }
  bool idle() override { return busy_polls == 0 || --busy_polls == 0; }

  void add(std::int64_t due_ms) { due_ms_.push_back(due_ms); }
  std::function<void(Timestamp)> on_tick;
  int busy_polls = 0;

 private:
  std::string name_;
  std::deque<std::int64_t> due_ms_;
  std::vector<std::string>& journal_;
};

struct WorkersTest : testing::Test {
  WorkersTest() {
    clock.set(from_ms(1'000'000));
    clock.set_rate(0);
    clock.set(from_ms(1'000'000));
  }
  VirtualClock clock;
  std::vector<std::string> journal;
};

TEST_F(WorkersTest, due_times_of_all_workers_are_visited_in_order) {
  Scripted a("a", {1'000'500, 1'002'000}, journal), b("b", {1'001'000, 1'002'000, 1'009'000}, journal);
  Workers workers(clock);
  workers.add(a);
  workers.add(b);
  EXPECT_TRUE(workers.advance(Millis(5000)));
  EXPECT_EQ(journal, (std::vector<std::string>{"a@1000500", "b@1001000", "a@1002000", "b@1002000"}));
  EXPECT_EQ(to_ms(clock.now()), 1'005'000);
  EXPECT_EQ(clock.state().rate, 0);
}

TEST_F(WorkersTest, what_one_worker_causes_in_another_happens_at_the_same_instant) {
  Scripted alarm("alarm", {1'003'000}, journal), delivery("delivery", {}, journal);
  alarm.on_tick = [&](Timestamp now) { delivery.add(to_ms(now)); };
  Workers workers(clock);
  workers.add(delivery);  // even though it had its turn before
  workers.add(alarm);
  EXPECT_TRUE(workers.advance(Millis(60'000)));
  EXPECT_EQ(journal, (std::vector<std::string>{"alarm@1003000", "delivery@1003000"}));
}

TEST_F(WorkersTest, deliveries_under_way_are_waited_for) {
  Scripted delivery("delivery", {1'001'000}, journal);
  delivery.busy_polls = 20;
  Workers workers(clock);
  workers.add(delivery);
  EXPECT_TRUE(workers.advance(Millis(2000)));
  EXPECT_EQ(delivery.busy_polls, 0);
}

TEST_F(WorkersTest, waiting_ends_with_the_real_time_allowed) {
  Scripted stuck("stuck", {1'001'000, 1'001'500}, journal);
  stuck.busy_polls = 1'000'000;
  Workers workers(clock);
  workers.add(stuck);
  EXPECT_FALSE(workers.advance(Millis(2000), Millis(50)));
  EXPECT_EQ(to_ms(clock.now()), 1'002'000);
  EXPECT_EQ(journal.size(), 2u);
}

TEST_F(WorkersTest, a_worker_that_is_always_due_does_not_stop_the_clock) {
  struct Always final : Worker {
    std::string_view name() const override { return "always"; }
    std::optional<Timestamp> next_due(Timestamp now) override { return now; }
    void tick(Timestamp) override { ++ticks; }
    int ticks = 0;
  } always;
  Workers workers(clock);
  workers.add(always);
  EXPECT_TRUE(workers.advance(Millis(20)));
  EXPECT_EQ(to_ms(clock.now()), 1'000'020);
  EXPECT_GT(always.ticks, 20);
}

TEST_F(WorkersTest, a_running_clock_runs_on_afterwards) {
  clock.set_rate(1);
  Workers workers(clock);
  const Timestamp before = clock.now();
  EXPECT_TRUE(workers.advance(Millis(3'600'000)));
  EXPECT_EQ(clock.state().rate, 1);
  EXPECT_GE(clock.now() - before, Millis(3'600'000));
  EXPECT_LT(clock.now() - before, Millis(3'605'000));
}

}  // namespace
}  // namespace fog
