// Space-delimited patterns: [ip, user, ..., status = 4*, bytes > 1000].
#include "query/filter_pattern/internal.h"

namespace fog::filter_pattern {

namespace {

struct Condition {
  enum class Kind { kTrue, kTest, kAnd, kOr } kind = Kind::kTrue;
  Compare op = Compare::kEqual;
  Operand operand;
  std::vector<Condition> parts;

  bool holds(std::string_view token) const {
    switch (kind) {
      case Kind::kTrue: return true;
      case Kind::kAnd:
        for (const Condition& part : parts)
          if (!part.holds(token)) return false;
        return true;
      case Kind::kOr:
        for (const Condition& part : parts)
          if (part.holds(token)) return true;
        return false;
      case Kind::kTest: break;
    }
    auto number = number_of(token);
    if (op != Compare::kEqual && op != Compare::kNotEqual) return number && numbers_hold(op, *number, operand.number);
    bool equal = operand.kind == Operand::Kind::kRegex            ? regex_match(*operand.regex, token)
                 : operand.kind == Operand::Kind::kNumber && number ? *number == operand.number
                                                                    : wildcard_match(operand.text, token);
    return equal == (op == Compare::kEqual);
  }
};

struct Column {
  bool ellipsis = false;
  std::string name;  // may be empty
  Condition condition;
};

// Blanks separate; [...] and "..." are one token, without their delimiters. `begin` is where a token
// starts in the message.
struct Token {
  std::string_view text;
  std::size_t begin = 0;
};

std::vector<Token> tokens_of(std::string_view message) {
  std::vector<Token> tokens;
  auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  std::size_t k = 0;
  while (k < message.size()) {
    if (blank(message[k])) {
      ++k;
      continue;
    }
    char close = message[k] == '[' ? ']' : message[k] == '"' ? '"' : '\0';
    std::size_t end = close ? message.find(close, k + 1) : std::string_view::npos;
    if (end != std::string_view::npos) {
      tokens.push_back({message.substr(k + 1, end - k - 1), k});
      k = end + 1;
      continue;
    }
    end = k;
    while (end < message.size() && !blank(message[end])) ++end;
    tokens.push_back({message.substr(k, end - k), k});
    k = end;
  }
  return tokens;
}

class Delimited final : public Pattern {
 public:
  Kind kind() const override { return Kind::kDelimited; }
  bool matches(std::string_view message) const override {
    return columns.empty() || assign(message, [](const Column*, std::size_t, std::string_view) {});
  }
  std::map<std::string, std::string> extract(std::string_view message) const override {
    std::map<std::string, std::string> values;
    (void)assign(message, [&](const Column* column, std::size_t position, std::string_view text) {
      std::string name = column && !column->name.empty() ? column->name : std::to_string(position);
      values['$' + name] = text;
    });
    return values;
  }
  std::optional<std::string> value(std::string_view message, std::string_view name) const override {
    auto values = extract(message);
    auto it = values.find(std::string(name));
    if (it == values.end()) return std::nullopt;
    return it->second;
  }
  std::size_t regexes() const override { return regexes_used; }
  std::vector<std::vector<LogPredicate>> where() const override { return {}; }
  bool matches_all() const override { return columns.empty(); }

  std::vector<Column> columns;
  std::size_t regexes_used = 0;

