// What an expression means for a trace.
//
// A comparison is true if some value of its keyword satisfies it, so with no value it is false,
// != included. Subjects differ by place: the trace, one segment, one call, one entry of a cause.
#include <cmath>

#include "query/trace_filter/filter.h"
#include "storage/traces/graph.h"
#include "storage/traces/terms.h"

namespace fog::trace_filter {

using traces::Entity;
using traces::EntityKind;
using traces::Trace;

namespace {

bool compare(double value, Op op, double literal) {
  switch (op) {
    case Op::kEq: return value == literal;
    case Op::kNe: return value != literal;
    case Op::kLt: return value < literal;
    case Op::kLe: return value <= literal;
    case Op::kGt: return value > literal;
    case Op::kGe: return value >= literal;
    case Op::kExists: return true;
    case Op::kContains:
    case Op::kBeginsWith:
    case Op::kEndsWith: return false;
  }
  return false;
}

bool compare(std::string_view value, Op op, std::string_view literal) {
  switch (op) {
    case Op::kEq: return value == literal;
    case Op::kNe: return value != literal;
    case Op::kContains: return value.find(literal) != std::string_view::npos;
    case Op::kBeginsWith: return value.starts_with(literal);
    case Op::kEndsWith: return value.ends_with(literal);
    case Op::kExists: return true;
    case Op::kLt:
    case Op::kLe:
    case Op::kGt:
    case Op::kGe: return false;
  }
  return false;
}

// A boolean alone is its value.
bool test_bool(bool value, const Test& test) {
  if (test.op == Op::kExists) return value;
  return (test.op == Op::kEq) == (value == std::get<bool>(test.value));
}
bool test_number(std::optional<double> value, const Test& test) {
  if (!value) return false;
  return test.op == Op::kExists || compare(*value, test.op, std::get<double>(test.value));
}
// An empty text is an absent one.
bool test_text(std::string_view value, const Test& test) {
  if (value.empty()) return false;
  return test.op == Op::kExists || compare(value, test.op, std::get<std::string>(test.value));
}

std::optional<double> seconds(std::optional<std::int64_t> ms) {
  if (!ms) return std::nullopt;
  return static_cast<double>(*ms) / 1000.0;
}
std::optional<double> duration_of(const Entity& e) {
  if (e.in_progress) return std::nullopt;
  return seconds(e.duration_ms());
}
std::optional<double> status_of(const Entity& e) {
  if (e.http_status < 0) return std::nullopt;
  return e.http_status;
}
bool is_ok(const Entity& e) { return !e.error && !e.fault && !e.throttle; }

// What a keyword means in the place where it stands; borrowed, never kept.
class Leaf {
 public:
  template <typename F>
    requires(!std::is_same_v<F, Leaf>)
  Leaf(const F& f)
      : object_(&f),
        call_([](const void* object, const Test& t) { return (*static_cast<const F*>(object))(t); }) {}
  bool operator()(const Test& test) const { return call_(object_, test); }

 private:
  const void* object_;
  bool (*call_)(const void*, const Test&);
};

class Evaluator {
 public:
  Evaluator(const Trace& trace, std::string_view account) : trace_(trace), account_(account) {}

  // `leaf` says what a keyword means here; the rest of the tree is the same everywhere.
  bool walk(const Node* node, Leaf leaf) {
    if (node == nullptr) return true;
    return std::visit([&](const auto& body) { return eval(body, leaf); }, node->body);
  }

  bool whole(const Node* node) {
    return walk(node, [&](const Test& test) { return trace_test(test); });
  }

 private:
  bool eval(const And& node, Leaf leaf) {
    for (const auto& part : node.parts)
      if (!walk(part.get(), leaf)) return false;
    return true;
  }
  bool eval(const Or& node, Leaf leaf) {
    for (const auto& part : node.parts)
      if (walk(part.get(), leaf)) return true;
    return false;
  }
  bool eval(const Not& node, Leaf leaf) {
    return !walk(node.inner.get(), leaf);
  }
  bool eval(const Test& node, Leaf leaf) {
    return leaf(node);
  }

