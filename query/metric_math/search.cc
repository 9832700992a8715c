#include "query/metric_math/search.h"

#include <algorithm>
#include <cctype>

namespace fog::metric_math {
namespace {

constexpr int kNodesMax = 256;
constexpr int kDepthMax = 64;

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alnum(char c) { return is_upper(c) || is_lower(c) || is_digit(c) || static_cast<unsigned char>(c) >= 0x80; }
char to_lower(char c) { return is_upper(c) ? static_cast<char>(c + 32) : c; }

bool equal(std::string_view a, std::string_view b, bool same_case) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (same_case ? a[i] != b[i] : to_lower(a[i]) != to_lower(b[i])) return false;
  return true;
}

using Pieces = std::vector<std::string_view>;

void cut(std::string_view text, Pieces& pieces) {
  pieces.clear();
  std::size_t from = 0;
  const auto end_piece = [&](std::size_t to) {
    if (to > from) pieces.push_back(text.substr(from, to - from));
    from = to;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!is_alnum(text[i])) {
      end_piece(i);
      from = i + 1;
      continue;
    }
    if (i == from) continue;
    const char before = text[i - 1];
    const bool digit_change = is_digit(text[i]) != is_digit(before);
    const bool new_word = is_upper(text[i]) && !is_upper(before);
    // SDBFailure: the last capital of a run belongs to the word that follows.
    const bool run_ends = is_upper(text[i]) && is_upper(before) && i + 1 < text.size() && is_lower(text[i + 1]);
    if (digit_change || new_word || run_ends) end_piece(i);
  }
  end_piece(text.size());
}

// A word, cut once.
struct Word {
  std::string text;
  std::vector<std::string> pieces;
  bool has_delimiter = false;
  std::size_t letters = 0;  // of all pieces

  explicit Word(std::string word) : text(std::move(word)) {
    Pieces cuts;
    cut(text, cuts);
    pieces.assign(cuts.begin(), cuts.end());
    for (const std::string& piece : pieces) letters += piece.size();
    has_delimiter = !std::all_of(text.begin(), text.end(), is_alnum);
  }

  bool matches(std::string_view field) const {
    if (pieces.empty() || field.size() < letters) return false;
    thread_local Pieces of_field;
    cut(field, of_field);
    if (pieces.size() == 1) {
      for (const std::string_view piece : of_field)
        if (equal(piece, pieces[0], false)) return true;
      return equals_whole(field);
    }
    for (std::size_t i = 0; i + pieces.size() <= of_field.size(); ++i) {
      bool all = true;
      for (std::size_t k = 0; k < pieces.size() && all; ++k)
        all = equal(of_field[i + k], pieces[k], !has_delimiter);
      if (all) return true;
    }
    return false;
  }

 private:
  // The field without its delimiters is a token, too.
  bool equals_whole(std::string_view field) const {
    const std::string& piece = pieces[0];
    std::size_t at = 0;
    for (const char c : field) {
      if (!is_alnum(c)) continue;
      if (at == piece.size() || to_lower(piece[at]) != to_lower(c)) return false;
      ++at;
    }
    return at == piece.size();
  }
};

}  // namespace

struct Search::Node {
  enum class Kind { kAnd, kOr, kNot, kTerm };
  Kind kind = Kind::kTerm;
  std::vector<Node> children;
  std::optional<std::string> property;
  bool is_exact = false;
  Word word{""};
  std::vector<signed char> verdicts;  // by symbol: 0 not known yet, 1 yes, -1 no

  bool text_matches(std::string_view text) const { return is_exact ? text == word.text : word.matches(text); }
  bool symbol_matches(std::uint32_t symbol, std::string_view text) {
    if (symbol >= verdicts.size()) verdicts.resize(std::max<std::size_t>(symbol + 1, verdicts.size() * 2), 0);
    signed char& verdict = verdicts[symbol];
    if (verdict == 0) verdict = text_matches(text) ? 1 : -1;
    return verdict > 0;
  }

