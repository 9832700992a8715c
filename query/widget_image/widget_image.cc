#include "query/widget_image/widget_image.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "query/widget_image/late_cairo.h"

namespace fog::widget_image {
namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kMargin = 12;
constexpr double kTitleSize = 14;
constexpr double kTextSize = 11;
constexpr double kLegendRow = 17;
constexpr std::size_t kLegendRowsMax = 6;
constexpr std::array<const char*, 12> kPalette = {"#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b",
                                                  "#e377c2", "#7f7f7f", "#bcbd22", "#17becf", "#5254a3", "#ad494a"};

struct Rgb {
  double r = 0;
  double g = 0;
  double b = 0;
};

Rgb parse_color(const std::string& text) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 0;
  };
  if (text.size() == 4)
    return {digit(text[1]) / 15.0, digit(text[2]) / 15.0, digit(text[3]) / 15.0};
  if (text.size() != 7) return {0.5, 0.5, 0.5};
  const auto part = [&](std::size_t i) { return (digit(text[i]) * 16 + digit(text[i + 1])) / 255.0; };
  return {part(1), part(3), part(5)};
}

struct Theme {
  Rgb background, text, faint, grid;
};
constexpr Theme kLight = {{1, 1, 1}, {0.09, 0.12, 0.16}, {0.36, 0.40, 0.45}, {0.89, 0.90, 0.92}};
constexpr Theme kDark = {{0.086, 0.106, 0.133}, {0.93, 0.94, 0.95}, {0.65, 0.69, 0.74}, {0.20, 0.23, 0.27}};

// 1,250 as 1.25k; small numbers with as many decimals as they need.
std::string short_number(double v) {
  const double a = std::fabs(v);
  constexpr std::pair<double, const char*> kSuffixes[] = {{1e15, "P"}, {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}};
  for (const auto& [size, suffix] : kSuffixes)
    if (a >= size && a < 1e18) return fmt::format("{:.4g}{}", v / size, suffix);
  return fmt::format("{:.4g}", v == 0 ? 0 : v);
}

// Round steps of 1, 2, 2.5, 5 times a power of ten.
double nice_step(double range, int steps) {
  const double raw = range / std::max(1, steps);
  const double power = std::pow(10, std::floor(std::log10(raw)));
  for (const double m : {1.0, 2.0, 2.5, 5.0, 10.0})
    if (raw <= m * power * 1.0000001) return m * power;
  return 10 * power;
}

// cairo refuses what is not UTF-8, and would then draw nothing more.
std::string clean_utf8(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    const std::size_t n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
    bool good = n > 0 && i + n <= text.size() && c != 0;
    for (std::size_t k = 1; good && k < n; ++k) good = (static_cast<unsigned char>(text[i + k]) & 0xc0) == 0x80;
    if (good && n == 3) {  // overlong forms and surrogates
      const auto d = static_cast<unsigned char>(text[i + 1]);
      good = !(c == 0xe0 && d < 0xa0) && !(c == 0xed && d >= 0xa0);
    }
    if (good && n == 4) {
      const auto d = static_cast<unsigned char>(text[i + 1]);
      good = !(c == 0xf0 && d < 0x90) && !(c == 0xf4 && d >= 0x90);
    }
    if (good)
      out.append(text, i, n);
    else
      out += '?';
    i += good ? n : 1;
  }
  return out;
}

struct Scale {
  double min = 0;
  double max = 1;
  double step = 0.25;
  bool used = false;
};

struct Box {
  double x = 0, y = 0, w = 0, h = 0;
};

class Drawing {
 public:
  explicit Drawing(const Widget& widget)
      : w_(widget),
        theme_(widget.dark ? kDark : kLight),
        surface_(cairo_image_surface_create(CAIRO_FORMAT_RGB24, widget.width, widget.height)),
        cr_(cairo_create(surface_)) {
    for (std::size_t i = 0; i < w_.lines.size(); ++i)
      colors_.push_back(parse_color(w_.lines[i].color.empty() ? kPalette[i % kPalette.size()] : w_.lines[i].color));
  }
  ~Drawing() {
    cairo_destroy(cr_);
    cairo_surface_destroy(surface_);
  }
  Drawing(const Drawing&) = delete;
  Drawing& operator=(const Drawing&) = delete;

