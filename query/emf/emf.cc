#include "query/emf/emf.h"

#include <simdjson.h>

#include <algorithm>
#include <cmath>

#include "storage/base/find_bytes.h"
#include "storage/metric_units.h"

namespace fog::emf {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::size_t kNamespaceBytesMax = 255;
constexpr std::size_t kNameBytesMax = 255;
constexpr std::size_t kDimensionBytesMax = 1024;

// One a thread: parsers keep their buffers.
simdjson::dom::parser& parser() {
  thread_local simdjson::dom::parser kParser;
  return kParser;
}

std::optional<std::string_view> text_of(const element& value) {
  std::string_view text;
  if (value.get_string().get(text) != simdjson::SUCCESS) return std::nullopt;
  return text;
}

class Reader {
 public:
  Reader(const object& root, Extraction& out) : root_(root), out_(out) {}

  void directive(const element& value) {
    object fields;
    if (value.get_object().get(fields) != simdjson::SUCCESS) return invalid("a directive is no object");
    element ns, sets, metrics;
    if (fields["Namespace"].get(ns) != simdjson::SUCCESS || !ns.is_string()) return invalid("Namespace is missing");
    namespace_ = *text_of(ns);
    if (namespace_.empty() || namespace_.size() > kNamespaceBytesMax) return invalid("Namespace is empty or too long");
    array list;
    if (fields["Dimensions"].get(sets) != simdjson::SUCCESS || sets.get_array().get(list) != simdjson::SUCCESS || list.size() == 0)
      return invalid("Dimensions is not a list of at least one set");
    dimension_sets_.clear();
    for (const element& set : list) dimension_set(set);
    array definitions;
    if (fields["Metrics"].get(metrics) != simdjson::SUCCESS || metrics.get_array().get(definitions) != simdjson::SUCCESS)
      return invalid("Metrics is not a list");
    if (definitions.size() > kMetricsMax) return invalid("a directive has more than 100 metrics");
    for (const element& definition : definitions) metric(definition);
  }

  void invalid(std::string_view why) {
    ++out_.validation_errors;
    if (out_.first_error.empty()) out_.first_error = why;
  }

 private:
  using Dimensions = std::vector<std::pair<std::string, std::string>>;

  void dimension_set(const element& value) {
    array names;
    if (value.get_array().get(names) != simdjson::SUCCESS) return invalid("a dimension set is no list");
    if (names.size() > kDimensionsMax) return invalid("a dimension set has more than 30 names");
    Dimensions dimensions;
    for (const element& each : names) {
      const auto name = text_of(each);
      if (!name) return invalid("the name of a dimension is no text");
      element target;
      // Names are looked up literally: "A.a" is never nested.
      if (root_.at_key(*name).get(target) != simdjson::SUCCESS || !target.is_string())
        return invalid("a dimension has no text as its value");
      const std::string_view text = *text_of(target);
      if (text.empty() || text.size() > kDimensionBytesMax) return invalid("the value of a dimension is empty or too long");
      const auto same = [&](const auto& d) { return d.first == *name; };
      if (std::none_of(dimensions.begin(), dimensions.end(), same)) dimensions.emplace_back(*name, text);
    }
    dimension_sets_.push_back(std::move(dimensions));
  }

  void metric(const element& value) {
    object fields;
    if (value.get_object().get(fields) != simdjson::SUCCESS) return invalid("the definition of a metric is no object");
    element name, given, target;
    if (fields["Name"].get(name) != simdjson::SUCCESS || !name.is_string()) return invalid("a metric has no name");
    Datum datum;
    datum.metric_namespace = namespace_;
    datum.metric_name = *text_of(name);
    if (datum.metric_name.empty() || datum.metric_name.size() > kNameBytesMax) return invalid("the name of a metric is empty or too long");
    if (fields["Unit"].get(given) == simdjson::SUCCESS) {
      const auto unit = text_of(given);
      if (!unit || !unit_code(*unit)) return invalid("a unit is unknown");
      datum.unit = *unit;
    }
    if (fields["StorageResolution"].get(given) == simdjson::SUCCESS) {
      std::int64_t seconds = 0;
      if (given.get_int64().get(seconds) != simdjson::SUCCESS || (seconds != 1 && seconds != 60))
        return invalid("StorageResolution is neither 1 nor 60");
      datum.high_resolution = seconds == 1;
    }
    if (root_.at_key(datum.metric_name).get(target) != simdjson::SUCCESS) return invalid("a metric has no value");
    array values;
    if (target.get_array().get(values) == simdjson::SUCCESS) {
      if (values.size() == 0 || values.size() > kValuesMax) return invalid("a metric has no or more than 100 values");
      for (const element& each : values)
        if (!number(each, datum)) return invalid("the value of a metric is no number");
    } else if (!number(target, datum)) {
      return invalid("the value of a metric is no number");
    }
    for (const Dimensions& dimensions : dimension_sets_) {
      datum.dimensions = dimensions;
      out_.data.push_back(datum);
    }
  }

  static bool number(const element& value, Datum& datum) {
    double number = 0;
    if (!value.is_number() || value.get_double().get(number) != simdjson::SUCCESS || !std::isfinite(number)) return false;
    datum.values.push_back(number);
    return true;
  }

  const object& root_;
  Extraction& out_;
  std::string_view namespace_;
  std::vector<Dimensions> dimension_sets_;
};

Extraction broken(std::string_view why) {
  Extraction out;
  out.is_document = true;
  out.parsing_errors = 1;
  out.first_error = why;
  return out;
}

}  // namespace

bool may_be_document(std::string_view message) {
  const std::size_t begin = message.find_first_not_of(" \t\r\n");
  return begin != std::string_view::npos && message[begin] == '{' &&
         find_bytes(message, "\"_aws\"", begin) != std::string_view::npos;
}

Extraction extract(std::string_view message) {
  Extraction out;
  if (!may_be_document(message)) return out;
  element root;
  object fields, aws;
  if (parser().parse(message.data(), message.size()).get(root) != simdjson::SUCCESS)
    return find_bytes(message, "\"CloudWatchMetrics\"") == std::string_view::npos ? out : broken("the line is not valid JSON");
  element value;
  if (root.get_object().get(fields) != simdjson::SUCCESS || fields["_aws"].get(value) != simdjson::SUCCESS) return out;
  if (value.get_object().get(aws) != simdjson::SUCCESS) return broken("_aws is no object");
  element directives;
  if (aws["CloudWatchMetrics"].get(directives) != simdjson::SUCCESS) return out;
  array list;
  if (directives.get_array().get(list) != simdjson::SUCCESS) return broken("CloudWatchMetrics is no list");
  out.is_document = true;
  Reader reader(fields, out);
  if (aws["Timestamp"].get(value) == simdjson::SUCCESS) {
    std::int64_t ms = 0;
    if (value.get_int64().get(ms) != simdjson::SUCCESS) {
      reader.invalid("Timestamp is no integer");
      return out;
    }
    out.timestamp_ms = ms;
  }
  for (const element& directive : list) reader.directive(directive);
  return out;
}

}  // namespace fog::emf
