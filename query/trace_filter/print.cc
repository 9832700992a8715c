#include "query/trace_filter/print.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace fog::trace_filter {

namespace {

std::string_view word_of(Keyword keyword) {
  switch (keyword) {
    case Keyword::kOk: return "ok";
    case Keyword::kError: return "error";
    case Keyword::kThrottle: return "throttle";
    case Keyword::kFault: return "fault";
    case Keyword::kPartial: return "partial";
    case Keyword::kInferred: return "inferred";
    case Keyword::kRoot: return "root";
    case Keyword::kFirst: return "first";
    case Keyword::kLast: return "last";
    case Keyword::kRemote: return "remote";
    case Keyword::kResponseTime: return "responsetime";
    case Keyword::kDuration: return "duration";
    case Keyword::kHttpStatus: return "http.status";
    case Keyword::kIndex: return "index";
    case Keyword::kCoverage: return "coverage";
    case Keyword::kHttpUrl: return "http.url";
    case Keyword::kHttpMethod: return "http.method";
    case Keyword::kHttpUserAgent: return "http.useragent";
    case Keyword::kHttpClientIp: return "http.clientip";
    case Keyword::kUser: return "user";
    case Keyword::kName: return "name";
    case Keyword::kType: return "type";
    case Keyword::kAvailabilityZone: return "availabilityzone";
    case Keyword::kInstanceId: return "instance.id";
    case Keyword::kResourceArn: return "resource.arn";
    case Keyword::kMessage: return "message";
    case Keyword::kAccountId: return "account.id";
  }
  return "";
}

std::string_view word_of(Op op) {
  switch (op) {
    case Op::kExists: return "";
    case Op::kEq: return "=";
    case Op::kNe: return "!=";
    case Op::kLt: return "<";
    case Op::kLe: return "<=";
    case Op::kGt: return ">";
    case Op::kGe: return ">=";
    case Op::kContains: return "CONTAINS";
    case Op::kBeginsWith: return "BEGINSWITH";
    case Op::kEndsWith: return "ENDSWITH";
  }
  return "";
}

std::string_view word_of(CauseKind kind) {
  switch (kind) {
    case CauseKind::kFault: return "fault";
    case CauseKind::kError: return "error";
    case CauseKind::kResponseTime: return "responsetime";
  }
  return "";
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + "\"";
}

nlohmann::json json_of(const CausePattern& cause) {
  auto out = nlohmann::json::object();
  const auto set = [](nlohmann::json& object, const char* key, const auto& value) {
    if (value) object[key] = *value;
  };
  set(out, "ClientImpacting", cause.client_impacting);
  if (!cause.services) return out;
  auto& services = out["Services"] = nlohmann::json::array();
  for (const auto& service : *cause.services) {
    auto one = nlohmann::json::object();
    set(one, "Name", service.name);
    set(one, "Type", service.type);
    set(one, "AccountId", service.account);
    set(one, "Names", service.names);
    set(one, "Inferred", service.inferred);
    if (service.path) {
      auto& path = one["EntityPath"] = nlohmann::json::array();
      for (const auto& entity : *service.path) {
        auto each = nlohmann::json::object();
        set(each, "Name", entity.name);
        set(each, "Remote", entity.remote);
        set(each, "Coverage", entity.coverage);
        if (entity.exceptions) {
          auto& exceptions = each["Exceptions"] = nlohmann::json::array();
          for (const auto& exception : *entity.exceptions) {
            auto x = nlohmann::json::object();
            set(x, "Name", exception.name);
            set(x, "Message", exception.message);
            exceptions.push_back(std::move(x));
          }
        }
        path.push_back(std::move(each));
      }
    }
    services.push_back(std::move(one));
  }
  return out;
}

struct Printer {
  static std::string comparison(Op op, const Literal& value) {
    if (op == Op::kExists) return "";
    std::string out = fmt::format(" {} ", word_of(op));
    if (const auto* truth = std::get_if<bool>(&value)) return out + (*truth ? "true" : "false");
    if (const auto* number = std::get_if<double>(&value)) return out + fmt::format("{}", *number);
    return out + in_quotes(std::get<std::string>(value));
  }
  static std::string matcher(const NodeMatcher& node) {
    if (node.any()) return "";
    if (node.name && !node.type && !node.account) return in_quotes(*node.name);
    std::string parts;
    for (const auto& [key, value] : {std::pair("name", &node.name), std::pair("type", &node.type), std::pair("account.id", &node.account)})
      if (*value) parts += fmt::format("{}{}: {}", parts.empty() ? "" : ", ", key, in_quotes(**value));
    return "id(" + parts + ")";
  }
  static std::string block(const NodePtr& node) { return node ? fmt::format(" {{ {} }}", print(node.get())) : ""; }
  // What takes more than one term stands in parentheses.
  static std::string part(const Node* node) {
    const bool compound = node != nullptr && (std::holds_alternative<And>(node->body) || std::holds_alternative<Or>(node->body));
    return compound ? "(" + print(node) + ")" : print(node);
  }
  static std::string joined(const std::vector<NodePtr>& parts, std::string_view by) {
    std::string out;
    for (const auto& each : parts) out += fmt::format("{}{}", out.empty() ? "" : by, part(each.get()));
    return out;
  }

  std::string operator()(const And& node) const { return joined(node.parts, " AND "); }
  std::string operator()(const Or& node) const { return joined(node.parts, " OR "); }
  std::string operator()(const Not& node) const { return "!" + part(node.inner.get()); }
  std::string operator()(const Test& node) const { return std::string(word_of(node.keyword)) + comparison(node.op, node.value); }
  std::string operator()(const AnnotationTest& node) const { return "annotation[" + in_quotes(node.key) + "]" + comparison(node.op, node.value); }
  std::string operator()(const ServiceTest& node) const { return "service(" + matcher(node.node) + ")" + block(node.block); }
  std::string operator()(const EdgeTest& node) const { return "edge(" + matcher(node.from) + ", " + matcher(node.to) + ")" + block(node.block); }
  std::string operator()(const GroupTest& node) const {
    // Every trace has a duration: the shortest way to say "all".
    const std::string inner = node.expression ? part(node.expression.get()) : "duration";
    return node.negated ? "!" + inner : inner;
  }
  std::string operator()(const CauseTest& node) const {
    const char* what = node.part == CausePart::kService ? "service" : node.part == CausePart::kEntity ? "entity" : "exception";
    return fmt::format("rootcause.{}.{}{}", word_of(node.kind), what, block(node.block));
  }
  std::string operator()(const CauseJson& node) const {
    auto patterns = nlohmann::json::array();
    for (const auto& pattern : node.patterns) patterns.push_back(json_of(pattern));
    return fmt::format("rootcause.{}{}json = #{}", node.kind ? word_of(*node.kind) : "", node.kind ? "." : "", patterns.dump());
  }
};

}  // namespace

std::string print(const Node* node) { return node == nullptr ? "" : std::visit(Printer{}, node->body); }

}  // namespace fog::trace_filter
