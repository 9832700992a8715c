// The syntax tree of a filter expression. A closed set: whoever walks it switches over all of it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "query/trace_filter/root_causes.h"

namespace fog::trace_filter {

enum class Keyword : std::uint8_t {
  // boolean
  kOk, kError, kThrottle, kFault, kPartial, kInferred, kRoot, kFirst, kLast, kRemote,
  // number
  kResponseTime, kDuration, kHttpStatus, kIndex, kCoverage,
  // string
  kHttpUrl, kHttpMethod, kHttpUserAgent, kHttpClientIp, kUser, kName, kType, kAvailabilityZone,
  kInstanceId, kResourceArn, kMessage, kAccountId,
};
enum class ValueType : std::uint8_t { kBool, kNumber, kString };

enum class Op : std::uint8_t {
  kExists,  // the keyword alone
  kEq, kNe, kLt, kLe, kGt, kGe,
  kContains, kBeginsWith, kEndsWith,
};
using Literal = std::variant<bool, double, std::string>;

struct Node;
using NodePtr = std::unique_ptr<Node>;

// `n` of service(n) and edge(n, n); an absent part matches anything.
struct NodeMatcher {
  std::optional<std::string> name, type, account;
  bool any() const { return !name && !type && !account; }
};

struct And { std::vector<NodePtr> parts; };
struct Or { std::vector<NodePtr> parts; };
struct Not { NodePtr inner; };
struct Test { Keyword keyword = Keyword::kOk; Op op = Op::kExists; Literal value; };
struct AnnotationTest { std::string key; Op op = Op::kExists; Literal value; };
struct ServiceTest { NodeMatcher node; NodePtr block; };
struct EdgeTest { NodeMatcher from, to; NodePtr block; };
// The group's own expression stands here after binding; null: matches everything.
struct GroupTest { NodePtr expression; bool negated = false; };
enum class CausePart : std::uint8_t { kService, kEntity, kException };
struct CauseTest { CauseKind kind = CauseKind::kFault; CausePart part = CausePart::kService; NodePtr block; };
// Patterns in the shape of root causes; what is absent matches anything.
struct EntityPattern {
  std::optional<std::string> name;
  std::optional<bool> remote;
  std::optional<double> coverage;
  struct Exception { std::optional<std::string> name, message; };
  std::optional<std::vector<Exception>> exceptions;
};
struct ServicePattern {
  std::optional<std::string> name, type, account;
  std::optional<std::vector<std::string>> names;
  std::optional<bool> inferred;
  std::optional<std::vector<EntityPattern>> path;
};
struct CausePattern {
  std::optional<std::vector<ServicePattern>> services;
  std::optional<bool> client_impacting;
};
struct CauseJson { std::optional<CauseKind> kind; std::vector<CausePattern> patterns; };

struct Node {
  std::variant<And, Or, Not, Test, AnnotationTest, ServiceTest, EdgeTest, GroupTest, CauseTest, CauseJson>
      body;
};

}  // namespace fog::trace_filter
