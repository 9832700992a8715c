#include <algorithm>
#include <cctype>

#include "query/metrics_insights/select.h"

namespace fog::metrics_insights {
namespace {

constexpr int kDepthMax = 64;
constexpr std::size_t kTermsMax = 500;

constexpr std::string_view kKeywords[] = {"SELECT", "FROM", "SCHEMA", "WHERE", "AND", "OR",  "IN",    "NOT",
                                          "GROUP",  "BY",   "ORDER",  "ASC",   "DESC", "LIMIT", "AVG", "COUNT",
                                          "MAX",    "MIN",  "SUM",    "DATE",  "LABEL"};

std::string upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return out;
}

struct Token {
  enum class Kind { kWord, kQuoted, kValue, kNumber, kSign, kEnd };
  Kind kind = Kind::kEnd;
  std::string text;
  std::size_t at = 0;
};

Result<std::vector<Token>> lex(std::string_view text) {
  std::vector<Token> tokens;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (std::isspace(c)) {
      ++at;
      continue;
    }
    Token token;
    token.at = at;
    if (std::isalpha(c) || c == '_') {
      token.kind = Token::Kind::kWord;
      while (at < text.size() && (std::isalnum(static_cast<unsigned char>(text[at])) || text[at] == '_'))
        token.text += text[at++];
    } else if (std::isdigit(c)) {
      token.kind = Token::Kind::kNumber;
      while (at < text.size() && std::isdigit(static_cast<unsigned char>(text[at]))) token.text += text[at++];
    } else if (c == '"' || c == '\'') {
      token.kind = c == '"' ? Token::Kind::kQuoted : Token::Kind::kValue;
      for (++at;; ++at) {
        if (at >= text.size()) return Error::invalid("Unterminated string").at(token.at);
        if (static_cast<unsigned char>(text[at]) == c) break;
        if (text[at] == '\\' && at + 1 < text.size()) ++at;
        token.text += text[at];
      }
      ++at;
    } else if (text.substr(at).starts_with("!=")) {
      token.kind = Token::Kind::kSign;
      token.text = "!=";
      at += 2;
    } else if (std::string_view("(),=.;").find(static_cast<char>(c)) != std::string_view::npos) {
      token.kind = Token::Kind::kSign;
      token.text = text[at++];
    } else {
      return Error::invalid("Unexpected character").at(at);
    }
    tokens.push_back(std::move(token));
  }
  tokens.push_back({Token::Kind::kEnd, "", text.size()});
  return tokens;
}

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  Result<Select> run() {
    Select select;
    TRYV(expect("SELECT"));
    TRY(select.function, function());
    TRYV(sign("("));
    TRY(select.metric_name, identifier());
    TRYV(sign(")"));
    TRYV(expect("FROM"));
    if (keyword("SCHEMA")) {
      TRYV(sign("("));
      TRY(select.metric_namespace, identifier());
      select.schema.emplace();
      while (take(",")) {
        TRY(std::string name, identifier());
        select.schema->push_back(std::move(name));
      }
      TRYV(sign(")"));
    } else {
      TRY(select.metric_namespace, identifier());
    }
    if (keyword("WHERE")) {
      TRY(select.where, either());
    }
    if (keyword("GROUP")) {
      TRYV(expect("BY"));
      do {
        TRY(Label l, label());
        select.group_by.push_back(std::move(l));
      } while (take(","));
    }
    if (keyword("ORDER")) {
      TRYV(expect("BY"));
      Select::Order order;
      TRY(order.function, function());
      TRYV(sign("("));
      TRYV(sign(")"));
      if (keyword("DESC"))
        order.descending = true;
      else
        keyword("ASC");
      select.order_by = order;
    }
    if (keyword("LIMIT")) {
      const Token token = peek();
      if (token.kind != Token::Kind::kNumber || token.text.size() > 4) return fail("LIMIT must be 1 to 500");
      select.limit = static_cast<std::size_t>(std::stoul(token.text));
      if (select.limit < 1 || select.limit > kSeriesReturnedMax) return fail("LIMIT must be 1 to 500");
      ++at_;
    }
    take(";");
    if (peek().kind != Token::Kind::kEnd) return fail("Unexpected '" + peek().text + "'");
    return select;
  }

 private:
  const Token& peek() const { return tokens_[at_]; }
  Error fail(std::string message) const { return Error::invalid(std::move(message)).at(peek().at); }

  bool keyword(std::string_view word) {
    if (peek().kind != Token::Kind::kWord || upper(peek().text) != word) return false;
    ++at_;
    return true;
  }
  Status expect(std::string_view word) {
    if (!keyword(word)) return fail("Expected " + std::string(word));
    return Ok{};
  }
  bool take(std::string_view text) {
    if (peek().kind != Token::Kind::kSign || peek().text != text) return false;
    ++at_;
    return true;
  }
  Status sign(std::string_view text) {
    if (!take(text)) return fail("Expected '" + std::string(text) + "'");
    return Ok{};
  }

  Result<Function> function() {
    static constexpr std::pair<std::string_view, Function> kFunctions[] = {{"AVG", Function::kAvg},
                                                                          {"COUNT", Function::kCount},
                                                                          {"MAX", Function::kMax},
                                                                          {"MIN", Function::kMin},
                                                                          {"SUM", Function::kSum}};
    if (peek().kind == Token::Kind::kWord)
      for (const auto& [name, value] : kFunctions)
        if (keyword(name)) return value;
    return fail("Unknown function '" + peek().text + "'");
  }

  Result<std::string> identifier() {
    const Token token = peek();
    if (token.kind == Token::Kind::kQuoted && !token.text.empty()) {
      ++at_;
      return token.text;
    }
    if (token.kind != Token::Kind::kWord) return fail("Expected a name");
    const std::string word = upper(token.text);
    if (std::find(std::begin(kKeywords), std::end(kKeywords), word) != std::end(kKeywords))
      return fail("The reserved word '" + token.text + "' must be in double quotes");
    ++at_;
    return token.text;
  }

  Result<Label> label() {
    Label result;
    const bool bare = peek().kind == Token::Kind::kWord;
    TRY(result.name, identifier());
    if (bare && take(".")) {
      if (result.name == "tag") {
        result.kind = Label::Kind::kTag;
        TRY(result.name, identifier());
      } else if (result.name == "AWS") {
        TRY(result.name, identifier());
        if (result.name != "AccountId") return fail("Unknown label 'AWS." + result.name + "'");
        result.kind = Label::Kind::kAccount;
      } else {
        return fail("Unknown label '" + result.name + ".'");
      }
    }
    return result;
  }

  Result<Condition> either() {
    if (++depth_ > kDepthMax) return fail("The condition is nested too deeply");
    Condition node;
    node.kind = Condition::Kind::kOr;
    do {
      TRY(Condition next, both());
      node.children.push_back(std::move(next));
    } while (keyword("OR"));
    --depth_;
    if (node.children.size() == 1) {
      Condition only = std::move(node.children[0]);
      return only;
    }
    return node;
  }

  Result<Condition> both() {
    Condition node;
    do {
      TRY(Condition next, term());
      node.children.push_back(std::move(next));
    } while (keyword("AND"));
    if (node.children.size() == 1) {
      Condition only = std::move(node.children[0]);
      return only;
    }
    return node;
  }

  Result<Condition> term() {
    if (++terms_ > kTermsMax) return fail("Too many conditions");
    if (take("(")) {
      TRY(Condition inner, either());
      TRYV(sign(")"));
      return inner;
    }
    Condition node;
    TRY(node.label, label());
    if (keyword("IN")) {
      node.kind = Condition::Kind::kIn;
      TRYV(sign("("));
      do {
        TRY(std::string v, value());
        node.values.push_back(std::move(v));
      } while (take(","));
      TRYV(sign(")"));
      return node;
    }
    if (take("="))
      node.kind = Condition::Kind::kEqual;
    else if (take("!="))
      node.kind = Condition::Kind::kNotEqual;
    else
      return fail("Expected = or !=");
    TRY(std::string v, value());
    node.values.push_back(std::move(v));
    return node;
  }

  Result<std::string> value() {
    if (peek().kind != Token::Kind::kValue) return fail("Expected a value in single quotes");
    return tokens_[at_++].text;
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
  std::size_t terms_ = 0;
};

}  // namespace

Result<Select> parse(std::string_view text) {
  TRY(auto tokens, lex(text));
  return Parser(std::move(tokens)).run();
}

}  // namespace fog::metrics_insights
