#include "api/control/prometheus.h"

#include <fmt/format.h>

#include <iterator>

namespace fog {

PrometheusText& PrometheusText::begin(std::string_view name, std::string_view help, std::string_view type) {
  name_ = name;
  fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  return *this;
}

PrometheusText& PrometheusText::value(double value, Labels labels) {
  text_ += name_;
  char before = '{';
  for (const auto& [name, label] : labels) {
    text_ += before;
    before = ',';
    text_ += name;
    text_ += "=\"";
    for (const char c : label) {
      if (c == '\\' || c == '"') text_ += '\\';
      if (c == '\n') text_ += "\\n";
      else text_ += c;
    }
    text_ += '"';
  }
  if (before == ',') text_ += '}';
  fmt::format_to(std::back_inserter(text_), " {}\n", value);
  return *this;
}

}  // namespace fog