  bool matches(const SeriesView& series, std::string_view account) {
    switch (kind) {
      case Kind::kAnd:
        return std::all_of(children.begin(), children.end(), [&](Node& n) { return n.matches(series, account); });
      case Kind::kOr:
        return std::any_of(children.begin(), children.end(), [&](Node& n) { return n.matches(series, account); });
      case Kind::kNot:
        return !children[0].matches(series, account);
      case Kind::kTerm:
        break;
    }
    if (property == "Namespace") return symbol_matches(series.namespace_symbol, series.metric_namespace);
    if (property == "MetricName") return symbol_matches(series.name_symbol, series.metric_name);
    if (property == ":aws.AccountId") return text_matches(account);
    if (!property && (symbol_matches(series.namespace_symbol, series.metric_namespace) ||
                      symbol_matches(series.name_symbol, series.metric_name)))
      return true;
    for (std::size_t i = 0; i < series.dimensions.size(); ++i) {
      const DimensionView& d = series.dimensions[i];
      if (!property) {
        if (symbol_matches(series.dimension_symbols[i].first, d.name)) return true;
        if (symbol_matches(series.dimension_symbols[i].second, d.value)) return true;
      } else if (d.name == *property && symbol_matches(series.dimension_symbols[i].second, d.value)) {
        return true;
      }
    }
    return false;
  }
};

namespace {

class SearchParser {
 public:
  explicit SearchParser(std::string_view text) : text_(text) {}

  Error fail() const { return Error::invalid("Invalid syntax").at(at_); }

  Status schema(std::optional<std::string>& ns, std::optional<std::vector<std::string>>& dimensions) {
    if (!take('{')) return Ok{};
    for (bool first = true;; first = false) {
      skip();
      std::string name;
      if (at_ < text_.size() && text_[at_] == '"') {
        TRY(name, quoted());
      } else {
        while (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '}' && text_[at_] != '"') name += text_[at_++];
        while (!name.empty() && name.back() == ' ') name.pop_back();
      }
      if (name.empty()) return fail();
      if (first)
        ns = name;
      else if (dimensions)
        dimensions->push_back(name);
      else
        dimensions = std::vector<std::string>{name};
      if (take('}')) break;
      if (!take(',')) return fail();
    }
    take(',');
    return Ok{};
  }

  bool at_end() {
    skip();
    return at_ == text_.size();
  }

  Result<Search::Node> either() {
    TRY(Search::Node first, both());
    if (!is_word("OR")) return first;
    Search::Node node;
    node.kind = Search::Node::Kind::kOr;
    node.children.push_back(std::move(first));
    while (take_word("OR")) {
      TRY(Search::Node next, both());
      node.children.push_back(std::move(next));
    }
    return node;
  }

 private:
  Result<Search::Node> both() {
    Search::Node node;
    node.kind = Search::Node::Kind::kAnd;
    do {
      take_word("AND");
      TRY(Search::Node next, one());
      node.children.push_back(std::move(next));
    } while (!at_end() && text_[at_] != ')' && !is_word("OR"));
    if (node.children.size() == 1) {
      Search::Node only = std::move(node.children[0]);
      return only;
    }
    return node;
  }

  Result<Search::Node> one() {
    if (++nodes_ > kNodesMax || ++depth_ > kDepthMax) return fail();
    auto result = one_inner();
    --depth_;
    return result;
  }

  Result<Search::Node> one_inner() {
    Search::Node node;
    if (take_word("NOT")) {
      TRY(Search::Node inner, one());
      node.kind = Search::Node::Kind::kNot;
      node.children.push_back(std::move(inner));
      return node;
    }
    if (take('(')) {
      TRY(Search::Node inner, either());
      if (!take(')')) return fail();
      return inner;
    }
    TRY(auto first, token());
    if (at_ < text_.size() && text_[at_] == '=') {
      ++at_;
      if (at_ == text_.size()) return fail();
      if (take('(')) {  // the property holds for every term inside
        if (property_) return fail();
        property_ = first.first;
        auto inner = either();
        property_.reset();
        if (!inner.ok() || !take(')')) return fail();
        return inner;
      }
      node.property = first.first;
      TRY(first, token());
    } else {
      node.property = property_;
    }
    if (first.first.empty()) return fail();
    node.is_exact = first.second;
    node.word = Word(std::move(first.first));
    return node;
  }

