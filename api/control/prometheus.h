// PrometheusText: writes the text exposition format (version 0.0.4).
//
//   out.counter("fogwatch_requests_total", "Requests answered.").value(12, {{"service", "logs"}});
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace fog {

class PrometheusText {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  // Begins a metric; the values that follow belong to it.
  PrometheusText& counter(std::string_view name, std::string_view help) { return begin(name, help, "counter"); }
  PrometheusText& gauge(std::string_view name, std::string_view help) { return begin(name, help, "gauge"); }
  PrometheusText& value(double value, Labels labels = {});

  const std::string& text() const { return text_; }

 private:
  PrometheusText& begin(std::string_view name, std::string_view help, std::string_view type);
  std::string text_;
  std::string name_;
};

}  // namespace fog
