#include "api/control/usage.h"

#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <iterator>

#include <nlohmann/json.hpp>

#include "api/control/control.h"
#include "api/control/iso8601.h"
#include "api/control/json_page.h"
#include "storage/base/log.h"

namespace fog {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::seconds kSaveEvery{60};
// Of virtual time: what stands changes slowly.
constexpr Millis kGatherEvery{10'000};
constexpr std::int64_t kHourMs = 3'600'000;
constexpr int kFileVersion = 1;
// Cents of cents of a cent are not worth digits.
double rounded(double value) { return std::round(value * 1e9) / 1e9; }

std::int64_t hour_of(std::int64_t ms) { return ms - (ms % kHourMs + kHourMs) % kHourMs; }

double of(const std::array<double, kMeterCount>& amounts, Meter meter) { return amounts[static_cast<std::size_t>(meter)]; }

}  // namespace

void Usage::restore() {
  const Timestamp now = clock_.now();
  auto state = state_.lock();
  state->since_ms = state->seen_ms = to_ms(now);
  if (file_.empty()) return;
  std::ifstream in(file_, std::ios::binary);
  if (!in) return;
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || json.value("version", 0) != kFileVersion || !json.contains("amounts") || !json["amounts"].is_object()) {
    LOG_WARN("{} is damaged: what traffic would have cost is counted from now on", file_.string());
    return;
  }
  state->since_ms = json.value("since_ms", state->since_ms);
  for (const PriceRow& row : state->prices.rows()) {
    const std::string key = fmt::format("{} {}", row.service, row.operation);
    if (json["amounts"].contains(key) && json["amounts"][key].is_number()) state->amounts[static_cast<std::size_t>(row.meter)] = json["amounts"][key].get<double>();
  }
  if (json.contains("prices")) {
    if (auto changed = state->prices.change(json["prices"].dump()); !changed.ok()) LOG_WARN("{}: {}", file_.string(), changed.error().message());
  }
  if (json.contains("places") && json["places"].is_array()) {
    for (const Json& place : json["places"]) {
      if (place.is_array() && place.size() == 2 && place[0].is_string() && place[1].is_string()) meters_.saw(place[0].get<std::string>(), place[1].get<std::string>());
    }
  }
}

Status Usage::set_prices(std::string_view json) { return state_.lock()->prices.change(json); }

void Usage::start(Sources sources) {
  sources_ = std::move(sources);
  for (const auto& [meter, total] : sources_.totals) last_totals_.push_back(total());
}

void Usage::save() {
  if (file_.empty()) return;
  std::string text;
  {
    const auto state = state_.lock_shared();
    Json amounts = Json::object();
    for (const PriceRow& row : state->prices.rows()) {
      if (const double amount = of(state->amounts, row.meter); amount != 0) amounts[fmt::format("{} {}", row.service, row.operation)] = amount;
    }
    Json places = Json::array();
    for (const auto& [account, region] : meters_.scopes()) places.push_back(Json::array({account, region}));
    text = Json{{"version", kFileVersion}, {"since_ms", state->since_ms}, {"amounts", amounts}, {"places", places}, {"prices", Json::parse(state->prices.json())}}.dump();
  }
  if (text == saved_text_) return;
  const std::filesystem::path fresh = file_.string() + ".new";
  std::error_code error;
  {
    std::ofstream out(fresh, std::ios::binary | std::ios::trunc);
    out << text;
    out.flush();
    if (!out) {
      LOG_WARN("{} cannot be written; usage is kept in memory", fresh.string());
      return;
    }
  }
  std::filesystem::rename(fresh, file_, error);
  if (!error) saved_text_ = std::move(text);
}

void Usage::stop() {
  gather(clock_.now(), *state_.lock());
  save();
}

std::optional<Timestamp> Usage::next_due(Timestamp) {
  // Metrics are paid by the hour; where none were ever put, time may pass in one step.
  if (meters_.scopes().empty()) return std::nullopt;
  return from_ms(hour_of(state_.lock_shared()->seen_ms) + kHourMs);  // the end of the hour that was seen last
}

void Usage::tick(Timestamp now) {
  const auto real = std::chrono::steady_clock::now();
  {
    auto state = state_.lock();
    const std::int64_t passed = to_ms(now) - state->seen_ms;
    const bool is_soon = passed >= 0 && passed < kGatherEvery.count() && hour_of(to_ms(now)) == hour_of(state->seen_ms);
    if (!is_soon || real - saved_ >= kSaveEvery) gather(now, *state);
  }
  if (real - saved_ < kSaveEvery) return;
  saved_ = real;
  save();
}

void Usage::on_log_batch(const CommittedLogBatch& batch) {
  std::uint64_t bytes = 0;
  for (const LogEventIn& event : batch.events) bytes += event.message.size();
  meters_.add(sources_.is_infrequent && sources_.is_infrequent(batch) ? Meter::kLogsIngestedInfrequent : Meter::kLogsIngested, bytes);
  meters_.saw(batch.account, batch.region);  // its lines may become metrics
}

