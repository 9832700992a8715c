// The sampling protocol: clients report what they saw, and get their share of each rule's reservoir.
//
// A rule's reservoir R per second is shared by the clients that reported within the last 30 s: R div n
// each, and the R mod n left over go, one each, to those with the most requests (ties by client id).
#include <cmath>

#include "api/xray/model.h"
#include "api/xray/sampling_rules.h"
#include "api/xray/service.h"

namespace fog::xray {

namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr Millis kClientActive = seconds(30);
constexpr Millis kStatisticsAgeMax = minutes(5);
constexpr Millis kQuotaTtl = seconds(300);
constexpr Millis kBoostTtl = seconds(60);
constexpr Millis kWindow = seconds(10);
constexpr Millis kWindowsKept = minutes(30);
constexpr std::int32_t kIntervalSeconds = 10;
constexpr std::size_t kPageSize = 500;

std::int32_t quota_of(const std::map<std::string, SamplingClient>& clients, const std::string& client,
                      std::int64_t reservoir, Timestamp now) {
  std::vector<std::pair<std::int64_t, std::string_view>> active;  // most requests first
  for (const auto& [id, state] : clients)
    if (now - state.reported <= kClientActive) active.emplace_back(-state.requests, id);
  std::sort(active.begin(), active.end());
  const auto n = static_cast<std::int64_t>(active.size());
  if (n == 0) return 0;
  std::int64_t rank = 0;
  while (rank < n && active[static_cast<std::size_t>(rank)].second != client) ++rank;
  return static_cast<std::int32_t>(reservoir / n + (rank < reservoir % n ? 1 : 0));
}

void note_window(SamplingState& state, const SamplingStatisticsDocument& document, Timestamp now) {
  const Timestamp start = from_ms(to_ms(now) / kWindow.count() * kWindow.count());
  while (!state.windows.empty() && state.windows.front().start < now - kWindowsKept) state.windows.pop_front();
  for (auto it = state.windows.rbegin(); it != state.windows.rend() && it->start >= start; ++it) {
    if (it->rule != document.rule_name || it->start != start) continue;
    it->requests += document.request_count;
    it->borrowed += document.borrow_count.value_or(0);
    it->sampled += document.sampled_count;
    return;
  }
  state.windows.push_back({document.rule_name, start, document.request_count, document.borrow_count.value_or(0),
                           document.sampled_count});
}

std::optional<SamplingBoost> boost_of(SamplingState& state, const SamplingRule& rule,
                                      const std::vector<SamplingBoostStatisticsDocument>& reports, Timestamp now) {
  if (!rule.sampling_rate_boost) return std::nullopt;
  std::int64_t anomalies = 0, sampled = 0;
  for (const auto& report : reports) {
    if (report.rule_name != rule.rule_name) continue;
    anomalies += report.anomaly_count;
    sampled += report.sampled_anomaly_count;
  }
  if (anomalies <= 0) return std::nullopt;
  const auto last = state.boosted.find(*rule.rule_name);
  if (last != state.boosted.end() &&
      now - last->second < minutes(rule.sampling_rate_boost->cooldown_window_minutes))
    return std::nullopt;
  state.boosted[*rule.rule_name] = now;
  const double missed = 1 - static_cast<double>(sampled) / static_cast<double>(anomalies);
  const double most = rule.sampling_rate_boost->max_rate;
  return SamplingBoost{.boost_rate = std::min(most, rule.fixed_rate + missed * (most - rule.fixed_rate)),
                       .boost_rate_ttl = now + kBoostTtl};
}

Result<GetSamplingTargetsResult> get_sampling_targets(Call& call, const GetSamplingTargetsRequest& in) {
  std::map<std::string, SamplingRule> rules;
  for (auto& record : sampling_rules(call)) rules[*record.sampling_rule->rule_name] = *record.sampling_rule;
  const std::vector<SamplingBoostStatisticsDocument> none;
  const auto& boosts = in.sampling_boost_statistics_documents ? *in.sampling_boost_statistics_documents : none;

  GetSamplingTargetsResult out;
  out.sampling_target_documents.emplace();
  out.unprocessed_statistics.emplace();
  out.unprocessed_boost_statistics.emplace();
  out.last_rule_modification = last_rule_modification(call);
  const auto refuse = [](std::vector<UnprocessedStatistics>& list, const std::string& rule, const char* code,
                         const char* message) {
    list.push_back({.rule_name = rule, .error_code = code, .message = message});
  };
  auto sampling = xray_of(call).sampling().lock();
  auto& state = (*sampling)[scope_of(call)];
  for (const auto& report : boosts) {
    if (!rules.contains(report.rule_name))
      refuse(*out.unprocessed_boost_statistics, report.rule_name, "RuleNotFound", "Unknown rule.");
    else if (report.timestamp < call.now - kStatisticsAgeMax)
      refuse(*out.unprocessed_boost_statistics, report.rule_name, "StatisticsTooOld",
             "Statistics are more than 5 minutes old.");
  }
  for (const auto& document : in.sampling_statistics_documents) {
    const auto rule = rules.find(document.rule_name);
    if (rule == rules.end()) {
      refuse(*out.unprocessed_statistics, document.rule_name, "RuleNotFound", "Unknown rule.");
      continue;
    }
    if (document.timestamp < call.now - kStatisticsAgeMax) {
      refuse(*out.unprocessed_statistics, document.rule_name, "StatisticsTooOld",
             "Statistics are more than 5 minutes old.");
      continue;
    }
    auto& clients = state.clients[document.rule_name];
    std::erase_if(clients, [&](const auto& each) { return call.now - each.second.reported > kClientActive; });
    clients[document.client_id] = {call.now, document.request_count};
    note_window(state, document, call.now);
    SamplingTargetDocument target;
    target.rule_name = document.rule_name;
    target.fixed_rate = rule->second.fixed_rate;
    target.reservoir_quota = quota_of(clients, document.client_id, rule->second.reservoir_size, call.now);
    target.reservoir_quota_ttl = call.now + kQuotaTtl;
    target.interval = kIntervalSeconds;
    target.sampling_boost = boost_of(state, rule->second, boosts, call.now);
    out.sampling_target_documents->push_back(std::move(target));
  }
  return out;
}

Result<GetSamplingStatisticSummariesResult> get_sampling_statistic_summaries(
    Call& call, const GetSamplingStatisticSummariesRequest& in) {
  struct Row {
    std::string key;  // newest first, then by rule
    SamplingStatisticSummary summary;
  };
  std::vector<Row> rows;
  {
    auto sampling = xray_of(call).sampling().lock();
    for (const auto& window : (*sampling)[scope_of(call)].windows) {
      if (window.start < call.now - kWindowsKept) continue;
      SamplingStatisticSummary summary;
      summary.rule_name = window.rule;
      summary.timestamp = window.start;
      summary.request_count = static_cast<std::int32_t>(std::min<std::int64_t>(window.requests, INT32_MAX));
      summary.borrow_count = static_cast<std::int32_t>(std::min<std::int64_t>(window.borrowed, INT32_MAX));
      summary.sampled_count = static_cast<std::int32_t>(std::min<std::int64_t>(window.sampled, INT32_MAX));
      rows.push_back({std::to_string(9'000'000'000'000'000 - to_ms(window.start)) + window.rule, std::move(summary)});
    }
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.key < b.key; });
  GetSamplingStatisticSummariesResult out;
  TRY(auto page, page_of(std::move(rows), in.next_token, out.next_token, kPageSize, "GetSamplingStatisticSummaries",
                         0, [](const Row& row) { return row.key; }));
  out.sampling_statistic_summaries.emplace();
  for (auto& row : page) out.sampling_statistic_summaries->push_back(std::move(row.summary));
  return out;
}

constexpr Operation kOperations[] = {bind<get_sampling_targets>(), bind<get_sampling_statistic_summaries>()};

}  // namespace

std::span<const Operation> sampling_operations() { return kOperations; }

}  // namespace fog::xray
