// parse: new fields from text, by a glob, a pattern, as logfmt or as CSV.
#include <re2/re2.h>
#include <string.h>

#include "query/insights/commands/kit.h"
#include "query/insights/commands/table.h"
#include "storage/base/find_text.h"

namespace fog::insights {

namespace {

class Parse : public RowsCommand {
 public:
  explicit Parse(ExprPtr source, std::vector<std::string> names) : source_(std::move(source)), names_(std::move(names)) {}
  Status bind(Binder& binder) override {
    if (source_) {
      TRY(input_, binder.scalar(*source_));
    } else {
      TRY(int slot, binder.field("@message", at_begin, at_end));
      input_ = slot_node(slot);
    }
    for (const std::string& name : names_) slots_.push_back(binder.define_made(name));
    return Ok{};
  }
  void uses(std::set<int>& slots) const override { use(input_, slots); }

 protected:
  void print_head(std::string& out) const {
    out += "parse ";
    if (source_) {
      print_expr(*source_, out);
      out += ' ';
    }
  }
  void print_names(std::string& out) const {
    for (std::size_t k = 0; k < names_.size(); ++k) {
      out += k > 0 ? ", " : " as ";
      print_name(names_[k], out);
    }
  }
  // The columns to fill, one for each name.
  std::vector<Value*> columns(Batch& batch) const {
    std::vector<Value*> result;
    for (std::size_t k = 0; k < slots_.size(); ++k) result.push_back(null_values(batch));
    return result;
  }
  void keep(Batch& batch, const std::vector<Value*>& columns) const {
    for (std::size_t k = 0; k < slots_.size(); ++k) batch.set_values(slots_[k], columns[k]);
  }
  // Calls visit(row, text) for the selected rows; the text lives as long as the batch.
  template <typename Visit>
  void texts(Batch& batch, Visit&& visit) const {
    Vec vec = batch.eval(*input_);
    std::string buffer;
    Pace pace(batch.run());
    for (std::uint32_t row : batch.sel) {
      if (pace.stop()) return;
      Value value = vec.get(row, batch.arena());
      if (value.null() || value.container()) continue;
      std::string_view text = value.is_text() ? value.view() : batch.arena().copy(text_of(value, buffer));
      visit(row, text);
    }
  }

  ExprPtr source_;
  std::vector<std::string> names_;
  NodePtr input_;
  std::vector<int> slots_;
};

class Glob final : public Parse {
 public:
  Glob(ExprPtr source, std::string glob, std::vector<std::string> names)
      : Parse(std::move(source), std::move(names)), glob_(std::move(glob)) {
    std::size_t at = 0;
    for (;;) {
      std::size_t star = glob_.find('*', at);
      literals_.push_back(glob_.substr(at, star == std::string::npos ? star : star - at));
      if (star == std::string::npos) break;
      at = star + 1;
    }
  }
  void print(std::string& out) const override {
    print_head(out);
    print_string(glob_, out);
    print_names(out);
  }
  void make(Batch& batch) const override {
    auto columns = this->columns(batch);
    std::vector<std::string_view> found(names_.size());
    texts(batch, [&](std::uint32_t row, std::string_view text) {
      if (!match(text, found)) return;
      for (std::size_t k = 0; k < found.size(); ++k) columns[k][row] = Value::text(found[k]);
    });
    keep(batch, columns);
  }