double Usage::count_active(Timestamp since) const {
  double count = 0;
  if (!sources_.active_metrics) return count;
  for (const auto& [account, region] : meters_.scopes()) count += sources_.active_metrics(account, region, since);
  return count;
}

// Brings `state` up to `now`.
void Usage::gather(Timestamp now, State& state) {
  for (std::size_t i = 0; i < kMeterCount; ++i) state.amounts[i] += static_cast<double>(meters_.take(static_cast<Meter>(i)));
  for (std::size_t i = 0; i < sources_.totals.size(); ++i) {
    const auto& [meter, total] = sources_.totals[i];
    const double value = total();
    state.amounts[static_cast<std::size_t>(meter)] += value < last_totals_[i] ? 0 : value - last_totals_[i];
    last_totals_[i] = value;
  }
  const std::int64_t now_ms = to_ms(now);
  const std::int64_t passed = now_ms - state.seen_ms;
  if (passed > 0) {
    for (const auto& [meter, standing] : sources_.standing) state.amounts[static_cast<std::size_t>(meter)] += standing() * static_cast<double>(passed);
  }
  if (const std::int64_t hour = hour_of(state.seen_ms); hour_of(now_ms) > hour) {
    // Data in the hour that has just begun is counted at its end.
    state.amounts[static_cast<std::size_t>(Meter::kMetrics)] += count_active(from_ms(hour));
  }
  state.seen_ms = now_ms;  // a clock that was set back weighs nothing twice
}

std::string Usage::report_json() {
  const Timestamp now = clock_.now();
  auto state = state_.lock();
  gather(now, *state);
  // The hour that is not over counts as one that is.
  std::array<double, kMeterCount> amounts = state->amounts;
  const double active = count_active(from_ms(hour_of(to_ms(now))));
  amounts[static_cast<std::size_t>(Meter::kMetrics)] += active;
  std::array<double, kMeterCount> present{};
  present[static_cast<std::size_t>(Meter::kMetrics)] = active;
  for (const auto& [meter, standing] : sources_.standing) present[static_cast<std::size_t>(meter)] += standing();

  constexpr double kMonthMs = 730 * 3600e3;
  Json lines = Json::array();
  double total = 0;
  double monthly_total = 0;
  for (const PriceRow& row : state->prices.rows()) {
    const double quantity = of(amounts, row.meter) / row.raw_per_unit;
    // What stands now, for a whole month.
    const double month = row.meter == Meter::kLiveTail ? 0 : of(present, row.meter) * (row.meter == Meter::kMetrics ? 730 : kMonthMs) / row.raw_per_unit;
    if (quantity == 0 && month == 0) continue;
    const double cost = std::max(0.0, quantity - row.free) * row.price;
    Json line{{"service", row.service}, {"operation", row.operation}, {"quantity", rounded(quantity)}, {"unit", row.unit}, {"price", row.price}, {"cost", rounded(cost)}};
    if (row.free > 0) line["free"] = row.free;
    if (row.is_standing) {
      const double monthly = std::max(0.0, month - row.free) * row.price;
      line["now"] = rounded(month);
      line["monthly"] = rounded(monthly);
      monthly_total += monthly;
    }
    total += cost;
    lines.push_back(std::move(line));
  }
  return Json{{"since", format_iso8601(from_ms(state->since_ms))}, {"until", format_iso8601(now)}, {"services", std::move(lines)}, {"total", rounded(total)},
              {"monthly", rounded(monthly_total)}, {"currency", state->prices.currency()}, {"prices_as_of", state->prices.as_of()}}
      .dump();
}

void Usage::clear(Timestamp now) {
  auto state = state_.lock();
  gather(now, *state);
  state->amounts.fill(0);
  state->since_ms = state->seen_ms = to_ms(now);
}

http::Response Usage::page(const http::Request& request) {
  const auto answer = [](std::string body) {
    http::Response response;
    response.set("Content-Type", "application/json");
    response.body = std::move(body);
    return response;
  };
  const bool reads = request.method == "GET" || request.method == "HEAD";
  const bool is_prices = request.target.substr(0, request.target.find('?')) == "/_fogwatch/usage/prices";
  if (is_prices && request.method == "PUT") {
    if (auto changed = set_prices(request.body); !changed.ok()) return page::error(400, "InvalidPrices", changed.error().message());
    return answer(state_.lock_shared()->prices.json());
  }
  if (is_prices && request.method == "DELETE") {
    state_.lock()->prices = PriceTable();
    return answer(state_.lock_shared()->prices.json());
  }
  if (is_prices) return reads ? answer(state_.lock_shared()->prices.json()) : page::wrong_method("GET, PUT, DELETE");
  if (request.method == "DELETE") clear(clock_.now());
  else if (!reads) return page::wrong_method("GET, DELETE");
  return answer(report_json());
}

}  // namespace fog
