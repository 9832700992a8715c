// Limits of the filter language.
#pragma once

#include <cstddef>

namespace fog::trace_filter {

inline constexpr std::size_t kExpressionBytesMax = 64 * 1024;
inline constexpr int kDepthMax = 100;      // parentheses, NOT and blocks inside each other
inline constexpr int kGroupDepthMax = 8;   // groups whose expression names a group

}  // namespace fog::trace_filter
