// GetLogEvents: the events of one stream, forwards and backwards.
#include "api/logs/common.h"
#include "api/logs/event_page.h"
#include "api/logs/masking.h"
#include "api/logs/operations.h"

namespace fog::logs {
namespace {

constexpr std::size_t kEventsDefault = 10'000;

struct Token {
  bool forward = true;
  Position position;
};

std::string token(bool forward, Position position, LogStreamId stream) {
  return (forward ? "f/" : "b/") + position_digits(position, stream);
}

std::optional<Token> read_token(std::string_view text, LogStreamId stream) {
  if (!text.starts_with("f/") && !text.starts_with("b/")) return std::nullopt;
  const std::optional<PositionDigits> digits = read_position_digits(text.substr(2));
  if (!digits || digits->check != stream % kStreamCheck) return std::nullopt;
  return Token{text[0] == 'f', digits->position};
}

Result<GetLogEventsResponse> get_log_events(Call& call, const GetLogEventsRequest& in) {
  TRY(const GroupPtr group, group_of(call, in.log_group_name, in.log_group_identifier));
  const std::optional<StreamEntry> stream = group->stream(in.log_stream_name);
  if (!stream) return stream_missing();
  std::optional<Token> from;
  if (in.next_token) {
    from = read_token(*in.next_token, stream->id);
    if (!from) return bad_token();
  }
  Logs& logs = call.service<Logs>();
  PageSpec spec;
  spec.group = group->id;
  spec.streams = std::vector<LogStreamId>{stream->id};
  spec.from_ms = std::max(in.start_time.value_or(INT64_MIN), Logs::oldest_visible_ms(*group, call.now));
  // The end is exclusive here, unlike in FilterLogEvents.
  const std::int64_t end = in.end_time.value_or(INT64_MAX);
  spec.to_ms = end == INT64_MIN ? end : end - 1;
  spec.ascending = from ? from->forward : in.start_from_head.value_or(false);
  if (from) spec.beyond = from->position;
  spec.events_max = in.limit ? static_cast<std::size_t>(*in.limit) : kEventsDefault;
  TRY(EventPage page, read_page(logs.store(), spec));
  if (!spec.ascending) std::reverse(page.events.begin(), page.events.end());

  GetLogEventsResponse out;
  auto& events = out.events.emplace();
  events.reserve(page.events.size());
  if (page.events.empty()) {
    // The end in this direction: the same token comes back, and the other one turns round here.
    const Position place = from ? from->position : Position{};
    const Position after{place.timestamp_ms, place.sequence + 1};
    const Position before{place.timestamp_ms, place.sequence == 0 ? 0 : place.sequence - 1};
    const bool forward = !from || from->forward;
    out.next_forward_token = token(true, forward ? place : before, stream->id);
    out.next_backward_token = token(false, forward && from ? after : place, stream->id);
    return out;
  }
  const ::fog::LogEvent& first = page.events.front();
  const ::fog::LogEvent& last = page.events.back();
  out.next_forward_token = token(true, {last.timestamp_ms, last.sequence}, stream->id);
  out.next_backward_token = token(false, {first.timestamp_ms, first.sequence}, stream->id);
  const GroupRulesPtr rules = in.unmask.value_or(false) ? nullptr : call.service<Logs>().rules().of(*group);
  for (::fog::LogEvent& event : page.events) {
    if (rules != nullptr) rules->mask(event.ingestion_ms, event.sequence, event.message);
    OutputLogEvent& item = events.emplace_back();
    item.timestamp = event.timestamp_ms;
    item.ingestion_time = event.ingestion_ms;
    item.message = std::move(event.message);
  }
  return out;
}

constexpr Operation kOperations[] = {bind<get_log_events>()};

}  // namespace

std::span<const Operation> get_log_events_operations() { return kOperations; }

}  // namespace fog::logs
