// Pictures: every view in every size gives a PNG, with odd numbers in it, too. FOG_PICTURES names a
// folder to look at them.
#include "query/widget_image/widget_image.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>

namespace fog::widget_image {
namespace {

Widget example(View view) {
  Widget w;
  w.view = view;
  w.title = "Latency of the inference service";
  w.start_ms = 1'767'603'600'000;
  w.end_ms = w.start_ms + 3 * 3'600'000;
  for (int l = 0; l < 3; ++l) {
    Line line;
    line.label = l == 0 ? "InferenceLatency gpt-4" : l == 1 ? "InferenceLatency claude" : "Errors";
    line.right_axis = l == 2;
    for (int i = 0; i < 180; ++i) {
      if (l == 1 && i > 60 && i < 80) continue;
      line.time_ms.push_back(w.start_ms + i * 60'000);
      line.value.push_back(l == 2 ? std::fmod(i * 7, 11) : 400 * (l + 1) + 150 * std::sin(i / 13.0 + l) + i % 7 * 9);
    }
    w.lines.push_back(line);
  }
  w.horizontal.push_back({.value = 900, .second = {}, .label = "too slow", .color = "#d13212", .fill = HorizontalMark::Fill::kAbove});
  w.vertical.push_back({.time_ms = w.start_ms + 5'400'000, .second_ms = {}, .label = "deployed", .color = "#2ca02c"});
  return w;
}

void keep(const std::string& name, const std::string& png) {
  if (const char* folder = std::getenv("FOG_PICTURES")) std::ofstream(std::string(folder) + "/" + name + ".png", std::ios::binary) << png;
}

struct Row {
  const char* name;
  View view;
  bool stacked;
  bool dark;
};

TEST(WidgetImage, every_view_gives_a_png_of_the_size_asked_for) {
  const Row rows[] = {{"lines", View::kTimeSeries, false, false}, {"lines-dark", View::kTimeSeries, false, true},
                      {"stacked", View::kTimeSeries, true, false}, {"bar", View::kBar, false, false},
                      {"pie", View::kPie, false, false},           {"single", View::kSingleValue, false, false},
                      {"gauge", View::kGauge, false, true}};
  for (const Row& row : rows) {
    Widget w = example(row.view);
    w.stacked = row.stacked;
    w.dark = row.dark;
    if (row.view == View::kGauge) w.left = {.min = 0, .max = 2000, .label = {}};
    for (const auto& [width, height] : {std::pair(600, 400), std::pair(1, 1), std::pair(2000, 40), std::pair(50, 2000)}) {
      w.width = width;
      w.height = height;
      const auto png = draw_png(w);
      ASSERT_TRUE(png.ok()) << row.name;
      ASSERT_EQ(png->substr(0, 8), std::string("\x89PNG\r\n\x1a\n", 8));
      const auto at = [&](std::size_t i) { return static_cast<unsigned char>((*png)[i]); };
      EXPECT_EQ(at(16) << 24 | at(17) << 16 | at(18) << 8 | at(19), width);
      EXPECT_EQ(at(20) << 24 | at(21) << 16 | at(22) << 8 | at(23), height);
      if (width == 600) keep(row.name, *png);
    }
  }
}

TEST(WidgetImage, draws_what_it_is_told) {
  Widget w = example(View::kTimeSeries);
  const std::string before = *draw_png(w);
  w.lines.pop_back();
  EXPECT_NE(*draw_png(w), before);
  w = example(View::kTimeSeries);
  w.dark = true;
  EXPECT_NE(*draw_png(w), before);
  w = example(View::kTimeSeries);
  w.utc_offset_minutes = 330;
  EXPECT_NE(*draw_png(w), before);
  w = example(View::kTimeSeries);
  EXPECT_EQ(*draw_png(w), before);
}

TEST(WidgetImage, odd_numbers_and_no_data_do_no_harm) {
  for (const View view : {View::kTimeSeries, View::kBar, View::kPie, View::kSingleValue, View::kGauge}) {
    Widget w;
    w.view = view;
    ASSERT_TRUE(draw_png(w).ok());
    for (const double v : {0.0, -5.0, 1e300, -1e300, 1e-300, 5e-324}) {
      w.lines.assign(2, {});
      w.lines[0].label = "日本語 \xff broken";
      w.lines[0].time_ms = {0, 60'000};
      w.lines[0].value = {v, v};
      w.start_ms = 0;
      w.end_ms = 120'000;
      ASSERT_TRUE(draw_png(w).ok()) << v;
    }
  }
  Widget huge;
  huge.width = 100'000;
  EXPECT_FALSE(draw_png(huge).ok());
}

}  // namespace
}  // namespace fog::widget_image
