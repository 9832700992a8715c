// What an index can do with an expression: conditions that every match must fulfil.
//
// Only what stands in a conjunction counts; an OR gives one list of alternatives if each of its
// sides can be found by a term. Everything else is left to the evaluation, which always follows.
#include <cmath>

#include "query/trace_filter/filter.h"
#include "storage/traces/graph.h"
#include "storage/traces/terms.h"

namespace fog::trace_filter {

namespace {

class Hints {
 public:
  explicit Hints(TraceScan& scan) : scan_(scan) {}

  void add(const Node* node) {
    if (node == nullptr) return;
    std::visit([&](const auto& body) { visit(body); }, node->body);
  }

 private:
  void require(std::uint64_t term) { scan_.terms.push_back({term}); }

  void visit(const And& node) {
    for (const auto& part : node.parts) add(part.get());
  }
  // One required term of each side; nothing if a side has none.
  void visit(const Or& node) {
    std::vector<std::uint64_t> any;
    for (const auto& part : node.parts) {
      TraceScan side;
      Hints(side).add(part.get());
      if (side.terms.empty()) return;
      any.insert(any.end(), side.terms.front().begin(), side.terms.front().end());
    }
    scan_.terms.push_back(std::move(any));
  }
  void visit(const Not& node) {
    const auto* test = std::get_if<Test>(&node.inner->body);
    if (test != nullptr && internal::type_of(test->keyword) == ValueType::kBool)
      flag(test->keyword, !wanted(*test));
  }

  static bool wanted(const Test& test) {
    if (test.op == Op::kExists) return true;
    return (test.op == Op::kEq) == std::get<bool>(test.value);
  }

  void flag(Keyword keyword, bool set) {
    std::uint8_t bit = 0;
    switch (keyword) {
      case Keyword::kError: bit = TraceFlags::kError; break;
      case Keyword::kFault: bit = TraceFlags::kFault; break;
      case Keyword::kThrottle: bit = TraceFlags::kThrottle; break;
      case Keyword::kPartial: bit = TraceFlags::kPartial; break;
      case Keyword::kInferred: bit = TraceFlags::kInferred; break;
      case Keyword::kOk:
        if (!set) return;
        scan_.flags_set |= TraceFlags::kHasRoot;
        scan_.flags_clear |= TraceFlags::kError | TraceFlags::kFault | TraceFlags::kRootThrottle;
        return;
      default: return;
    }
    (set ? scan_.flags_set : scan_.flags_clear) |= bit;
  }

  void bound(Op op, double seconds, std::optional<std::int64_t>& least,
             std::optional<std::int64_t>& most) {
    const double ms = seconds * 1000;
    if (std::abs(ms) > 1e15) return;
    // One wider than needed: the evaluation is exact, this need not be.
    const auto low = static_cast<std::int64_t>(std::floor(ms)) - 1;
    const auto high = static_cast<std::int64_t>(std::ceil(ms)) + 1;
    if (op == Op::kGt || op == Op::kGe || op == Op::kEq)
      least = std::max(least.value_or(0), std::max<std::int64_t>(low, 0));
    if (op == Op::kLt || op == Op::kLe || op == Op::kEq)
      most = std::min(most.value_or(high), high);
  }

  void visit(const Test& test) {
    switch (test.keyword) {
      case Keyword::kResponseTime:
        if (test.op == Op::kExists) scan_.response_ms_min = scan_.response_ms_min.value_or(0);
        else bound(test.op, std::get<double>(test.value), scan_.response_ms_min, scan_.response_ms_max);
        return;
      case Keyword::kDuration:
        if (test.op != Op::kExists)
          bound(test.op, std::get<double>(test.value), scan_.duration_ms_min, scan_.duration_ms_max);
        return;
      case Keyword::kHttpStatus:
        if (test.op == Op::kEq && std::get<double>(test.value) == std::floor(std::get<double>(test.value)) &&
            std::abs(std::get<double>(test.value)) < 1e9)
          require(traces::http_status_term(static_cast<std::int64_t>(std::get<double>(test.value))));
        return;
      case Keyword::kUser:
        if (test.op == Op::kEq) require(traces::user_term(std::get<std::string>(test.value)));
        return;
      case Keyword::kName:
        if (test.op == Op::kEq) require(traces::service_name_term(std::get<std::string>(test.value)));
        return;
      default:
        if (internal::type_of(test.keyword) == ValueType::kBool) flag(test.keyword, wanted(test));
    }
  }
  void visit(const AnnotationTest& test) {
    if (test.op == Op::kEq) {
      if (const auto* text = std::get_if<std::string>(&test.value))
        return require(traces::annotation_term(test.key, std::string_view(*text)));
      if (const auto* number = std::get_if<double>(&test.value))
        return require(traces::annotation_term(test.key, *number));
      return require(traces::annotation_term(test.key, std::get<bool>(test.value)));
    }
    require(traces::annotation_key_term(test.key));
  }
  void node(const NodeMatcher& matcher) {
    if (matcher.name) require(traces::service_name_term(*matcher.name));
    if (matcher.type && *matcher.type != traces::kClientType)
      require(traces::service_type_term(*matcher.type));
  }
  void visit(const ServiceTest& test) { node(test.node); }
  void visit(const EdgeTest& test) {
    node(test.from);
    node(test.to);
  }
  void visit(const GroupTest& test) {
    if (!test.negated) add(test.expression.get());
  }
  void visit(const CauseTest& test) {
    if (test.kind == CauseKind::kResponseTime) scan_.response_ms_min = scan_.response_ms_min.value_or(0);
  }
  void visit(const CauseJson&) {}

  TraceScan& scan_;
};

}  // namespace

void Filter::add_hints(TraceScan& scan) const { Hints(scan).add(root_.get()); }

}  // namespace fog::trace_filter
