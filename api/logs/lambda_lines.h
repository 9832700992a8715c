// Platform lines of Lambda functions: START, END, REPORT and the marks of failure, as text or JSON.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fog::logs {

struct LambdaLine {
  enum class Kind { kStart, kEnd, kReport, kError } kind = Kind::kStart;
  std::string request_id;  // empty: the line does not say
  bool failed = false;     // kReport: the platform says so
  std::optional<double> duration_ms, billed_ms, init_ms, memory_mb, memory_used_mb;
};

// Nothing: a line of the function's own.
std::optional<LambdaLine> read_lambda_line(std::string_view message);

}  // namespace fog::logs
