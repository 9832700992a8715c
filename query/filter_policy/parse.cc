// The grammar of filter policies, read token by token so that the first fault in the text is the
// one reported. A name under "$or" is a list of alternatives only if its value is an array of two or
// more objects; anything else under it is an ordinary field.
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>

#include "query/filter_policy/filter_policy.h"
#include "query/filter_policy/json_reader.h"

namespace fog::filter_policy {
namespace {

using Token = JsonReader::Token;

// What parsing learns besides the tree.
struct Findings {
  bool nested = false;
  std::int64_t wildcard_points = 0;
};

class Parser {
 public:
  explicit Parser(std::string_view text) : reader_(text) {}

  Result<Policy> document() {
    if (reader_.next() != Token::kObjectBegin)
      return Error::invalid("Filter is not an object").at(reader_.position());
    TRY(Policy policy, object("", 1, {}));
    if (reader_.next() != Token::kEnd) return broken();
    return policy;
  }
  const Findings& findings() const { return findings_; }
  std::size_t keys() const { return keys_; }

 private:
  Error broken() const { return Error::invalid("failed to parse JSON.").at(reader_.position()); }
  Error fault(std::string message) const { return Error::invalid(std::move(message)).at(reader_.position()); }

  // The members of an object whose "{" was read. `path` is the dotted way to it.
  Result<Policy> object(const std::string& path, std::size_t depth, std::string_view owner) {
    Policy policy;
    bool any = false;
    for (;;) {
      const Token token = reader_.next();
      if (token == Token::kObjectEnd) break;
      if (token != Token::kKey) return broken();
      any = true;
      if (depth == 1 && owner.empty()) ++keys_;
      const std::string key = reader_.text();
      const std::string here = path.empty() ? key : path + "." + key;
      if (key == "$or" && is_alternatives()) {
        TRY(Alternatives alternatives, alternatives_of(path, depth));
        policy.alternatives.push_back(std::move(alternatives));
        continue;
      }
      const Token value = reader_.next();
      if (value == Token::kObjectBegin) {
        findings_.nested = true;
        TRY(Policy inner, object(here, depth + 1, key));
        for (auto& field : inner.fields) policy.fields.push_back(std::move(field));
        for (auto& or_ : inner.alternatives) policy.alternatives.push_back(std::move(or_));
      } else if (value == Token::kArrayBegin) {
        TRY(Field field, field_of(here, depth));
        policy.fields.push_back(std::move(field));
      } else if (value == Token::kError) {
        return broken();
      } else {
        return fault(fmt::format("\"{}\" must be an object or an array", key));
      }
    }
    if (!any && !owner.empty()) return fault("Empty objects are not allowed");
    return policy;
  }

  // Looks ahead without moving: is the value an array of at least two objects?
  bool is_alternatives() const {
    JsonReader ahead = reader_;
    if (ahead.next() != Token::kArrayBegin) return false;
    std::size_t n = 0;
    for (;;) {
      const Token token = ahead.next();
      if (token == Token::kArrayEnd) return n >= 2;
      if (token != Token::kObjectBegin || !ahead.skip(token)) return false;
      ++n;
    }
  }

  Result<Alternatives> alternatives_of(const std::string& path, std::size_t depth) {
    Alternatives out;
    reader_.next();  // the bracket, seen by is_alternatives
    for (;;) {
      const Token token = reader_.next();
      if (token == Token::kArrayEnd) return out;
      if (token != Token::kObjectBegin) return broken();
      TRY(Policy branch, object(path, depth, "$or"));
      out.branches.push_back(std::move(branch));
    }
  }

  Result<Field> field_of(const std::string& path, std::size_t depth) {
    Field field{.path = path, .depth = depth, .rules = {}};
    std::int64_t points = 0;
    std::int64_t patterns = 0;
    for (;;) {
      const Token token = reader_.next();
      Rule rule;
      switch (token) {
        case Token::kArrayEnd:
          if (field.rules.empty()) return fault("Empty arrays are not allowed");
          findings_.wildcard_points += points * patterns;
          return field;
        case Token::kString: case Token::kNumber: case Token::kTrue: case Token::kFalse:
        case Token::kNull:
          rule.values.push_back(literal(token));
          break;
        case Token::kObjectBegin: {
          TRY(rule, match_expression());
          break;
        }
        case Token::kError: return broken();
        default: return fault("Match value must be String, number, true, false, or null");
      }
      if (rule.kind == Rule::Kind::kWildcard || rule.kind == Rule::Kind::kAnythingButWildcard) {
        for (const auto& pattern : rule.texts) {
          TRY(std::int64_t cost, wildcard_cost(pattern));
          points += cost;
          ++patterns;
        }
      }
      field.rules.push_back(std::move(rule));
    }
  }

  Value literal(Token token) const {
    switch (token) {
      case Token::kString: return {.kind = Value::Kind::kString, .text = reader_.text()};
      case Token::kNumber:
        return {.kind = Value::Kind::kNumber, .text = {}, .number = reader_.number()};
      case Token::kTrue: return {.kind = Value::Kind::kTrue};
      case Token::kFalse: return {.kind = Value::Kind::kFalse};
      default: return {.kind = Value::Kind::kNull};
    }
  }

