// Function: one row per scalar function. A kernel computes one value; nulls of strict functions,
// constants and dictionaries are the executor's business.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "query/insights/node.h"
#include "query/insights/value.h"

namespace fog::insights {

// What is constant during one run of a query.
struct RunInfo {
  std::int64_t now_ms = 0;
  std::int64_t start_ms = 0;  // the window, both inclusive
  std::int64_t end_ms = 0;
};

struct CallContext {
  Arena& arena;         // for text and JSON that the result points to
  const RunInfo& info;
  const Node* node;     // the call: period and pattern
  std::string a, b, c;  // scratch for rendered arguments
};
using Kernel = Value (*)(CallContext&, std::span<const Value>);

constexpr int kAnyNumber = -1;

struct Function {
  std::string_view name;  // lower case
  int args_min;
  int args_max;
  Kernel kernel;
  std::string_view doc;
  bool strict = false;      // any null argument gives null
  int period_arg = -1;      // this argument is a period such as 5m
  int pattern_arg = -1;     // this argument is a constant pattern
  bool timestamp = false;   // @timestamp is the first argument, unwritten (bin)
};

const Function* find_function(std::string_view name);  // any case
std::span<const Function> numeric_functions();
std::span<const Function> time_functions();
std::span<const Function> general_functions();
std::span<const Function> json_functions();
std::span<const Function> ip_functions();
std::span<const Function> string_functions();
std::span<const Function> hash_functions();

// The text of a value as string functions see it: nothing for null, maps and lists.
inline bool has_text(const Value& value) { return !value.null() && !value.container(); }

// Arithmetic, shared with the executor.
Value arithmetic(Op op, const Num& a, const Num& b);
bool holds(Op op, int order);  // does a comparison with this outcome satisfy op

enum class Aggregation {
  kCount, kCountDistinct, kSum, kAvg, kStddev, kVariance, kMin, kMax, kPct,
  kEarliest, kLatest, kSortsFirst, kSortsLast, kValues, kTopk, kRate, kHistogram,
};
struct AggregateFunction {
  std::string_view name;  // lower case
  int args_min;
  int args_max;
  Aggregation kind;
  std::string_view doc;
};
const AggregateFunction* find_aggregate(std::string_view name);

}  // namespace fog::insights