 private:
  // Gives each token its column; false when a condition fails or the number of tokens does not fit.
  template <typename Visit>
  bool assign(std::string_view message, Visit&& visit) const {
    std::vector<Token> tokens = tokens_of(message);
    std::size_t ellipsis = columns.size();
    for (std::size_t k = 0; k < columns.size(); ++k)
      if (columns[k].ellipsis) ellipsis = k;
    bool open = ellipsis < columns.size();
    std::size_t named = columns.size() - (open ? 1 : 0);
    if (tokens.size() < named) return false;
    bool ok = true;
    auto give = [&](const Column& column, std::size_t t, std::string_view text) {
      ok = ok && column.condition.holds(text);
      visit(&column, t + 1, text);
    };
    std::size_t before = open ? ellipsis : named;
    std::size_t after = named - before;
    for (std::size_t k = 0; k < before; ++k) {
      std::string_view text = tokens[k].text;
      // Without an ellipsis the last column takes the rest of the line.
      if (!open && k + 1 == named && tokens.size() > named) {
        text = message.substr(tokens[k].begin);
        while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
      }
      give(columns[k], k, text);
    }
    for (std::size_t t = before; t < tokens.size() - after && open; ++t) visit(nullptr, t + 1, tokens[t].text);
    for (std::size_t k = 0; k < after; ++k) {
      std::size_t t = tokens.size() - after + k;
      give(columns[ellipsis + 1 + k], t, tokens[t].text);
    }
    return ok;
  }
};

class Parser {
 public:
  explicit Parser(std::string_view text) : cursor_(text) {}

  Result<std::shared_ptr<const Pattern>> pattern() {
    auto pattern = std::make_shared<Delimited>();
    cursor_.blanks();
    cursor_.skip();  // [
    cursor_.blanks();
    if (!cursor_.accept("]")) {
      bool ellipsis = false;
      for (;;) {
        Column column;
        cursor_.blanks();
        if (cursor_.accept("...")) {
          if (ellipsis) return cursor_.invalid();
          ellipsis = column.ellipsis = true;
        } else if (cursor_.peek() != ',' && cursor_.peek() != ']') {
          TRY(column.condition, either(column.name));
        }
        pattern->columns.push_back(std::move(column));
        cursor_.blanks();
        if (cursor_.accept("]")) break;
        if (!cursor_.accept(",")) return cursor_.invalid();
      }
    }
    cursor_.blanks();
    if (!cursor_.end() || regexes_ > kRegexesMax) return cursor_.invalid();
    pattern->regexes_used = regexes_;
    return std::shared_ptr<const Pattern>(std::move(pattern));
  }

 private:
  Result<Condition> either(std::string& name) { return chain(name, "||", Condition::Kind::kOr); }
  Result<Condition> chain(std::string& name, std::string_view op, Condition::Kind kind) {
    Condition all;
    all.kind = kind;
    do {
      Condition part;
      if (kind == Condition::Kind::kOr) {
        TRY(part, chain(name, "&&", Condition::Kind::kAnd));
      } else {
        TRY(part, single(name));
      }
      all.parts.push_back(std::move(part));
      cursor_.blanks();
    } while (cursor_.accept(op));
    if (all.parts.size() == 1) return std::move(all.parts[0]);
    return all;
  }
  Result<Condition> single(std::string& name) {
    cursor_.blanks();
    if (cursor_.accept("(")) {
      if (++depth_ > kDepthMax) return cursor_.invalid();
      TRY(Condition inner, either(name));
      cursor_.blanks();
      if (!cursor_.accept(")")) return cursor_.invalid();
      --depth_;
      return inner;
    }
    std::size_t begin = cursor_.at();
    while (name_char(cursor_.peek()) || cursor_.peek() == '-') cursor_.skip();
    std::string own(cursor_.since(begin));
    // All conditions of a column are about the column.
    if (own.empty() || (!name.empty() && own != name)) return cursor_.invalid();
    name = own;
    cursor_.blanks();
    Condition test;
    auto op = cursor_.comparison();
    if (!op) return test;
    test.kind = Condition::Kind::kTest;
    test.op = *op;
    bool number = test.op != Compare::kEqual && test.op != Compare::kNotEqual;
    TRY(test.operand, cursor_.operand(",]()&|", number));
    regexes_ += test.operand.kind == Operand::Kind::kRegex;
    return test;
  }

  Cursor cursor_;
  std::size_t regexes_ = 0;
  std::size_t depth_ = 0;
};

}  // namespace

Result<std::shared_ptr<const Pattern>> parse_delimited(std::string_view text) { return Parser(text).pattern(); }

}  // namespace fog::filter_pattern