 private:
  // literals_[0] * literals_[1] * ...: each star takes as little as possible; a last star, the rest.
  bool match(std::string_view text, std::vector<std::string_view>& found) const {
    std::size_t at = text.find(literals_[0]);
    if (at == std::string_view::npos) return false;
    at += literals_[0].size();
    for (std::size_t k = 1; k < literals_.size(); ++k) {
      bool last = k + 1 == literals_.size();
      std::size_t next = last && literals_[k].empty() ? text.size() : text.find(literals_[k], at);
      if (next == std::string_view::npos) return false;
      found[k - 1] = text.substr(at, next - at);
      at = next + literals_[k].size();
    }
    return true;
  }
  std::string glob_;
  std::vector<std::string> literals_;
};

void print_pattern(std::string_view pattern, std::string& out) {
  out += '/';
  for (std::size_t k = 0; k < pattern.size(); ++k) {
    if (pattern[k] == '\\' && k + 1 < pattern.size()) {
      out += pattern[k++];
    } else if (pattern[k] == '/') {
      out += '\\';
    }
    out += pattern[k];
  }
  out += '/';
}

class Regex final : public Parse {
 public:
  Regex(ExprPtr source, std::string text, std::vector<std::string> aliases, std::vector<std::string> names,
        std::shared_ptr<const Pattern> pattern, std::vector<int> groups, bool multi)
      : Parse(std::move(source), std::move(names)), text_(std::move(text)), aliases_(std::move(aliases)),
        pattern_(std::move(pattern)), groups_(std::move(groups)), multi_(multi) {}
  void print(std::string& out) const override {
    print_head(out);
    print_pattern(text_, out);
    for (std::size_t k = 0; k < aliases_.size(); ++k) {
      out += k > 0 ? ", " : " as ";
      print_name(aliases_[k], out);
    }
    if (multi_) out += " multi";
  }
  Shape shape() const override { return multi_ ? Shape::kExpand : Shape::kRows; }
  void make(Batch& batch) const override {
    if (multi_) return;
    auto columns = this->columns(batch);
    std::vector<re2::StringPiece> found(pattern_->group_names.size());
    std::size_t n = 0;
    texts(batch, [&](std::uint32_t row, std::string_view text) {
      if ((++n & 4095) == 0 && batch.run().stop()) return;
      if (!search(text, 0, found)) return;
      for (std::size_t k = 0; k < groups_.size(); ++k) columns[k][row] = group(found, groups_[k]);
    });
    keep(batch, columns);
  }
  Result<BatchPtr> apply(BatchPtr batch, Run& run) const override {
    if (!multi_) return batch;
    // One row a match; a row without match stays.
    std::vector<std::uint32_t> map;
    std::vector<Value> values;  // groups_.size() a row
    std::vector<re2::StringPiece> found(pattern_->group_names.size());
    Vec vec = batch->eval(*input_);
    std::string buffer;
    Pace pace(run);
    for (std::uint32_t row : batch->sel) {
      if (pace.stop()) break;
      Value value = vec.get(row, batch->arena());
      bool any = false;
      if (!value.null() && !value.container()) {
        std::string_view text = value.is_text() ? value.view() : batch->arena().copy(text_of(value, buffer));
        std::size_t at = 0;
        while (at <= text.size() && search(text, at, found)) {
          any = true;
          map.push_back(row);
          for (int g : groups_) values.push_back(group(found, g));
          auto end = static_cast<std::size_t>(found[0].data() - text.data()) + found[0].size();
          at = found[0].empty() ? end + std::max<std::size_t>(1, utf8_offset(text.substr(std::min(end, text.size())), 1)) : end;
        }
      }
      if (!any) {
        map.push_back(row);
        values.resize(values.size() + groups_.size());
      }
    }
    auto result = std::make_shared<Batch>(run, batch, std::move(map), command_ + 1);
    for (std::size_t k = 0; k < groups_.size(); ++k) {
      Value* column = null_values(*result);
      for (std::size_t row = 0; row < result->rows(); ++row) column[row] = values[row * groups_.size() + k];
      result->set_values(slots_[k], column);
    }
    return result;
  }
  Status bind(Binder& binder) override {
    command_ = binder.command();
    return Parse::bind(binder);
  }

