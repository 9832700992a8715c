// GetMetricWidgetImage: a widget's JSON to queries, their answers to a picture.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "api/cloudwatch/labels.h"
#include "api/cloudwatch/metric_queries.h"
#include "api/cloudwatch/model.h"
#include "api/cloudwatch/service.h"
#include "query/widget_image/widget_image.h"

namespace fog::cloudwatch {
namespace {

using nlohmann::json;
namespace image = widget_image;

constexpr std::size_t kWidgetBytesMax = 100 * 1024;
constexpr std::size_t kMetricsMax = 500;
constexpr std::size_t kTitleMax = 255;

Error bad(const std::string& what) { return validation("The MetricWidget parameter is not valid: " + what); }

// --- times ------------------------------------------------------------------------------------------

// "-PT3H", "-P1D", "-P1W", "-P3M" before `now`, or ISO-8601.
std::optional<Timestamp> parse_time(const std::string& text, Timestamp now) {
  if (text.starts_with("-P") || text.starts_with("P")) {
    std::string_view rest = text;
    rest.remove_prefix(rest[0] == '-' ? 2 : 1);
    bool time = false;
    Millis total{0};
    while (!rest.empty()) {
      if (rest[0] == 'T') {
        time = true;
        rest.remove_prefix(1);
        continue;
      }
      std::int64_t n = 0;
      std::size_t digits = 0;
      while (digits < rest.size() && digits < 9 && rest[digits] >= '0' && rest[digits] <= '9') n = n * 10 + (rest[digits++] - '0');
      if (digits == 0 || digits == rest.size()) return std::nullopt;
      std::int64_t unit_s = 0;
      switch (rest[digits]) {
        case 'S': unit_s = 1; break;
        case 'M': unit_s = time ? 60 : 30 * 86400; break;
        case 'H': unit_s = 3600; break;
        case 'D': unit_s = 86400; break;
        case 'W': unit_s = 7 * 86400; break;
        case 'Y': unit_s = 365 * 86400; break;
        default: return std::nullopt;
      }
      total += std::chrono::seconds(n * unit_s);
      rest.remove_prefix(digits + 1);
    }
    return now - total;
  }
  int year = 0, month = 0, day = 0, hour = 0, minute = 0;
  double second = 0;
  char zone[8] = {};
  const int got = std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%lf%7s", &year, &month, &day, &hour, &minute, &second, zone);
  if (got < 3) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour > 24 || minute > 59 || !(second >= 0 && second < 61)) return std::nullopt;
  Timestamp time = std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
                   Millis(static_cast<std::int64_t>(second * 1000));
  std::string offset = zone;
  std::erase(offset, ':');
  if (!offset.empty() && offset != "Z") {
    const auto minutes = parse_utc_offset(offset);
    if (!minutes) return std::nullopt;
    time -= std::chrono::minutes(*minutes);
  }
  return time;
}

// --- the widget -------------------------------------------------------------------------------------

struct Plan {
  image::Widget widget;
  std::vector<MetricDataQuery> queries;
  struct Look {
    std::string color;
    bool right_axis = false;
  };
  std::vector<Look> looks;  // one a query
  Timestamp start;
  Timestamp end;
  bool set_period_to_range = false;
};

std::string text_of(const json& of, const char* name, const std::string& otherwise = "") {
  const auto found = of.find(name);
  return found != of.end() && found->is_string() ? found->get<std::string>() : otherwise;
}
std::optional<double> number_of(const json& of, const char* name) {
  const auto found = of.find(name);
  if (found == of.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}
bool flag_of(const json& of, const char* name) {
  const auto found = of.find(name);
  return found != of.end() && found->is_boolean() && found->get<bool>();
}

// Replaces "." and "..." by what the row above says in their place.
Result<std::vector<std::string>> expand_row(const std::vector<std::string>& row, const std::vector<std::string>& above) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (row[i] == "...") {
      // All of the row above up to where what follows here takes its end.
      const std::size_t after = row.size() - i - 1;
      if (above.size() < out.size() + after) return bad("\"...\" has no row above it");
      while (out.size() + after < above.size()) out.push_back(above[out.size()]);
    } else if (row[i] == ".") {
      if (out.size() >= above.size()) return bad("\".\" has no row above it");
      out.push_back(above[out.size()]);
    } else {
      out.push_back(row[i]);
    }
  }
  return out;
}