  // Keys beyond the first 50 are not indexed, so they don't exist for a filter.
  bool eval(const AnnotationTest& node, Leaf) {
    std::vector<std::string_view> keys;
    for (const auto& a : trace_.annotations) {
      if (std::find(keys.begin(), keys.end(), a.key) == keys.end()) {
        if (keys.size() == traces::kAnnotationKeysMax) continue;
        keys.push_back(a.key);
      }
      if (a.key != node.key) continue;
      if (node.op == Op::kExists) {
        const auto* truth = std::get_if<bool>(&a.value);
        if (truth == nullptr || *truth) return true;
        continue;
      }
      if (const auto* text = std::get_if<std::string_view>(&a.value)) {
        const auto* literal = std::get_if<std::string>(&node.value);
        if (literal != nullptr && compare(*text, node.op, *literal)) return true;
      } else if (const auto* number = std::get_if<double>(&a.value)) {
        const auto* literal = std::get_if<double>(&node.value);
        if (literal != nullptr && compare(*number, node.op, *literal)) return true;
      } else if (const auto* literal = std::get_if<bool>(&node.value)) {
        if ((std::get<bool>(a.value) == *literal) == (node.op == Op::kEq)) return true;
      }
    }
    return false;
  }

  bool is_node(const NodeMatcher& matcher, const Entity& segment) const {
    return matches_node(matcher, segment.node_name, segment.node_type, segment.account, account_);
  }
  bool is_client_of(const NodeMatcher& matcher, const Entity& root) const {
    return matches_node(matcher, root.node_name, traces::kClientType, root.account, account_);
  }

  bool eval(const ServiceTest& node, Leaf) {
    for (std::size_t i = 0; i < trace_.entities.size(); ++i) {
      const Entity& e = trace_.entities[i];
      if (!e.is_segment()) continue;
      const bool hit = is_node(node.node, e) || (e.is_root() && is_client_of(node.node, e));
      if (hit && walk(node.block.get(), [&](const Test& t) { return segment_test(e, t); }))
        return true;
    }
    return false;
  }

  bool eval(const EdgeTest& node, Leaf) {
    for (const Entity& e : trace_.entities) {
      if (!e.is_segment() || !is_node(node.to, e)) continue;
      const Entity* call = &e;
      if (e.parent < 0) {
        if (!e.is_root() || !is_client_of(node.from, e)) continue;
      } else {
        const Entity& parent = trace_.at(e.parent);
        if (parent.segment < 0 || !is_node(node.from, trace_.at(parent.segment))) continue;
        if (!parent.is_segment()) call = &parent;
      }
      if (walk(node.block.get(), [&](const Test& t) { return call_test(*call, e, t); })) return true;
    }
    return false;
  }

  bool eval(const GroupTest& node, Leaf) {
    return whole(node.expression.get()) != node.negated;
  }

  bool eval(const CauseTest& node, Leaf) {
    for (const auto& cause : causes(node.kind))
      if (cause_matches(cause, node)) return true;
    return false;
  }

  bool eval(const CauseJson& node, Leaf) {
    for (const auto kind : {CauseKind::kFault, CauseKind::kError, CauseKind::kResponseTime}) {
      if (node.kind && *node.kind != kind) continue;
      for (const auto& cause : causes(kind))
        for (const auto& pattern : node.patterns)
          if (matches_pattern(cause, pattern)) return true;
    }
    return false;
  }

  const std::vector<RootCause>& causes(CauseKind kind) {
    auto& known = causes_[static_cast<std::size_t>(kind)];
    if (!known) known = root_causes(trace_, kind);
    return *known;
  }

  // Position of an entry: shared by the three kinds of cause blocks.
  static bool place_test(std::size_t index, std::size_t count, const Test& t) {
    if (t.keyword == Keyword::kFirst) return test_bool(index == 0, t);
    if (t.keyword == Keyword::kLast) return test_bool(index + 1 == count, t);
    return t.keyword == Keyword::kIndex && test_number(static_cast<double>(index), t);
  }

