#include "api/auth/policy.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include <nlohmann/json.hpp>

namespace fog::iam {
namespace {

using Json = nlohmann::json;
using Values = std::vector<std::string>;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) { return lower(c); });
  return text;
}

bool same(std::string_view a, std::string_view b, bool ignore_case) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [&](char x, char y) {
           return x == y || (ignore_case && lower(x) == lower(y));
         });
}

// "10.0.0.0/8" and an address of the same family.
bool is_in_block(const std::string& block, const std::string& address) {
  const std::size_t slash = std::min(block.find('/'), block.size());
  const std::string base = block.substr(0, slash);
  for (const int family : {AF_INET, AF_INET6}) {
    unsigned char a[16]{};
    unsigned char b[16]{};
    if (::inet_pton(family, base.c_str(), a) != 1 || ::inet_pton(family, address.c_str(), b) != 1) continue;
    const int bits_max = family == AF_INET ? 32 : 128;
    int bits = bits_max;
    if (slash < block.size()) {
      const char* end = block.data() + block.size();
      const auto [at, error] = std::from_chars(block.data() + slash + 1, end, bits);
      if (error != std::errc() || at != end || bits < 0 || bits > bits_max) return false;
    }
    const auto whole = static_cast<std::size_t>(bits / 8);
    if (std::memcmp(a, b, whole) != 0) return false;
    const int rest = bits % 8;
    return rest == 0 || (a[whole] >> (8 - rest)) == (b[whole] >> (8 - rest));
  }
  return false;
}

std::optional<double> number_of(const std::string& text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || at != end) return std::nullopt;
  return number;
}

// One value of the request against one of the policy.
using Compare = bool (*)(const std::string& wanted, const std::string& found);

struct Operator {
  std::string_view name;
  bool negated;
  Compare compare;
};

template <typename Test>
bool numbers(const std::string& wanted, const std::string& found, Test test) {
  const auto a = number_of(wanted);
  const auto b = number_of(found);
  return a && b && test(*b, *a);
}

bool equals(const std::string& wanted, const std::string& found) { return wanted == found; }
bool equals_ignoring_case(const std::string& wanted, const std::string& found) { return same(wanted, found, true); }
bool is_like(const std::string& wanted, const std::string& found) { return matches_wildcard(wanted, found); }

constexpr Operator kOperators[] = {
    {"StringEquals", false, equals},
    {"StringNotEquals", true, equals},
    {"StringEqualsIgnoreCase", false, equals_ignoring_case},
    {"StringNotEqualsIgnoreCase", true, equals_ignoring_case},
    {"StringLike", false, is_like},
    {"StringNotLike", true, is_like},
    {"ArnEquals", false, is_like},
    {"ArnLike", false, is_like},
    {"ArnNotEquals", true, is_like},
    {"ArnNotLike", true, is_like},
    {"Bool", false, equals_ignoring_case},
    {"IpAddress", false, is_in_block},
    {"NotIpAddress", true, is_in_block},
    {"NumericEquals", false, [](const std::string& w, const std::string& f) { return numbers(w, f, [](double a, double b) { return a == b; }); }},
    {"NumericNotEquals", true, [](const std::string& w, const std::string& f) { return numbers(w, f, [](double a, double b) { return a == b; }); }},
    {"NumericLessThan", false, [](const std::string& w, const std::string& f) { return numbers(w, f, [](double a, double b) { return a < b; }); }},
    {"NumericLessThanEquals", false, [](const std::string& w, const std::string& f) { return numbers(w, f, [](double a, double b) { return a <= b; }); }},
    {"NumericGreaterThan", false, [](const std::string& w, const std::string& f) { return numbers(w, f, [](double a, double b) { return a > b; }); }},
    {"NumericGreaterThanEquals", false, [](const std::string& w, const std::string& f) { return numbers(w, f, [](double a, double b) { return a >= b; }); }},
};

const Operator* find_operator(std::string_view name) {
  const auto* found = std::find_if(std::begin(kOperators), std::end(kOperators), [&](const Operator& o) { return o.name == name; });
  return found == std::end(kOperators) ? nullptr : found;
}

constexpr std::string_view kNull = "Null";

bool holds(const Condition& condition, const Access& access, bool if_unknown) {
  const auto found = access.context.find(condition.key);
  const bool exists = found != access.context.end();
  if (condition.test == kNull) {
    return std::any_of(condition.values.begin(), condition.values.end(), [&](const std::string& v) { return same(v, exists ? "false" : "true", true); });
  }
  const Operator* op = find_operator(condition.test);
  if (op == nullptr) return if_unknown;
  if (!exists) return condition.if_exists || op->negated || condition.over == Condition::Over::kAll;
  const auto fits = [&](const std::string& value) {
    const bool any = std::any_of(condition.values.begin(), condition.values.end(), [&](const std::string& wanted) { return op->compare(wanted, value); });
    return any != op->negated;
  };
  const Values& values = found->second;
  const bool all = condition.over == Condition::Over::kAll || (condition.over == Condition::Over::kOne && op->negated);
  return all ? std::all_of(values.begin(), values.end(), fits) : std::any_of(values.begin(), values.end(), fits);
}

