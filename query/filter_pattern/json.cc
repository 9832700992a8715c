// JSON patterns: { $.a.b[0] = "x*" && ($.n > 4 || $.t IS TRUE) }.
//
// The message is walked on demand, only along the selectors. A message that seems to match is then
// validated as a whole, since only one JSON object is ever matched.
#include <simdjson.h>

#include "query/filter_pattern/internal.h"

namespace fog::filter_pattern {

namespace {

namespace on_demand = simdjson::ondemand;

struct Step {
  enum class Kind { kName, kIndex, kAnyField, kAnyElement } kind = Kind::kName;
  std::string name;
  std::size_t index = 0;
};

struct Selector {
  std::string text;  // as written
  std::vector<Step> steps;
  bool wild = false;
};

// A scalar that a selector leads to.
struct Scalar {
  enum class Kind { kText, kNumber, kBoolean, kNull } kind = Kind::kNull;
  std::string_view text;  // string: unescaped; number: as in the message; boolean: true, false
  double number = 0;
};

struct Document {
  on_demand::parser parser;
  simdjson::dom::parser validator;
  std::string padded;

  bool load(std::string_view message) {
    std::size_t k = message.find_first_not_of(" \t\r\n");
    if (k == std::string_view::npos || message[k] != '{') return false;
    padded.clear();
    padded.reserve(message.size() + simdjson::SIMDJSON_PADDING);
    padded.append(message);
    return true;
  }
  bool valid() {
    simdjson::dom::element root;
    return validator.parse(padded.data(), padded.size(), false).get(root) == simdjson::SUCCESS && root.is_object();
  }
};

// One a thread: parsers keep their buffers.
Document& document() {
  thread_local Document kDocument;
  return kDocument;
}

// Calls visit(value) for each value a selector leads to, containers included as nullptr scalars.
// False: the message is broken there.
template <typename Visit>
bool walk(on_demand::value value, const std::vector<Step>& steps, std::size_t k, Visit& visit) {
  on_demand::json_type type;
  if (value.type().get(type) != simdjson::SUCCESS) return false;
  if (k == steps.size()) {
    Scalar scalar;
    switch (type) {
      case on_demand::json_type::array:
      case on_demand::json_type::object: visit(nullptr); return true;
      case on_demand::json_type::string:
        scalar.kind = Scalar::Kind::kText;
        if (value.get_string().get(scalar.text) != simdjson::SUCCESS) return false;
        break;
      case on_demand::json_type::number: {
        scalar.kind = Scalar::Kind::kNumber;
        std::string_view raw = value.raw_json_token();
        while (!raw.empty() && std::string_view(" \t\r\n").find(raw.back()) != std::string_view::npos) raw.remove_suffix(1);
        scalar.text = raw;
        auto number = number_of(raw);
        if (!number) return false;
        scalar.number = *number;
        break;
      }
      case on_demand::json_type::boolean: {
        bool yes = false;
        if (value.get_bool().get(yes) != simdjson::SUCCESS) return false;
        scalar.kind = Scalar::Kind::kBoolean;
        scalar.text = yes ? "true" : "false";
        break;
      }
      case on_demand::json_type::null: break;
    }
    visit(&scalar);
    return true;
  }
  const Step& step = steps[k];
  bool fields = step.kind == Step::Kind::kName || step.kind == Step::Kind::kAnyField;
  if (type == on_demand::json_type::object && fields) {
    on_demand::object object;
    if (value.get_object().get(object) != simdjson::SUCCESS) return false;
    if (step.kind == Step::Kind::kName) {
      on_demand::value member;
      auto error = object.find_field_unordered(step.name).get(member);
      if (error == simdjson::NO_SUCH_FIELD) return true;
      return error == simdjson::SUCCESS && walk(member, steps, k + 1, visit);
    }
    for (auto field : object) {
      on_demand::value member;
      if (field.value().get(member) != simdjson::SUCCESS || !walk(member, steps, k + 1, visit)) return false;
    }
    return true;
  }
  if (type == on_demand::json_type::array && !fields) {
    on_demand::array array;
    if (value.get_array().get(array) != simdjson::SUCCESS) return false;
    std::size_t n = 0;
    for (auto element : array) {
      on_demand::value member;
      if (element.get(member) != simdjson::SUCCESS) return false;
      if (step.kind == Step::Kind::kAnyElement || n == step.index) {
        if (!walk(member, steps, k + 1, visit)) return false;
        if (step.kind == Step::Kind::kIndex) return true;
      }
      ++n;
    }
    return true;
  }
  return true;  // another kind of container, or a scalar: the path does not exist
}

template <typename Visit>
bool select(Document& doc, const Selector& selector, Visit&& visit) {
  on_demand::document root;
  if (doc.parser.iterate(doc.padded.data(), doc.padded.size(), doc.padded.capacity()).get(root) != simdjson::SUCCESS)
    return false;
  on_demand::value value;
  if (root.get_value().get(value) != simdjson::SUCCESS) return false;
  return walk(value, selector.steps, 0, visit);
}

struct Condition {
  enum class Kind { kCompare, kIsNull, kIsTrue, kIsFalse, kNotExists, kAnd, kOr } kind = Kind::kCompare;
  Selector selector;
  Compare op = Compare::kEqual;
  Operand operand;
  std::vector<Condition> parts;