  Result<std::string> run() {
    color(theme_.background);
    cairo_paint(cr_);
    cairo_select_font_face(cr_, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    Box box{kMargin, kMargin, std::max(1.0, w_.width - 2 * kMargin), std::max(1.0, w_.height - 2 * kMargin)};
    if (!w_.title.empty()) {
      cairo_select_font_face(cr_, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_BOLD);
      text(clipped(w_.title, box.w, kTitleSize), box.x, box.y + kTitleSize, kTitleSize, theme_.text);
      cairo_select_font_face(cr_, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
      box.y += kTitleSize + 10;
      box.h = std::max(1.0, box.h - kTitleSize - 10);
    }
    if (w_.view != View::kSingleValue && w_.view != View::kGauge) legend(box);
    switch (w_.view) {
      case View::kTimeSeries:
        time_series(box);
        break;
      case View::kBar:
        bars(box);
        break;
      case View::kPie:
        pie(box);
        break;
      case View::kSingleValue:
        single_values(box, false);
        break;
      case View::kGauge:
        single_values(box, true);
        break;
    }
    if (cairo_status(cr_) != CAIRO_STATUS_SUCCESS)
      return Error::internal(std::string("cairo: ") + cairo_status_to_string(cairo_status(cr_)));
    std::string png;
    const auto write = [](void* to, const unsigned char* bytes, unsigned n) {
      static_cast<std::string*>(to)->append(reinterpret_cast<const char*>(bytes), n);
      return CAIRO_STATUS_SUCCESS;
    };
    const cairo_status_t status = cairo_surface_write_to_png_stream(surface_, write, &png);
    if (status != CAIRO_STATUS_SUCCESS) return Error::internal(std::string("cairo: ") + cairo_status_to_string(status));
    return png;
  }

 private:
  // --- words ------------------------------------------------------------------------------------

  void color(const Rgb& c, double alpha = 1) { cairo_set_source_rgba(cr_, c.r, c.g, c.b, alpha); }

  double text_width(const std::string& s, double size) {
    cairo_set_font_size(cr_, std::max(1.0, size));
    cairo_text_extents_t e;
    cairo_text_extents(cr_, s.c_str(), &e);
    return e.x_advance;
  }
  // Cut at a character's border, with an ellipsis, so that it fits.
  std::string clipped(std::string s, double width, double size) {
    if (text_width(s, size) <= width) return s;
    while (!s.empty() && text_width(s + "…", size) > width) {
      while (!s.empty() && (static_cast<unsigned char>(s.back()) & 0xc0) == 0x80) s.pop_back();
      if (!s.empty()) s.pop_back();
    }
    return s + "…";
  }
  void text(const std::string& s, double x, double y, double size, const Rgb& c, double align = 0) {
    color(c);
    const double width = text_width(s, size);
    cairo_move_to(cr_, x - width * align, y);
    cairo_show_text(cr_, s.c_str());
  }

  // --- legend -----------------------------------------------------------------------------------

  void legend(Box& box) {
    if (w_.partial) triangle(box.x + box.w - 12, box.y);
    if (w_.legend == LegendPosition::kHidden || w_.lines.empty()) return;
    if (w_.legend == LegendPosition::kRight) {
      const double width = std::min(box.w * 0.3, 200.0);
      const double x = box.x + box.w - width;
      const auto rows = static_cast<std::size_t>(box.h / kLegendRow);
      for (std::size_t i = 0; i < std::min(rows, w_.lines.size()); ++i)
        entry(i, x + 10, box.y + static_cast<double>(i) * kLegendRow, width - 10);
      box.w = std::max(1.0, box.w - width - 10);
      return;
    }
    // At the bottom: rows filled from the left.
    std::vector<std::vector<std::size_t>> rows(1);
    double used = 0;
    const auto width_of = [&](std::size_t i) { return std::min(text_width(w_.lines[i].label, kTextSize) + 34, box.w); };
    for (std::size_t i = 0; i < w_.lines.size(); ++i) {
      if (used > 0 && used + width_of(i) > box.w) {
        if (rows.size() == kLegendRowsMax) break;
        rows.emplace_back();
        used = 0;
      }
      rows.back().push_back(i);
      used += width_of(i);
    }
    const double height = static_cast<double>(rows.size()) * kLegendRow;
    if (height > box.h / 2) return;
    double y = box.y + box.h - height;
    for (const auto& row : rows) {
      double x = box.x;
      for (const std::size_t i : row) {
        entry(i, x, y, width_of(i));
        x += width_of(i);
      }
      y += kLegendRow;
    }
    box.h -= height + 8;
  }
  void entry(std::size_t i, double x, double y, double width) {
    color(colors_[i]);
    cairo_rectangle(cr_, x, y + 4, 10, 10);
    cairo_fill(cr_);
    text(clipped(w_.lines[i].label, width - 20, kTextSize), x + 15, y + 13, kTextSize, theme_.text);
  }
  void triangle(double x, double y) {
    color({1, 0.55, 0.1});
    cairo_move_to(cr_, x + 6, y);
    cairo_line_to(cr_, x + 12, y + 11);
    cairo_line_to(cr_, x, y + 11);
    cairo_close_path(cr_);
    cairo_fill(cr_);
    text("!", x + 6, y + 10, 9, theme_.background, 0.5);
  }

  // --- axes -------------------------------------------------------------------------------------

  double stacked_at(std::size_t line, std::size_t point) const { return stacks_.empty() ? w_.lines[line].value[point] : stacks_[line][point]; }

  void make_stacks() {
    if (!w_.stacked) return;
    std::map<std::pair<bool, std::int64_t>, double> sums;
    for (const Line& line : w_.lines) {
      auto& stack = stacks_.emplace_back();
      for (std::size_t i = 0; i < line.time_ms.size(); ++i)
        stack.push_back(sums[{line.right_axis, line.time_ms[i]}] += line.value[i]);
    }
  }

  Scale scale_of(bool right, double height) {
    Scale s;
    double low = HUGE_VAL;
    double high = -HUGE_VAL;
    const auto take = [&](double v) {
      low = std::min(low, v);
      high = std::max(high, v);
    };
    for (std::size_t l = 0; l < w_.lines.size(); ++l) {
      if (w_.lines[l].right_axis != right) continue;
      s.used = true;
      for (std::size_t i = 0; i < w_.lines[l].value.size(); ++i) take(stacked_at(l, i));
    }
    for (const HorizontalMark& m : w_.horizontal) {
      if (m.right_axis != right) continue;
      s.used = true;
      take(m.value);
      if (m.second) take(*m.second);
    }
    if (low > high) low = 0, high = 1;
    if (w_.stacked && low > 0) low = 0;
    // Close to zero is drawn from zero: differences then show in proportion.
    if (low > 0 && low < (high - low)) low = 0;
    const Axis& axis = right ? w_.right : w_.left;
    if (high - low < std::max(std::fabs(high), 1e-300) * 1e-9) {
      const double pad = high == 0 ? 1 : std::fabs(high) * 0.1;
      low = low >= 0 && low - pad < 0 ? 0 : low - pad;
      high += pad;
    }
    if (axis.min) low = *axis.min;
    if (axis.max) high = *axis.max;
    if (!(high > low)) high = low + 1;
    s.step = nice_step(high - low, static_cast<int>(std::clamp(height / 45, 2.0, 8.0)));
    s.min = axis.min ? low : std::floor(low / s.step + 1e-9) * s.step;
    s.max = axis.max ? high : std::ceil(high / s.step - 1e-9) * s.step;
    if (!(s.max > s.min)) s.max = s.min + s.step;
    return s;
  }

  double x_of(const Box& plot, std::int64_t t) const {
    const double range = static_cast<double>(std::max<std::int64_t>(1, w_.end_ms - w_.start_ms));
    return plot.x + plot.w * static_cast<double>(t - w_.start_ms) / range;
  }
  static double y_of(const Box& plot, const Scale& s, double v) { return plot.y + plot.h * (1 - (v - s.min) / (s.max - s.min)); }

  // Draws grid and numbers; returns the box of the plot itself.
  Box axes(Box box, Scale& left, Scale& right) {
    const double bottom = 20;
    Box plot{box.x, box.y + 6, box.w, std::max(10.0, box.h - bottom - 6)};
    left = scale_of(false, plot.h);
    right = scale_of(true, plot.h);
    if (!left.used && right.used) {
      left = right;
      left.used = false;
    }
    const auto width_of = [&](const Scale& s) {
      double width = 0;
      for (double v = s.min; v <= s.max + s.step / 2; v += s.step)
        width = std::max(width, text_width(short_number(v), kTextSize));
      return width + 8;
    };
    const double left_width = left.used || !right.used ? width_of(left) : 0;
    const double right_width = right.used ? width_of(right) : 0;
    const double label_height = w_.left.label.empty() && w_.right.label.empty() ? 0 : 16;
    plot.x += left_width;
    plot.w = std::max(10.0, plot.w - left_width - right_width);
    plot.y += label_height;
    plot.h = std::max(10.0, plot.h - label_height);
    if (!w_.left.label.empty()) text(w_.left.label, box.x, box.y + 12, kTextSize, theme_.faint);
    if (!w_.right.label.empty()) text(w_.right.label, box.x + box.w, box.y + 12, kTextSize, theme_.faint, 1);

    cairo_set_line_width(cr_, 1);
    for (double v = left.min; v <= left.max + left.step * 1e-6; v += left.step) {
      const double y = std::round(y_of(plot, left, v)) + 0.5;
      color(theme_.grid);
      cairo_move_to(cr_, plot.x, y);
      cairo_line_to(cr_, plot.x + plot.w, y);
      cairo_stroke(cr_);
      if (left_width > 0) text(short_number(std::fabs(v) < left.step * 1e-6 ? 0 : v), plot.x - 6, y + 4, kTextSize, theme_.faint, 1);
    }
    if (right_width > 0)
      for (double v = right.min; v <= right.max + right.step * 1e-6; v += right.step)
        text(short_number(std::fabs(v) < right.step * 1e-6 ? 0 : v), plot.x + plot.w + 6, y_of(plot, right, v) + 4, kTextSize, theme_.faint);
    time_axis(plot);
    return plot;
  }

  void time_axis(const Box& plot) {
    constexpr std::int64_t kSteps[] = {1,    5,    10,   15,    30,    60,    300,   600,   900,    1800,   3600,    7200,
                                       10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000, 7776000, 31536000};
    const std::int64_t range_s = std::max<std::int64_t>(1, (w_.end_ms - w_.start_ms) / 1000);
    const double labels = std::max(2.0, plot.w / 80);
    std::int64_t step = kSteps[std::size(kSteps) - 1];
    for (const std::int64_t s : kSteps)
      if (static_cast<double>(range_s) / static_cast<double>(s) <= labels) {
        step = s;
        break;
      }
    const std::int64_t offset_s = std::int64_t{w_.utc_offset_minutes} * 60;
    const std::int64_t first = (w_.start_ms / 1000 + offset_s + step - 1) / step * step - offset_s;
    for (std::int64_t t = first; t * 1000 <= w_.end_ms; t += step) {
      const double x = std::round(x_of(plot, t * 1000)) + 0.5;
      color(theme_.grid);
      cairo_move_to(cr_, x, plot.y + plot.h);
      cairo_line_to(cr_, x, plot.y + plot.h + 4);
      cairo_stroke(cr_);
      const auto local = fmt::gmtime(static_cast<std::time_t>(t + offset_s));
      const bool midnight = (t + offset_s) % 86400 == 0;
      const std::string label = step < 60                ? fmt::format("{:%H:%M:%S}", local)
                                : step >= 86400 || (midnight && range_s > 86400) ? fmt::format("{:%m/%d}", local)
                                                         : fmt::format("{:%H:%M}", local);
      const double half = text_width(label, kTextSize) / 2;
      if (x - half < plot.x - 20 || x + half > plot.x + plot.w + 20) continue;
      // A label at the edge of the picture moves in rather than being cut.
      const double middle = std::clamp(x, half + 2, std::max(half + 2, w_.width - half - 2));
      text(label, middle, plot.y + plot.h + 16, kTextSize, theme_.faint, 0.5);
    }
  }

  // --- views ------------------------------------------------------------------------------------

  bool gap(const Line& line, std::size_t i) const {
    return i > 0 && line.time_ms[i] - line.time_ms[i - 1] > line.period_ms * 3 / 2;
  }

  void time_series(const Box& box) {
    make_stacks();
    Scale left;
    Scale right;
    const Box plot = axes(box, left, right);
    cairo_save(cr_);
    cairo_rectangle(cr_, plot.x - 1, plot.y - 1, plot.w + 2, plot.h + 2);
    cairo_clip(cr_);
    mark_fills(plot, left, right);
    for (const auto& [upper, lower] : w_.bands) band(plot, w_.lines[upper], w_.lines[lower], w_.lines[upper].right_axis ? right : left, colors_[upper]);
    std::vector<bool> in_band(w_.lines.size());
    for (const auto& [upper, lower] : w_.bands) in_band[upper] = in_band[lower] = true;
    for (std::size_t n = w_.lines.size(); n-- > 0;) {
      const std::size_t l = w_.stacked ? n : w_.lines.size() - 1 - n;
      if (!in_band[l]) one_line(plot, l, w_.lines[l].right_axis ? right : left);
    }
    marks(plot, left, right);
    cairo_restore(cr_);
    mark_labels(plot, left, right);
    if (w_.lines.empty() || std::all_of(w_.lines.begin(), w_.lines.end(), [](const Line& l) { return l.value.empty(); }))
      text("No data available.", plot.x + plot.w / 2, plot.y + plot.h / 2, 13, theme_.faint, 0.5);
  }

  void one_line(const Box& plot, std::size_t l, const Scale& scale) {
    const Line& line = w_.lines[l];
    cairo_set_line_join(cr_, CAIRO_LINE_JOIN_ROUND);
    for (std::size_t from = 0; from < line.time_ms.size();) {
      std::size_t end = from + 1;
      while (end < line.time_ms.size() && !gap(line, end)) ++end;
      const auto path = [&] {
        for (std::size_t i = from; i < end; ++i) {
          const double x = x_of(plot, line.time_ms[i]);
          const double y = y_of(plot, scale, stacked_at(l, i));
          i == from ? cairo_move_to(cr_, x, y) : cairo_line_to(cr_, x, y);
        }
      };
      if (w_.stacked) {
        path();
        const double base = y_of(plot, scale, std::max(0.0, scale.min));
        cairo_line_to(cr_, x_of(plot, line.time_ms[end - 1]), base);
        cairo_line_to(cr_, x_of(plot, line.time_ms[from]), base);
        cairo_close_path(cr_);
        color(theme_.background);
        cairo_fill_preserve(cr_);
        color(colors_[l], 0.55);
        cairo_fill(cr_);
      }
      color(colors_[l]);
      cairo_set_line_width(cr_, 1.6);
      if (end - from == 1) {
        cairo_arc(cr_, x_of(plot, line.time_ms[from]), y_of(plot, scale, stacked_at(l, from)), 2.5, 0, 2 * kPi);
        cairo_fill(cr_);
      } else {
        path();
        cairo_stroke(cr_);
      }
      from = end;
    }
  }

  void band(const Box& plot, const Line& upper, const Line& lower, const Scale& scale, const Rgb& c) {
    if (upper.value.empty() || lower.value.empty()) return;
    for (std::size_t i = 0; i < upper.value.size(); ++i)
      cairo_line_to(cr_, x_of(plot, upper.time_ms[i]), y_of(plot, scale, upper.value[i]));
    for (std::size_t i = lower.value.size(); i-- > 0;)
      cairo_line_to(cr_, x_of(plot, lower.time_ms[i]), y_of(plot, scale, lower.value[i]));
    cairo_close_path(cr_);
    color(c, 0.18);
    cairo_fill(cr_);
  }

  Rgb mark_color(const std::string& c) const { return c.empty() ? parse_color("#d13212") : parse_color(c); }

  void mark_fills(const Box& plot, const Scale& left, const Scale& right) {
    for (const HorizontalMark& m : w_.horizontal) {
      const Scale& s = m.right_axis ? right : left;
      const double y = y_of(plot, s, m.value);
      double top = y;
      double bottom = y;
      if (m.second) top = std::min(y, y_of(plot, s, *m.second)), bottom = std::max(y, y_of(plot, s, *m.second));
      if (m.fill == HorizontalMark::Fill::kAbove) top = plot.y;
      if (m.fill == HorizontalMark::Fill::kBelow) bottom = plot.y + plot.h;
      if (bottom <= top) continue;
      color(mark_color(m.color), 0.12);
      cairo_rectangle(cr_, plot.x, top, plot.w, bottom - top);
      cairo_fill(cr_);
    }
    for (const VerticalMark& m : w_.vertical) {
      double from = x_of(plot, m.time_ms);
      double to = m.second_ms ? x_of(plot, *m.second_ms) : from;
      if (from > to) std::swap(from, to);
      if (m.fill == VerticalMark::Fill::kBefore) from = plot.x;
      if (m.fill == VerticalMark::Fill::kAfter) to = plot.x + plot.w;
      if (to <= from) continue;
      color(mark_color(m.color), 0.12);
      cairo_rectangle(cr_, from, plot.y, to - from, plot.h);
      cairo_fill(cr_);
    }
  }

  void marks(const Box& plot, const Scale& left, const Scale& right) {
    cairo_set_line_width(cr_, 1.4);
    for (const HorizontalMark& m : w_.horizontal) {
      color(mark_color(m.color));
      const auto line = [&](double v) {
        const double y = std::round(y_of(plot, m.right_axis ? right : left, v)) + 0.5;
        cairo_move_to(cr_, plot.x, y);
        cairo_line_to(cr_, plot.x + plot.w, y);
        cairo_stroke(cr_);
      };
      line(m.value);
      if (m.second) line(*m.second);
    }
    for (const VerticalMark& m : w_.vertical) {
      color(mark_color(m.color));
      const auto line = [&](std::int64_t t) {
        const double x = std::round(x_of(plot, t)) + 0.5;
        cairo_move_to(cr_, x, plot.y);
        cairo_line_to(cr_, x, plot.y + plot.h);
        cairo_stroke(cr_);
      };
      line(m.time_ms);
      if (m.second_ms) line(*m.second_ms);
    }
  }

  void mark_labels(const Box& plot, const Scale& left, const Scale& right) {
    for (const HorizontalMark& m : w_.horizontal) {
      const double y = y_of(plot, m.right_axis ? right : left, m.value);
      if (!m.label.empty() && y >= plot.y - 1 && y <= plot.y + plot.h + 1)
        text(clipped(m.label, plot.w / 2, kTextSize), plot.x + plot.w - 4, y < plot.y + 16 ? y + 13 : y - 4, kTextSize, mark_color(m.color), 1);
    }
    for (const VerticalMark& m : w_.vertical) {
      const double x = x_of(plot, m.time_ms);
      if (!m.label.empty() && x >= plot.x && x <= plot.x + plot.w)
        text(clipped(m.label, plot.w / 3, kTextSize), x + 4, plot.y + 12, kTextSize, mark_color(m.color));
    }
  }

  static double last_of(const Line& line) { return line.value.empty() ? 0 : line.value.back(); }

  void bars(const Box& box) {
    if (w_.lines.empty()) return nothing(box);
    double high = w_.left.max.value_or(0);
    double low = w_.left.min.value_or(0);
    for (const Line& line : w_.lines) {
      high = std::max(high, last_of(line));
      low = std::min(low, last_of(line));
    }
    if (!(high > low)) high = low + 1;
    Scale s;
    s.step = nice_step(high - low, static_cast<int>(std::clamp(box.h / 45, 2.0, 8.0)));
    s.min = std::floor(low / s.step + 1e-9) * s.step;
    s.max = std::ceil(high / s.step - 1e-9) * s.step;
    double width = 0;
    for (double v = s.min; v <= s.max + s.step / 2; v += s.step) width = std::max(width, text_width(short_number(v), kTextSize));
    const Box plot{box.x + width + 8, box.y + 6, std::max(10.0, box.w - width - 8), std::max(10.0, box.h - 26)};
    cairo_set_line_width(cr_, 1);
    for (double v = s.min; v <= s.max + s.step * 1e-6; v += s.step) {
      const double y = std::round(y_of(plot, s, v)) + 0.5;
      color(theme_.grid);
      cairo_move_to(cr_, plot.x, y);
      cairo_line_to(cr_, plot.x + plot.w, y);
      cairo_stroke(cr_);
      text(short_number(std::fabs(v) < s.step * 1e-6 ? 0 : v), plot.x - 6, y + 4, kTextSize, theme_.faint, 1);
    }
    const double slot = plot.w / static_cast<double>(w_.lines.size());
    for (std::size_t i = 0; i < w_.lines.size(); ++i) {
      const double x = plot.x + slot * (static_cast<double>(i) + 0.15);
      const double zero = y_of(plot, s, 0);
      const double y = y_of(plot, s, last_of(w_.lines[i]));
      color(colors_[i]);
      cairo_rectangle(cr_, x, std::min(y, zero), slot * 0.7, std::fabs(zero - y));
      cairo_fill(cr_);
      text(clipped(short_number(last_of(w_.lines[i])), slot, kTextSize), x + slot * 0.35, std::min(y, zero) - 4, kTextSize, theme_.text, 0.5);
      text(clipped(w_.lines[i].label, slot * 0.95, kTextSize), x + slot * 0.35, plot.y + plot.h + 15, kTextSize, theme_.faint, 0.5);
    }
  }

  void pie(const Box& box) {
    double sum = 0;
    for (const Line& line : w_.lines) sum += std::max(0.0, last_of(line));
    if (!(sum > 0)) return nothing(box);
    const double radius = std::min(box.w, box.h) / 2 - 6;
    const double x = box.x + box.w / 2;
    const double y = box.y + box.h / 2;
    double angle = -kPi / 2;
    for (std::size_t i = 0; i < w_.lines.size(); ++i) {
      const double share = std::max(0.0, last_of(w_.lines[i])) / sum;
      if (!(share > 0)) continue;
      cairo_move_to(cr_, x, y);
      cairo_arc(cr_, x, y, radius, angle, angle + share * 2 * kPi);
      cairo_close_path(cr_);
      color(colors_[i]);
      cairo_fill_preserve(cr_);
      color(theme_.background);
      cairo_set_line_width(cr_, 1.5);
      cairo_stroke(cr_);
      if (share > 0.04) {
        const double middle = angle + share * kPi;
        text(fmt::format("{:.0f}%", share * 100), x + std::cos(middle) * radius * 0.68,
             y + std::sin(middle) * radius * 0.68 + 4, 12, {1, 1, 1}, 0.5);
      }
      angle += share * 2 * kPi;
    }
  }

  void nothing(const Box& box) {
    text("No data available.", box.x + box.w / 2, box.y + box.h / 2, 13, theme_.faint, 0.5);
  }

  void single_values(const Box& box, bool gauge) {
    if (w_.lines.empty()) return nothing(box);
    const auto n = static_cast<double>(w_.lines.size());
    const double columns = std::ceil(std::sqrt(n * box.w / std::max(1.0, box.h) / 2));
    const double across = std::clamp(columns, 1.0, n);
    const double rows = std::ceil(n / across);
    const double cell_w = box.w / across;
    const double cell_h = box.h / rows;
    for (std::size_t i = 0; i < w_.lines.size(); ++i) {
      const double x = box.x + cell_w * std::fmod(static_cast<double>(i), across);
      const double y = box.y + cell_h * std::floor(static_cast<double>(i) / across);
      const Line& line = w_.lines[i];
      const std::string number = line.value.empty() ? "--" : short_number(line.value.back());
      double size = std::min(cell_h * (gauge ? 0.22 : 0.42), 64.0);
      while (size > 10 && text_width(number, size) > cell_w - 10) size -= 1;
      const double cx = x + cell_w / 2;
      if (gauge) dial(cx, y + cell_h * 0.72, std::min(cell_w / 2 - 10, cell_h * 0.6), line, colors_[i]);
      text(number, cx, y + cell_h * (gauge ? 0.70 : 0.52), size, theme_.text, 0.5);
      const std::string label = clipped(line.label, cell_w - 34, 12);
      const double width = text_width(label, 12);
      color(colors_[i]);
      cairo_rectangle(cr_, cx - width / 2 - 16, y + cell_h * 0.85 - 9, 10, 10);
      cairo_fill(cr_);
      text(label, cx, y + cell_h * 0.85, 12, theme_.faint, 0.5);
    }
  }

  void dial(double x, double y, double radius, const Line& line, const Rgb& c) {
    if (radius < 8) return;
    const double low = w_.left.min.value_or(0);
    const double high = w_.left.max.value_or(100);
    cairo_set_line_width(cr_, radius * 0.22);
    color(theme_.grid);
    cairo_arc(cr_, x, y, radius * 0.86, kPi, 2 * kPi);
    cairo_stroke(cr_);
    if (line.value.empty() || !(high > low)) return;
    const double share = std::clamp((line.value.back() - low) / (high - low), 0.0, 1.0);
    color(c);
    cairo_arc(cr_, x, y, radius * 0.86, kPi, kPi + share * kPi);
    cairo_stroke(cr_);
  }

  const Widget& w_;
  const Theme& theme_;
  cairo_surface_t* surface_;
  cairo_t* cr_;
  std::vector<Rgb> colors_;
  std::vector<std::vector<double>> stacks_;
};

}  // namespace

Result<std::string> draw_png(const Widget& asked) {
  if (!open_cairo().ok()) return open_cairo().error();
  Widget widget = asked;
  for (std::string* text : {&widget.title, &widget.left.label, &widget.right.label}) *text = clean_utf8(*text);
  for (Line& line : widget.lines) line.label = clean_utf8(line.label);
  for (HorizontalMark& mark : widget.horizontal) mark.label = clean_utf8(mark.label);
  for (VerticalMark& mark : widget.vertical) mark.label = clean_utf8(mark.label);
  if (widget.width < 1 || widget.height < 1 || widget.width > 4000 || widget.height > 4000)
    return Error::invalid("the size of a widget is 1 to 4000 pixels");
  return Drawing(widget).run();
}

}  // namespace fog::widget_image
