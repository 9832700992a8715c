// Embedded metric format: metrics inside a log line that is one JSON object with _aws.CloudWatchMetrics.
//
//   {"_aws": {"Timestamp": 1700000000000, "CloudWatchMetrics": [{"Namespace": "shop",
//     "Dimensions": [["service"], []], "Metrics": [{"Name": "latency", "Unit": "Milliseconds"}]}]},
//    "service": "cart", "latency": [12, 15.5]}
//
// What is valid in a document counts even where the rest is not. Threads: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fog::emf {

constexpr std::size_t kMetricsMax = 100;     // in a directive
constexpr std::size_t kValuesMax = 100;      // of a metric
constexpr std::size_t kDimensionsMax = 30;   // in a set

// One metric under one dimension set.
struct Datum {
  std::string metric_namespace;
  std::string metric_name;
  std::string unit = "None";
  bool high_resolution = false;
  std::vector<std::pair<std::string, std::string>> dimensions;
  std::vector<double> values;
};

struct Extraction {
  bool is_document = false;  // false: an ordinary line, nothing below is set
  std::optional<std::int64_t> timestamp_ms;
  std::vector<Datum> data;
  std::size_t parsing_errors = 0;     // the structure is broken
  std::size_t validation_errors = 0;  // a rule is broken
  std::string first_error{};          // for people
};

// Cheap: whether extract() has to look at the line at all.
bool may_be_document(std::string_view message);
Extraction extract(std::string_view message);

}  // namespace fog::emf
