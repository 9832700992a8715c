#include "api/logs/log_query_runner.h"

#include "api/logs/store_scan.h"
#include "query/insights/query.h"

namespace fog::logs {
namespace {

constexpr std::chrono::seconds kTimeMax{30};

// "arn:aws:logs:r:a:log-group:NAME:*" -> NAME; a name stays.
std::string_view name_of(std::string_view identifier) {
  const std::size_t at = identifier.find(":log-group:");
  if (!identifier.starts_with("arn:") || at == std::string_view::npos) return identifier;
  identifier.remove_prefix(at + 11);
  if (identifier.ends_with(":*")) identifier.remove_suffix(2);
  return identifier;
}

}  // namespace

Status LogQueryRunner::check_query(std::string_view text) {
  auto query = insights::parse(text, {});
  if (!query.ok()) return std::move(query).error();
  return Ok{};
}

Result<LogQueries::Answer> LogQueryRunner::run_query(const Spec& spec) {
  TRY(const auto query, insights::parse(spec.text, {}));
  std::vector<GroupPtr> groups;
  for (const std::string& identifier : spec.groups) {
    if (auto group = logs_.find(spec.account, spec.region, name_of(identifier))) groups.push_back(std::move(group));
  }
  Answer out;
  out.columns = query->columns();
  if (groups.empty()) return out;
  StoreScan scan(logs_, spec.account, spec.region, std::move(groups), spec.now);
  insights::RunOptions options;
  options.start_ms = to_ms(spec.start);
  options.end_ms = to_ms(spec.end) - 1;
  options.now_ms = to_ms(spec.now);
  options.limit = spec.limit;
  options.deadline = std::chrono::steady_clock::now() + kTimeMax;
  TRY(const insights::Table table, insights::run(*query, scan, options));
  out.columns = table.columns;
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    auto& values = out.rows.emplace_back();
    for (std::size_t column = 0; column < table.columns.size(); ++column) values.push_back(table.text(row, column));
  }
  return out;
}

}  // namespace fog::logs