Status plan_metrics(const json& d, Plan& plan) {
  const auto found = d.find("metrics");
  if (found == d.end()) return Ok{};
  if (!found->is_array()) return bad("metrics must be an array");
  if (found->size() > kMetricsMax) return bad("too many metrics");
  const std::string stat = text_of(d, "stat", "Average");
  const double period = number_of(d, "period").value_or(300);
  std::vector<std::string> above;
  for (std::size_t i = 0; i < found->size(); ++i) {
    const json& row = (*found)[i];
    if (!row.is_array() || row.empty()) return bad("each of metrics must be an array");
    const json render = row.back().is_object() ? row.back() : json::object();
    MetricDataQuery query;
    query.id = text_of(render, "id", fmt::format("fogwatch{}", i));
    const double row_period = number_of(render, "period").value_or(period);
    if (!(row_period >= 1 && row_period <= 86400 * 366)) return bad("the period is out of range");
    if (const std::string label = text_of(render, "label"); !label.empty()) query.label = label;
    query.return_data = !render.contains("visible") || flag_of(render, "visible");
    if (const std::string account = text_of(render, "accountId"); !account.empty()) query.account_id = account;
    if (render.contains("expression")) {
      query.expression = text_of(render, "expression");
      if (query.expression->empty()) return bad("an expression must be a string");
      query.period = static_cast<std::int32_t>(row_period);
    } else {
      std::vector<std::string> texts;
      for (const json& cell : row)
        if (cell.is_string()) texts.push_back(cell);
        else if (!cell.is_object()) return bad("a metric consists of strings");
      TRY(texts, expand_row(texts, above));
      if (texts.size() < 2 || texts.size() % 2 != 0) return bad("a metric is namespace, name, and pairs of dimension name and value");
      above = texts;
      MetricStat metric;
      metric.metric.namespace_ = texts[0];
      metric.metric.metric_name = texts[1];
      auto& dimensions = metric.metric.dimensions.emplace();
      for (std::size_t k = 2; k < texts.size(); k += 2) dimensions.push_back({.name = texts[k], .value = texts[k + 1]});
      metric.period = static_cast<std::int32_t>(row_period);
      metric.stat = text_of(render, "stat", stat);
      query.metric_stat = std::move(metric);
    }
    plan.looks.push_back({text_of(render, "color"), text_of(render, "yAxis") == "right"});
    plan.queries.push_back(std::move(query));
  }
  return Ok{};
}

Status plan_annotations(const json& d, Timestamp now, image::Widget& widget) {
  const auto found = d.find("annotations");
  if (found == d.end()) return Ok{};
  if (!found->is_object()) return bad("annotations must be an object");
  for (const json& each : found->value("horizontal", json::array())) {
    const json& first = each.is_array() && !each.empty() ? each[0] : each;
    if (!first.is_object()) return bad("a horizontal annotation must be an object");
    const auto value = number_of(first, "value");
    if (!value) return bad("a horizontal annotation needs a value");
    if (first.contains("visible") && !flag_of(first, "visible")) continue;
    image::HorizontalMark mark;
    mark.value = *value;
    mark.label = text_of(first, "label");
    mark.color = text_of(first, "color");
    mark.right_axis = text_of(first, "yAxis") == "right";
    const std::string fill = text_of(first, "fill");
    mark.fill = fill == "above"   ? image::HorizontalMark::Fill::kAbove
                : fill == "below" ? image::HorizontalMark::Fill::kBelow
                                  : image::HorizontalMark::Fill::kNone;
    if (each.is_array() && each.size() > 1 && each[1].is_object()) mark.second = number_of(each[1], "value");
    widget.horizontal.push_back(std::move(mark));
  }
  for (const json& each : found->value("vertical", json::array())) {
    const json& first = each.is_array() && !each.empty() ? each[0] : each;
    if (!first.is_object()) return bad("a vertical annotation must be an object");
    const auto time = parse_time(text_of(first, "value"), now);
    if (!time) return bad("a vertical annotation needs a time");
    if (first.contains("visible") && !flag_of(first, "visible")) continue;
    image::VerticalMark mark;
    mark.time_ms = to_ms(*time);
    mark.label = text_of(first, "label");
    mark.color = text_of(first, "color");
    const std::string fill = text_of(first, "fill");
    mark.fill = fill == "before"  ? image::VerticalMark::Fill::kBefore
                : fill == "after" ? image::VerticalMark::Fill::kAfter
                                  : image::VerticalMark::Fill::kNone;
    if (each.is_array() && each.size() > 1 && each[1].is_object())
      if (const auto second = parse_time(text_of(each[1], "value"), now)) mark.second_ms = to_ms(*second);
    widget.vertical.push_back(std::move(mark));
  }
  return Ok{};
}