 private:
  bool search(std::string_view text, std::size_t at, std::vector<re2::StringPiece>& found) const {
    if (at == 0 && !holds_text(text, pattern_->literal)) return false;
    return pattern_->re->Match(re2::StringPiece(text.data(), text.size()), at, text.size(), re2::RE2::UNANCHORED,
                               found.data(), static_cast<int>(found.size()));
  }
  static Value group(const std::vector<re2::StringPiece>& found, int g) {
    const re2::StringPiece& piece = found[static_cast<std::size_t>(g)];
    return piece.data() == nullptr ? Value{} : Value::text({piece.data(), piece.size()});
  }
  std::string text_;
  std::vector<std::string> aliases_;
  std::shared_ptr<const Pattern> pattern_;
  std::vector<int> groups_;
  bool multi_;
  int command_ = 0;
};

class Logfmt final : public Parse {
 public:
  using Parse::Parse;
  void print(std::string& out) const override {
    print_head(out);
    out += "logfmt";
    print_names(out);
  }
  void make(Batch& batch) const override {
    auto columns = this->columns(batch);
    std::vector<std::pair<std::string_view, Value>> members;
    texts(batch, [&](std::uint32_t row, std::string_view text) {
      members.clear();
      read(text, members, batch.arena());
      if (!members.empty()) columns[0][row] = Value::of(make_map(members, batch.arena()));
    });
    keep(batch, columns);
  }

 private:
  static void read(std::string_view text, std::vector<std::pair<std::string_view, Value>>& members, Arena& arena) {
    std::size_t k = 0;
    auto blank = [&](std::size_t p) { return text[p] == ' ' || text[p] == '\t' || text[p] == '\n' || text[p] == '\r'; };
    while (k < text.size()) {
      while (k < text.size() && blank(k)) ++k;
      std::size_t start = k;
      while (k < text.size() && !blank(k) && text[k] != '=') ++k;
      std::string_view key = text.substr(start, k - start);
      if (k == text.size() || text[k] != '=') continue;  // a word without value
      ++k;
      Value value;
      if (k < text.size() && text[k] == '"') {
        std::string unquoted;
        ++k;
        while (k < text.size() && text[k] != '"') {
          if (text[k] == '\\' && k + 1 < text.size()) {
            ++k;
            unquoted += text[k] == 'n' ? '\n' : text[k] == 't' ? '\t' : text[k] == 'r' ? '\r' : text[k];
            ++k;
            continue;
          }
          unquoted += text[k++];
        }
        if (k < text.size()) ++k;
        value = Value::text(arena.copy(unquoted));
      } else {
        start = k;
        while (k < text.size() && !blank(k)) ++k;
        value = Value::text(text.substr(start, k - start));
      }
      if (!key.empty()) members.emplace_back(key, value);
    }
  }
};

class Csv final : public Parse {
 public:
  using Parse::Parse;
  void print(std::string& out) const override {
    print_head(out);
    out += "csv";
    print_names(out);
  }
  void make(Batch& batch) const override {
    auto columns = this->columns(batch);
    texts(batch, [&](std::uint32_t row, std::string_view text) {
      std::size_t k = 0, column = 0;
      while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
      while (column < columns.size() && k <= text.size()) {
        columns[column++][row] = field(text, k, batch.arena());
        if (k == text.size()) break;
        ++k;  // the comma
      }
    });
    keep(batch, columns);
  }

