// Patterns: RE2 with the named groups of newer versions, and the literal that every match contains.
#include "query/insights/pattern.h"

#include <re2/re2.h>

#include "query/insights/limits.h"
#include "query/insights/node.h"

namespace fog::insights {

namespace {

// (?<name>...) is (?P<name>...) in the RE2 of today's distributions.
std::string rewrite_groups(std::string_view text) {
  std::string out;
  bool in_class = false;
  for (std::size_t k = 0; k < text.size(); ++k) {
    char c = text[k];
    if (c == '\\' && k + 1 < text.size()) {
      out += c;
      out += text[++k];
      continue;
    }
    if (c == '[' && !in_class) {
      in_class = true;
      out += c;
      if (k + 1 < text.size() && text[k + 1] == '^') out += text[++k];
      if (k + 1 < text.size() && text[k + 1] == ']') out += text[++k];
      continue;
    }
    if (c == ']') in_class = false;
    if (!in_class && text.substr(k).starts_with("(?<") && k + 3 < text.size() && text[k + 3] != '=' &&
        text[k + 3] != '!') {
      out += "(?P<";
      k += 2;
      continue;
    }
    out += c;
  }
  return out;
}

// The longest run of plain characters outside groups and alternatives; empty when unsure.
std::string required_literal(std::string_view text, bool& pure) {
  pure = true;
  std::string best, run;
  int depth = 0;
  auto flush = [&] {
    if (run.size() > best.size()) best = run;
    run.clear();
    pure = false;
  };
  for (std::size_t k = 0; k < text.size(); ++k) {
    char c = text[k];
    if (c == '\\') {
      if (k + 1 == text.size()) return {};
      char e = text[++k];
      bool letter = (e >= 'a' && e <= 'z') || (e >= 'A' && e <= 'Z') || (e >= '0' && e <= '9');
      if (letter) {
        if (std::string_view("dDwWsSbBAz").find(e) == std::string_view::npos) {
          pure = false;  // \x41, \pL, \Q...: not worth reading
          return {};
        }
        if (depth == 0) flush();
        continue;
      }
      c = e;
    } else if (c == '|' && depth == 0) {
      pure = false;
      return {};
    } else if (c == '(') {
      // Flags change what a letter means.
      if (text.substr(k).starts_with("(?") && !text.substr(k).starts_with("(?:") &&
          !text.substr(k).starts_with("(?P<") && !text.substr(k).starts_with("(?<")) {
        pure = false;
        return {};
      }
      if (depth == 0) flush();
      ++depth;
      continue;
    } else if (c == ')') {
      --depth;
      continue;
    } else if (c == '[') {
      if (depth == 0) flush();
      ++k;
      if (k < text.size() && text[k] == '^') ++k;
      if (k < text.size() && text[k] == ']') ++k;
      while (k < text.size() && text[k] != ']') {
        if (text[k] == '\\') ++k;
        if (text.substr(k).starts_with("[:")) {
          std::size_t close = text.find(":]", k);
          if (close == std::string_view::npos) return {};
          k = close + 1;
        }
        ++k;
      }
      continue;
    } else if (c == '*' || c == '?' || c == '{') {
      if (depth == 0 && !run.empty()) {
        // The last character may be absent; with UTF-8, all of its bytes.
        while (run.size() > 1 && (static_cast<unsigned char>(run.back()) & 0xC0) == 0x80) run.pop_back();
        run.pop_back();
      }
      if (depth == 0) flush();
      if (c == '{') {
        std::size_t close = text.find('}', k);
        if (close == std::string_view::npos) return {};
        k = close;
      }
      continue;
    } else if (c == '.' || c == '^' || c == '$' || c == '+') {
      if (depth == 0) flush();
      continue;
    }
    if (depth == 0) run += c;
  }
  if (run.size() > best.size()) best = run;
  if (best.empty()) pure = false;
  return best;
}

// A literal for each alternative, one of which every match contains; empty when unsure. `pure`: the pattern is
// nothing but these alternatives.
std::vector<std::string> literals_of(const Pattern& pattern, bool& all_pure) {
  all_pure = true;
  constexpr std::size_t kLiteralMin = 3;  // shorter ones are everywhere
  constexpr std::size_t kAlternativesMax = 16;
  const std::string& text = pattern.re->pattern();
  std::vector<std::string> literals;
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t k = 0; k <= text.size(); ++k) {
    const char c = k < text.size() ? text[k] : '|';
    if (c == '\\') {
      ++k;
    } else if (c == '(') {
      ++depth;
    } else if (c == ')') {
      --depth;
    } else if (c == '[') {
      ++k;
      if (k < text.size() && text[k] == '^') ++k;
      if (k < text.size() && text[k] == ']') ++k;
      for (; k < text.size() && text[k] != ']'; ++k) {
        if (text[k] == '\\') ++k;
        if (text.compare(k, 2, "[:") == 0) return {};
      }
    } else if (c == '|' && (depth == 0 || k == text.size())) {
      bool pure = false;
      std::string literal = required_literal(std::string_view(text).substr(begin, k - begin), pure);
      all_pure = all_pure && pure;
      if (literal.size() < kLiteralMin || literals.size() == kAlternativesMax) return {};
      literals.push_back(std::move(literal));
      begin = k + 1;
    }
  }
  return literals;
}

}  // namespace

std::vector<std::string> required_alternatives(const Pattern& pattern) {
  if (!pattern.literal.empty()) return {pattern.literal};
  bool pure = false;
  return literals_of(pattern, pure);
}

std::vector<std::string> pure_alternatives(const Pattern& pattern) {
  bool pure = false;
  std::vector<std::string> literals = literals_of(pattern, pure);
  if (!pure) literals.clear();
  return literals;
}

Result<std::shared_ptr<const Pattern>> compile_pattern(std::string_view text) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kRegexBytesMax);
  auto pattern = std::make_shared<Pattern>();
  auto re = std::make_shared<re2::RE2>(rewrite_groups(text), options);
  if (!re->ok()) return Error::invalid(re->error());
  pattern->group_names.resize(static_cast<std::size_t>(re->NumberOfCapturingGroups()) + 1);
  for (const auto& [number, name] : re->CapturingGroupNames()) pattern->group_names[static_cast<std::size_t>(number)] = name;
  pattern->literal = required_literal(text, pattern->pure);
  if (pattern->literal.empty()) pattern->pure = false;
  pattern->re = std::move(re);
  return std::shared_ptr<const Pattern>(std::move(pattern));
}

}  // namespace fog::insights
