// limit, head: the first n rows. tail: the last n.
#include "query/insights/commands/kit.h"
#include "query/insights/commands/table.h"

namespace fog::insights {

namespace {

class Limit final : public WholeCommand {
 public:
  Limit(std::string_view text, bool any, std::int64_t n) : word_(text), any_(any), n_(n) {}
  void print(std::string& out) const override {
    out += word_;
    if (any_) out += " any";
    out += ' ' + std::to_string(n_);
  }
  Status bind(Binder&) override { return Ok{}; }
  void uses(std::set<int>&) const override {}
  Result<BatchPtr> apply(BatchPtr batch, Run&) const override {
    auto n = static_cast<std::size_t>(n_);
    if (batch->sel.size() <= n) return batch;
    if (word_ == "tail")
      batch->sel.erase(batch->sel.begin(), batch->sel.end() - static_cast<std::ptrdiff_t>(n));
    else
      batch->sel.resize(n);
    return batch;
  }
  std::int64_t limit() const override { return word_ == "tail" ? -1 : n_; }
  bool limit_any() const override { return any_; }

 private:
  std::string_view word_;
  bool any_;
  std::int64_t n_;
};

Result<CommandPtr> parse_rows(Parser& parser, std::string_view word) {
  bool any = false;
  if (word == "limit") {
    TRY(any, parser.accept_word("any"));
  }
  std::size_t begin = parser.peek().begin;
  TRY(std::int64_t n, parser.integer());
  if (n < 1 || n > kLimitMax)
    return parser.error(begin, parser.last_end(), std::string(word) + " must be between 1 and 100000");
  return CommandPtr(std::make_unique<Limit>(word, any, n));
}

}  // namespace

Result<CommandPtr> parse_limit(Parser& parser) { return parse_rows(parser, "limit"); }
Result<CommandPtr> parse_head(Parser& parser) { return parse_rows(parser, "head"); }
Result<CommandPtr> parse_tail(Parser& parser) { return parse_rows(parser, "tail"); }

}  // namespace fog::insights