  // {"operator": operand}; its "{" was read.
  Result<Rule> match_expression() {
    const Token token = reader_.next();
    if (token == Token::kObjectEnd) return fault("Empty objects are not allowed");
    if (token != Token::kKey) return broken();
    const std::string name = reader_.text();
    TRY(Rule rule, operand(name));
    const Token end = reader_.next();
    if (end == Token::kError) return broken();
    if (end != Token::kObjectEnd) return fault("Only one key allowed in match expression");
    return rule;
  }

  Result<Rule> operand(const std::string& name) {
    Rule rule;
    if (name == "prefix") return text_operand(Rule::Kind::kPrefix, name);
    if (name == "suffix") return text_operand(Rule::Kind::kSuffix, name);
    if (name == "equals-ignore-case") return text_operand(Rule::Kind::kEqualsIgnoreCase, name);
    if (name == "wildcard") return text_operand(Rule::Kind::kWildcard, name);
    if (name == "cidr") return cidr();
    if (name == "exists") return exists();
    if (name == "numeric") return numeric();
    if (name == "anything-but") return anything_but();
    return fault("Unrecognized match type " + name);
  }

  Result<Rule> text_operand(Rule::Kind kind, std::string_view name) {
    const Token token = reader_.next();
    if (token == Token::kError) return broken();
    if (token != Token::kString) return fault(fmt::format("{} match pattern must be a string", name));
    Rule rule;
    rule.kind = kind;
    rule.texts.push_back(reader_.text());
    return rule;
  }

  Result<Rule> exists() {
    const Token token = reader_.next();
    if (token == Token::kError) return broken();
    if (token != Token::kTrue && token != Token::kFalse)
      return fault("exists match pattern must be either true or false.");
    Rule rule;
    rule.kind = token == Token::kTrue ? Rule::Kind::kExists : Rule::Kind::kNotExists;
    return rule;
  }

  Result<Rule> cidr() {
    TRY(Rule rule, text_operand(Rule::Kind::kCidr, "prefix"));
    const std::string text = rule.texts.front();
    const std::size_t slash = text.find('/');
    if (slash == std::string::npos || text.find('/', slash + 1) != std::string::npos)
      return fault("Malformed CIDR, one '/' required");
    const char* begin = text.data() + slash + 1;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(begin, end, rule.mask_bits);
    if (error != std::errc{} || stop != end)
      return fault("Malformed CIDR, mask bits must be an integer");
    if (rule.mask_bits < 0) return fault("Malformed CIDR, mask bits must not be negative");
    const std::string address = text.substr(0, slash);
    rule.network = parse_ip(address);
    if (rule.network.empty()) return fault("Nonstandard IP address: " + address);
    if (rule.network.size() == 4 && rule.mask_bits > 32) return fault("IPv4 mask bits must be < 32");
    if (rule.mask_bits > 128) return fault("IPv6 mask bits must be < 128");
    return rule;
  }

  Result<Rule> anything_but() {
    Rule rule;
    rule.kind = Rule::Kind::kAnythingBut;
    const Token token = reader_.next();
    switch (token) {
      case Token::kString: case Token::kNumber:
        rule.values.push_back(literal(token));
        return rule;
      case Token::kArrayBegin:
        for (;;) {
          const Token element = reader_.next();
          if (element == Token::kArrayEnd) break;
          if (element == Token::kError) return broken();
          if (element != Token::kString && element != Token::kNumber)
            return fault("Inside anything but list, start|null|boolean is not supported.");
          rule.values.push_back(literal(element));
        }
        if (rule.values.empty()) return fault("Empty arrays are not allowed");
        return rule;
      case Token::kObjectBegin: {
        const Token key = reader_.next();
        if (key == Token::kObjectEnd) return fault("Empty objects are not allowed");
        if (key != Token::kKey) return broken();
        const std::string name = reader_.text();
        if (name == "prefix") {
          TRY(rule, text_operand(Rule::Kind::kAnythingButPrefix, name));
        } else if (name == "wildcard") {
          TRY(rule, anything_but_wildcard());
        } else {
          return fault("Unsupported anything-but pattern: " + name);
        }
        const Token end = reader_.next();
        if (end == Token::kError) return broken();
        if (end != Token::kObjectEnd) return fault("Only one key allowed in match expression");
        return rule;
      }
      case Token::kError: return broken();
      default: return fault("Value of anything-but must be an array or single string/number value.");
    }
  }

