// WidgetImage: a metric widget as a PNG: lines, stacked areas, bars, pies, single values, gauges;
// axes, grid, legend, annotations, a dark theme.
//
// Pure: numbers and words in, bytes out. Any thread. Errors: internal (the drawing library refuses).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/result.h"

namespace fog::widget_image {

enum class View { kTimeSeries, kBar, kPie, kSingleValue, kGauge };
enum class LegendPosition { kBottom, kRight, kHidden };

struct Line {
  std::string label;
  std::string color;  // "#rrggbb"; empty: the next of the palette
  bool right_axis = false;
  std::int64_t period_ms = 60'000;
  std::vector<std::int64_t> time_ms;
  std::vector<double> value;
};

struct Axis {
  std::optional<double> min;
  std::optional<double> max;
  std::string label;
};

// A horizontal line at a value, or a band between two.
struct HorizontalMark {
  double value = 0;
  std::optional<double> second;
  std::string label;
  std::string color;
  bool right_axis = false;
  enum class Fill { kNone, kAbove, kBelow } fill = Fill::kNone;
};

struct VerticalMark {
  std::int64_t time_ms = 0;
  std::optional<std::int64_t> second_ms;
  std::string label;
  std::string color;
  enum class Fill { kNone, kBefore, kAfter } fill = Fill::kNone;
};

struct Widget {
  int width = 600;
  int height = 400;
  View view = View::kTimeSeries;
  bool stacked = false;
  bool dark = false;
  bool partial = false;  // an orange triangle beside the legend
  std::string title;
  LegendPosition legend = LegendPosition::kBottom;
  int utc_offset_minutes = 0;
  std::int64_t start_ms = 0;
  std::int64_t end_ms = 0;
  Axis left;
  Axis right;
  std::vector<Line> lines;
  // Pairs of line numbers (upper, lower) between which a band is drawn.
  std::vector<std::pair<std::size_t, std::size_t>> bands;
  std::vector<HorizontalMark> horizontal;
  std::vector<VerticalMark> vertical;
};

Result<std::string> draw_png(const Widget& widget);

}  // namespace fog::widget_image