  bool cause_matches(const RootCause& cause, const CauseTest& node) {
    switch (node.part) {
      case CausePart::kService: {
        for (std::size_t i = 0; i < cause.services.size(); ++i) {
          const auto& service = cause.services[i];
          const auto leaf = [&](const Test& t) {
            if (t.keyword == Keyword::kName) return test_text(service.name, t);
            if (t.keyword == Keyword::kType) return test_text(service.type, t);
            if (t.keyword == Keyword::kAccountId)
              return test_text(service.account.empty() ? account_ : service.account, t);
            if (t.keyword == Keyword::kInferred) return test_bool(service.inferred, t);
            return place_test(i, cause.services.size(), t);
          };
          if (walk(node.block.get(), leaf)) return true;
        }
        return false;
      }
      case CausePart::kEntity: {
        std::vector<const CauseEntity*> entities;
        for (const auto& service : cause.services)
          for (const auto& entity : service.path) entities.push_back(&entity);
        for (std::size_t i = 0; i < entities.size(); ++i) {
          const auto leaf = [&](const Test& t) {
            if (t.keyword == Keyword::kName) return test_text(entities[i]->name, t);
            if (t.keyword == Keyword::kRemote) return test_bool(entities[i]->remote, t);
            if (t.keyword == Keyword::kCoverage)
              return node.kind == CauseKind::kResponseTime && test_number(entities[i]->coverage, t);
            return place_test(i, entities.size(), t);
          };
          if (walk(node.block.get(), leaf)) return true;
        }
        return false;
      }
      case CausePart::kException: {
        std::vector<const traces::ExceptionFact*> exceptions;
        for (const auto& service : cause.services)
          for (const auto& entity : service.path)
            for (const auto& exception : entity.exceptions) exceptions.push_back(&exception);
        for (std::size_t i = 0; i < exceptions.size(); ++i) {
          const auto leaf = [&](const Test& t) {
            if (t.keyword == Keyword::kName) return test_text(exceptions[i]->type, t);
            if (t.keyword == Keyword::kMessage) return test_text(exceptions[i]->message, t);
            return place_test(i, exceptions.size(), t);
          };
          if (walk(node.block.get(), leaf)) return true;
        }
        return false;
      }
    }
    return false;
  }

  static bool same(const std::optional<std::string>& pattern, std::string_view value) {
    return !pattern || *pattern == value;
  }

  bool matches_pattern(const RootCause& cause, const CausePattern& pattern) const {
    if (pattern.client_impacting && *pattern.client_impacting != cause.client_impacting) return false;
    if (!pattern.services) return true;
    if (pattern.services->size() != cause.services.size()) return false;
    for (std::size_t i = 0; i < cause.services.size(); ++i)
      if (!matches_pattern(cause.services[i], (*pattern.services)[i])) return false;
    return true;
  }
  bool matches_pattern(const CauseService& service, const ServicePattern& pattern) const {
    if (!same(pattern.name, service.name) || !same(pattern.type, service.type)) return false;
    if (!same(pattern.account, service.account.empty() ? account_ : service.account)) return false;
    if (pattern.inferred && *pattern.inferred != service.inferred) return false;
    if (pattern.names && (pattern.names->size() != 1 || pattern.names->front() != service.name))
      return false;
    if (!pattern.path) return true;
    if (pattern.path->size() != service.path.size()) return false;
    for (std::size_t i = 0; i < service.path.size(); ++i) {
      const auto& entity = service.path[i];
      const auto& wanted = (*pattern.path)[i];
      if (!same(wanted.name, entity.name)) return false;
      if (wanted.remote && *wanted.remote != entity.remote) return false;
      if (wanted.coverage && *wanted.coverage != entity.coverage) return false;
      if (!wanted.exceptions) continue;
      if (wanted.exceptions->size() != entity.exceptions.size()) return false;
      for (std::size_t x = 0; x < entity.exceptions.size(); ++x)
        if (!same((*wanted.exceptions)[x].name, entity.exceptions[x].type) ||
            !same((*wanted.exceptions)[x].message, entity.exceptions[x].message))
          return false;
    }
    return true;
  }

  bool any_segment(const Test& test, std::string_view Entity::*member) const {
    for (const auto& e : trace_.entities)
      if (e.is_segment() && test_text(e.*member, test)) return true;
    return false;
  }

