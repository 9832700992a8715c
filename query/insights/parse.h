// Parser: tokens into expressions and commands. Commands parse their own clauses with its help.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "query/insights/command.h"
#include "query/insights/lex.h"

namespace fog::insights {

class Parser {
 public:
  explicit Parser(std::string_view text) : lexer_(text) {}
  Status start() { return advance(); }

  // The whole query, or what stands inside the parentheses of a subquery.
  Result<Pipeline> pipeline(bool inner);

  const Token& peek() const { return token_; }
  Status advance();
  bool at_end() const { return token_.kind == Token::Kind::kEnd; }
  bool at_symbol(std::string_view symbol) const { return token_.kind == Token::Kind::kSymbol && token_.text == symbol; }
  bool at_word(std::string_view word) const {
    return token_.kind == Token::Kind::kIdent && !token_.quoted && same_word(token_.text, word);
  }
  bool at_regex() const { return at_symbol("/"); }
  bool at_clause_end() const { return at_end() || at_symbol("|") || at_symbol(")"); }
  Result<bool> accept_symbol(std::string_view symbol);
  Result<bool> accept_word(std::string_view word);
  Status expect_symbol(std::string_view symbol);
  Status expect_word(std::string_view word);
  // `word =`, as in `max=100`; leaves everything alone otherwise.
  Result<bool> accept_option(std::string_view word);

  Result<ExprPtr> expr();
  Result<ExprPtr> arith();
  Result<ExprPtr> primary();
  Result<ExprPtr> field();  // an identifier with index steps, no call
  Result<std::vector<ExprPtr>> field_list();  // separated by commas
  Result<Projection> projection();
  Result<std::vector<Projection>> projections();
  Result<std::string> name();
  Result<std::vector<std::string>> names();
  Result<std::string> string();
  Result<std::int64_t> integer();
  Result<double> number();  // with a sign
  Result<bool> boolean();
  Result<Period> period();
  Result<std::string> regex();
  Result<std::shared_ptr<Subquery>> subquery();  // with its parentheses
  Result<std::vector<ExprPtr>> list();           // with its brackets

  Error unexpected() const { return insights::unexpected(lexer_.text(), token_.begin, token_.end); }
  Error error(std::size_t begin, std::size_t end, std::string message) const {
    return query_error(lexer_.text(), begin, end, std::move(message));
  }
  std::string_view text() const { return lexer_.text(); }
  std::size_t last_end() const { return last_end_; }

 private:
  Result<ExprPtr> or_expr();
  Result<ExprPtr> and_expr();
  Result<ExprPtr> not_expr();
  Result<ExprPtr> compare();
  Result<ExprPtr> term();
  Result<ExprPtr> unary();
  Result<ExprPtr> power();
  Result<ExprPtr> like(ExprPtr left, bool negated);
  Result<ExprPtr> in(ExprPtr left, bool negated);
  Result<Source> source();
  Result<std::vector<std::string>> text_list();
  Result<std::string> time_argument();
  ExprPtr make(Expr::Kind kind, std::size_t begin) const;
  Status close(Expr& expr) const;  // its end and depth are known

  class Depth;
  Lexer lexer_;
  Token token_;
  std::size_t last_end_ = 0;
  std::size_t depth_ = 0;
  bool inner_ = false;
};

}  // namespace fog::insights
