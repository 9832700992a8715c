// The parser: recursive descent over tokens, checking types and places as it goes.
//
// Precedence is NOT, AND, OR; two terms side by side are ANDed. What a keyword may be compared with,
// and in which kind of block it may stand, is said by kKeywords.
#include <nlohmann/json.hpp>

#include "query/trace_filter/filter.h"
#include "query/trace_filter/lex.h"
#include "query/trace_filter/limits.h"

namespace fog::trace_filter {

namespace {

// Where an expression stands.
enum Context : unsigned {
  kTrace = 1,
  kServiceBlock = 2,
  kEdgeBlock = 4,
  kCauseService = 8,
  kCauseEntity = 16,
  kCauseException = 32,
};
constexpr unsigned kSpans = kTrace | kServiceBlock | kEdgeBlock;
constexpr unsigned kSegments = kTrace | kServiceBlock;
constexpr unsigned kCauses = kCauseService | kCauseEntity | kCauseException;

struct KeywordRow {
  std::string_view word;
  Keyword keyword;
  ValueType type;
  unsigned contexts;
};
constexpr KeywordRow kKeywords[] = {
    {"ok", Keyword::kOk, ValueType::kBool, kSpans},
    {"error", Keyword::kError, ValueType::kBool, kSpans},
    {"throttle", Keyword::kThrottle, ValueType::kBool, kSpans},
    {"fault", Keyword::kFault, ValueType::kBool, kSpans},
    {"partial", Keyword::kPartial, ValueType::kBool, kSpans},
    {"inferred", Keyword::kInferred, ValueType::kBool, kSegments | kCauseService},
    {"root", Keyword::kRoot, ValueType::kBool, kSegments},
    {"first", Keyword::kFirst, ValueType::kBool, kCauses},
    {"last", Keyword::kLast, ValueType::kBool, kCauses},
    {"remote", Keyword::kRemote, ValueType::kBool, kCauseEntity},
    {"responsetime", Keyword::kResponseTime, ValueType::kNumber, kSpans},
    {"duration", Keyword::kDuration, ValueType::kNumber, kSpans},
    {"http.status", Keyword::kHttpStatus, ValueType::kNumber, kSpans},
    {"index", Keyword::kIndex, ValueType::kNumber, kCauses},
    {"coverage", Keyword::kCoverage, ValueType::kNumber, kCauseEntity},
    {"http.url", Keyword::kHttpUrl, ValueType::kString, kSpans},
    {"http.method", Keyword::kHttpMethod, ValueType::kString, kSpans},
    {"http.useragent", Keyword::kHttpUserAgent, ValueType::kString, kSpans},
    {"http.clientip", Keyword::kHttpClientIp, ValueType::kString, kSpans},
    {"user", Keyword::kUser, ValueType::kString, kSegments},
    {"name", Keyword::kName, ValueType::kString, kSpans | kCauses},
    {"type", Keyword::kType, ValueType::kString, kSpans | kCauseService},
    {"availabilityzone", Keyword::kAvailabilityZone, ValueType::kString, kSegments},
    {"instance.id", Keyword::kInstanceId, ValueType::kString, kSegments},
    {"resource.arn", Keyword::kResourceArn, ValueType::kString, kSegments},
    {"message", Keyword::kMessage, ValueType::kString, kCauseException},
    {"account.id", Keyword::kAccountId, ValueType::kString, kCauseService},
};

struct OpRow {
  std::string_view text;
  Op op;
};
constexpr OpRow kOps[] = {{"=", Op::kEq},
                          {"!=", Op::kNe},
                          {"<", Op::kLt},
                          {"<=", Op::kLe},
                          {">", Op::kGt},
                          {">=", Op::kGe},
                          {"contains", Op::kContains},
                          {"beginswith", Op::kBeginsWith},
                          {"endswith", Op::kEndsWith}};

bool allowed(ValueType type, Op op) {
  switch (op) {
    case Op::kExists:
    case Op::kEq:
    case Op::kNe: return true;
    case Op::kLt:
    case Op::kLe:
    case Op::kGt:
    case Op::kGe: return type == ValueType::kNumber;
    case Op::kContains:
    case Op::kBeginsWith:
    case Op::kEndsWith: return type == ValueType::kString;
  }
  return false;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

template <typename T>
NodePtr make(T body) {
  return std::make_unique<Node>(Node{std::move(body)});
}

class Parser {
 public:
  Parser(std::vector<Token> tokens, const Bindings* bindings, int group_depth)
      : tokens_(std::move(tokens)), bindings_(bindings), group_depth_(group_depth) {}

  Result<NodePtr> whole() {
    if (at_end()) return NodePtr{};
    TRY(auto node, expression(kTrace, 0));
    if (!at_end()) return unexpected();
    return node;
  }

  Result<Selector> selector() {
    Selector out;
    const auto word = lower(peek().text);
    if (peek().kind == TokenKind::kWord && word == "edge") {
      ++at_;
      TRY(out.edge, edge_nodes());
    } else if (peek().kind == TokenKind::kWord && word == "service") {
      ++at_;
      TRYV(expect("("));
      NodeMatcher node;
      if (!is_symbol(")")) {
        TRY(node, matcher());
      }
      TRYV(expect(")"));
      out.service = std::move(node);
    } else if (peek().kind == TokenKind::kWord && word == "id") {
      TRY(out.service, matcher());
    } else {
      return Error::invalid("expected id(), service() or edge()").at(peek().position);
    }
    if (!at_end()) return unexpected();
    return out;
  }

 private:
  const Token& peek() const { return tokens_[at_]; }
  bool at_end() const { return peek().kind == TokenKind::kEnd; }
  bool is_symbol(std::string_view text) const {
    return peek().kind == TokenKind::kSymbol && peek().text == text;
  }
  bool is_word(std::string_view text) const {
    return peek().kind == TokenKind::kWord && lower(peek().text) == text;
  }
  Error unexpected() const {
    if (at_end()) return Error::invalid("unexpected end of the expression").at(peek().position);
    return Error::invalid("unexpected '" + peek().text + "'").at(peek().position);
  }
  Status expect(std::string_view symbol) {
    if (!is_symbol(symbol))
      return Error::invalid("expected '" + std::string(symbol) + "'").at(peek().position);
    ++at_;
    return Ok{};
  }

  Result<NodePtr> expression(Context context, int depth) {
    if (depth > kDepthMax) return Error::invalid("nested too deeply").at(peek().position);
    Or any;
    while (true) {
      TRY(auto part, conjunction(context, depth));
      any.parts.push_back(std::move(part));
      if (!is_word("or")) break;
      ++at_;
    }
    if (any.parts.size() == 1) return std::move(any.parts.front());
    return make(std::move(any));
  }

  Result<NodePtr> conjunction(Context context, int depth) {
    And all;
    while (true) {
      TRY(auto part, unary(context, depth));
      all.parts.push_back(std::move(part));
      if (is_word("and")) {
        ++at_;
        continue;
      }
      if (at_end() || is_word("or") || is_symbol(")") || is_symbol("}")) break;
    }
    if (all.parts.size() == 1) return std::move(all.parts.front());
    return make(std::move(all));
  }

  Result<NodePtr> unary(Context context, int depth) {
    if (depth > kDepthMax) return Error::invalid("nested too deeply").at(peek().position);
    if (is_symbol("!") || is_word("not")) {
      ++at_;
      TRY(auto inner, unary(context, depth + 1));
      return make(Not{std::move(inner)});
    }
    if (is_symbol("(")) {
      ++at_;
      TRY(auto inner, expression(context, depth + 1));
      TRYV(expect(")"));
      return inner;
    }
    if (peek().kind != TokenKind::kWord) return unexpected();
    return primary(context, depth);
  }

  Result<NodePtr> primary(Context context, int depth) {
    const Token word = peek();
    const auto text = lower(word.text);
    const auto only_in_trace = [&]() -> Status {
      if (context == kTrace) return Ok{};
      return Error::invalid("'" + word.text + "' is not allowed inside a block").at(word.position);
    };
    if (text == "service") {
      TRYV(only_in_trace());
      ++at_;
      return service(depth);
    }
    if (text == "edge") {
      TRYV(only_in_trace());
      ++at_;
      TRY(auto nodes, edge_nodes());
      EdgeTest test{std::move(nodes.first), std::move(nodes.second), nullptr};
      TRY(test.block, optional_block(kEdgeBlock, depth));
      return make(std::move(test));
    }
    if (text == "annotation" || text.starts_with("annotation.")) {
      TRYV(only_in_trace());
      return annotation();
    }
    if (text == "group.name" || text == "group.arn") {
      TRYV(only_in_trace());
      return group(text == "group.arn");
    }
    if (text.starts_with("rootcause.")) {
      TRYV(only_in_trace());
      return root_cause(depth);
    }
    for (const auto& row : kKeywords) {
      if (row.word != text) continue;
      if ((row.contexts & context) == 0)
        return Error::invalid("'" + word.text + "' is not allowed here").at(word.position);
      ++at_;
      return test(row);
    }
    return Error::invalid("unknown keyword '" + word.text + "'").at(word.position);
  }

  std::optional<Op> optional_op() {
    if (peek().kind != TokenKind::kSymbol && peek().kind != TokenKind::kWord) return std::nullopt;
    const auto text = lower(peek().text);
    for (const auto& row : kOps) {
      if (row.text != text) continue;
      ++at_;
      return row.op;
    }
    return std::nullopt;
  }

  Result<Literal> literal() {
    const Token& token = peek();
    if (token.kind == TokenKind::kString) {
      ++at_;
      return Literal(token.text);
    }
    if (token.kind == TokenKind::kNumber) {
      ++at_;
      return Literal(token.number);
    }
    if (is_word("true") || is_word("false")) {
      const bool value = is_word("true");
      ++at_;
      return Literal(value);
    }
    return Error::invalid("expected a value").at(token.position);
  }

  Result<NodePtr> test(const KeywordRow& row) {
    Test out;
    out.keyword = row.keyword;
    const auto op_position = peek().position;
    const auto op = optional_op();
    if (!op) return make(std::move(out));
    out.op = *op;
    if (!allowed(row.type, *op))
      return Error::invalid("operator does not apply to '" + std::string(row.word) + "'")
          .at(op_position);
    const auto value_position = peek().position;
    TRY(out.value, literal());
    if (out.value.index() != static_cast<std::size_t>(row.type))
      return Error::invalid("value of the wrong type for '" + std::string(row.word) + "'")
          .at(value_position);
    return make(std::move(out));
  }

  Result<NodePtr> annotation() {
    AnnotationTest out;
    const Token word = peek();
    ++at_;
    if (word.text.size() > 10) {
      out.key = word.text.substr(11);
      if (out.key.empty()) return Error::invalid("annotation without a key").at(word.position);
    } else {
      TRYV(expect("["));
      if (peek().kind != TokenKind::kWord && peek().kind != TokenKind::kString) return unexpected();
      out.key = peek().text;
      ++at_;
      TRYV(expect("]"));
      if (out.key.empty()) return Error::invalid("annotation without a key").at(word.position);
    }
    const auto op_position = peek().position;
    const auto op = optional_op();
    if (!op) return make(std::move(out));
    out.op = *op;
    TRY(out.value, literal());
    if (!allowed(static_cast<ValueType>(out.value.index()), *op))
      return Error::invalid("operator does not apply to a value of this type").at(op_position);
    return make(std::move(out));
  }

  Result<NodePtr> optional_block(Context context, int depth) {
    if (!is_symbol("{")) return NodePtr{};
    ++at_;
    TRY(auto block, expression(context, depth + 1));
    TRYV(expect("}"));
    return block;
  }

  Result<NodePtr> service(int depth) {
    ServiceTest out;
    TRYV(expect("("));
    if (!is_symbol(")")) {
      TRY(out.node, matcher());
    }
    TRYV(expect(")"));
    TRY(out.block, optional_block(kServiceBlock, depth));
    return make(std::move(out));
  }

  Result<std::pair<NodeMatcher, NodeMatcher>> edge_nodes() {
    TRYV(expect("("));
    TRY(auto from, matcher());
    TRYV(expect(","));
    TRY(auto to, matcher());
    TRYV(expect(")"));
    return std::pair(std::move(from), std::move(to));
  }

  Result<NodeMatcher> matcher() {
    NodeMatcher out;
    if (peek().kind == TokenKind::kString) {
      out.name = peek().text;
      ++at_;
      return out;
    }
    if (!is_word("id")) return Error::invalid("expected a name or id()").at(peek().position);
    ++at_;
    TRYV(expect("("));
    while (true) {
      const auto part = lower(peek().text);
      std::optional<std::string>* target = nullptr;
      if (peek().kind == TokenKind::kWord) {
        if (part == "name") target = &out.name;
        else if (part == "type") target = &out.type;
        else if (part == "account.id") target = &out.account;
      }
      if (target == nullptr) return Error::invalid("expected name, type or account.id").at(peek().position);
      if (*target) return Error::invalid("'" + part + "' is given twice").at(peek().position);
      ++at_;
      TRYV(expect(":"));
      if (peek().kind != TokenKind::kString)
        return Error::invalid("expected a string").at(peek().position);
      *target = peek().text;
      ++at_;
      if (!is_symbol(",")) break;
      ++at_;
    }
    TRYV(expect(")"));
    return out;
  }

  Result<NodePtr> group(bool is_arn) {
    const Token word = peek();
    ++at_;
    GroupTest out;
    if (!is_symbol("=") && !is_symbol("!=")) return Error::invalid("expected = or !=").at(peek().position);
    out.negated = is_symbol("!=");
    ++at_;
    if (peek().kind != TokenKind::kString) return Error::invalid("expected a string").at(peek().position);
    const Token name = peek();
    ++at_;
    std::optional<std::string> text;
    if (bindings_ != nullptr && bindings_->group) text = bindings_->group(name.text, is_arn);
    if (!text) return Error::invalid("unknown group '" + name.text + "'").at(name.position);
    if (group_depth_ >= kGroupDepthMax)
      return Error::invalid("groups refer to each other").at(name.position);
    TRY(out.expression, internal::parse_expression(*text, *bindings_, group_depth_ + 1));
    return make(std::move(out));
  }

  Result<NodePtr> root_cause(int depth) {
    const Token word = peek();
    const auto unknown = [&] {
      return Error::invalid("unknown keyword '" + word.text + "'").at(word.position);
    };
    ++at_;
    std::string rest = lower(word.text).substr(10);
    std::optional<CauseKind> kind;
    for (const auto& [name, value] :
         {std::pair<std::string_view, CauseKind>{"fault.", CauseKind::kFault},
          {"error.", CauseKind::kError},
          {"responsetime.", CauseKind::kResponseTime}}) {
      if (!rest.starts_with(name)) continue;
      kind = value;
      rest = rest.substr(name.size());
      break;
    }
    if (rest == "json") return cause_json(kind);
    if (!kind) return unknown();
    CauseTest out;
    out.kind = *kind;
    Context context = kCauseService;
    if (rest == "service") {
      out.part = CausePart::kService;
    } else if (rest == "entity") {
      out.part = CausePart::kEntity;
      context = kCauseEntity;
    } else if (rest == "exception" && *kind != CauseKind::kResponseTime) {
      out.part = CausePart::kException;
      context = kCauseException;
    } else {
      return unknown();
    }
    TRY(out.block, optional_block(context, depth));
    return make(std::move(out));
  }

  Result<NodePtr> cause_json(std::optional<CauseKind> kind);

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  const Bindings* bindings_;
  int group_depth_;
};

// --- rootcause.json: patterns of the shape the service answers --------------------------------

using Json = nlohmann::json;

void read(const Json& object, const char* key, std::optional<std::string>& out) {
  if (const auto it = object.find(key); it != object.end() && it->is_string()) out = it->get<std::string>();
}
void read(const Json& object, const char* key, std::optional<bool>& out) {
  if (const auto it = object.find(key); it != object.end() && it->is_boolean()) out = it->get<bool>();
}
void read(const Json& object, const char* key, std::optional<double>& out) {
  if (const auto it = object.find(key); it != object.end() && it->is_number()) out = it->get<double>();
}
const Json* list_in(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_array() ? &*it : nullptr;
}

CausePattern cause_pattern(const Json& cause) {
  CausePattern out;
  read(cause, "ClientImpacting", out.client_impacting);
  const auto* services = list_in(cause, "Services");
  if (services == nullptr) return out;
  out.services.emplace();
  for (const auto& service : *services) {
    ServicePattern pattern;
    if (service.is_object()) {
      read(service, "Name", pattern.name);
      read(service, "Type", pattern.type);
      read(service, "AccountId", pattern.account);
      read(service, "Inferred", pattern.inferred);
      if (const auto* names = list_in(service, "Names")) {
        pattern.names.emplace();
        for (const auto& name : *names)
          if (name.is_string()) pattern.names->push_back(name.get<std::string>());
      }
      if (const auto* path = list_in(service, "EntityPath")) {
        pattern.path.emplace();
        for (const auto& entity : *path) {
          EntityPattern e;
          if (entity.is_object()) {
            read(entity, "Name", e.name);
            read(entity, "Remote", e.remote);
            read(entity, "Coverage", e.coverage);
            if (const auto* exceptions = list_in(entity, "Exceptions")) {
              e.exceptions.emplace();
              for (const auto& exception : *exceptions) {
                EntityPattern::Exception x;
                if (exception.is_object()) {
                  read(exception, "Name", x.name);
                  read(exception, "Message", x.message);
                }
                e.exceptions->push_back(std::move(x));
              }
            }
          }
          pattern.path->push_back(std::move(e));
        }
      }
    }
    out.services->push_back(std::move(pattern));
  }
  return out;
}

Result<NodePtr> Parser::cause_json(std::optional<CauseKind> kind) {
  TRYV(expect("="));
  if (peek().kind != TokenKind::kJson) return Error::invalid("expected #[...]").at(peek().position);
  const auto position = peek().position;
  const auto json = Json::parse(peek().text, nullptr, false);
  if (json.is_discarded() || !json.is_array()) return Error::invalid("invalid JSON").at(position);
  ++at_;
  CauseJson out;
  out.kind = kind;
  for (const auto& cause : json) {
    if (!cause.is_object()) return Error::invalid("expected objects in the JSON array").at(position);
    out.patterns.push_back(cause_pattern(cause));
  }
  return make(std::move(out));
}

}  // namespace

namespace internal {

ValueType type_of(Keyword keyword) {
  for (const auto& row : kKeywords)
    if (row.keyword == keyword) return row.type;
  return ValueType::kBool;
}

Result<NodePtr> parse_expression(std::string_view text, const Bindings& bindings, int group_depth) {
  if (text.size() > kExpressionBytesMax) return Error::invalid("the expression is too long").at(0);
  TRY(auto tokens, lex(text));
  return Parser(std::move(tokens), &bindings, group_depth).whole();
}

}  // namespace internal

Result<Filter> Filter::parse(std::string_view text, const Bindings& bindings) {
  Filter filter;
  TRY(auto root, internal::parse_expression(text, bindings, 0));
  filter.root_ = std::move(root);
  filter.account_ = bindings.account;
  return filter;
}

Result<Selector> parse_selector(std::string_view text) {
  TRY(auto tokens, lex(text));
  return Parser(std::move(tokens), nullptr, 0).selector();
}

}  // namespace fog::trace_filter