  // A word or a quoted string (second: quoted).
  Result<std::pair<std::string, bool>> token() {
    skip();
    if (at_ < text_.size() && text_[at_] == '"') {
      TRY(std::string text, quoted());
      return std::pair(std::move(text), true);
    }
    std::string word;
    while (at_ < text_.size() && !std::isspace(static_cast<unsigned char>(text_[at_])) &&
           std::string_view("()\"={}").find(text_[at_]) == std::string_view::npos)
      word += text_[at_++];
    if (word.empty()) return fail();
    return std::pair(std::move(word), false);
  }

  Result<std::string> quoted() {
    std::string out;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"') {
        ++at_;
        return out;
      }
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      out += text_[at_];
    }
    return fail();
  }

  void skip() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }
  bool take(char c) {
    skip();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool is_word(std::string_view word) {
    skip();
    const std::string_view rest = text_.substr(at_);
    if (!rest.starts_with(word)) return false;
    return rest.size() == word.size() || std::isspace(static_cast<unsigned char>(rest[word.size()])) ||
           rest[word.size()] == '(';
  }
  bool take_word(std::string_view word) {
    if (!is_word(word)) return false;
    at_ += word.size();
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::optional<std::string> property_;  // inside Property=( ... )
  int nodes_ = 0;
  int depth_ = 0;
};

}  // namespace

Search::Search() = default;
Search::Search(Search&&) noexcept = default;
Search& Search::operator=(Search&&) noexcept = default;
Search::~Search() = default;

Result<Search> Search::parse(std::string_view text) {
  if (text.size() > kSearchLengthMax) return Error::invalid("The search expression is too long");
  Search search;
  SearchParser parser(text);
  TRYV(parser.schema(search.namespace_, search.dimensions_));
  if (parser.at_end()) {
    if (!search.namespace_) return parser.fail();
    return search;
  }
  TRY(Node terms, parser.either());
  if (!parser.at_end()) return parser.fail();
  search.terms_ = std::make_unique<Node>(std::move(terms));
  return search;
}

namespace {

// An exact term about a dimension, as the index asks for it.
std::optional<DimensionFilter> exact_dimension(const Search::Node& node) {
  if (node.kind != Search::Node::Kind::kTerm || !node.is_exact || !node.property) return std::nullopt;
  if (*node.property == "Namespace" || *node.property == "MetricName" || node.property->starts_with(":aws."))
    return std::nullopt;
  return DimensionFilter{*node.property, node.word.text};
}

void narrow_by(const Search::Node& node, SeriesFilter& filter) {
  switch (node.kind) {
    case Search::Node::Kind::kAnd:
      for (const Search::Node& child : node.children) narrow_by(child, filter);
      return;
    case Search::Node::Kind::kOr: {
      std::vector<DimensionFilter> choice;
      for (const Search::Node& child : node.children) {
        auto dimension = exact_dimension(child);
        if (!dimension) return;
        choice.push_back(std::move(*dimension));
      }
      filter.choices.push_back(std::move(choice));
      return;
    }
    case Search::Node::Kind::kNot:
      return;
    case Search::Node::Kind::kTerm:
      break;
  }
  if (auto dimension = exact_dimension(node)) filter.dimensions.push_back(std::move(*dimension));
  if (!node.is_exact || !node.property) return;
  if (*node.property == "Namespace" && !filter.metric_namespace) filter.metric_namespace = node.word.text;
  if (*node.property == "MetricName" && !filter.metric_name) filter.metric_name = node.word.text;
}

}  // namespace

void Search::narrow(SeriesFilter& filter) const {
  filter.metric_namespace = namespace_;
  filter.dimension_names = dimensions_;
  if (terms_) narrow_by(*terms_, filter);
}

bool Search::matches(const SeriesView& series, std::string_view account) {
  return !terms_ || terms_->matches(series, account);
}

std::vector<std::string> search_pieces(std::string_view text) {
  Pieces pieces;
  cut(text, pieces);
  return {pieces.begin(), pieces.end()};
}

bool search_word_matches(std::string_view word, std::string_view text) {
  return Word(std::string(word)).matches(text);
}

}  // namespace fog::metric_math