  bool trace_test(const Test& t) const {
    const Entity* root = trace_.root < 0 ? nullptr : &trace_.at(trace_.root);
    const auto root_text = [&](std::string_view Entity::*member) {
      return root != nullptr && test_text(root->*member, t);
    };
    switch (t.keyword) {
      case Keyword::kOk: return test_bool(root != nullptr && is_ok(*root), t);
      case Keyword::kError: return test_bool(root != nullptr && root->error, t);
      case Keyword::kFault: return test_bool(root != nullptr && root->fault, t);
      case Keyword::kThrottle: return test_bool(trace_.has_throttle(), t);
      case Keyword::kPartial: return test_bool(trace_.partial, t);
      case Keyword::kInferred: return test_bool(trace_.has_inferred(), t);
      case Keyword::kRoot: return test_bool(true, t);
      case Keyword::kResponseTime: return test_number(seconds(trace_.response_ms()), t);
      case Keyword::kDuration: return test_number(seconds(trace_.duration_ms()), t);
      case Keyword::kHttpStatus:
        return test_number(root != nullptr ? status_of(*root) : std::nullopt, t);
      case Keyword::kHttpUrl: return root_text(&Entity::http_url);
      case Keyword::kHttpMethod: return root_text(&Entity::http_method);
      case Keyword::kHttpUserAgent: return root_text(&Entity::user_agent);
      case Keyword::kHttpClientIp: return root_text(&Entity::client_ip);
      case Keyword::kName: return root_text(&Entity::node_name);
      case Keyword::kType: return root_text(&Entity::node_type);
      case Keyword::kUser: return any_segment(t, &Entity::user);
      case Keyword::kAvailabilityZone: return any_segment(t, &Entity::availability_zone);
      case Keyword::kInstanceId: return any_segment(t, &Entity::instance_id);
      case Keyword::kResourceArn: return any_segment(t, &Entity::resource_arn);
      case Keyword::kFirst:
      case Keyword::kLast:
      case Keyword::kRemote:
      case Keyword::kIndex:
      case Keyword::kCoverage:
      case Keyword::kMessage:
      case Keyword::kAccountId: return false;  // the parser lets them into cause blocks only
    }
    return false;
  }

  bool segment_test(const Entity& e, const Test& t) const {
    switch (t.keyword) {
      case Keyword::kInferred: return test_bool(e.kind == EntityKind::kInferred, t);
      case Keyword::kRoot: return test_bool(e.is_root(), t);
      case Keyword::kName: return test_text(e.node_name, t);
      case Keyword::kType: return test_text(e.node_type, t);
      case Keyword::kUser: return test_text(e.user, t);
      case Keyword::kAvailabilityZone: return test_text(e.availability_zone, t);
      case Keyword::kInstanceId: return test_text(e.instance_id, t);
      case Keyword::kResourceArn: return test_text(e.resource_arn, t);
      default: return item_test(e, t);
    }
  }

  bool call_test(const Entity& call, const Entity& callee, const Test& t) const {
    if (t.keyword == Keyword::kName) return test_text(callee.node_name, t);
    if (t.keyword == Keyword::kType) return test_text(callee.node_type, t);
    return item_test(call, t);
  }

  // What segments and calls have in common.
  static bool item_test(const Entity& e, const Test& t) {
    switch (t.keyword) {
      case Keyword::kOk: return test_bool(is_ok(e), t);
      case Keyword::kError: return test_bool(e.error, t);
      case Keyword::kFault: return test_bool(e.fault, t);
      case Keyword::kThrottle: return test_bool(e.throttle, t);
      case Keyword::kPartial: return test_bool(e.in_progress, t);
      case Keyword::kResponseTime:
      case Keyword::kDuration: return test_number(duration_of(e), t);
      case Keyword::kHttpStatus: return test_number(status_of(e), t);
      case Keyword::kHttpUrl: return test_text(e.http_url, t);
      case Keyword::kHttpMethod: return test_text(e.http_method, t);
      case Keyword::kHttpUserAgent: return test_text(e.user_agent, t);
      case Keyword::kHttpClientIp: return test_text(e.client_ip, t);
      default: return false;
    }
  }

  const Trace& trace_;
  std::string_view account_;
  std::optional<std::vector<RootCause>> causes_[3];
};

}  // namespace

bool matches_node(const NodeMatcher& matcher, std::string_view name, std::string_view type,
                  std::string_view account, std::string_view own_account) {
  if (type == traces::kClientType && matcher.type != traces::kClientType) return false;
  if (matcher.name && *matcher.name != name) return false;
  if (matcher.type && (type.empty() || *matcher.type != type)) return false;
  return !matcher.account || *matcher.account == (account.empty() ? own_account : account);
}

bool Filter::matches(const Trace& trace) const {
  return Evaluator(trace, account_).whole(root_.get());
}

}  // namespace fog::trace_filter
