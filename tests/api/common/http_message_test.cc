// Names of headers are compared without regard to case, whatever their bytes; lists that grow keep what they hold.
#include "api/common/http_message.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "api/common/list_room.h"

namespace fog::http {
namespace {

bool same_slowly(char a, char b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return lower(a) == lower(b);
}

TEST(HttpMessage, every_pair_of_bytes_at_every_place_is_compared_rightly) {
  for (const std::size_t size : {1u, 7u, 8u, 9u, 16u, 20u}) {
    for (std::size_t place = 0; place < size; ++place) {
      std::string left(size, 'x');
      std::string right(size, 'X');
      for (int a = 0; a < 256; ++a) {
        for (int b = 0; b < 256; ++b) {
          left[place] = static_cast<char>(a);
          right[place] = static_cast<char>(b);
          ASSERT_EQ(equal_ignoring_case(left, right), same_slowly(left[place], right[place])) << a << ' ' << b << ' ' << place << " of " << size;
        }
      }
    }
  }
  EXPECT_TRUE(equal_ignoring_case("", ""));
  EXPECT_FALSE(equal_ignoring_case("content-type", "content-typ"));
}

TEST(ListRoom, the_first_element_brings_room_and_all_stay) {
  const Shape shape{};
  std::vector<std::string> list;
  const auto add = [&](std::string text) { *static_cast<std::string*>(kRoomyListOps<std::string>.append(shape, &list)) = std::move(text); };
  add("0");
  const std::size_t room = list.capacity();
  EXPECT_EQ(room, kListRoom<std::string>);
  EXPECT_GE(room, 2u);
  for (int i = 1; i < 100; ++i) add(std::to_string(i));
  ASSERT_EQ(kRoomyListOps<std::string>.size(shape, &list), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(*static_cast<const std::string*>(kRoomyListOps<std::string>.at(shape, &list, static_cast<std::size_t>(i))), std::to_string(i));
  kRoomyListOps<std::string>.clear(shape, &list);
  EXPECT_TRUE(list.empty());
}

}  // namespace
}  // namespace fog::http
