// Text terms: all plain ones occur, no excluded one does; or, when there are only `?` terms, one does.
#include <string.h>

#include "query/filter_pattern/internal.h"
#include "storage/base/find_text.h"

namespace fog::filter_pattern {

namespace {

struct Term {
  std::string text;
  std::shared_ptr<const re2::RE2> regex;

  bool in(std::string_view message) const {
    if (regex) return regex_match(*regex, message);
    return holds_text(message, text);
  }
};

class Terms final : public Pattern {
 public:
  Kind kind() const override { return Kind::kTerms; }
  bool matches(std::string_view message) const override {
    for (const Term& term : wanted)
      if (!term.in(message)) return false;
    for (const Term& term : unwanted)
      if (term.in(message)) return false;
    if (any.empty() || !wanted.empty() || !unwanted.empty()) return true;
    for (const Term& term : any)
      if (term.in(message)) return true;
    return false;
  }
  std::map<std::string, std::string> extract(std::string_view) const override { return {}; }
  std::optional<std::string> value(std::string_view, std::string_view) const override { return std::nullopt; }
  std::size_t regexes() const override {
    std::size_t n = 0;
    for (const auto* terms : {&wanted, &unwanted, &any})
      for (const Term& term : *terms) n += term.regex != nullptr;
    return n;
  }
  std::vector<std::vector<LogPredicate>> where() const override {
    std::vector<std::vector<LogPredicate>> clauses;
    for (const Term& term : wanted)
      if (!term.regex) clauses.push_back({contains(term.text)});
    if (wanted.empty() && unwanted.empty() && !any.empty()) {
      std::vector<LogPredicate> one;
      for (const Term& term : any) {
        if (term.regex) return clauses;
        one.push_back(contains(term.text));
      }
      clauses.push_back(std::move(one));
    }
    return clauses;
  }
  bool matches_all() const override { return wanted.empty() && unwanted.empty() && any.empty(); }

  std::vector<Term> wanted, unwanted, any;

 private:
  static LogPredicate contains(const std::string& text) {
    LogPredicate p;
    p.what = LogPredicate::What::kMessageContains;
    p.text = text;
    return p;
  }
};

}  // namespace

Result<std::shared_ptr<const Pattern>> parse_terms(std::string_view text) {
  auto terms = std::make_shared<Terms>();
  Cursor cursor(text);
  cursor.blanks();
  while (!cursor.end()) {
    std::vector<Term>* list = &terms->wanted;
    if (cursor.accept("-"))
      list = &terms->unwanted;
    else if (cursor.accept("?"))
      list = &terms->any;
    Term term;
    if (cursor.peek() == '"') {
      TRY(term.text, cursor.quoted());
    } else if (cursor.peek() == '%') {
      TRY(term.regex, cursor.regex());
    } else {
      std::size_t begin = cursor.at();
      while (name_char(cursor.peek())) cursor.skip();
      term.text = cursor.since(begin);
      if (term.text.empty()) return cursor.invalid();
    }
    std::size_t begin = cursor.at();
    cursor.blanks();
    if (!cursor.end() && cursor.at() == begin) return cursor.invalid();
    // Blank text in quotes is in every message.
    bool all = !term.regex && term.text.find_first_not_of(' ') == std::string::npos;
    if (!all || list == &terms->unwanted) list->push_back(std::move(term));
  }
  return std::shared_ptr<const Pattern>(std::move(terms));
}

}  // namespace fog::filter_pattern