bool applies(const Statement& statement, const Access& access) {
  const auto action = [&](const std::string& pattern) { return matches_wildcard(pattern, access.action, true); };
  if (std::any_of(statement.actions.begin(), statement.actions.end(), action) == statement.not_action) return false;
  const auto resource = [&](const std::string& pattern) {
    return std::any_of(access.resources.begin(), access.resources.end(), [&](const std::string& form) { return matches_wildcard(pattern, form); });
  };
  if (std::any_of(statement.resources.begin(), statement.resources.end(), resource) == statement.not_resource) return false;
  return std::all_of(statement.conditions.begin(), statement.conditions.end(),
                     [&](const Condition& c) { return holds(c, access, !statement.allows); });
}

Error bad(std::string message) { return Error::invalid(std::move(message)); }

// A text, a number, a bool, or a list of them.
Result<Values> values_of(const Json& json, std::string_view where) {
  Values values;
  const auto add = [&](const Json& value) {
    if (value.is_string()) values.push_back(value.get<std::string>());
    else if (value.is_boolean() || value.is_number()) values.push_back(value.dump());
    else return false;
    return true;
  };
  if (json.is_array()) {
    for (const Json& value : json) {
      if (!add(value)) return bad(fmt::format("{} holds something that is not a text", where));
    }
  } else if (!add(json)) {
    return bad(fmt::format("{} is neither a text nor a list of texts", where));
  }
  if (values.empty()) return bad(fmt::format("{} is empty", where));
  return values;
}

// "ForAnyValue:StringLikeIfExists"
Condition read_operator(std::string_view name) {
  Condition condition;
  if (name.starts_with("ForAllValues:")) condition.over = Condition::Over::kAll;
  else if (name.starts_with("ForAnyValue:")) condition.over = Condition::Over::kAny;
  if (condition.over != Condition::Over::kOne) name.remove_prefix(name.find(':') + 1);
  constexpr std::string_view kIfExists = "IfExists";
  condition.if_exists = name.ends_with(kIfExists);
  if (condition.if_exists) name.remove_suffix(kIfExists.size());
  condition.test = name;
  return condition;
}

Status read_conditions(const Json& json, Statement& statement, Policy& policy) {
  if (!json.is_object()) return bad("Condition is not an object");
  for (const auto& [name, keys] : json.items()) {
    if (!keys.is_object()) return bad(fmt::format("Condition {} is not an object", name));
    const Condition op = read_operator(name);
    if (op.test != kNull && find_operator(op.test) == nullptr) policy.warnings.push_back(fmt::format("condition operator {} is not known", name));
    for (const auto& [key, values] : keys.items()) {
      Condition condition = op;
      condition.key = lower(key);
      TRY(condition.values, values_of(values, key));
      statement.conditions.push_back(std::move(condition));
    }
  }
  return Ok{};
}

Result<Statement> read_statement(const Json& json, Policy& policy) {
  if (!json.is_object()) return bad("a Statement is not an object");
  Statement statement;
  bool has_effect = false;
  int actions = 0;
  int resources = 0;
  for (const auto& [name, value] : json.items()) {
    if (name == "Sid") continue;
    if (name == "Effect") {
      has_effect = value == "Allow" || value == "Deny";
      statement.allows = value == "Allow";
    } else if (name == "Action" || name == "NotAction") {
      ++actions;
      statement.not_action = name == "NotAction";
      TRY(statement.actions, values_of(value, name));
    } else if (name == "Resource" || name == "NotResource") {
      ++resources;
      statement.not_resource = name == "NotResource";
      TRY(statement.resources, values_of(value, name));
    } else if (name == "Condition") {
      TRYV(read_conditions(value, statement, policy));
    } else {
      return bad(fmt::format("a Statement has no member {} in an identity-based policy", name));
    }
  }
  if (!has_effect) return bad("Effect must be Allow or Deny");
  if (actions != 1) return bad("a Statement has one of Action and NotAction");
  if (resources != 1) return bad("a Statement has one of Resource and NotResource");
  return statement;
}

}  // namespace

bool matches_wildcard(std::string_view pattern, std::string_view text, bool ignore_case) {
  // Greedy with one point to come back to: the last star.
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t] || (ignore_case && lower(pattern[p]) == lower(text[t])))) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

Result<Policy> parse_policy(std::string_view json) {
  const Json document = Json::parse(json, nullptr, false);
  if (!document.is_object()) return bad("the policy is not a JSON object");
  const auto statements = document.find("Statement");
  if (statements == document.end()) return bad("the policy has no Statement");
  Policy policy;
  const Json list = statements->is_array() ? *statements : Json::array({*statements});
  for (const Json& entry : list) {
    TRY(Statement statement, read_statement(entry, policy));
    policy.statements.push_back(std::move(statement));
  }
  return policy;
}

Decision evaluate(std::span<const Policy> policies, const Access& access) {
  bool allowed = false;
  for (const Policy& policy : policies) {
    for (const Statement& statement : policy.statements) {
      if (!applies(statement, access)) continue;
      if (!statement.allows) return Decision::kExplicitDeny;
      allowed = true;
    }
  }
  return allowed ? Decision::kAllowed : Decision::kImplicitDeny;
}

}  // namespace fog::iam
