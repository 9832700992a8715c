// sort: rows in the order of their keys.
#pragma once

#include "query/insights/commands/kit.h"

namespace fog::insights {

class SortCommand final : public WholeCommand {
 public:
  struct Key {
    ExprPtr expr;
    NodePtr node;
    bool descending = false;
    bool written = false;  // asc or desc was there
  };
  explicit SortCommand(std::vector<Key> keys) : keys_(std::move(keys)) {}
  void print(std::string& out) const override;
  Status bind(Binder& binder) override;
  void uses(std::set<int>& slots) const override;
  Result<BatchPtr> apply(BatchPtr batch, Run& run) const override;
  const SortCommand* sort() const override { return this; }
  const std::vector<Key>& keys() const { return keys_; }

 private:
  std::vector<Key> keys_;
};

// A key value ready for comparison: the numeric view is taken once.
struct SortKey {
  Value value;
  Num num;
};
SortKey sort_key(const Vec& vec, std::size_t row, Arena& arena);
int sort_compare(const SortKey& a, const SortKey& b);

}  // namespace fog::insights
