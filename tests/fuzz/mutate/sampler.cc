#include "tests/fuzz/mutate/sampler.h"

#include <bitset>
#include <charconv>
#include <limits>
#include <vector>

namespace fog::fuzz {
namespace {

using Class = std::bitset<128>;

struct Node {
  enum class Kind { kClass, kGroup } kind = Kind::kClass;
  Class set{};
  std::vector<std::vector<Node>> choices{};  // kGroup: alternatives, each a sequence
  std::size_t min = 1;
  std::size_t max = 1;
};

Class range(int from, int to) {
  Class set;
  for (int c = from; c <= to; ++c) set.set(static_cast<std::size_t>(c));
  return set;
}
const Class kDigits = range('0', '9');
const Class kLetters = range('a', 'z') | range('A', 'Z');
const Class kWords = kDigits | kLetters | range('_', '_');
const Class kPrintable = range(0x20, 0x7e);

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::vector<std::vector<Node>> choices() {
    std::vector<std::vector<Node>> out(1);
    while (at_ < text_.size() && text_[at_] != ')') {
      const char c = text_[at_++];
      if (c == '|') {
        out.emplace_back();
        continue;
      }
      if (c == '^' || c == '$') continue;
      Node node;
      if (c == '(') {
        if (text_.substr(at_).starts_with("?:")) at_ += 2;
        node.kind = Node::Kind::kGroup;
        node.choices = choices();
        ++at_;
      } else if (c == '[') {
        node.set = bracket();
      } else if (c == '\\') {
        node.set = escape();
      } else if (c == '.') {
        node.set = kPrintable;
      } else {
        node.set.set(static_cast<std::size_t>(c) & 127);
      }
      repeat(node);
      out.back().push_back(std::move(node));
    }
    return out;
  }

 private:
  Class escape() {
    const char c = at_ < text_.size() ? text_[at_++] : '\\';
    switch (c) {
      case 'd': return kDigits;
      case 'w': return kWords;
      case 's': return range(' ', ' ');
      case 'S': return range(0x21, 0x7e);
      case 'x': {
        int value = 0;
        std::from_chars(text_.data() + at_, text_.data() + at_ + 2, value, 16);
        at_ += 2;
        return range(value & 127, value & 127);
      }
      case 'p': {
        const char what = text_[at_ + 1];
        at_ += 3;
        return what == 'L' ? kLetters : what == 'N' ? kDigits : range(' ', ' ');
      }
      default: return range(c & 127, c & 127);
    }
  }

  Class bracket() {
    Class set;
    const bool negated = at_ < text_.size() && text_[at_] == '^';
    if (negated) ++at_;
    for (bool first = true; at_ < text_.size() && (text_[at_] != ']' || first); first = false) {
      const char c = text_[at_++];
      Class one = c == '\\' ? escape() : range(c & 127, c & 127);
      if (one.count() == 1 && at_ + 1 < text_.size() && text_[at_] == '-' && text_[at_ + 1] != ']') {
        int from = 0;
        while (!one.test(static_cast<std::size_t>(from))) ++from;
        ++at_;
        const char end = text_[at_++];
        const Class last = end == '\\' ? escape() : range(end & 127, end & 127);
        int to = 127;
        while (!last.test(static_cast<std::size_t>(to))) --to;
        one = range(from, to);
      }
      set |= one;
    }
    ++at_;
    return negated ? kPrintable & ~set : set;
  }

  void repeat(Node& node) {
    constexpr auto kOpen = std::numeric_limits<std::size_t>::max();
    if (at_ >= text_.size()) return;
    const char c = text_[at_];
    if (c == '*' || c == '+' || c == '?') {
      ++at_;
      node.min = c == '+' ? 1 : 0;
      node.max = c == '?' ? 1 : kOpen;
    } else if (c == '{') {
      const auto end = text_.find('}', at_);
      const char* from = text_.data() + at_ + 1;
      const char* to = text_.data() + end;
      const auto first = std::from_chars(from, to, node.min);
      node.max = node.min;
      if (first.ptr != to) {
        node.max = kOpen;
        std::from_chars(first.ptr + 1, to, node.max);
      }
      at_ = end + 1;
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

void print(const std::vector<std::vector<Node>>& choices, std::size_t length, Dice& dice, std::string& out) {
  for (const Node& node : choices[below(dice, choices.size())]) {
    std::size_t n = node.min;
    if (node.max > node.min) {
      const std::size_t want = out.size() < length ? length - out.size() : 0;
      n = std::max(node.min, std::min(node.max, node.max < 200 ? node.min + below(dice, node.max - node.min + 1) : want));
    }
    for (std::size_t i = 0; i < n; ++i) {
      if (node.kind == Node::Kind::kGroup) {
        print(node.choices, length, dice, out);
        continue;
      }
      const std::size_t members = node.set.count();
      if (members == 0) continue;
      std::size_t pick = below(dice, members);
      std::size_t c = 0;
      while (!node.set.test(c) || pick-- > 0) ++c;
      out += static_cast<char>(c);
    }
  }
}

}  // namespace

std::string sample_pattern(std::string_view pattern, std::size_t length, Dice& dice) {
  std::string out;
  print(Parser(pattern).choices(), length, dice, out);
  return out;
}

}  // namespace fog::fuzz
