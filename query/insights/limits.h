// Limits of the Insights language and its engine, in one place.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fog::insights {

constexpr std::size_t kQueryCharsMax = 10'000;       // StartQuery's own limit
constexpr std::size_t kNestingMax = 100;             // parentheses and unary signs; guards the stack
constexpr std::size_t kExprDepthMax = 1'500;          // of a tree of operators, such as 1 + 1 + 1 ...
constexpr std::size_t kCommandsMax = 200;            // commands of one query
constexpr std::int64_t kLimitMax = 100'000;          // rows a query may return
constexpr std::int64_t kLimitDefault = 10'000;
constexpr std::size_t kStatsMax = 10;                // stats commands, Standard class
constexpr std::size_t kStatsMaxInfrequent = 2;
constexpr std::size_t kCaseBranchesMax = 10;
constexpr std::size_t kTopkMax = 10'000;
constexpr std::size_t kJoinKeysMax = 50'000;
constexpr std::size_t kSubqueryValuesMax = 100'000;
constexpr std::size_t kHistogramBinsMax = 1'000;
constexpr std::size_t kSourcePrefixesMax = 5;
constexpr std::size_t kSourceAccountsMax = 20;
constexpr std::size_t kSourceGroupsMax = 10'000;
constexpr std::size_t kFillRowsMax = 100'000;        // rows fillmissing may add
constexpr std::size_t kJsonDepthMax = 64;            // jsonParse and logfmt values
// Compiled size of one pattern: large enough for any pattern of 10,000 characters without huge
// repetitions, small enough that a bomb is refused at once.
constexpr std::int64_t kRegexBytesMax = 8 * 1024 * 1024;
constexpr std::size_t kMemoryBytesDefault = 1024ull * 1024 * 1024;  // of one query
constexpr std::size_t kPartialBytesMax = 8ull * 1024 * 1024;  // larger results are shown when they are complete
// pct and median are exact up to so many values a group, then a sketch of bounded error takes over.
constexpr std::size_t kPctExactMax = 1u << 20;
constexpr std::size_t kPctExactTotal = 16u << 20;       // over all groups of one aggregate


}  // namespace fog::insights
