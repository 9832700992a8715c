// dedup: the first row of each combination of keys; rows with a null key all stay.
#include <unordered_set>

#include "query/insights/commands/kit.h"
#include "query/insights/commands/table.h"

namespace fog::insights {

namespace {

class Dedup final : public WholeCommand {
 public:
  explicit Dedup(std::vector<ExprPtr> fields) : fields_(std::move(fields)) {}
  void print(std::string& out) const override {
    out += "dedup ";
    print_field_list(fields_, out);
  }
  Status bind(Binder& binder) override {
    TRY(keys_, bind_all(fields_, binder));
    return Ok{};
  }
  void uses(std::set<int>& slots) const override { use(keys_, slots); }
  Result<BatchPtr> apply(BatchPtr batch, Run& run) const override {
    std::vector<Vec> columns;
    for (const NodePtr& key : keys_) columns.push_back(batch->eval(*key));
    std::unordered_set<std::string> seen;
    std::vector<std::uint32_t> kept;
    std::string key, buffer;
    for (std::uint32_t row : batch->sel) {
      key.clear();
      bool null = false;
      for (const Vec& vec : columns) {
        Value value = vec.get(row, batch->arena());
        if (value.null() || value.container()) {
          null = true;
          break;
        }
        std::string_view text = text_of(value, buffer);
        key += std::to_string(text.size());
        key += ':';
        key += text;
      }
      if (!null) {
        auto [it, fresh] = seen.insert(key);
        if (!fresh) continue;
        if ((seen.size() & 1023) == 0) {
          run.memory.add(1024 * (key.size() + 64));
          if (run.stop()) break;
        }
      }
      kept.push_back(row);
    }
    batch->sel = std::move(kept);
    return batch;
  }

 private:
  std::vector<ExprPtr> fields_;
  std::vector<NodePtr> keys_;
};

}  // namespace

Result<CommandPtr> parse_dedup(Parser& parser) {
  std::vector<ExprPtr> fields;
  for (;;) {
    TRY(ExprPtr field, parser.expr());
    fields.push_back(std::move(field));
    TRY(bool more, parser.accept_symbol(","));
    if (!more) break;
  }
  return CommandPtr(std::make_unique<Dedup>(std::move(fields)));
}

}  // namespace fog::insights
