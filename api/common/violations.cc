#include "api/common/violations.h"

#include <cctype>
#include <charconv>

#include "api/common/fault.h"

namespace fog {
namespace {

std::string number(double value) {
  char text[40];
  const auto whole = static_cast<long long>(value);
  const auto end = static_cast<double>(whole) == value ? std::to_chars(text, text + sizeof text, whole)
                                                       : std::to_chars(text, text + sizeof text, value);
  return {text, end.ptr};
}

// AWS's validator names members as Java beans do.
std::string bean_name(const std::string& name) {
  std::string out = name;
  if (!out.empty()) out[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(out[0])));
  return out;
}

std::string enum_rule(const Shape& shape) {
  std::string out = "Member must satisfy enum value set: [";
  for (std::size_t i = 0; i < shape.enum_count; ++i) {
    if (i > 0) out += ", ";
    out += shape.enum_values[i];
  }
  return out + ']';
}

// Everything a scalar must satisfy, as AWS lists it for elements.
std::string all_rules(const Shape& shape) {
  std::vector<std::string> rules;
  const Bounds& b = shape.bounds;
  const bool is_number = shape.kind == Kind::kInteger || shape.kind == Kind::kLong || shape.kind == Kind::kDouble;
  const std::string what = is_number ? "value" : "length";
  if (b.has_max) rules.push_back("Member must have " + what + " less than or equal to " + number(b.max));
  if (b.has_min) rules.push_back("Member must have " + what + " greater than or equal to " + number(b.min));
  if (!shape.pattern.empty())
    rules.push_back("Member must satisfy regular expression pattern: " + std::string(shape.pattern));
  if (shape.kind == Kind::kEnum) rules.push_back(enum_rule(shape));
  std::string out = "[";
  for (std::size_t i = 0; i < rules.size(); ++i) out += (i > 0 ? ", " : "") + rules[i];
  return out + ']';
}

}  // namespace

std::string Violation::coral_path() const {
  std::string out;
  for (const Step& step : path) {
    if (!out.empty()) out += '.';
    if (step.index > 0) {
      out += number(static_cast<double>(step.index)) + ".member";
    } else if (step.is_map_key) {
      out += step.name + ".member";
    } else {
      out += bean_name(step.name);
    }
  }
  return out;
}

std::string Violation::query_path() const {
  std::string out;
  for (const Step& step : path) {
    if (!out.empty()) out += '.';
    if (step.index > 0) {
      out += "member." + number(static_cast<double>(step.index));
    } else if (step.is_map_key) {
      out += "entry." + step.name;
    } else {
      out += step.name;
    }
  }
  return out;
}

std::string Violation::rule() const {
  const Bounds& b = shape->bounds;
  switch (constraint) {
    case Constraint::kNotNull: return "Member must not be null";
    case Constraint::kEnum: return enum_rule(*shape);
    case Constraint::kLengthMin: return "Member must have length greater than or equal to " + number(b.min);
    case Constraint::kLengthMax: return "Member must have length less than or equal to " + number(b.max);
    case Constraint::kValueMin: return "Member must have value greater than or equal to " + number(b.min);
    case Constraint::kValueMax: return "Member must have value less than or equal to " + number(b.max);
    case Constraint::kPattern:
      return "Member must satisfy regular expression pattern: " + std::string(shape->pattern);
    case Constraint::kElement:
      return "Member must satisfy constraint: " + all_rules(shape->kind == Kind::kList ? *shape->element : *shape);
    case Constraint::kMapKey: return "Map keys must satisfy constraint: " + all_rules(*shape->key);
    case Constraint::kMapValue: return "Map value must satisfy constraint: " + all_rules(*shape->element);
  }
  return {};
}

std::string validation_text(std::span<const Violation> violations) {
  std::string out = number(static_cast<double>(violations.size()));
  out += violations.size() == 1 ? " validation error detected: " : " validation errors detected: ";
  for (std::size_t i = 0; i < violations.size(); ++i) {
    const Violation& v = violations[i];
    if (i > 0) out += "; ";
    out += v.constraint == Constraint::kNotNull ? "Value null" : "Value '" + v.value + '\'';
    out += " at '" + v.coral_path() + "' failed to satisfy constraint: " + v.rule();
  }
  return out;
}

Error validation_error(const OperationInfo&, std::span<const Violation> violations) {
  return wire_fault({.code = "com.amazon.coral.validate#ValidationException",
                     .query_code = "ValidationError",
                     .message = validation_text(violations)});
}

}  // namespace fog