Result<Plan> make_plan(const json& d, Timestamp now) {
  Plan plan;
  image::Widget& widget = plan.widget;
  const auto size = [&](const char* name, int otherwise) -> Result<int> {
    if (!d.contains(name)) return otherwise;
    const auto v = number_of(d, name);
    if (!v || *v < 1 || *v > 2000 || *v != std::floor(*v)) return bad(std::string(name) + " must be 1 to 2000");
    return static_cast<int>(*v);
  };
  TRY(widget.width, size("width", 600));
  TRY(widget.height, size("height", 400));
  widget.title = text_of(d, "title");
  if (widget.title.size() > kTitleMax) return bad("the title is too long");
  const std::string view = text_of(d, "view", "timeSeries");
  if (view == "timeSeries") widget.view = image::View::kTimeSeries;
  else if (view == "bar") widget.view = image::View::kBar;
  else if (view == "pie") widget.view = image::View::kPie;
  else if (view == "singleValue") widget.view = image::View::kSingleValue;
  else if (view == "gauge") widget.view = image::View::kGauge;
  else return bad("unknown view " + view);
  widget.stacked = flag_of(d, "stacked");
  const std::string theme = text_of(d, "theme", "light");
  if (theme != "light" && theme != "dark") return bad("the theme must be light or dark");
  widget.dark = theme == "dark";
  if (const std::string zone = text_of(d, "timezone"); !zone.empty()) {
    const auto offset = parse_utc_offset(zone);
    if (!offset) return bad("the timezone must be like +0130");
    widget.utc_offset_minutes = *offset;
  }
  if (d.contains("legend") && d["legend"].is_object()) {
    const std::string position = text_of(d["legend"], "position", "bottom");
    widget.legend = position == "right"    ? image::LegendPosition::kRight
                    : position == "hidden" ? image::LegendPosition::kHidden
                                           : image::LegendPosition::kBottom;
  }
  if (d.contains("yAxis") && d["yAxis"].is_object())
    for (const auto& [side, axis] : {std::pair("left", &widget.left), std::pair("right", &widget.right)}) {
      const json& y = d["yAxis"];
      if (!y.contains(side) || !y[side].is_object()) continue;
      axis->min = number_of(y[side], "min");
      axis->max = number_of(y[side], "max");
      axis->label = text_of(y[side], "label");
    }
  plan.end = now;
  if (const std::string end = text_of(d, "end"); !end.empty()) {
    const auto time = parse_time(end, now);
    if (!time) return bad("end is not a time");
    plan.end = *time;
  }
  plan.start = plan.end - std::chrono::hours(3);
  if (const std::string start = text_of(d, "start"); !start.empty()) {
    const auto time = parse_time(start, plan.end);
    if (!time) return bad("start is not a time");
    plan.start = *time;
  }
  if (plan.start >= plan.end) return bad("start must be before end");
  widget.start_ms = to_ms(plan.start);
  widget.end_ms = to_ms(plan.end);
  plan.set_period_to_range = flag_of(d, "setPeriodToTimeRange");
  TRYV(plan_metrics(d, plan));
  TRYV(plan_annotations(d, now, widget));
  if (plan.set_period_to_range) {
    const auto range = std::chrono::duration_cast<std::chrono::seconds>(plan.end - plan.start).count();
    const auto period = static_cast<std::int32_t>(std::max<std::int64_t>(60, (range + 59) / 60 * 60));
    for (MetricDataQuery& query : plan.queries)
      if (query.metric_stat) query.metric_stat->period = period;
  }
  return plan;
}

Result<GetMetricWidgetImageOutput> get_metric_widget_image(Call& call, const GetMetricWidgetImageInput& in) {
  const std::string format = in.output_format.value_or("png");
  if (format != "png" && format != "image/png")
    return validation("The value " + format + " for parameter OutputFormat is invalid.");
  if (in.metric_widget.size() > kWidgetBytesMax) return bad("it is larger than 100 KB");
  const json d = json::parse(in.metric_widget, nullptr, false);
  if (!d.is_object()) return bad("not a JSON object");
  TRY(Plan plan, make_plan(d, call.now));
  if (!plan.queries.empty()) {
    TRYV(check_queries(plan.queries, "MetricWidget.metrics"));
    MetricQueryContext context;
    context.services = call.services;
    context.account = call.account;
    context.region = call.region;
    context.now = call.now;
    context.start = plan.start;
    context.end = plan.end;
    context.parameter = "MetricWidget.metrics";
    context.align_to_start = plan.set_period_to_range;
    TRY(QueryResults run, run_queries(context, plan.queries));
    plan.widget.partial = run.is_partial || !run.messages.empty();
    for (std::size_t q = 0; q < run.results.size(); ++q) {
      QueryResult& result = run.results[q];
      if (!result.query->return_data.value_or(true)) continue;
      const std::size_t first = plan.widget.lines.size();
      for (QueriedSeries& s : result.series) {
        image::Line line;
        const LabelFacts facts{&s.series, s.default_label, s.source ? &*s.source : nullptr, call.now,
                               plan.widget.utc_offset_minutes};
        line.label = result.query->label ? expand_label(*result.query->label, facts) : s.default_label;
        if (result.series.size() == 1) line.color = plan.looks[q].color;
        line.right_axis = plan.looks[q].right_axis;
        line.period_ms = s.series.period_ms;
        line.time_ms = std::move(s.series.time_ms);
        line.value = std::move(s.series.value);
        plan.widget.lines.push_back(std::move(line));
      }
      if (result.query->expression && result.series.size() == 2 &&
          result.query->expression->find("ANOMALY_DETECTION_BAND") != std::string::npos)
        plan.widget.bands.emplace_back(first, first + 1);
    }
  }
  GetMetricWidgetImageOutput out;
  TRY(out.metric_widget_image, image::draw_png(plan.widget));
  // As a picture rather than base64 inside an answer, where the protocol has that form.
  if (format == "image/png") call.response_headers.emplace_back("Content-Type", format);
  return out;
}

constexpr Operation kOperations[] = {bind<get_metric_widget_image>()};

}  // namespace

std::span<const Operation> widget_image_operations() { return kOperations; }

}  // namespace fog::cloudwatch
