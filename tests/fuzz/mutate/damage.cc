#include <limits>

#include "tests/fuzz/mutate/run.h"

namespace fog::fuzz {
namespace {

Tree odd_value(Dice& dice) {
  static constexpr std::int64_t kIntegers[] = {0, -1, 1, 2147483647, 2147483648, -2147483648, 4294967296, std::numeric_limits<std::int64_t>::max(),
                                               std::numeric_limits<std::int64_t>::min(), 1'700'000'000, 253402300800000, 1024, 65536};
  static const double kNumbers[] = {0.0, -0.0, 1e308, -1e308, 5e-324, 0.1, 1e17, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()};
  static const std::string kTexts[] = {"", " ", "0", "-1", "null", "true", "\xe2\x98\x83", std::string(1, '\0'), "\xff\xfe", "%", "a\nb\r\nc", "../../etc/passwd", "arn:aws:", "arn:aws:sns:::",
                                       "{", "[[[[[[[[", "\"", "''", "*", "((((((", "999999999999999999999", "1e999", "2026-13-45T99:99:99Z", "{}", "[]", "{\"a\":{\"a\":{\"a\":[]}}}"};
  switch (below(dice, 9)) {
    case 0: return {};
    case 1: return Tree::boolean(chance(dice, 50));
    case 2: return Tree::of(kIntegers[below(dice, std::size(kIntegers))]);
    case 3: return Tree::real(kNumbers[below(dice, std::size(kNumbers))]);
    case 4: return Tree::of(kTexts[below(dice, std::size(kTexts))]);
    case 5: return Tree::of(std::string(below(dice, chance(dice, 5) ? 300'000 : 3000), "a1 {[(\"\\*%$.\xc3"[below(dice, 13)]));
    case 6: return Tree::list();
    case 7: return Tree::map();
    default: {
      Tree deep = Tree::of(std::int64_t{1});
      for (std::size_t i = below(dice, 100); i > 0; --i) {
        Tree around = chance(dice, 50) ? Tree::list() : Tree::map();
        if (around.kind == Tree::Kind::kList)
          around.items.push_back(std::move(deep));
        else
          around.members.emplace_back("a", std::move(deep));
        deep = std::move(around);
      }
      return deep;
    }
  }
}

}  // namespace

void distort(Tree& tree, Dice& dice) {
  const std::size_t below_count = tree.items.size() + tree.members.size();
  if (below_count == 0 || chance(dice, 20)) {
    if (tree.kind == Tree::Kind::kText && chance(dice, 60)) {
      tree.text = damage(std::move(tree.text), "()[]{}\"'\\|*+?^$.,:;<>=!&%#@/-_ \t\n", dice);
    } else if (tree.kind == Tree::Kind::kMap && chance(dice, 50) && !tree.members.empty()) {
      if (chance(dice, 50))
        tree.members.push_back(tree.members[below(dice, tree.members.size())]);  // a name twice
      else
        tree.members.erase(tree.members.begin() + static_cast<std::ptrdiff_t>(below(dice, tree.members.size())));
    } else if (tree.kind == Tree::Kind::kList && chance(dice, 50) && !tree.items.empty()) {
      const Tree one = tree.items.front();
      for (std::size_t i = below(dice, 300); i > 0; --i) tree.items.push_back(one);
    } else {
      tree = odd_value(dice);
    }
    return;
  }
  const std::size_t pick = below(dice, below_count);
  distort(pick < tree.items.size() ? tree.items[pick] : tree.members[pick - tree.items.size()].second, dice);
}

std::string damage(std::string bytes, std::string_view other, Dice& dice) {
  for (std::size_t times = 1 + below(dice, 6); times > 0; --times) {
    const std::size_t at = below(dice, bytes.size() + 1);
    const std::size_t n = 1 + below(dice, std::min<std::size_t>(bytes.size() + 1, 40));
    switch (below(dice, 9)) {
      case 0:
        if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ 1 << below(dice, 8));
        break;
      case 1:
        if (at < bytes.size()) bytes[at] = static_cast<char>(dice());
        break;
      case 2: bytes.erase(at, n); break;
      case 3: bytes.insert(at, bytes.substr(std::min(at, bytes.size()), n)); break;
      case 4: bytes.insert(at, other.substr(below(dice, other.size()), n)); break;
      case 5: bytes.resize(at); break;
      case 6: bytes.insert(at, 1 + below(dice, 600), "([{\"-!9"[below(dice, 7)]); break;
      case 7:
        if (at < bytes.size() && bytes[at] >= '0' && bytes[at] <= '9') bytes.insert(at, "99999999999999999999", 1 + below(dice, 20));
        break;
      default: bytes.insert(at, std::string_view("\0\xff\xc3\x28\xed\xa0\x80\r\n%00&=.1,:", 18).substr(below(dice, 18), n)); break;
    }
  }
  return bytes;
}

}  // namespace fog::fuzz
