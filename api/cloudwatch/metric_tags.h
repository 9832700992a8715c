// MetricTags: the tags of resources that metrics' dimensions name, for tag.KEY in Metrics Insights.
//
// The real service takes them from the tagged resources; here they are a table of the configuration: dimension and
// value to tags. They count in accounts and regions where OTel enrichment is running.
// Threads: any, once filled.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "storage/base/result.h"
#include "storage/metric_store.h"
#include "storage/resource_store.h"

namespace fog::cloudwatch {

class MetricTags {
 public:
  using Tags = std::map<std::string, std::string>;

  // "InstanceId=i-1 team=payments env=prod": a dimension with its value, then its tags. Error: invalid.
  Status add(std::string_view row);
  // Of all dimensions of the series together; a later dimension's tag wins.
  Tags of(const SeriesView& series) const;
  bool empty() const { return rows_.empty(); }

 private:
  std::map<std::pair<std::string, std::string>, Tags> rows_;
};

// OTel enrichment is running there: tags of resources may be asked for.
bool is_enriched(const ResourceStore& resources, const std::string& account, const std::string& region);

}  // namespace fog::cloudwatch