  bool equals(const Scalar& scalar) const {
    if (scalar.kind == Scalar::Kind::kNull) return false;
    switch (operand.kind) {
      case Operand::Kind::kRegex: return regex_match(*operand.regex, scalar.text);
      case Operand::Kind::kNumber:
        if (scalar.kind == Scalar::Kind::kNumber) return scalar.number == operand.number;
        return scalar.text == operand.text;
      case Operand::Kind::kText: return wildcard_match(operand.text, scalar.text);
    }
    return false;
  }

  bool holds(Document& doc) const {
    if (kind == Kind::kAnd || kind == Kind::kOr) {
      for (const Condition& part : parts)
        if (part.holds(doc) != (kind == Kind::kAnd)) return kind == Kind::kOr;
      return kind == Kind::kAnd;
    }
    std::size_t found = 0, scalars = 0, hits = 0;
    bool intact = select(doc, selector, [&](const Scalar* scalar) {
      ++found;
      if (scalar == nullptr) return;
      ++scalars;
      switch (kind) {
        case Kind::kIsNull: hits += scalar->kind == Scalar::Kind::kNull; break;
        case Kind::kIsTrue: hits += scalar->kind == Scalar::Kind::kBoolean && scalar->text == "true"; break;
        case Kind::kIsFalse: hits += scalar->kind == Scalar::Kind::kBoolean && scalar->text == "false"; break;
        case Kind::kCompare:
          if (op == Compare::kEqual || op == Compare::kNotEqual)
            hits += equals(*scalar);
          else
            hits += scalar->kind == Scalar::Kind::kNumber && numbers_hold(op, scalar->number, operand.number);
          break;
        case Kind::kNotExists: case Kind::kAnd: case Kind::kOr: break;
      }
    });
    if (!intact) return false;
    if (kind == Kind::kNotExists) return found == 0;
    if (kind == Kind::kCompare && op == Compare::kNotEqual) return scalars > 0 && hits == 0;
    return hits > 0;
  }

