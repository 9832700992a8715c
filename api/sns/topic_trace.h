// What a topic with TracingConfig Active puts into a trace: a segment for a sampled publish and a
// subsegment for every delivery's end. What is delivered names the segment as its parent, so that
// subscribers appear below the topic.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/sns/delivery.h"

namespace fog::sns {

/// Where in a trace a sampled request stands, by its X-Amzn-Trace-Id header.
struct TracePlace {
  std::string trace_id{};
  std::string parent_id{};  // empty: the header names none
};

/// None where the header names no trace or the trace is not sampled.
std::optional<TracePlace> sampled_place(std::string_view header);

/// The header for what follows: the same trace, below `parent_id`.
std::string header_below(const TracePlace& place, std::string_view parent_id);

/// The topic's own segment document. `id`: sixteen hexadecimal digits.
std::string topic_segment(const TracePlace& place, std::string_view id, std::string_view topic_arn, Timestamp start, Timestamp end);

/// The end of a delivery as an independent subsegment; `place` is that of the message sent on.
std::string delivery_subsegment(const TracePlace& place, std::string_view id, const DeliveryReport& report);

}  // namespace fog::sns
