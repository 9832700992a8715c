#include "api/cloudwatch/metric_tags.h"

namespace fog::cloudwatch {

Status MetricTags::add(std::string_view row) {
  Tags tags;
  std::pair<std::string, std::string> dimension;
  bool is_first = true;
  for (std::size_t at = 0; at < row.size();) {
    const std::size_t end = std::min(row.find(' ', at), row.size());
    const std::string_view word = row.substr(at, end - at);
    at = end + 1;
    if (word.empty()) continue;
    const std::size_t equal = word.find('=');
    if (equal == 0 || equal == std::string_view::npos)
      return Error::invalid("'" + std::string(word) + "' is not of the form name=value");
    std::pair<std::string, std::string> pair(word.substr(0, equal), word.substr(equal + 1));
    if (is_first) dimension = std::move(pair);
    else tags.insert_or_assign(std::move(pair.first), std::move(pair.second));
    is_first = false;
  }
  if (tags.empty()) return Error::invalid("'" + std::string(row) + "' names no tag: expected DIMENSION=VALUE KEY=VALUE ...");
  for (auto& [key, value] : tags) rows_[dimension].insert_or_assign(key, value);
  return Ok{};
}

MetricTags::Tags MetricTags::of(const SeriesView& series) const {
  Tags out;
  for (const DimensionView& d : series.dimensions) {
    const auto found = rows_.find({std::string(d.name), std::string(d.value)});
    if (found == rows_.end()) continue;
    for (const auto& [key, value] : found->second) out.insert_or_assign(key, value);
  }
  return out;
}

}  // namespace fog::cloudwatch
