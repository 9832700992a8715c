// Strings that a regular expression of the models matches.
#pragma once

#include <random>
#include <string>
#include <string_view>

namespace fog::fuzz {

using Dice = std::mt19937_64;

inline std::size_t below(Dice& dice, std::size_t n) { return n == 0 ? 0 : static_cast<std::size_t>(dice() % n); }
inline bool chance(Dice& dice, int percent) { return dice() % 100 < static_cast<unsigned>(percent); }

// Open repetitions (* and +) run to about `length` characters. What the models use is understood:
// literals, classes, \d \w \s \S \p{..} \xHH, groups, alternatives, * + ? {m,n}, ^ and $.
std::string sample_pattern(std::string_view pattern, std::size_t length, Dice& dice);

}  // namespace fog::fuzz
