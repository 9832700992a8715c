// What the aggregators share. make_aggregator (aggregate.cc) chooses one; the others live in files of
// their own: numbers (pct, histogram) and sets of values (count_distinct, values).
#pragma once

#include "query/insights/aggregate.h"

namespace fog::insights {

std::unique_ptr<Aggregator> make_numbers(const AggregateSpec& spec);
std::unique_ptr<Aggregator> make_distinct(NodePtr arg);
std::unique_ptr<Aggregator> make_values(NodePtr arg);

inline bool countable(const Value& value) { return !value.null() && !value.container(); }

// Calls visit(k, number) for every selected row whose value has a numeric view.
template <typename Visit>
void for_numbers(const Vec& vec, const std::vector<std::uint32_t>& sel, Visit&& visit) {
  switch (vec.kind) {
    case Vec::Kind::kInt:
    case Vec::Kind::kTime:
      for (std::size_t k = 0; k < sel.size(); ++k) {
        std::uint32_t row = sel[k];
        if (vec.has(row)) visit(k, Num{Num::Kind::kInt, vec.ints[row], static_cast<double>(vec.ints[row])});
      }
      return;
    case Vec::Kind::kDouble:
      for (std::size_t k = 0; k < sel.size(); ++k) {
        std::uint32_t row = sel[k];
        if (vec.has(row)) visit(k, Num{Num::Kind::kDouble, 0, vec.doubles[row]});
      }
      return;
    case Vec::Kind::kDict: {
      std::vector<Num> numbers(vec.dict_size);
      std::vector<char> known(vec.dict_size, 0);
      for (std::size_t k = 0; k < sel.size(); ++k) {
        std::uint32_t row = sel[k];
        if (!vec.has(row)) continue;
        std::uint32_t code = vec.codes[row];
        if (!known[code]) {
          known[code] = 1;
          numbers[code] = numeric(vec.values[code]);
        }
        if (numbers[code]) visit(k, numbers[code]);
      }
      return;
    }
    case Vec::Kind::kConst:
    case Vec::Kind::kTruth:
    case Vec::Kind::kText:
    case Vec::Kind::kValues:
    case Vec::Kind::kUnset:
      for (std::size_t k = 0; k < sel.size(); ++k)
        if (Num n = vec.num(sel[k])) visit(k, n);
      return;
  }
}

}  // namespace fog::insights
