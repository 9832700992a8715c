// LiveTail: the sessions of StartLiveTail. Lines leave as soon as they are there, at most 500 a second
// and session; where more match, an update a second carries a random 500 of them and says so.
//
// Threads: any. offer() and flush() are called by the event pipeline, one at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "api/common/call.h"
#include "api/common/sink.h"
#include "api/logs/event_batch.h"
#include "storage/base/guarded.h"
#include "storage/base/random.h"

namespace fog::logs {

class LiveTail {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;
  LiveTail(const Clock& clock, Random& random, std::size_t sessions_max) : clock_(clock), random_(random), sessions_max_(sessions_max) {}

  // Begins a session. Errors as StartLiveTail words them.
  Status start(Call& call, const StartLiveTailRequest& in, Sink& sink);

  bool watches(LogGroupId group) const;
  void offer(const EventBatch& batch);
  // Sends what is due; gives how soon it wants to be called again, zero: not before the next offer.
  Millis flush(SteadyTime now);
  std::size_t sessions() const { return count_; }

 private:
  struct Session {
    std::shared_ptr<Sink> sink;
    std::string account, region;
    std::unordered_map<LogGroupId, std::string> groups;  // and how results name them
    std::unordered_set<std::string> streams;
    std::vector<std::string> stream_prefixes;
    std::string pattern_text;
    CompiledPattern pattern;
    Timestamp started{};
    SteadyTime window{};  // the second under way
    SteadyTime sent{};
    std::size_t in_window = 0;    // sent or pending in it
    std::uint64_t matched = 0;    // in it
    bool crowded = false;         // the last second had more than fits
    bool sampled = false;
    std::vector<LiveTailSessionLogEvent> pending;
  };
  using SessionPtr = std::shared_ptr<Session>;
  struct Sessions {
    std::vector<SessionPtr> all;
    std::unordered_map<LogGroupId, std::size_t> watched;
  };

  bool wants_stream(const Session& session, const std::string& stream) const;
  void take(Session& session, const EventBatch& batch, const std::vector<std::size_t>& rows);
  bool send(Session& session, SteadyTime now);
  void remove(const SessionPtr& session);
  std::uint64_t next_random();

  const Clock& clock_;
  Random& random_;
  std::size_t sessions_max_;
  std::atomic<std::size_t> count_{0};
  Guarded<Sessions> sessions_;
  std::uint64_t random_state_ = 0x9e3779b97f4a7c15;
};

}  // namespace fog::logs
