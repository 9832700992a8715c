// Values that mean something to handlers, by the name of the member: names of things that the run has
// made, queries, documents.
#pragma once

#include <cstdint>
#include <string>

#include "tests/fuzz/mutate/sampler.h"

namespace fog::fuzz {

// `key` in lower case; "" where there is nothing to say.
std::string word_for(const std::string& key, std::int64_t now_ms, Dice& dice);

}  // namespace fog::fuzz
