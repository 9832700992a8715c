#include "api/cloudwatch/dashboard_body.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

namespace fog::cloudwatch {
namespace {

using nlohmann::json;
using Words = std::initializer_list<std::string_view>;

constexpr std::size_t kWidgetsMax = 500;
constexpr std::size_t kMetricsPerWidget = 500;
constexpr std::size_t kMetricsPerDashboard = 2500;
constexpr std::size_t kVariablesMax = 25;
constexpr std::size_t kTextMax = 255;

// A value with its place in the document.
struct At {
  const json& value;
  std::string path;
};

class Checker {
 public:
  explicit Checker(BodyVerdict& verdict) : verdict_(verdict) {}

  void error(const std::string& path, std::string message) {
    verdict_.errors.push_back({path, std::move(message)});
  }
  void warn(const std::string& path, std::string message) {
    verdict_.warnings.push_back({path, std::move(message)});
  }

  const json* member(const At& at, std::string_view name) const {
    const auto found = at.value.find(name);
    return found == at.value.end() ? nullptr : &*found;
  }
  static At child(const At& at, std::string_view name, const json& value) {
    return {value, at.path + "/" + std::string(name)};
  }

  bool is_object(const At& at) { return at.value.is_object() || (error(at.path, "Should be object"), false); }
  bool is_array(const At& at) { return at.value.is_array() || (error(at.path, "Should be array"), false); }

  // Members that are checked when they are there.
  template <typename Check>
  void when(const At& at, std::string_view name, const Check& check) {
    if (const json* value = member(at, name)) check(child(at, name, *value));
  }
  bool require(const At& at, std::string_view name) {
    if (member(at, name) != nullptr) return true;
    error(at.path, fmt::format("Should have required property '{}'", name));
    return false;
  }
  void text(const At& at, std::size_t length_max = SIZE_MAX) {
    if (!at.value.is_string()) return error(at.path, "Should be string");
    if (at.value.get_ref<const std::string&>().size() > length_max)
      error(at.path, fmt::format("Should NOT be longer than {} characters", length_max));
  }
  void boolean(const At& at) {
    if (!at.value.is_boolean()) error(at.path, "Should be boolean");
  }
  void number(const At& at) {
    if (!at.value.is_number()) error(at.path, "Should be number");
  }
  void integer(const At& at, std::int64_t min, std::optional<std::int64_t> max) {
    const bool whole = at.value.is_number_integer() ||
                       (at.value.is_number_float() && at.value.get<double>() == std::floor(at.value.get<double>()));
    if (!whole) return error(at.path, "Should be integer");
    const double value = at.value.get<double>();
    if (value < static_cast<double>(min)) return error(at.path, fmt::format("Should be >= {}", min));
    if (max && value > static_cast<double>(*max)) error(at.path, fmt::format("Should be <= {}", *max));
  }
  void one_of(const At& at, Words words) {
    const bool known = at.value.is_string() &&
                       std::find(words.begin(), words.end(), at.value.get_ref<const std::string&>()) != words.end();
    if (!known) error(at.path, "Should be equal to one of the allowed values");
  }
  bool items(const At& at, std::size_t min, std::size_t max) {
    if (!is_array(at)) return false;
    if (at.value.size() < min) error(at.path, fmt::format("Should NOT have fewer than {} items", min));
    if (at.value.size() > max) error(at.path, fmt::format("Should NOT have more than {} items", max));
    return at.value.size() >= min && at.value.size() <= max;
  }
  void color(const At& at) {
    const bool good = at.value.is_string() && [&] {
      const auto& s = at.value.get_ref<const std::string&>();
      return (s.size() == 7 || s.size() == 4) && s[0] == '#' &&
             s.find_first_not_of("0123456789abcdefABCDEF", 1) == std::string::npos;
    }();
    if (!good) error(at.path, "Should match pattern \"^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$\"");
  }
  void period(const At& at) {
    if (at.value.is_string()) return text(at);  // "auto" and variables
    integer(at, 1, std::nullopt);
    if (!at.value.is_number_integer()) return;
    const auto seconds = at.value.get<std::int64_t>();
    if (seconds >= 60 && seconds % 60 != 0) error(at.path, "Should be multiple of 60");
  }

