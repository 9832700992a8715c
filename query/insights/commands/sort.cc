#include "query/insights/commands/sort.h"

#include "query/insights/commands/table.h"

namespace fog::insights {

void SortCommand::print(std::string& out) const {
  out += "sort";
  for (std::size_t k = 0; k < keys_.size(); ++k) {
    out += k > 0 ? ", " : " ";
    print_expr(*keys_[k].expr, out);
    if (keys_[k].written) out += keys_[k].descending ? " desc" : " asc";
  }
}

Status SortCommand::bind(Binder& binder) {
  for (Key& key : keys_) {
    TRY(key.node, binder.scalar(*key.expr));
  }
  return Ok{};
}

void SortCommand::uses(std::set<int>& slots) const {
  for (const Key& key : keys_) use(key.node, slots);
}

SortKey sort_key(const Vec& vec, std::size_t row, Arena& arena) {
  SortKey key;
  key.num = vec.num(row);
  // Numbers compare by their numeric view; only text needs the value itself.
  key.value = key.num ? Value::integer(0) : vec.get(row, arena);
  if (key.value.container()) key.value = Value{};
  return key;
}

int sort_compare(const SortKey& a, const SortKey& b) {
  if (a.num && b.num) return compare(a.num, b.num);
  if (a.value.null() || b.value.null()) return a.value.null() && b.value.null() ? 0 : a.value.null() ? -1 : 1;
  if (a.num || b.num) return a.num ? 1 : -1;
  return natural_compare(a.value.view(), b.value.view());
}

Result<BatchPtr> SortCommand::apply(BatchPtr batch, Run& run) const {
  std::size_t width = keys_.size();
  std::vector<SortKey> keys(batch->sel.size() * width);
  for (std::size_t k = 0; k < width; ++k) {
    Vec vec = batch->eval(*keys_[k].node);
    for (std::size_t r = 0; r < batch->sel.size(); ++r) keys[r * width + k] = sort_key(vec, batch->sel[r], batch->arena());
  }
  if (run.stop()) return batch;
  std::vector<std::uint32_t> order(batch->sel.size());
  for (std::size_t k = 0; k < order.size(); ++k) order[k] = static_cast<std::uint32_t>(k);
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    for (std::size_t k = 0; k < width; ++k) {
      int c = sort_compare(keys[a * width + k], keys[b * width + k]);
      if (c != 0) return keys_[k].descending ? c > 0 : c < 0;
    }
    return false;
  });
  std::vector<std::uint32_t> sel(order.size());
  for (std::size_t k = 0; k < order.size(); ++k) sel[k] = batch->sel[order[k]];
  batch->sel = std::move(sel);
  return batch;
}

Result<CommandPtr> parse_sort(Parser& parser) {
  std::vector<SortCommand::Key> keys;
  for (;;) {
    SortCommand::Key key;
    TRY(key.expr, parser.arith());
    if (parser.at_word("asc") || parser.at_word("desc")) {
      key.written = true;
      key.descending = parser.at_word("desc");
      TRYV(parser.advance());
    }
    keys.push_back(std::move(key));
    TRY(bool more, parser.accept_symbol(","));
    if (!more) break;
  }
  return CommandPtr(std::make_unique<SortCommand>(std::move(keys)));
}

}  // namespace fog::insights
