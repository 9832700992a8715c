#include "query/insights/parse.h"

#include "query/insights/limits.h"

namespace fog::insights {

Expr::Expr() = default;
Expr::~Expr() = default;

std::string Expr::field_name() const {
  std::string name;
  for (const Step& step : path) {
    if (!name.empty()) name += '.';
    name += step.text;
  }
  return name;
}

bool Expr::plain_field() const {
  if (kind != Kind::kField) return false;
  for (const Step& step : path)
    if (step.index) return false;
  return true;
}

// Guards the stack against ((((...
class Parser::Depth {
 public:
  explicit Depth(Parser& parser) : parser_(parser) { ++parser_.depth_; }
  ~Depth() { --parser_.depth_; }
  bool too_deep() const { return parser_.depth_ > kNestingMax; }

 private:
  Parser& parser_;
};

Status Parser::advance() {
  last_end_ = token_.end;
  TRY(token_, lexer_.next());
  return Ok{};
}

Result<bool> Parser::accept_symbol(std::string_view symbol) {
  if (!at_symbol(symbol)) return false;
  TRYV(advance());
  return true;
}
Result<bool> Parser::accept_word(std::string_view word) {
  if (!at_word(word)) return false;
  TRYV(advance());
  return true;
}
Status Parser::expect_symbol(std::string_view symbol) {
  if (!at_symbol(symbol)) return unexpected();
  return advance();
}
Status Parser::expect_word(std::string_view word) {
  if (!at_word(word)) return unexpected();
  return advance();
}

Result<bool> Parser::accept_option(std::string_view word) {
  if (!at_word(word)) return false;
  Lexer saved = lexer_;
  Token token = token_;
  std::size_t end = last_end_;
  TRYV(advance());
  if (at_symbol("=")) {
    TRYV(advance());
    return true;
  }
  lexer_ = saved;
  token_ = std::move(token);
  last_end_ = end;
  return false;
}

ExprPtr Parser::make(Expr::Kind kind, std::size_t begin) const {
  auto expr = std::make_unique<Expr>();
  expr->kind = kind;
  expr->begin = begin;
  return expr;
}

Status Parser::close(Expr& expr) const {
  expr.end = last_end_;
  for (const ExprPtr& arg : expr.args) expr.depth = std::max(expr.depth, arg->depth + 1);
  if (expr.depth > kExprDepthMax) return error(expr.begin, expr.end, "the expression is too complex");
  return Ok{};
}

Result<ExprPtr> Parser::expr() { return or_expr(); }

Result<ExprPtr> Parser::or_expr() {
  Depth depth(*this);
  if (depth.too_deep()) return unexpected();
  TRY(ExprPtr left, and_expr());
  while (at_word("or")) {
    TRYV(advance());
    TRY(ExprPtr right, and_expr());
    ExprPtr node = make(Expr::Kind::kBinary, left->begin);
    node->text = "or";
    node->args.push_back(std::move(left));
    node->args.push_back(std::move(right));
    TRYV(close(*node));
    left = std::move(node);
  }
  return left;
}

Result<ExprPtr> Parser::and_expr() {
  TRY(ExprPtr left, not_expr());
  while (at_word("and")) {
    TRYV(advance());
    TRY(ExprPtr right, not_expr());
    ExprPtr node = make(Expr::Kind::kBinary, left->begin);
    node->text = "and";
    node->args.push_back(std::move(left));
    node->args.push_back(std::move(right));
    TRYV(close(*node));
    left = std::move(node);
  }
  return left;
}

Result<ExprPtr> Parser::not_expr() {
  Depth depth(*this);
  if (depth.too_deep()) return unexpected();
  if (at_word("not") || at_symbol("!")) {
    ExprPtr node = make(Expr::Kind::kNot, token_.begin);
    TRYV(advance());
    TRY(ExprPtr operand, not_expr());
    node->args.push_back(std::move(operand));
    TRYV(close(*node));
    return node;
  }
  return compare();
}

Result<ExprPtr> Parser::compare() {
  TRY(ExprPtr left, arith());
  for (;;) {
    static constexpr std::string_view kOps[] = {"=", "!=", "<", "<=", ">", ">="};
    std::string op;
    for (std::string_view candidate : kOps)
      if (at_symbol(candidate)) op = candidate;
    if (!op.empty()) {
      TRYV(advance());
      TRY(ExprPtr right, arith());
      ExprPtr node = make(Expr::Kind::kBinary, left->begin);
      node->text = op;
      node->args.push_back(std::move(left));
      node->args.push_back(std::move(right));
      TRYV(close(*node));
      left = std::move(node);
      continue;
    }
    if (at_symbol("=~") || at_word("like")) {
      TRY(left, like(std::move(left), false));
      continue;
    }
    if (at_word("in")) {
      TRY(left, in(std::move(left), false));
      continue;
    }
    if (at_word("not")) {
      TRYV(advance());
      if (at_word("like")) {
        TRY(left, like(std::move(left), true));
      } else if (at_word("in")) {
        TRY(left, in(std::move(left), true));
      } else {
        return unexpected();
      }
      continue;
    }
    return left;
  }
}

Result<ExprPtr> Parser::like(ExprPtr left, bool negated) {
  TRYV(advance());
  ExprPtr node = make(Expr::Kind::kLike, left->begin);
  node->negated = negated;
  node->args.push_back(std::move(left));
  if (at_regex()) {
    node->regex = true;
    TRY(node->text, regex());
  } else {
    TRY(ExprPtr right, arith());
    node->args.push_back(std::move(right));
  }
  TRYV(close(*node));
  return node;
}

Result<ExprPtr> Parser::in(ExprPtr left, bool negated) {
  TRYV(advance());
  ExprPtr node = make(at_symbol("(") ? Expr::Kind::kInQuery : Expr::Kind::kIn, left->begin);
  node->negated = negated;
  node->args.push_back(std::move(left));
  if (at_symbol("(")) {
    TRY(node->query, subquery());
  } else {
    TRY(std::vector<ExprPtr> items, list());
    for (ExprPtr& item : items) node->args.push_back(std::move(item));
  }
  TRYV(close(*node));
  return node;
}

Result<ExprPtr> Parser::arith() {
  TRY(ExprPtr left, term());
  while (at_symbol("+") || at_symbol("-")) {
    ExprPtr node = make(Expr::Kind::kBinary, left->begin);
    node->text = token_.text;
    TRYV(advance());
    TRY(ExprPtr right, term());
    node->args.push_back(std::move(left));
    node->args.push_back(std::move(right));
    TRYV(close(*node));
    left = std::move(node);
  }
  return left;
}

Result<ExprPtr> Parser::term() {
  TRY(ExprPtr left, unary());
  while (at_symbol("*") || at_symbol("/") || at_symbol("%")) {
    ExprPtr node = make(Expr::Kind::kBinary, left->begin);
    node->text = token_.text;
    TRYV(advance());
    TRY(ExprPtr right, unary());
    node->args.push_back(std::move(left));
    node->args.push_back(std::move(right));
    TRYV(close(*node));
    left = std::move(node);
  }
  return left;
}

Result<ExprPtr> Parser::unary() {
  Depth depth(*this);
  if (depth.too_deep()) return unexpected();
  if (at_symbol("-") || at_symbol("+")) {
    ExprPtr node = make(at_symbol("-") ? Expr::Kind::kNegate : Expr::Kind::kPlus, token_.begin);
    TRYV(advance());
    TRY(ExprPtr operand, unary());
    node->args.push_back(std::move(operand));
    TRYV(close(*node));
    return node;
  }
  return power();
}

Result<ExprPtr> Parser::power() {
  TRY(ExprPtr left, primary());
  if (!at_symbol("^")) return left;
  ExprPtr node = make(Expr::Kind::kBinary, left->begin);
  node->text = "^";
  TRYV(advance());
  TRY(ExprPtr right, unary());
  node->args.push_back(std::move(left));
  node->args.push_back(std::move(right));
  TRYV(close(*node));
  return node;
}

Result<ExprPtr> Parser::field() {
  if (token_.kind != Token::Kind::kIdent) return unexpected();
  ExprPtr node = make(Expr::Kind::kField, token_.begin);
  for (const std::string& segment : token_.path) node->path.push_back({segment, false});
  TRYV(advance());
  for (;;) {
    // Only a bracket that touches the name is an index.
    if (at_symbol("[") && token_.begin == last_end_) {
      TRYV(advance());
      if (token_.kind != Token::Kind::kNumber) return unexpected();
      for (char c : token_.text)
        if (c < '0' || c > '9') return unexpected();
      if (token_.text.size() > 9) return unexpected();
      node->path.push_back({token_.text, true});
      TRYV(advance());
      if (!at_symbol("]")) return unexpected();
      // `].name` goes on; the dot touches the bracket.
      std::size_t end = token_.end;
      if (end < lexer_.text().size() && lexer_.text()[end] == '.') {
        lexer_.seek(end + 1);
        TRYV(advance());
        if (token_.kind != Token::Kind::kIdent || token_.begin != end + 1) return unexpected();
        for (const std::string& segment : token_.path) node->path.push_back({segment, false});
      }
      TRYV(advance());
      continue;
    }
    break;
  }
  TRYV(close(*node));
  return node;
}

Result<ExprPtr> Parser::primary() {
  Depth depth(*this);
  if (depth.too_deep()) return unexpected();
  std::size_t begin = token_.begin;
  switch (token_.kind) {
    case Token::Kind::kNumber:
    case Token::Kind::kString:
    case Token::Kind::kPeriod: {
      ExprPtr node = make(token_.kind == Token::Kind::kNumber   ? Expr::Kind::kNumber
                          : token_.kind == Token::Kind::kString ? Expr::Kind::kString
                                                                : Expr::Kind::kPeriod,
                          begin);
      node->text = token_.text;
      TRYV(advance());
      TRYV(close(*node));
      return node;
    }
    case Token::Kind::kSymbol: {
      if (!at_symbol("(")) return unexpected();
      TRYV(advance());
      TRY(ExprPtr node, expr());
      TRYV(expect_symbol(")"));
      return node;
    }
    case Token::Kind::kIdent: break;
    case Token::Kind::kEnd:
    case Token::Kind::kRegex: return unexpected();
  }
  std::string word = token_.text;
  bool quoted = token_.quoted;
  TRY(ExprPtr node, field());
  if (!at_symbol("(") || quoted || node->path.size() != 1) return node;
  ExprPtr call = make(Expr::Kind::kCall, begin);
  call->text = word;
  TRYV(advance());
  if (at_symbol("*")) {
    call->star = true;
    TRYV(advance());
  } else if (!at_symbol(")")) {
    for (;;) {
      TRY(ExprPtr argument, expr());
      call->args.push_back(std::move(argument));
      TRY(bool more, accept_symbol(","));
      if (!more) break;
    }
  }
  TRYV(expect_symbol(")"));
  TRYV(close(*call));
  return call;
}

Result<std::vector<ExprPtr>> Parser::field_list() {
  std::vector<ExprPtr> fields;
  for (;;) {
    TRY(ExprPtr one, field());
    fields.push_back(std::move(one));
    TRY(bool more, accept_symbol(","));
    if (!more) return fields;
  }
}

Result<Projection> Parser::projection() {
  Projection result;
  std::size_t begin = token_.begin;
  TRY(result.expr, expr());
  std::string_view text = lexer_.text().substr(begin, last_end_ - begin);
  TRY(bool as, accept_word("as"));
  if (as) {
    TRY(result.alias, name());
    result.name = result.alias;
  } else {
    result.name = result.expr->plain_field() ? result.expr->field_name() : std::string(text);
  }
  // The span as typed, parentheses included, so that printing gives the same column name.
  result.expr->begin = begin;
  result.expr->end = begin + text.size();
  return result;
}

Result<std::vector<Projection>> Parser::projections() {
  std::vector<Projection> result;
  for (;;) {
    TRY(Projection one, projection());
    result.push_back(std::move(one));
    TRY(bool more, accept_symbol(","));
    if (!more) return result;
  }
}

Result<std::string> Parser::name() {
  if (token_.kind != Token::Kind::kIdent) return unexpected();
  std::string text = token_.text;
  TRYV(advance());
  return text;
}

Result<std::vector<std::string>> Parser::names() {
  std::vector<std::string> result;
  for (;;) {
    TRY(std::string one, name());
    result.push_back(std::move(one));
    TRY(bool more, accept_symbol(","));
    if (!more) return result;
  }
}

Result<std::string> Parser::string() {
  if (token_.kind != Token::Kind::kString) return unexpected();
  std::string text = token_.text;
  TRYV(advance());
  return text;
}

Result<std::int64_t> Parser::integer() {
  if (token_.kind != Token::Kind::kNumber) return unexpected();
  Num num = parse_number(token_.text);
  if (!num.is_int()) return unexpected();
  TRYV(advance());
  return num.i;
}

Result<double> Parser::number() {
  bool negative = at_symbol("-");
  if (negative || at_symbol("+")) TRYV(advance());
  if (token_.kind != Token::Kind::kNumber) return unexpected();
  Num num = parse_number(token_.text);
  if (!num) return unexpected();
  TRYV(advance());
  return negative ? -num.d : num.d;
}

Result<bool> Parser::boolean() {
  TRY(bool yes, accept_word("true"));
  if (yes) return true;
  TRYV(expect_word("false"));
  return false;
}

Result<Period> Parser::period() {
  if (token_.kind != Token::Kind::kPeriod) return unexpected();
  auto period = parse_period(token_.text, false);
  if (!period) return unexpected();
  TRYV(advance());
  return *period;
}

Result<std::string> Parser::regex() {
  if (!at_regex()) return unexpected();
  TRY(Token token, lexer_.regex(token_.begin));
  std::string text = std::move(token.text);
  token_.end = token.end;
  TRYV(advance());
  last_end_ = token.end;
  return text;
}

Result<std::vector<ExprPtr>> Parser::list() {
  std::vector<ExprPtr> items;
  TRYV(expect_symbol("["));
  if (!at_symbol("]")) {
    for (;;) {
      TRY(ExprPtr item, arith());
      items.push_back(std::move(item));
      TRY(bool more, accept_symbol(","));
      if (!more) break;
    }
  }
  TRYV(expect_symbol("]"));
  return items;
}

Result<std::shared_ptr<Subquery>> Parser::subquery() {
  auto query = std::make_shared<Subquery>();
  query->begin = token_.begin;
  if (inner_) return error(token_.begin, token_.end, "a subquery cannot contain another subquery");
  TRYV(expect_symbol("("));
  inner_ = true;
  TRY(query->pipeline, pipeline(true));
  inner_ = false;
  TRYV(expect_symbol(")"));
  query->end = last_end_;
  return query;
}

Result<std::vector<std::string>> Parser::text_list() {
  std::vector<std::string> result;
  TRYV(expect_symbol("["));
  while (!at_symbol("]")) {
    if (token_.kind != Token::Kind::kString && token_.kind != Token::Kind::kIdent &&
        token_.kind != Token::Kind::kNumber)
      return unexpected();
    result.push_back(token_.text);
    TRYV(advance());
    TRY(bool more, accept_symbol(","));
    if (!more) break;
  }
  TRYV(expect_symbol("]"));
  return result;
}

Result<std::string> Parser::time_argument() {
  TRYV(expect_symbol("="));
  std::string text;
  if (at_symbol("-") || at_symbol("+")) {
    text = token_.text;
    TRYV(advance());
    if (token_.kind != Token::Kind::kPeriod || !parse_period(token_.text, false)) return unexpected();
    text += token_.text;
  } else if (at_word("now")) {
    text = "now";
  } else if (token_.kind == Token::Kind::kNumber && parse_number(token_.text).is_int()) {
    text = token_.text;
  } else {
    return unexpected();
  }
  TRYV(advance());
  return text;
}

Result<Source> Parser::source() {
  Source source;
  while (at_word("loggroups") || at_word("datasource")) {
    bool groups = at_word("loggroups");
    Lexer saved = lexer_;
    Token token = token_;
    TRYV(advance());
    if (!at_symbol("(")) {
      lexer_ = saved;
      token_ = std::move(token);
      break;
    }
    std::size_t begin = token.begin;
    TRYV(advance());
    Source::Selector& selector = source.selectors.emplace_back();
    if (!groups) {
      selector.kind = Source::Selector::Kind::kDataSource;
      TRY(selector.data_sources, text_list());
      if (selector.data_sources.empty() || selector.data_sources.size() > 10)
        return error(begin, last_end_, "dataSource takes 1 to 10 names");
      TRYV(expect_symbol(")"));
      continue;
    }
    while (!at_symbol(")")) {
      std::string key = lower(token_.text);
      std::vector<std::string>* target = key == "nameprefix" || key == "nameprefixes" ? &selector.prefixes
                                         : key == "class"                             ? &selector.classes
                                         : key == "accountidentifiers" || key == "accountidentifier"
                                             ? &selector.accounts
                                         : key == "tags" ? &selector.tags
                                                         : nullptr;
      if (token_.kind != Token::Kind::kIdent || target == nullptr) return unexpected();
      TRYV(advance());
      TRYV(expect_symbol(":"));
      TRY(*target, text_list());
      if (!at_symbol(")")) TRYV(expect_symbol(","));
    }
    TRYV(expect_symbol(")"));
    if (selector.prefixes.size() > kSourcePrefixesMax)
      return error(begin, last_end_, "namePrefix takes at most 5 prefixes");
    if (selector.accounts.size() > kSourceAccountsMax)
      return error(begin, last_end_, "accountIdentifiers takes at most 20 accounts");
    for (std::string& name : selector.classes) {
      for (char& c : name)
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
      if (name != "STANDARD" && name != "INFREQUENT_ACCESS")
        return error(begin, last_end_, "class must be STANDARD or INFREQUENT_ACCESS");
    }
  }
  if (source.selectors.empty()) {
    for (;;) {
      if (token_.kind != Token::Kind::kString && token_.kind != Token::Kind::kIdent) return unexpected();
      source.groups.push_back(token_.text);
      TRYV(advance());
      TRY(bool more, accept_symbol(","));
      if (!more) break;
    }
  }
  TRY(bool start, accept_word("start"));
  if (start) {
    TRY(source.start, time_argument());
    TRYV(expect_word("end"));
    TRY(source.end, time_argument());
  }
  return source;
}

Result<Pipeline> Parser::pipeline(bool inner) {
  Pipeline result;
  if (at_word("source")) {
    TRYV(advance());
    TRY(result.source, source());
    if (at_end() || (inner && at_symbol(")"))) return result;
    TRYV(expect_symbol("|"));
  } else if (inner) {
    return unexpected();
  }
  // Nothing at all (also: only comments) is the default query.
  if (!inner && at_end() && !result.source) return result;
  for (;;) {
    if (token_.kind != Token::Kind::kIdent || token_.quoted) return unexpected();
    const CommandRecord* record = find_command(token_.text);
    if (record == nullptr) return unexpected();
    if (result.commands.size() == kCommandsMax) return unexpected();
    std::size_t begin = token_.begin;
    TRYV(advance());
    TRY(CommandPtr command, record->parse(*this));
    command->word = record->name;
    command->at_begin = begin;
    command->at_end = last_end_;
    result.commands.push_back(std::move(command));
    if (at_end() || (inner && at_symbol(")"))) return result;
    TRYV(expect_symbol("|"));
  }
}

}  // namespace fog::insights
