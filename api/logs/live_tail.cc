#include "api/logs/live_tail.h"

#include <fmt/format.h>

#include "api/logs/common.h"
#include "api/logs/event_pipeline.h"
#include "api/logs/operations.h"
#include "storage/base/log.h"

namespace fog::logs {
namespace {

constexpr std::size_t kEventsASecondMax = 500;
constexpr auto kWindow = std::chrono::seconds(1);
constexpr Millis kSessionMax = std::chrono::hours(3);
// In a crowded second, past this many matches only some of the lines are looked at.
constexpr std::uint64_t kLookAtAllUpTo = 4'000;
constexpr std::size_t kStride = 8;

}  // namespace

std::uint64_t LiveTail::next_random() {
  random_state_ ^= random_state_ << 13;
  random_state_ ^= random_state_ >> 7;
  random_state_ ^= random_state_ << 17;
  return random_state_;
}

Status LiveTail::start(Call& call, const StartLiveTailRequest& in, Sink& sink) {
  const bool names = in.log_stream_names && !in.log_stream_names->empty();
  const bool prefixes = in.log_stream_name_prefixes && !in.log_stream_name_prefixes->empty();
  if (names && prefixes) return invalid_parameter("Only one of logStreamNames or logStreamNamePrefixes can be provided.");
  if ((names || prefixes) && in.log_group_identifiers.size() > 1)
    return invalid_parameter("logStreamNames and logStreamNamePrefixes can only be used with a single log group.");
  auto session = std::make_shared<Session>();
  session->pattern_text = in.log_event_filter_pattern.value_or("");
  auto pattern = compile_pattern(session->pattern_text);
  if (!pattern.ok()) return invalid_parameter(pattern.error().message());
  session->pattern = std::move(pattern).value();
  for (const std::string& identifier : in.log_group_identifiers) {
    const auto name = group_name_of(call, identifier);
    const GroupPtr group = name ? call.service<Logs>().find(call.account, call.region, *name) : nullptr;
    if (group == nullptr) return group_missing();
    if (group->settings.lock_shared()->log_group_class != LogGroupClass::STANDARD)
      return fault(InvalidOperationException{.message = fmt::format("Live Tail is not supported for the class of log group {}.", group->name)});
    session->groups[group->id] = fmt::format("{}:{}", group->account, group->name);
  }
  if (names) session->streams.insert(in.log_stream_names->begin(), in.log_stream_names->end());
  if (prefixes) session->stream_prefixes = *in.log_stream_name_prefixes;
  session->account = call.account;
  session->region = call.region;
  session->started = clock_.now();
  session->sent = session->window = std::chrono::steady_clock::now();
  session->sink = sink.shared_from_this();

  LiveTailSessionStart begin;
  begin.request_id = call.request_id;
  begin.session_id = random_.uuid();
  begin.log_group_identifiers = in.log_group_identifiers;
  begin.log_stream_names = in.log_stream_names;
  begin.log_stream_name_prefixes = in.log_stream_name_prefixes;
  begin.log_event_filter_pattern = in.log_event_filter_pattern;
  StartLiveTailResponseStream event;
  event.session_start = std::move(begin);
  {
    const auto sessions = sessions_.lock();
    std::size_t own = 0;
    for (const SessionPtr& each : sessions->all) own += each->account == call.account && each->region == call.region && each->sink->is_open();
    if (own >= sessions_max_) return fault(LimitExceededException{.message = "Resource limit exceeded."});
    if (!sink.send(event)) return Ok{};
    for (const auto& group : session->groups) ++sessions->watched[group.first];
    sessions->all.push_back(session);
    count_ = sessions->all.size();
  }
  return Ok{};
}

void LiveTail::remove(const SessionPtr& session) {
  const auto sessions = sessions_.lock();
  if (std::erase(sessions->all, session) == 0) return;
  for (const auto& group : session->groups)
    if (--sessions->watched[group.first] == 0) sessions->watched.erase(group.first);
  count_ = sessions->all.size();
}

bool LiveTail::watches(LogGroupId group) const {
  if (count_.load(std::memory_order_relaxed) == 0) return false;
  return sessions_.lock_shared()->watched.contains(group);
}

bool LiveTail::wants_stream(const Session& session, const std::string& stream) const {
  if (!session.streams.empty()) return session.streams.contains(stream);
  if (session.stream_prefixes.empty()) return true;
  return std::any_of(session.stream_prefixes.begin(), session.stream_prefixes.end(),
                     [&](const std::string& prefix) { return stream.starts_with(prefix); });
}

void LiveTail::offer(const EventBatch& batch) {
  if (count_.load(std::memory_order_relaxed) == 0) return;
  std::vector<SessionPtr> interested;
  {
    const auto sessions = sessions_.lock_shared();
    for (const SessionPtr& session : sessions->all)
      if (session->groups.contains(batch.group)) interested.push_back(session);
  }
  // Sessions with the same pattern share its verdict.
  std::unordered_map<std::string_view, std::vector<std::size_t>> verdicts;
  std::vector<std::size_t> few;
  for (const SessionPtr& session : interested) {
    if (!wants_stream(*session, batch.stream_name)) continue;
    if (session->crowded && session->matched > kLookAtAllUpTo && batch.events.size() > kStride) {
      few.clear();
      for (std::size_t i = next_random() % kStride; i < batch.events.size(); i += kStride)
        if (session->pattern.matches(batch.message(i))) few.push_back(i);
      take(*session, batch, few);
      continue;
    }
    auto [verdict, fresh] = verdicts.try_emplace(session->pattern_text);
    if (fresh) verdict->second = matching(session->pattern, batch, false);
    take(*session, batch, verdict->second);
  }
}

void LiveTail::take(Session& session, const EventBatch& batch, const std::vector<std::size_t>& rows) {
  for (const std::size_t i : rows) {
    ++session.matched;
    std::size_t place = session.pending.size();
    if (session.in_window >= kEventsASecondMax) {
      session.sampled = true;
      if (session.pending.empty()) continue;
      // Every line of the second is as likely as any other to be among those that leave.
      const std::uint64_t drawn = next_random() % session.matched;
      if (drawn >= session.pending.size()) continue;
      place = static_cast<std::size_t>(drawn);
    } else {
      session.pending.emplace_back();
      ++session.in_window;
    }
    LiveTailSessionLogEvent& event = session.pending[place];
    std::string message(batch.message(i));
    if (batch.rules != nullptr) batch.rules->mask(batch.ingestion_ms, batch.sequence(i), message);
    event.message = std::move(message);
    event.log_stream_name = batch.stream_name;
    event.log_group_identifier = session.groups.at(batch.group);
    event.timestamp = batch.events[i].timestamp_ms;
    event.ingestion_time = batch.ingestion_ms;
  }
}

bool LiveTail::send(Session& session, SteadyTime now) {
  StartLiveTailResponseStream event;
  LiveTailSessionUpdate& update = event.session_update.emplace();
  update.session_metadata.emplace().sampled = session.sampled;
  if (session.sampled)
    std::stable_sort(session.pending.begin(), session.pending.end(), [](const auto& a, const auto& b) { return a.timestamp < b.timestamp; });
  update.session_results = std::move(session.pending);
  session.pending.clear();
  session.sent = now;
  return session.sink->send(event);
}

Millis LiveTail::flush(SteadyTime now) {
  if (count_.load(std::memory_order_relaxed) == 0) return Millis(0);
  std::vector<SessionPtr> all;
  {
    const auto sessions = sessions_.lock_shared();
    all = sessions->all;
  }
  for (const SessionPtr& each : all) {
    Session& session = *each;
    const bool second_over = now - session.window >= kWindow;
    bool alive = session.sink->is_open();
    if (alive && clock_.now() - session.started >= kSessionMax) {
      StartLiveTailResponseStream end;
      end.session_timeout_exception = SessionTimeoutException{.message = "The session has timed out."};
      session.sink->send(end);
      session.sink->finish();
      alive = false;
    }
    // In a crowded second lines are collected to its end, so that the sample is fair.
    if (alive && (second_over || (!session.pending.empty() && !session.crowded))) {
      if (!session.pending.empty() || now - session.sent >= kWindow) alive = send(session, now);
    }
    if (second_over) {
      session.crowded = session.matched > kEventsASecondMax;
      session.sampled = false;
      session.matched = 0;
      session.in_window = 0;
      session.window = now;
    }
    if (!alive) remove(each);
  }
  return Millis(100);
}

namespace {

Status start_live_tail(Call& call, const StartLiveTailRequest& in, Sink& sink) {
  TRYV(call.service<EventPipeline>().live_tail().start(call, in, sink));
  call.service<EventPipeline>().wake();
  return Ok{};
}

constexpr Operation kOperations[] = {bind_stream<start_live_tail>()};

}  // namespace

std::span<const Operation> live_tail_operations() { return kOperations; }

}  // namespace fog::logs
