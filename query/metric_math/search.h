// SEARCH: which metrics a search expression means.
//
//   '{Namespace[, Dimension ...]} terms'     schema and terms are both optional, not both absent
//   term = word | "exact" | Property=word | Property="exact" | Property=(terms) | NOT term | (terms)
//   joined by AND (also by nothing), OR; NOT > AND > OR; operators in upper case
// A plain term looks at namespace, metric name, dimension names and values. Exact terms compare whole
// strings. A word matches by tokens: a string is cut where case changes, at digits, at anything not
// alphanumeric; one piece matches a token of any case; several must follow each other (of the same
// case, unless the word itself contains a delimiter).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/metric_store.h"

namespace fog::metric_math {

inline constexpr std::size_t kSearchLengthMax = 1024;
inline constexpr std::size_t kSearchSeriesMax = 500;

class Search {
 public:
  // Error: invalid, "Invalid syntax".
  static Result<Search> parse(std::string_view text);

  Search(Search&&) noexcept;
  Search& operator=(Search&&) noexcept;
  ~Search();

  const std::optional<std::string>& metric_namespace() const { return namespace_; }
  // Exactly these names, where the schema lists any.
  const std::optional<std::vector<std::string>>& dimension_names() const { return dimensions_; }
  // Puts into the filter what every match must have: the schema, and exact terms that the index knows. matches()
  // still decides.
  void narrow(SeriesFilter& filter) const;
  // True when the terms say so (the schema is the filter's business). Remembers verdicts about
  // strings by their symbols: one object for one store and thread.
  bool matches(const SeriesView& series, std::string_view account);

  struct Node;

 private:
  Search();
  std::optional<std::string> namespace_;
  std::optional<std::vector<std::string>> dimensions_;
  std::unique_ptr<Node> terms_;
};

// Exposed for tests: the pieces of a string, and whether a word matches it.
std::vector<std::string> search_pieces(std::string_view text);
bool search_word_matches(std::string_view word, std::string_view text);

}  // namespace fog::metric_math
