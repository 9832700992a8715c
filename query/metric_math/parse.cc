#include <charconv>
#include <cmath>
#include <optional>

#include "query/metric_math/ast.h"

namespace fog::metric_math {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_word(char c) { return is_digit(c) || is_lower(c) || is_upper(c) || c == '_'; }

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Expr> run() {
    TRY(Expr expr, binary(0));
    skip();
    if (at_ != text_.size()) return fail();
    return expr;
  }

 private:
  struct Level {
    std::string_view sign;
    Op op;
    int level;
  };
  // Longer signs before their beginnings.
  static constexpr Level kLevels[] = {
      {"||", Op::kOr, 0},  {"OR", Op::kOr, 0}, {"&&", Op::kAnd, 1}, {"AND", Op::kAnd, 1},
      {"==", Op::kEq, 2},  {"!=", Op::kNe, 2}, {"<=", Op::kLe, 2},  {">=", Op::kGe, 2},
      {"<", Op::kLt, 2},   {">", Op::kGt, 2},  {"+", Op::kAdd, 3},  {"-", Op::kSub, 3},
      {"*", Op::kMul, 4},  {"/", Op::kDiv, 4},
  };
  static constexpr int kLevelsEnd = 5;

  struct Depth {
    explicit Depth(int& depth) : depth_(depth) { ++depth_; }
    ~Depth() { --depth_; }
    int& depth_;
  };

  Error fail() const { return Error::invalid("Invalid syntax").at(at_); }

  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r'))
      ++at_;
  }
  bool take(char c) {
    skip();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  const Level* take_operator(int level) {
    skip();
    const std::string_view rest = text_.substr(at_);
    for (const Level& l : kLevels) {
      if (l.level != level || !rest.starts_with(l.sign)) continue;
      if (is_upper(l.sign[0]) && rest.size() > l.sign.size() && is_word(rest[l.sign.size()])) continue;
      at_ += l.sign.size();
      return &l;
    }
    return nullptr;
  }

  Result<Expr> binary(int level) {
    if (level == kLevelsEnd) return unary();
    TRY(Expr left, binary(level + 1));
    int chain = 0;
    while (const Level* l = take_operator(level)) {
      if (++chain > kDepthMax) return fail();  // a chain nests to the left
      TRY(Expr right, binary(level + 1));
      Expr both;
      both.kind = Expr::Kind::kBinary;
      both.op = l->op;
      both.args.push_back(std::move(left));
      both.args.push_back(std::move(right));
      left = std::move(both);
    }
    return left;
  }

  Result<Expr> unary() {
    const Depth depth(depth_);
    if (depth_ > kDepthMax) return fail();
    if (take('-')) {
      TRY(Expr inner, unary());
      Expr negate;
      negate.kind = Expr::Kind::kNegate;
      negate.args.push_back(std::move(inner));
      return negate;
    }
    TRY(Expr base, primary());
    if (!take('^')) return base;
    TRY(Expr exponent, unary());
    Expr power;
    power.kind = Expr::Kind::kBinary;
    power.op = Op::kPow;
    power.args.push_back(std::move(base));
    power.args.push_back(std::move(exponent));
    return power;
  }

  Result<Expr> primary() {
    skip();
    if (at_ == text_.size()) return fail();
    const char c = text_[at_];
    Expr expr;
    if (c == '(') {
      ++at_;
      TRY(Expr inner, binary(0));
      if (!take(')')) return fail();
      return inner;
    }
    if (c == '[') {
      ++at_;
      expr.kind = Expr::Kind::kArray;
      TRYV(list(']', expr.args));
      if (expr.args.empty()) return fail();
      return expr;
    }
    if (is_digit(c) || c == '.') return number();
    if (c == '\'' || c == '"') return string(c);
    if (!is_lower(c) && !is_upper(c)) return fail();
    const std::size_t from = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    expr.text = text_.substr(from, at_ - from);
    if (take('(')) {
      expr.kind = Expr::Kind::kCall;
      TRYV(list(')', expr.args));
      return expr;
    }
    expr.kind = is_lower(c) ? Expr::Kind::kId : Expr::Kind::kWord;
    return expr;
  }

  Status list(char end, std::vector<Expr>& into) {
    if (take(end)) return Ok{};
    do {
      TRY(Expr item, binary(0));
      into.push_back(std::move(item));
    } while (take(','));
    if (!take(end)) return fail();
    return Ok{};
  }

  Result<Expr> number() {
    Expr expr;
    const char* begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), expr.number);
    if (error != std::errc() || !std::isfinite(expr.number)) return fail();
    at_ += static_cast<std::size_t>(end - begin);
    if (at_ < text_.size() && (is_word(text_[at_]) || text_[at_] == '.')) return fail();
    return expr;
  }

  Result<Expr> string(char quote) {
    Expr expr;
    expr.kind = Expr::Kind::kText;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == quote) {
        ++at_;
        return expr;
      }
      // Only the quote itself and the backslash lose their backslash: a search has escapes of its own.
      if (text_[at_] == '\\' && at_ + 1 < text_.size() && (text_[at_ + 1] == quote || text_[at_ + 1] == '\\')) ++at_;
      expr.text += text_[at_];
    }
    return fail();
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

Result<Expr> parse(std::string_view text) { return Parser(text).run(); }

}  // namespace fog::metric_math