  void selectors(std::vector<const Selector*>& out) const {
    if (kind != Kind::kAnd && kind != Kind::kOr) out.push_back(&selector);
    for (const Condition& part : parts) part.selectors(out);
  }
};

std::optional<std::string> scalar_text(Document& doc, const Selector& selector) {
  std::optional<std::string> text;
  std::size_t found = 0;
  bool intact = select(doc, selector, [&](const Scalar* scalar) {
    ++found;
    if (scalar && scalar->kind != Scalar::Kind::kNull) text = std::string(scalar->text);
  });
  if (!intact || found != 1) return std::nullopt;
  return text;
}

Result<Selector> read_selector(Cursor& cursor) {
  Selector selector;
  std::size_t begin = cursor.at();
  if (!cursor.accept("$")) return cursor.invalid();
  for (;;) {
    Step step;
    bool dot = cursor.peek() == '.';
    if (dot && cursor.ahead(1) == '*') {
      cursor.skip(2);
      step.kind = Step::Kind::kAnyField;
    } else if (dot && cursor.ahead(1) != '[') {
      cursor.skip();
      std::size_t start = cursor.at();
      while (name_char(cursor.peek()) || cursor.peek() == '-') cursor.skip();
      step.name = cursor.since(start);
      if (step.name.empty()) return cursor.invalid();
    } else if (dot || cursor.peek() == '[') {
      cursor.skip(dot ? 2 : 1);
      if (cursor.accept("*]")) {
        step.kind = Step::Kind::kAnyElement;
      } else if (cursor.accept("'")) {
        std::size_t start = cursor.at();
        while (!cursor.end() && cursor.peek() != '\'') cursor.skip();
        step.name = cursor.since(start);
        if (step.name.empty() || !cursor.accept("']")) return cursor.invalid();
      } else {
        std::size_t start = cursor.at();
        while (cursor.peek() >= '0' && cursor.peek() <= '9') cursor.skip();
        std::string_view digits = cursor.since(start);
        if (digits.empty() || digits.size() > 9 || !cursor.accept("]")) return cursor.invalid();
        step.kind = Step::Kind::kIndex;
        step.index = static_cast<std::size_t>(std::stoul(std::string(digits)));
      }
    } else {
      break;
    }
    bool wild = step.kind == Step::Kind::kAnyField || step.kind == Step::Kind::kAnyElement;
    if (wild && selector.wild) return cursor.invalid();  // one a selector
    selector.wild = selector.wild || wild;
    selector.steps.push_back(std::move(step));
  }
  if (selector.steps.empty()) return cursor.invalid();
  selector.text = cursor.since(begin);
  return selector;
}

class JsonPattern final : public Pattern {
 public:
  JsonPattern(Condition condition, std::size_t regexes) : condition_(std::move(condition)), regexes_(regexes) {
    condition_.selectors(selectors_);
  }
  Kind kind() const override { return Kind::kJson; }
  bool matches(std::string_view message) const override {
    Document& doc = document();
    return doc.load(message) && condition_.holds(doc) && doc.valid();
  }
  std::map<std::string, std::string> extract(std::string_view message) const override {
    std::map<std::string, std::string> values;
    Document& doc = document();
    if (!doc.load(message)) return values;
    for (const Selector* selector : selectors_) {
      if (selector->wild) continue;
      if (auto text = scalar_text(doc, *selector)) values[selector->text] = *text;
    }
    return values;
  }
  std::optional<std::string> value(std::string_view message, std::string_view name) const override {
    auto text = select_json(message, name);
    return text.ok() ? *text : std::nullopt;
  }
  std::size_t regexes() const override { return regexes_; }
  std::vector<std::vector<LogPredicate>> where() const override {
    std::vector<std::vector<LogPredicate>> clauses;
    clauses_of(condition_, clauses);
    return clauses;
  }

 private:
  // Text that no JSON writer escapes stands in the message as it is.
  static bool plain(const std::string& text) {
    for (char c : text)
      if (!name_char(c) && c != '-' && c != '.' && c != ' ' && c != ':') return false;
    return !text.empty();
  }
  static void clauses_of(const Condition& condition, std::vector<std::vector<LogPredicate>>& out) {
    if (condition.kind == Condition::Kind::kAnd) {
      for (const Condition& part : condition.parts) clauses_of(part, out);
      return;
    }
    if (condition.kind == Condition::Kind::kOr) {
      std::vector<LogPredicate> any;
      for (const Condition& part : condition.parts) {
        std::vector<std::vector<LogPredicate>> own;
        clauses_of(part, own);
        if (own.empty()) return;
        any.insert(any.end(), own[0].begin(), own[0].end());
      }
      out.push_back(std::move(any));
      return;
    }
    if (condition.kind != Condition::Kind::kCompare || condition.op != Compare::kEqual ||
        condition.operand.kind != Operand::Kind::kText || !plain(condition.operand.text))
      return;
    LogPredicate p;
    p.what = LogPredicate::What::kMessageContains;
    p.text = condition.operand.text;
    out.push_back({std::move(p)});
  }