 private:
  // RFC 4180: a field up to the next comma, or quoted with "" for a quote.
  static Value field(std::string_view text, std::size_t& k, Arena& arena) {
    if (k >= text.size() || text[k] != '"') {
      std::size_t comma = std::min(text.find(',', k), text.size());
      Value value = Value::text(text.substr(k, comma - k));
      k = comma;
      return value;
    }
    std::string out;
    ++k;
    while (k < text.size()) {
      if (text[k] == '"') {
        if (k + 1 < text.size() && text[k + 1] == '"') {
          out += '"';
          k += 2;
          continue;
        }
        ++k;
        break;
      }
      out += text[k++];
    }
    std::size_t comma = std::min(text.find(',', k), text.size());
    out += text.substr(k, comma - k);
    k = comma;
    return Value::text(arena.copy(out));
  }
};

Result<CommandPtr> parse_pattern_clause(Parser& parser, ExprPtr source) {
  std::size_t at = parser.peek().begin;
  TRY(std::string text, parser.regex());
  std::size_t end = parser.last_end();
  std::vector<std::string> aliases;
  TRY(bool as, parser.accept_word("as"));
  if (as) {
    TRY(aliases, parser.names());
  }
  TRY(bool multi, parser.accept_word("multi"));
  auto compiled = compile_pattern(text);
  if (!compiled.ok()) return parser.error(at, end, "invalid regular expression: " + compiled.error().message());
  auto pattern = std::move(compiled).value();
  std::vector<std::string> names;
  std::vector<int> groups;
  for (std::size_t g = 1; g < pattern->group_names.size(); ++g)
    if (!pattern->group_names[g].empty()) {
      names.push_back(pattern->group_names[g]);
      groups.push_back(static_cast<int>(g));
    }
  if (names.empty()) {
    if (pattern->group_names.size() < 2) return parser.error(at, end, "the pattern of parse has no capturing group");
    if (aliases.size() + 1 != pattern->group_names.size())
      return parser.error(at, parser.last_end(), "the number of aliases does not match the number of groups");
    names = aliases;
    for (std::size_t g = 1; g <= names.size(); ++g) groups.push_back(static_cast<int>(g));
  } else if (!aliases.empty()) {
    // Aliases rename the named groups.
    if (aliases.size() != names.size())
      return parser.error(at, parser.last_end(), "the number of aliases does not match the number of groups");
    names = aliases;
  }
  return CommandPtr(std::make_unique<Regex>(std::move(source), std::move(text), std::move(aliases), std::move(names),
                                            std::move(pattern), std::move(groups), multi));
}

}  // namespace

Result<CommandPtr> parse_parse(Parser& parser) {
  ExprPtr source;
  if (parser.at_regex()) return parse_pattern_clause(parser, nullptr);
  bool word = parser.at_word("logfmt") || parser.at_word("csv");
  if (!word) {
    std::size_t begin = parser.peek().begin;
    bool string = parser.peek().kind == Token::Kind::kString;
    TRY(source, parser.primary());
    if (string && parser.at_word("as")) {
      // A lone string is the glob over @message.
      std::string glob = source->text;
      TRYV(parser.advance());
      TRY(auto names, parser.names());
      if (static_cast<std::size_t>(std::count(glob.begin(), glob.end(), '*')) != names.size())
        return parser.error(begin, parser.last_end(), "the number of wildcards does not match the number of aliases");
      return CommandPtr(std::make_unique<Glob>(nullptr, std::move(glob), std::move(names)));
    }
  }
  if (parser.at_regex()) return parse_pattern_clause(parser, std::move(source));
  if (parser.at_word("logfmt")) {
    TRYV(parser.advance());
    TRYV(parser.expect_word("as"));
    TRY(std::string name, parser.name());
    return CommandPtr(std::make_unique<Logfmt>(std::move(source), std::vector<std::string>{name}));
  }
  if (parser.at_word("csv")) {
    TRYV(parser.advance());
    TRYV(parser.expect_word("as"));
    TRY(auto names, parser.names());
    return CommandPtr(std::make_unique<Csv>(std::move(source), std::move(names)));
  }
  std::size_t begin = parser.peek().begin;
  TRY(std::string glob, parser.string());
  TRYV(parser.expect_word("as"));
  TRY(auto names, parser.names());
  if (static_cast<std::size_t>(std::count(glob.begin(), glob.end(), '*')) != names.size())
    return parser.error(begin, parser.last_end(), "the number of wildcards does not match the number of aliases");
  return CommandPtr(std::make_unique<Glob>(std::move(source), std::move(glob), std::move(names)));
}

}  // namespace fog::insights
