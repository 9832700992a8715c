// gzip, the other way: payloads of subscription filters and exported objects.
#pragma once

#include <string>
#include <string_view>

namespace fog {

// One gzip member. Level 1 is fast, 9 is small.
std::string gzip(std::string_view bytes, int level = 1);

}  // namespace fog