  Result<Rule> anything_but_wildcard() {
    Rule rule;
    rule.kind = Rule::Kind::kAnythingButWildcard;
    Token token = reader_.next();
    if (token == Token::kString) {
      rule.texts.push_back(reader_.text());
      return rule;
    }
    if (token == Token::kError) return broken();
    if (token != Token::kArrayBegin) return fault("wildcard match pattern must be a string");
    for (;;) {
      token = reader_.next();
      if (token == Token::kArrayEnd) break;
      if (token == Token::kError) return broken();
      if (token != Token::kString) return fault("wildcard match pattern must be a string");
      rule.texts.push_back(reader_.text());
    }
    if (rule.texts.empty()) return fault("Empty arrays are not allowed");
    return rule;
  }

  Result<Rule> numeric() {
    Rule rule;
    rule.kind = Rule::Kind::kNumeric;
    Token token = reader_.next();
    if (token == Token::kError) return broken();
    if (token != Token::kArrayBegin) return fault("Value of numeric must be an array.");
    token = reader_.next();
    if (token == Token::kError) return broken();
    if (token != Token::kString) return fault("Invalid member in numeric match: " + reader_.text());
    const std::string op = reader_.text();
    if (op != "=" && op != "<" && op != "<=" && op != ">" && op != ">=")
      return fault("Unrecognized numeric range operator: " + op);
    TRY(const double value, number_after(op == "=" ? "equals" : op));
    if (op == "=") {
      rule.has_low = rule.has_high = rule.low_inclusive = rule.high_inclusive = true;
      rule.low = rule.high = value;
    } else if (op.front() == '<') {
      rule.has_high = true;
      rule.high = value;
      rule.high_inclusive = op == "<=";
    } else {
      rule.has_low = true;
      rule.low = value;
      rule.low_inclusive = op == ">=";
    }
    token = reader_.next();
    if (token == Token::kArrayEnd) return rule;
    if (token == Token::kError) return broken();
    if (op.front() != '>') return fault("Too many elements in numeric expression");
    if (token != Token::kString) return fault("Bad value in numeric range: " + reader_.text());
    const std::string second = reader_.text();
    if (second != "<" && second != "<=") return fault("Bad numeric range operator: " + second);
    TRY(rule.high, number_after(second));
    rule.has_high = true;
    rule.high_inclusive = second == "<=";
    if (rule.low >= rule.high) return fault("Bottom must be less than top");
    token = reader_.next();
    if (token == Token::kError) return broken();
    if (token != Token::kArrayEnd) return fault("Too many terms in numeric range expression");
    return rule;
  }

  Result<double> number_after(std::string_view op) {
    const Token token = reader_.next();
    if (token == Token::kError) return broken();
    if (token != Token::kNumber) return fault(fmt::format("Value of {} must be numeric", op));
    return reader_.number();
  }

  Result<std::int64_t> wildcard_cost(std::string_view pattern) {
    std::size_t stars = 0;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
      if (pattern[i] == '*') ++stars;
      if (pattern[i] != '\\') continue;
      if (i + 1 >= pattern.size() || (pattern[i + 1] != '*' && pattern[i + 1] != '\\'))
        return fault(fmt::format("Invalid escape character at pos {}", i));
      ++i;
    }
    if (stars > limits::kWildcardsInPatternMax) return Error::limit("Filter policy is too complex");
    if (stars == 0) return std::int64_t{0};
    return stars == 1 ? std::int64_t{1} : static_cast<std::int64_t>(3 * stars);
  }

  JsonReader reader_;
  Findings findings_;
  std::size_t keys_ = 0;
};

// Saturates far above the limit, so that no policy overflows it.
constexpr std::int64_t kCombinationsCap = 1'000'000;

std::int64_t combinations_of(const Policy& policy) {
  std::int64_t product = 1;
  const auto times = [&](std::int64_t factor) {
    product = std::min(kCombinationsCap, product * std::min(kCombinationsCap, factor));
  };
  for (const auto& field : policy.fields)
    times(static_cast<std::int64_t>(field.rules.size() * field.depth));
  for (const auto& alternatives : policy.alternatives) {
    std::int64_t sum = 0;
    for (const auto& branch : alternatives.branches)
      sum = std::min(kCombinationsCap, sum + combinations_of(branch));
    times(sum);
  }
  return product;
}

}  // namespace

Result<FilterPolicy> FilterPolicy::parse(std::string_view json, Scope scope) {
  if (json.size() > limits::kPolicyBytesMax) return Error::limit("Filter policy is too complex");
  FilterPolicy policy;
  policy.scope_ = scope;
  Parser parser(json);
  TRY(policy.root_, parser.document());
  if (parser.keys() > limits::kKeysMax)
    return Error::limit(fmt::format("Filter policy can not have more than {} keys", limits::kKeysMax));
  // Kind conflict marks the one text that the services print without the attribute's name.
  if (scope == Scope::kMessageAttributes && parser.findings().nested)
    return Error::conflict("Filter policy scope MessageAttributes does not support nested filter policy");
  if (policy.combinations() > limits::kCombinationsMax ||
      parser.findings().wildcard_points > limits::kWildcardPointsMax)
    return Error::limit("Filter policy is too complex");
  return policy;
}

std::int64_t FilterPolicy::combinations() const { return combinations_of(root_); }

}  // namespace fog::filter_policy
