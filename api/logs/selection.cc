// or := and { OR and } ; and := one { AND one } ; one := "(" or ")" | field ( = | != | <> ) text
// | field [NOT] IN "[" text { , text } "]" ; keywords in any case; text in double or single quotes.
#include "api/logs/selection.h"

#include <algorithm>
#include <vector>

namespace fog::logs {
namespace {

constexpr int kDepthMax = 20;

struct Node final : Selection {
  enum class Kind { kIn, kAnd, kOr } kind = Kind::kIn;
  std::string field;
  std::vector<std::string> values;
  bool negated = false;
  std::vector<Node> parts;

  bool holds(const std::function<std::string_view(std::string_view)>& value_of) const override {
    const auto part_holds = [&](const Node& part) { return part.holds(value_of); };
    switch (kind) {
      case Kind::kAnd: return std::all_of(parts.begin(), parts.end(), part_holds);
      case Kind::kOr: return std::any_of(parts.begin(), parts.end(), part_holds);
      case Kind::kIn: break;
    }
    const std::string_view value = value_of(field);
    return (std::find(values.begin(), values.end(), value) != values.end()) != negated;
  }
};

class Parser {
 public:
  Parser(std::string_view text, const std::function<bool(std::string_view)>& allowed) : text_(text), allowed_(allowed) {}

  Result<Node> whole() {
    TRY(Node node, either());
    blanks();
    if (at_ != text_.size()) return invalid();
    return node;
  }

 private:
  Error invalid() const { return Error::invalid("Invalid selection criteria").at(at_); }
  void blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) ++at_;
  }
  static bool name_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '@' || c == '.' || c == '_';
  }
  std::string_view word() {
    blanks();
    const std::size_t begin = at_;
    while (at_ < text_.size() && name_char(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }
  bool keyword(std::string_view wanted) {
    const std::size_t before = at_;
    const std::string_view found = word();
    const bool same = found.size() == wanted.size() && std::equal(found.begin(), found.end(), wanted.begin(), [](char a, char b) {
                        return (a >= 'a' && a <= 'z' ? static_cast<char>(a - 32) : a) == b;
                      });
    if (!same) at_ = before;
    return same;
  }
  bool accept(std::string_view symbol) {
    blanks();
    if (!text_.substr(at_).starts_with(symbol)) return false;
    at_ += symbol.size();
    return true;
  }
  Result<std::string> text() {
    blanks();
    if (at_ == text_.size() || (text_[at_] != '"' && text_[at_] != '\'')) return invalid();
    const std::size_t end = text_.find(text_[at_], at_ + 1);
    if (end == std::string_view::npos) return invalid();
    std::string found(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return found;
  }

  Result<Node> either() { return chain("OR", Node::Kind::kOr); }
  Result<Node> chain(std::string_view joint, Node::Kind kind) {
    Node node;
    node.kind = kind;
    do {
      Node part;
      if (kind == Node::Kind::kOr) {
        TRY(part, chain("AND", Node::Kind::kAnd));
      } else {
        TRY(part, one());
      }
      node.parts.push_back(std::move(part));
    } while (keyword(joint));
    if (node.parts.size() > 1) return node;
    Node only = std::move(node.parts.front());
    return only;
  }
  Result<Node> one() {
    if (accept("(")) {
      if (++depth_ > kDepthMax) return invalid();
      TRY(Node inner, either());
      --depth_;
      if (!accept(")")) return invalid();
      return inner;
    }
    Node node;
    node.field = word();
    if (node.field.empty() || !allowed_(node.field)) return invalid();
    if (accept("=")) {
      TRY(node.values.emplace_back(), text());
      return node;
    }
    if (accept("!=") || accept("<>")) {
      node.negated = true;
      TRY(node.values.emplace_back(), text());
      return node;
    }
    node.negated = keyword("NOT");
    if (!keyword("IN") || !accept("[")) return invalid();
    do {
      TRY(node.values.emplace_back(), text());
    } while (accept(","));
    if (!accept("]")) return invalid();
    return node;
  }

  std::string_view text_;
  const std::function<bool(std::string_view)>& allowed_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

Result<std::shared_ptr<const Selection>> parse_selection(std::string_view text, const std::function<bool(std::string_view)>& allowed) {
  TRY(Node node, Parser(text, allowed).whole());
  return std::shared_ptr<const Selection>(std::make_shared<Node>(std::move(node)));
}

}  // namespace fog::logs
