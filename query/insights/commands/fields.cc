// fields, display, unmask: columns to show, and new columns from expressions.
#include "query/insights/commands/kit.h"
#include "query/insights/commands/table.h"

namespace fog::insights {

namespace {

class Fields final : public RowsCommand {
 public:
  Fields(std::string_view shown, std::vector<Projection> items) : word_(shown), items_(std::move(items)) {}
  void print(std::string& out) const override {
    out += word_;
    for (std::size_t k = 0; k < items_.size(); ++k) {
      out += k > 0 ? ", " : " ";
      print_projection(items_[k], out);
    }
  }
  Status bind(Binder& binder) override {
    std::vector<std::string> names;
    for (const Projection& item : items_) {
      TRY(NodePtr node, binder.scalar(*item.expr));
      if (word_ == "unmask") node = binder.unmasked(std::move(node));
      // A field of the events keeps its meaning; everything else is a column from here on.
      bool raw = node->kind == NodeKind::kSlot &&
                 binder.program().slots[static_cast<std::size_t>(node->slot)].kind == Slot::Kind::kField &&
                 binder.program().slots[static_cast<std::size_t>(node->slot)].name == item.name;
      if (!raw) binder.define_expr(item.name, std::move(node));
      names.push_back(item.name);
    }
    if (word_ == "display")
      binder.show_display(names);
    else
      binder.show_fields(names);
    return Ok{};
  }
  void uses(std::set<int>&) const override {}
  bool only_names() const override { return true; }

 private:
  std::string_view word_;
  std::vector<Projection> items_;
};

template <const std::string_view& kWord>
Result<CommandPtr> parse_as(Parser& parser) {
  TRY(auto items, parser.projections());
  return CommandPtr(std::make_unique<Fields>(kWord, std::move(items)));
}
constexpr std::string_view kFields = "fields", kDisplay = "display", kUnmask = "unmask";

}  // namespace

Result<CommandPtr> parse_fields(Parser& parser) { return parse_as<kFields>(parser); }
Result<CommandPtr> parse_display(Parser& parser) { return parse_as<kDisplay>(parser); }
Result<CommandPtr> parse_unmask(Parser& parser) { return parse_as<kUnmask>(parser); }

}  // namespace fog::insights