  void body(const At& at);

 private:
  void widget(const At& at);
  void metric_properties(const At& at);
  void metrics(const At& at);
  void metric_row(const At& at);
  void renderer(const At& at, bool is_expression);
  void y_axis(const At& at);
  void annotations(const At& at, bool has_metrics);
  void band_or_line(const At& at, bool horizontal);
  void explorer_properties(const At& at);
  void variable(const At& at);

  BodyVerdict& verdict_;
  std::size_t metrics_in_all_ = 0;
  int selects_ = 0;
  std::set<std::string> variable_properties_;
};

void Checker::renderer(const At& at, bool is_expression) {
  if (is_expression && member(at, "expression") == nullptr)
    return error(at.path, "Should match exactly one schema in oneOf");
  when(at, "expression", [&](const At& v) {
    text(v, 2048);
    if (!v.value.is_string()) return;
    std::string head = v.value.get<std::string>();
    head.erase(0, head.find_first_not_of(" \t\n"));
    std::transform(head.begin(), head.end(), head.begin(), [](char c) { return static_cast<char>(std::toupper(static_cast<unsigned char>(c))); });
    if (head.starts_with("SELECT ") && ++selects_ == 2)
      error(v.path, "Only one Metrics Insights expression is allowed per widget");
  });
  when(at, "color", [&](const At& v) { color(v); });
  when(at, "label", [&](const At& v) { text(v); });
  when(at, "period", [&](const At& v) { period(v); });
  when(at, "stat", [&](const At& v) { text(v); });
  when(at, "visible", [&](const At& v) { boolean(v); });
  when(at, "yAxis", [&](const At& v) { one_of(v, {"left", "right"}); });
  when(at, "region", [&](const At& v) { text(v); });
  when(at, "accountId", [&](const At& v) { text(v); });
  when(at, "id", [&](const At& v) {
    text(v, kTextMax);
    if (v.value.is_string()) {
      const auto& id = v.value.get_ref<const std::string&>();
      if (id.empty() || id[0] < 'a' || id[0] > 'z')
        error(v.path, "Should match pattern \"^[a-z][a-zA-Z0-9_]*$\"");
    }
  });
}

void Checker::metric_row(const At& at) {
  if (!at.value.is_array())
    return error(at.path,
                 "Field \"metrics\" has to be an array of array of strings, with an optional "
                 "metricRenderer object as last element");
  const std::size_t n = at.value.size();
  if (n == 1 && at.value[0].is_object()) {
    renderer({at.value[0], at.path + "/0"}, true);
    return;
  }
  const bool has_renderer = n > 0 && at.value[n - 1].is_object();
  const std::size_t texts = has_renderer ? n - 1 : n;
  bool all_texts = true;
  bool shortened = false;
  for (std::size_t i = 0; i < texts; ++i) {
    if (!at.value[i].is_string()) {
      all_texts = false;
      error(fmt::format("{}/{}", at.path, i), "Invalid metric field type, only \"String\" type is allowed");
    } else if (at.value[i].get_ref<const std::string&>() == "...") {
      shortened = true;
    }
  }
  if (has_renderer) renderer({at.value[n - 1], fmt::format("{}/{}", at.path, n - 1)}, false);
  if (!all_texts || shortened) return;
  if (texts < 2) return error(at.path, "Should NOT have fewer than 2 items");
  if (texts % 2 != 0)
    error(at.path, fmt::format("Should NOT have more than {} items", has_renderer ? texts : texts - 1));
}

void Checker::metrics(const At& at) {
  if (!is_array(at)) return;
  if (at.value.size() > kMetricsPerWidget)
    error(at.path, fmt::format("Should NOT have more than {} items", kMetricsPerWidget));
  metrics_in_all_ += at.value.size();
  selects_ = 0;
  for (std::size_t i = 0; i < at.value.size(); ++i)
    metric_row({at.value[i], fmt::format("{}/{}", at.path, i)});
}

void Checker::y_axis(const At& at) {
  if (!is_object(at)) return;
  for (const std::string_view side : {"left", "right"})
    when(at, side, [&](const At& axis) {
      if (!is_object(axis)) return;
      when(axis, "min", [&](const At& v) { number(v); });
      when(axis, "max", [&](const At& v) { number(v); });
      when(axis, "label", [&](const At& v) { text(v); });
      when(axis, "showUnits", [&](const At& v) { boolean(v); });
    });
}

void Checker::band_or_line(const At& at, bool horizontal) {
  if (at.value.is_array()) {
    if (at.value.size() != 2) return error(at.path, "Should NOT have more than 2 items");
    for (std::size_t i = 0; i < 2; ++i) band_or_line({at.value[i], fmt::format("{}/{}", at.path, i)}, horizontal);
    return;
  }
  if (!is_object(at)) return;
  if (require(at, "value"))
    when(at, "value", [&](const At& v) { horizontal ? number(v) : text(v); });
  when(at, "label", [&](const At& v) { text(v); });
  when(at, "color", [&](const At& v) { color(v); });
  when(at, "visible", [&](const At& v) { boolean(v); });
  when(at, "fill", [&](const At& v) {
    if (horizontal)
      one_of(v, {"above", "below", "none"});
    else
      one_of(v, {"before", "after", "none"});
  });
  if (horizontal) when(at, "yAxis", [&](const At& v) { one_of(v, {"left", "right"}); });
}

void Checker::annotations(const At& at, bool has_metrics) {
  if (!is_object(at)) return;
  when(at, "alarms", [&](const At& v) {
    if (!items(v, 0, 1)) return;
    for (std::size_t i = 0; i < v.value.size(); ++i) text({v.value[i], fmt::format("{}/{}", v.path, i)});
    if (v.value.empty()) return;
    if (has_metrics || member(at, "horizontal") != nullptr || member(at, "vertical") != nullptr)
      error(at.path, "Should match exactly one schema in oneOf");
  });
  for (const std::string_view kind : {"horizontal", "vertical"})
    when(at, kind, [&](const At& v) {
      if (!is_array(v)) return;
      for (std::size_t i = 0; i < v.value.size(); ++i)
        band_or_line({v.value[i], fmt::format("{}/{}", v.path, i)}, kind == "horizontal");
    });
}

void Checker::metric_properties(const At& at) {
  require(at, "region");
  when(at, "region", [&](const At& v) { text(v); });
  const json* notes = member(at, "annotations");
  const bool has_alarm = notes != nullptr && notes->is_object() && notes->contains("alarms") &&
                         (*notes)["alarms"].is_array() && !(*notes)["alarms"].empty();
  const bool has_metrics = member(at, "metrics") != nullptr;
  if (!has_metrics && !has_alarm) require(at, "metrics");
  when(at, "metrics", [&](const At& v) { metrics(v); });
  when(at, "annotations", [&](const At& v) { annotations(v, has_metrics); });
  when(at, "title", [&](const At& v) { text(v, kTextMax); });
  when(at, "period", [&](const At& v) { period(v); });
  when(at, "stat", [&](const At& v) { text(v); });
  when(at, "view", [&](const At& v) { one_of(v, {"timeSeries", "singleValue", "gauge", "bar", "pie", "table"}); });
  for (const std::string_view flag :
       {"stacked", "sparkline", "liveData", "setPeriodToTimeRange", "singleValueFullPrecision", "trend"})
    when(at, flag, [&](const At& v) { boolean(v); });
  when(at, "legend", [&](const At& v) {
    if (is_object(v)) when(v, "position", [&](const At& p) { one_of(p, {"right", "bottom", "hidden"}); });
  });
  when(at, "timezone", [&](const At& v) {
    const bool good = v.value.is_string() && [&] {
      const auto& s = v.value.get_ref<const std::string&>();
      return s.size() == 5 && (s[0] == '+' || s[0] == '-') &&
             s.find_first_not_of("0123456789", 1) == std::string::npos;
    }();
    if (!good) error(v.path, "Should match pattern \"^[+-][0-9]{4}$\"");
  });
  when(at, "yAxis", [&](const At& v) { y_axis(v); });
  when(at, "accountId", [&](const At& v) { text(v); });
  when(at, "table", [&](const At& v) {
    if (!is_object(v)) return;
    when(v, "layout", [&](const At& t) { one_of(t, {"horizontal", "vertical"}); });
    when(v, "stickySummary", [&](const At& t) { boolean(t); });
    when(v, "showTimeSeriesData", [&](const At& t) { boolean(t); });
    when(v, "summaryColumns", [&](const At& t) {
      if (!is_array(t)) return;
      for (std::size_t i = 0; i < t.value.size(); ++i)
        one_of({t.value[i], fmt::format("{}/{}", t.path, i)}, {"MIN", "MAX", "SUM", "AVG"});
    });
  });
  const json* view = member(at, "view");
  if (view != nullptr && *view == "gauge") {
    const json* axis = member(at, "yAxis");
    if (axis == nullptr || !axis->is_object() || !axis->contains("left")) {
      error(at.path + (axis == nullptr ? "" : "/yAxis"),
            fmt::format("Should have required property '{}'", axis == nullptr ? "yAxis" : "left"));
    } else {
      const At left{(*axis)["left"], at.path + "/yAxis/left"};
      if (left.value.is_object()) {
        require(left, "min");
        require(left, "max");
      }
    }
  }
}

void Checker::explorer_properties(const At& at) {
  require(at, "metrics");
  require(at, "labels");
  when(at, "metrics", [&](const At& v) {
    if (!items(v, 1, 100)) return;
    std::set<std::string> types;
    for (std::size_t i = 0; i < v.value.size(); ++i) {
      const At row{v.value[i], fmt::format("{}/{}", v.path, i)};
      if (!is_object(row)) continue;
      for (const std::string_view name : {"metricName", "resourceType", "stat"}) {
        require(row, name);
        when(row, name, [&](const At& t) { text(t); });
      }
      if (const json* type = member(row, "resourceType"); type != nullptr && type->is_string()) types.insert(*type);
    }
    if (types.size() > 1) error(v.path, "All metrics should have the same resourceType");
  });
  when(at, "labels", [&](const At& v) {
    if (!is_array(v)) return;
    for (std::size_t i = 0; i < v.value.size(); ++i) {
      const At row{v.value[i], fmt::format("{}/{}", v.path, i)};
      if (!is_object(row)) continue;
      require(row, "key");
      when(row, "key", [&](const At& t) { text(t); });
      when(row, "value", [&](const At& t) { text(t); });
    }
  });
  when(at, "aggregateBy", [&](const At& v) {
    if (!is_object(v)) return;
    when(v, "key", [&](const At& t) { text(t); });
    when(v, "func", [&](const At& t) { one_of(t, {"AVG", "MIN", "MAX", "STDDEV", "SUM"}); });
  });
  when(at, "splitBy", [&](const At& v) { text(v); });
  when(at, "period", [&](const At& v) { period(v); });
  when(at, "title", [&](const At& v) { text(v, kTextMax); });
  when(at, "widgetOptions", [&](const At& v) {
    if (!is_object(v)) return;
    when(v, "legend", [&](const At& t) {
      if (is_object(t)) when(t, "position", [&](const At& p) { one_of(p, {"right", "bottom", "hidden"}); });
    });
    when(v, "rowsPerPage", [&](const At& t) { integer(t, 1, std::nullopt); });
    when(v, "widgetsPerRow", [&](const At& t) { integer(t, 1, std::nullopt); });
    when(v, "stacked", [&](const At& t) { boolean(t); });
    when(v, "view", [&](const At& t) { one_of(t, {"timeSeries", "singleValue", "gauge", "bar", "pie", "table"}); });
  });
}

void Checker::widget(const At& at) {
  if (!is_object(at)) return;
  static constexpr std::string_view kMembers[] = {"type", "x", "y", "width", "height", "properties", "id"};
  for (const auto& [name, value] : at.value.items())
    if (std::find(std::begin(kMembers), std::end(kMembers), name) == std::end(kMembers))
      warn(at.path + "/" + name,
           fmt::format("The \"{}\" property is not expected to be part of a widget definition, will be ignored", name));
  const bool has_type = require(at, "type");
  require(at, "properties");
  when(at, "x", [&](const At& v) { integer(v, 0, 23); });
  when(at, "y", [&](const At& v) { integer(v, 0, std::nullopt); });
  if ((member(at, "x") != nullptr) != (member(at, "y") != nullptr))
    require(at, member(at, "x") != nullptr ? "y" : "x");
  when(at, "width", [&](const At& v) { integer(v, 1, 24); });
  when(at, "height", [&](const At& v) { integer(v, 1, 1000); });
  if (!has_type) return;
  const json& type = at.value["type"];
  when(at, "type", [&](const At& v) { one_of(v, {"metric", "text", "log", "alarm", "explorer", "custom"}); });
  when(at, "properties", [&](const At& p) {
    if (!is_object(p)) return;
    if (type == "metric") {
      metric_properties(p);
    } else if (type == "text") {
      require(p, "markdown");
      when(p, "markdown", [&](const At& v) { text(v); });
      when(p, "background", [&](const At& v) { one_of(v, {"solid", "transparent"}); });
    } else if (type == "log") {
      require(p, "region");
      require(p, "query");
      for (const std::string_view name : {"region", "query", "title", "accountId"})
        when(p, name, [&](const At& v) { text(v); });
      when(p, "view", [&](const At& v) { one_of(v, {"table", "timeSeries", "bar", "pie"}); });
      when(p, "stacked", [&](const At& v) { boolean(v); });
      when(p, "queryLanguage", [&](const At& v) { one_of(v, {"CWLI", "SQL", "PPL"}); });
    } else if (type == "alarm") {
      require(p, "alarms");
      when(p, "alarms", [&](const At& v) {
        if (!items(v, 1, 100)) return;
        for (std::size_t i = 0; i < v.value.size(); ++i) text({v.value[i], fmt::format("{}/{}", v.path, i)});
      });
      when(p, "sortBy", [&](const At& v) { one_of(v, {"default", "stateUpdatedTimestamp", "timestamp"}); });
      when(p, "states", [&](const At& v) {
        if (!is_array(v)) return;
        for (std::size_t i = 0; i < v.value.size(); ++i)
          one_of({v.value[i], fmt::format("{}/{}", v.path, i)}, {"ALARM", "INSUFFICIENT_DATA", "OK"});
      });
      when(p, "title", [&](const At& v) { text(v); });
    } else if (type == "explorer") {
      explorer_properties(p);
    } else if (type == "custom") {
      require(p, "endpoint");
      when(p, "endpoint", [&](const At& v) { text(v); });
      when(p, "title", [&](const At& v) { text(v); });
      when(p, "updateOn", [&](const At& v) {
        if (!is_object(v)) return;
        for (const std::string_view name : {"refresh", "resize", "timeRange"})
          when(v, name, [&](const At& t) { boolean(t); });
      });
    }
  });
}

void Checker::variable(const At& at) {
  if (!is_object(at)) return;
  const bool has_type = require(at, "type");
  require(at, "inputType");
  require(at, "id");
  when(at, "type", [&](const At& v) { one_of(v, {"property", "pattern"}); });
  when(at, "inputType", [&](const At& v) { one_of(v, {"input", "select", "radio"}); });
  when(at, "id", [&](const At& v) {
    const bool good = v.value.is_string() && [&] {
      const auto& s = v.value.get_ref<const std::string&>();
      return !s.empty() && s.size() <= 32 &&
             s.find_first_not_of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-") == std::string::npos;
    }();
    if (!good) error(v.path, "Should match pattern \"^[0-9A-Za-z_-]{1,32}$\"");
  });
  if (has_type) {
    const json& type = at.value["type"];
    if (type == "property" && require(at, "property")) {
      const json& property = at.value["property"];
      text({property, at.path + "/property"});
      if (property.is_string() && !variable_properties_.insert(property).second)
        error(at.path + "/property", "A property can be used by one variable only");
    }
    if (type == "pattern" && require(at, "pattern")) text({at.value["pattern"], at.path + "/pattern"});
  }
  when(at, "label", [&](const At& v) { text(v, 30); });
  when(at, "visible", [&](const At& v) { boolean(v); });
  when(at, "search", [&](const At& v) { text(v, 2048); });
  when(at, "populateFrom", [&](const At& v) { text(v); });
  when(at, "defaultValue", [&](const At& v) { text(v, kTextMax); });
  when(at, "values", [&](const At& v) {
    if (!items(v, 1, 500)) return;
    for (std::size_t i = 0; i < v.value.size(); ++i) {
      const At row{v.value[i], fmt::format("{}/{}", v.path, i)};
      if (!is_object(row)) continue;
      require(row, "value");
      when(row, "value", [&](const At& t) { text(t, kTextMax); });
      when(row, "label", [&](const At& t) { text(t, kTextMax); });
    }
  });
  const json* input = member(at, "inputType");
  if (input != nullptr && (*input == "select" || *input == "radio") && member(at, "values") == nullptr &&
      !(member(at, "search") != nullptr && member(at, "populateFrom") != nullptr))
    require(at, member(at, "search") != nullptr ? "populateFrom" : "values");
}

bool is_relative_time(const std::string& s) {
  if (!s.starts_with("-P")) return false;
  std::size_t at = 2;
  const bool time = at < s.size() && s[at] == 'T';
  if (time) ++at;
  const std::size_t digits = at;
  while (at < s.size() && s[at] >= '0' && s[at] <= '9') ++at;
  if (at == digits || at + 1 != s.size()) return false;
  return std::string_view(time ? "HMS" : "DWMY").find(s[at]) != std::string_view::npos;
}

void Checker::body(const At& at) {
  static constexpr std::string_view kMembers[] = {"widgets", "variables", "start", "end", "periodOverride"};
  for (const auto& [name, value] : at.value.items())
    if (std::find(std::begin(kMembers), std::end(kMembers), name) == std::end(kMembers))
      warn(at.path + "/" + name,
           fmt::format("The \"{}\" property is not expected to be part of a dashboard definition, will be ignored", name));
  require(at, "widgets");
  when(at, "widgets", [&](const At& v) {
    if (!is_array(v)) return;
    if (v.value.size() > kWidgetsMax) error(v.path, fmt::format("Should NOT have more than {} items", kWidgetsMax));
    for (std::size_t i = 0; i < v.value.size() && i < kWidgetsMax; ++i)
      widget({v.value[i], fmt::format("{}/{}", v.path, i)});
    if (metrics_in_all_ > kMetricsPerDashboard)
      error(v.path, fmt::format("Should NOT have more than {} metrics", kMetricsPerDashboard));
  });
  when(at, "variables", [&](const At& v) {
    if (!items(v, 0, kVariablesMax)) return;
    for (std::size_t i = 0; i < v.value.size(); ++i) variable({v.value[i], fmt::format("{}/{}", v.path, i)});
  });
  when(at, "start", [&](const At& v) {
    text(v);
    if (!v.value.is_string()) return;
    const auto& start = v.value.get_ref<const std::string&>();
    if (start.starts_with("-") && !is_relative_time(start))
      error(v.path, "Should match pattern \"^-P(T[0-9]+[HMS]|[0-9]+[DWMY])$\"");
    else if (!start.starts_with("-"))
      require(at, "end");
  });
  when(at, "end", [&](const At& v) {
    text(v);
    require(at, "start");
  });
  when(at, "periodOverride", [&](const At& v) { one_of(v, {"auto", "inherit"}); });
}

}  // namespace

BodyVerdict check_dashboard_body(std::string_view text) {
  BodyVerdict verdict;
  const json body = json::parse(text, nullptr, false);
  if (!body.is_object()) return verdict;
  verdict.is_object = true;
  Checker(verdict).body({body, ""});
  return verdict;
}

}  // namespace fog::cloudwatch
