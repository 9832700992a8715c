// rule = and {"OR" and};  and = not {"AND" not};  not = "NOT" not | atom
// atom = "(" rule ")" | "TRUE" | "FALSE" | state "(" ref ")"
//      | "AT_LEAST" "(" count ["%"] "," ["NOT"] state "," "(" ref {"," ref} ")" ")"
// Keywords ignore case; a reference is bare (no blanks, round brackets, commas) or in double quotes
// with backslash escapes.
#include "query/alarm_rules/composite.h"

#include <fmt/format.h>

#include <charconv>

namespace fog::alarm_rules {
namespace {

using Node = CompositeRule::Node;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return out;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Node> rule() {
    TRY(Node node, either(0));
    skip_blanks();
    if (at_ != text_.size()) return fault("unexpected text after the expression");
    if (elements_ > limits::kElementsMax)
      return Error::limit(fmt::format("AlarmRule must not contain more than {} elements", limits::kElementsMax));
    if (children_.size() > limits::kChildrenMax)
      return Error::limit(fmt::format("AlarmRule must not contain more than {} child alarms", limits::kChildrenMax));
    return node;
  }
  std::vector<std::string> take_children() { return std::move(children_); }

 private:
  Error fault(std::string_view why) const {
    return Error::invalid(fmt::format("AlarmRule is not valid: {} at position {}", why, at_)).at(at_);
  }
  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }
  // The bare word at the cursor, without moving.
  std::string_view word() {
    skip_blanks();
    std::size_t end = at_;
    while (end < text_.size() && !is_blank(text_[end]) && text_[end] != '(' && text_[end] != ')' &&
           text_[end] != ',' && text_[end] != '"')
      ++end;
    return text_.substr(at_, end - at_);
  }
  bool take_word(std::string_view keyword) {
    const std::string_view found = word();
    if (upper(found) != keyword) return false;
    at_ += found.size();
    return true;
  }
  bool take(char c) {
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  Result<Node> either(std::size_t depth) {
    TRY(Node first, both(depth));
    if (upper(word()) != "OR") return first;
    Node node{.kind = Node::Kind::kOr};
    node.parts.push_back(std::move(first));
    while (take_word("OR")) {
      TRY(Node next, both(depth));
      node.parts.push_back(std::move(next));
    }
    return node;
  }

  Result<Node> both(std::size_t depth) {
    TRY(Node first, negation(depth));
    if (upper(word()) != "AND") return first;
    Node node{.kind = Node::Kind::kAnd};
    node.parts.push_back(std::move(first));
    while (take_word("AND")) {
      TRY(Node next, negation(depth));
      node.parts.push_back(std::move(next));
    }
    return node;
  }

  Result<Node> negation(std::size_t depth) {
    if (depth > limits::kDepthMax) return fault("nested too deeply");
    if (!take_word("NOT")) return atom(depth);
    Node node{.kind = Node::Kind::kNot};
    TRY(Node inner, negation(depth + 1));
    node.parts.push_back(std::move(inner));
    return node;
  }

  Result<Node> atom(std::size_t depth) {
    if (take('(')) {
      ++elements_;
      TRY(Node inner, either(depth + 1));
      if (!take(')')) return fault("')' expected");
      return inner;
    }
    const std::string name = upper(word());
    if (name == "TRUE" || name == "FALSE") {
      ++elements_;
      at_ += name.size();
      return Node{.kind = name == "TRUE" ? Node::Kind::kTrue : Node::Kind::kFalse};
    }
    if (name == "AT_LEAST") {
      at_ += name.size();
      return at_least();
    }
    const auto state = parse_state(name);
    if (!state) return fault("a state function, TRUE, FALSE, NOT or '(' expected");
    at_ += name.size();
    Node node{.kind = Node::Kind::kState};
    node.state = *state;
    if (!take('(')) return fault("'(' expected");
    TRY(const std::size_t child, reference());
    node.references.push_back(child);
    if (!take(')')) return fault("')' expected");
    return node;
  }

  Result<Node> at_least() {
    Node node{.kind = Node::Kind::kAtLeast};
    if (!take('(')) return fault("'(' expected");
    std::string_view count = word();
    const std::size_t size = count.size();
    if (count.ends_with('%')) {
      node.percent = true;
      count.remove_suffix(1);
    }
    const auto [end, error] = std::from_chars(count.data(), count.data() + count.size(), node.count);
    if (error != std::errc{} || end != count.data() + count.size() || node.count < 1 ||
        (node.percent && node.count > 100))
      return fault("a positive count expected");
    at_ += size;
    if (node.percent == false && take('%')) node.percent = true;
    if (!take(',')) return fault("',' expected");
    node.negated = take_word("NOT");
    const std::string name = upper(word());
    const auto state = parse_state(name);
    if (!state) return fault("a state expected");
    node.state = *state;
    at_ += name.size();
    if (!take(',')) return fault("',' expected");
    if (!take('(')) return fault("'(' expected");
    do {
      TRY(const std::size_t child, reference());
      node.references.push_back(child);
    } while (take(','));
    if (!take(')') || !take(')')) return fault("')' expected");
    if (!node.percent && node.count > static_cast<std::int64_t>(node.references.size()))
      return fault("count exceeds the number of alarms");
    return node;
  }

  Result<std::size_t> reference() {
    skip_blanks();
    std::string name;
    if (at_ < text_.size() && text_[at_] == '"') {
      ++at_;
      bool closed = false;
      while (at_ < text_.size()) {
        const char c = text_[at_++];
        if (c == '"') {
          closed = true;
          break;
        }
        if (c == '\\' && at_ < text_.size()) name.push_back(text_[at_++]);
        else name.push_back(c);
      }
      if (!closed) return fault("closing quote expected");
    } else {
      name = std::string(word());
      at_ += name.size();
    }
    if (name.empty()) return fault("an alarm name expected");
    ++elements_;
    for (std::size_t i = 0; i < children_.size(); ++i) {
      if (children_[i] == name) return i;
    }
    children_.push_back(std::move(name));
    return children_.size() - 1;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t elements_ = 0;
  std::vector<std::string> children_;
};

bool holds(const Node& node, const std::vector<std::optional<State>>& states) {
  switch (node.kind) {
    case Node::Kind::kTrue: return true;
    case Node::Kind::kFalse: return false;
    case Node::Kind::kNot: return !holds(node.parts.front(), states);
    case Node::Kind::kAnd:
      return std::all_of(node.parts.begin(), node.parts.end(), [&](const Node& p) { return holds(p, states); });
    case Node::Kind::kOr:
      return std::any_of(node.parts.begin(), node.parts.end(), [&](const Node& p) { return holds(p, states); });
    case Node::Kind::kState: return states[node.references.front()] == node.state;
    case Node::Kind::kAtLeast: {
      std::int64_t n = 0;
      for (const std::size_t child : node.references) {
        if (states[child] && (*states[child] == node.state) != node.negated) ++n;
      }
      const auto total = static_cast<std::int64_t>(node.references.size());
      const std::int64_t needed = node.percent ? (node.count * total + 99) / 100 : node.count;
      return n >= needed;
    }
  }
  return false;
}

}  // namespace

Result<CompositeRule> CompositeRule::parse(std::string_view text) {
  if (text.empty() || text.size() > limits::kRuleCharsMax)
    return Error::limit(fmt::format("AlarmRule must have 1 to {} characters", limits::kRuleCharsMax));
  CompositeRule rule;
  Parser parser(text);
  TRY(rule.root_, parser.rule());
  rule.children_ = parser.take_children();
  return rule;
}

bool CompositeRule::evaluate(const StateOf& state_of) const {
  std::vector<std::optional<State>> states;
  states.reserve(children_.size());
  for (const auto& child : children_) states.push_back(state_of(child));
  return holds(root_, states);
}

}  // namespace fog::alarm_rules
