// What the files of this service share: faults in its words, ARNs, units, tags, paging tokens.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/cloudwatch/shapes.h"
#include "api/common/call.h"
#include "storage/metric_store.h"
#include "storage/resource_store.h"

namespace fog::cloudwatch {

// Kinds of this service's documents in the resource store.
inline constexpr std::string_view kDashboardKind = "cw-dashboard";      // see dashboards.cc
inline constexpr std::string_view kTagKind = "cw-tags";                 // name: ARN; see tags.cc
inline constexpr std::string_view kAnomalyDetectorKind = "cw-anomaly";  // AnomalyDetector as JSON
inline constexpr std::string_view kInsightRuleKind = "cw-insight-rule"; // see insight_rules.cc
inline constexpr std::string_view kMetricStreamKind = "cw-stream";      // GetMetricStreamOutput
inline constexpr std::string_view kSettingKind = "cw-setting";          // see settings.cc

// --- faults ---------------------------------------------------------------------------------------

Error invalid_value(std::string message);        // InvalidParameterValue
Error invalid_combination(std::string message);  // InvalidParameterCombination
Error missing(std::string message);              // MissingParameter
Error validation(std::string message);           // ValidationError
Error limit_exceeded(std::string message);       // LimitExceededException
Error not_found(std::string_view type, std::string_view id, std::string message);  // ResourceNotFoundException

// --- ARNs -----------------------------------------------------------------------------------------

std::string alarm_arn(const Call& call, std::string_view name);
std::string dashboard_arn(const Call& call, std::string_view name);
std::string insight_rule_arn(const Call& call, std::string_view name);
std::string metric_stream_arn(const Call& call, std::string_view name);
std::string dataset_arn(const Call& call);

// --- units and dimensions -------------------------------------------------------------------------

UnitCode to_code(StandardUnit unit);
StandardUnit to_unit(UnitCode code);
std::vector<DimensionView> dimension_views(const std::optional<std::vector<Dimension>>& dimensions);
// A multiple of 60, or 1, 5, 10, 20, 30.
bool is_period(std::int64_t seconds);

// --- tags (tags.cc) -------------------------------------------------------------------------------

inline constexpr std::size_t kTagsMax = 50;
std::string arn_region(std::string_view arn);
std::vector<Tag> tags_of(const Call& call, std::string_view arn);
// Adds to or replaces what is there. Errors: more than 50.
Status add_tags(const Call& call, std::string_view arn, const std::optional<std::vector<Tag>>& tags);
Status erase_tags(const Call& call, std::string_view arn);

// --- paging ---------------------------------------------------------------------------------------

// A token names the operation, a hash of the other parameters, and the last key shown.
std::string page_token(std::string_view operation, std::uint64_t parameters, std::string_view last_key);
// The key; nothing when the token is not one of this operation with these parameters.
std::optional<std::string> page_key(std::string_view operation, std::uint64_t parameters,
                                    std::string_view token);

}  // namespace fog::cloudwatch
