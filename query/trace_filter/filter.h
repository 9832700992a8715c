// Filter: an X-Ray filter expression, ready to test traces.
//
//   TRY(auto filter, Filter::parse(R"(service("payments") { fault } AND duration > 1)", bindings));
//   if (filter.matches(trace)) ...
//
// parse.cc reads the language, evaluate.cc says what it means, hints.cc what an index can do with
// it. Errors are of kind invalid; the message says what is wrong and position() where.
// Immutable; any thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "query/trace_filter/ast.h"
#include "storage/base/result.h"
#include "storage/trace_store.h"
#include "storage/traces/trace.h"

namespace fog::trace_filter {

struct Bindings {
  // The expression of a group by name or (is_arn) ARN; nothing: there is no such group.
  std::function<std::optional<std::string>(std::string_view group, bool is_arn)> group;
  std::string account;  // of the scope: what nodes without an account belong to
};

class Filter {
 public:
  Filter() = default;  // matches everything
  static Result<Filter> parse(std::string_view text, const Bindings& bindings);

  bool matches(const traces::Trace& trace) const;
  // Adds what must hold of every matching trace: terms, flags and bounds.
  void add_hints(TraceScan& scan) const;

 private:
  std::shared_ptr<const Node> root_;
  std::string account_;
};

// What GetTimeSeriesServiceStatistics asks about: id(...), service(...) or edge(...), no block.
struct Selector {
  std::optional<NodeMatcher> service;
  std::optional<std::pair<NodeMatcher, NodeMatcher>> edge;
};
Result<Selector> parse_selector(std::string_view text);

// A node without a type never matches a type; clients match only where the type is named.
bool matches_node(const NodeMatcher& matcher, std::string_view name, std::string_view type,
                  std::string_view account, std::string_view own_account);

namespace internal {
Result<NodePtr> parse_expression(std::string_view text, const Bindings& bindings, int group_depth);
ValueType type_of(Keyword keyword);
}  // namespace internal

}  // namespace fog::trace_filter