  Condition condition_;
  std::size_t regexes_;
  std::vector<const Selector*> selectors_;
};

class Parser {
 public:
  explicit Parser(std::string_view text) : cursor_(text) {}

  Result<std::shared_ptr<const Pattern>> pattern() {
    cursor_.blanks();
    cursor_.skip();  // {
    TRY(Condition condition, either());
    cursor_.blanks();
    if (!cursor_.accept("}")) return cursor_.invalid();
    cursor_.blanks();
    if (!cursor_.end() || regexes_ > kRegexesMax || wildcards_ > kWildcardsMax) return cursor_.invalid();
    return std::shared_ptr<const Pattern>(std::make_shared<JsonPattern>(std::move(condition), regexes_));
  }

 private:
  static constexpr std::size_t kWildcardsMax = 3;  // selectors with one, in a pattern

  Result<Condition> either() { return chain("||", Condition::Kind::kOr); }
  Result<Condition> chain(std::string_view op, Condition::Kind kind) {
    Condition all;
    all.kind = kind;
    do {
      Condition part;
      if (kind == Condition::Kind::kOr) {
        TRY(part, chain("&&", Condition::Kind::kAnd));
      } else {
        TRY(part, single());
      }
      all.parts.push_back(std::move(part));
      cursor_.blanks();
    } while (cursor_.accept(op));
    if (all.parts.size() == 1) {
      Condition only = std::move(all.parts[0]);
      return only;
    }
    return all;
  }
  Result<Condition> single() {
    cursor_.blanks();
    if (cursor_.accept("(")) {
      if (++depth_ > kDepthMax) return cursor_.invalid();
      TRY(Condition inner, either());
      cursor_.blanks();
      if (!cursor_.accept(")")) return cursor_.invalid();
      --depth_;
      return inner;
    }
    Condition test;
    TRY(test.selector, read_selector(cursor_));
    wildcards_ += test.selector.wild;
    cursor_.blanks();
    if (cursor_.accept_keyword("IS")) {
      cursor_.blanks();
      if (cursor_.accept_keyword("NULL")) test.kind = Condition::Kind::kIsNull;
      else if (cursor_.accept_keyword("TRUE")) test.kind = Condition::Kind::kIsTrue;
      else if (cursor_.accept_keyword("FALSE")) test.kind = Condition::Kind::kIsFalse;
      else return cursor_.invalid();
      return test;
    }
    if (cursor_.accept_keyword("NOT")) {
      cursor_.blanks();
      if (!cursor_.accept_keyword("EXISTS")) return cursor_.invalid();
      test.kind = Condition::Kind::kNotExists;
      return test;
    }
    auto op = cursor_.comparison();
    if (!op) return cursor_.invalid();
    test.op = *op;
    bool number = test.op != Compare::kEqual && test.op != Compare::kNotEqual;
    TRY(test.operand, cursor_.operand("(){}&|;", number));
    regexes_ += test.operand.kind == Operand::Kind::kRegex;
    return test;
  }

  Cursor cursor_;
  std::size_t regexes_ = 0, wildcards_ = 0, depth_ = 0;
};

}  // namespace

Result<std::shared_ptr<const Pattern>> parse_json(std::string_view text) { return Parser(text).pattern(); }

Result<std::optional<std::string>> select_json(std::string_view message, std::string_view selector) {
  Cursor cursor(selector);
  TRY(Selector parsed, read_selector(cursor));
  if (!cursor.end()) return cursor.invalid();
  Document& doc = document();
  if (!doc.load(message)) return std::optional<std::string>();
  return scalar_text(doc, parsed);
}

}  // namespace fog::filter_pattern
