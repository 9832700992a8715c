// Policies: the subset of IAM's identity-based policies that one server can enforce.
//
//   evaluate(policies, {.action = "logs:PutLogEvents", .resources = {"arn:aws:logs:...:log-stream:s1"}})
//
// Any matching Deny denies; else any matching Allow allows; else nothing does (AWS Identity and Access
// Management User Guide, "Policy evaluation logic"). Pure; a Policy is read-only once parsed.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/result.h"

namespace fog::iam {

struct Access {
  std::string action;  // "cloudwatch:PutMetricData"
  // The ways in which AWS writes the one resource that is asked for; a statement matches by any of them.
  std::vector<std::string> resources;
  // Condition keys in lower case ("aws:sourceip"); a key that the request lacks is absent.
  std::map<std::string, std::vector<std::string>> context{};
};

enum class Decision : std::uint8_t { kAllowed, kExplicitDeny, kImplicitDeny };

struct Condition {
  enum class Over : std::uint8_t { kOne, kAll, kAny };  // "", "ForAllValues:", "ForAnyValue:"
  std::string test;  // "StringLike", without prefix and suffix
  Over over = Over::kOne;
  bool if_exists = false;
  std::string key;  // lower case
  std::vector<std::string> values;
};

struct Statement {
  bool allows = false;
  bool not_action = false;
  bool not_resource = false;
  std::vector<std::string> actions;
  std::vector<std::string> resources;
  std::vector<Condition> conditions;
};

struct Policy {
  std::vector<Statement> statements;
  std::vector<std::string> warnings;  // operators that are not known: such a statement never allows, always denies
};

// {"Version", "Statement": [{"Effect", "Action" | "NotAction", "Resource" | "NotResource", "Condition"}]}.
// The error says what is wrong and where.
Result<Policy> parse_policy(std::string_view json);

Decision evaluate(std::span<const Policy> policies, const Access& access);

// `*` any characters, also none, `:` and `/` among them; `?` one character.
bool matches_wildcard(std::string_view pattern, std::string_view text, bool ignore_case = false);

}  // namespace fog::iam
