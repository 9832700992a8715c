// Searching text in text, at its edges.
#include "storage/base/find_text.h"

#include <gtest/gtest.h>

#include <string>

namespace fog {
namespace {

TEST(FindText, finds_what_the_standard_library_finds) {
  const std::string_view texts[] = {{}, "", "a", "aa", "abcabd", "xabd", std::string_view("a\0b", 3)};
  for (const std::string_view text : texts)
    for (const std::string_view needle : texts)
      for (std::size_t from = 0; from <= text.size() + 1; ++from) {
        EXPECT_EQ(find_text(text, needle, from), text.find(needle, from)) << '"' << text << "\" \"" << needle << "\" " << from;
        EXPECT_EQ(holds_text(text, needle), text.find(needle) != std::string_view::npos);
      }
}

}  // namespace
}  // namespace fog
