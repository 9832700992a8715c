// lookup, cidrlookup: columns of a lookup table by equal keys or by the longest matching network.
#include <unordered_map>

#include "query/insights/commands/kit.h"
#include "query/insights/commands/table.h"
#include "query/insights/ip.h"

namespace fog::insights {

namespace {

struct OutputColumn {
  std::string column, name;
};

class TableLookup : public RowsCommand {
 public:
  struct Clause {
    std::string table;
    std::vector<std::pair<std::string, ExprPtr>> keys;  // column of the table, field of the event
    bool only_new = false;
    std::vector<OutputColumn> outputs;
  };
  explicit TableLookup(Clause clause) : clause_(std::move(clause)) {}
  Status bind(Binder& binder) override {
    if (binder.options().lookup_tables) table_ = binder.options().lookup_tables(clause_.table);
    if (!table_) return binder.error(at_begin, at_end, "lookup table " + clause_.table + " does not exist");
    auto column = [&](const std::string& name) -> Result<std::size_t> {
      auto it = std::find(table_->columns.begin(), table_->columns.end(), name);
      if (it == table_->columns.end())
        return binder.error(at_begin, at_end, "lookup table " + clause_.table + " has no column " + name);
      return static_cast<std::size_t>(it - table_->columns.begin());
    };
    for (const auto& [name, field] : clause_.keys) {
      TRY(std::size_t k, column(name));
      TRY(NodePtr node, binder.scalar(*field));
      key_columns_.push_back(k);
      keys_.push_back(std::move(node));
    }
    for (const OutputColumn& output : clause_.outputs) {
      TRY(std::size_t k, column(output.column));
      int old = -1;
      if (auto slot = binder.visible(output.name)) {
        old = *slot;
      } else if (binder.open()) {
        TRY(old, binder.field(output.name, at_begin, at_end));
      }
      columns_.push_back({k, old, binder.define_made(output.name)});
    }
    return prepare();
  }
  void uses(std::set<int>& slots) const override {
    use(keys_, slots);
    for (const Column& column : columns_)
      if (column.old >= 0) slots.insert(column.old);
  }
  void make(Batch& batch) const override {
    std::vector<Vec> keys;
    for (const NodePtr& key : keys_) keys.push_back(batch.eval(*key));
    std::vector<Value*> values;
    for (const Column& column : columns_) {
      Value* out = null_values(batch);
      if (column.old >= 0) {
        const Vec& old = batch.column(column.old);
        for (std::uint32_t row : batch.sel) out[row] = old.get(row, batch.arena());
      }
      values.push_back(out);
    }
    std::vector<Value> key(keys.size());
    for (std::uint32_t row : batch.sel) {
      for (std::size_t k = 0; k < keys.size(); ++k) key[k] = keys[k].get(row, batch.arena());
      const std::vector<std::string>* found = find(key);
      if (found == nullptr) continue;
      for (std::size_t k = 0; k < columns_.size(); ++k)
        if (!clause_.only_new || values[k][row].null()) values[k][row] = Value::text((*found)[columns_[k].column]);
    }
    for (std::size_t k = 0; k < columns_.size(); ++k) batch.set_values(columns_[k].slot, values[k]);
  }

 protected:
  virtual Status prepare() = 0;
  virtual const std::vector<std::string>* find(const std::vector<Value>& key) const = 0;
  void print_outputs(std::string& out) const {
    out += clause_.only_new ? " OUTPUTNEW" : " OUTPUT";
    for (std::size_t k = 0; k < clause_.outputs.size(); ++k) {
      out += k > 0 ? ", " : " ";
      print_name(clause_.outputs[k].column, out);
      if (clause_.outputs[k].name == clause_.outputs[k].column) continue;
      out += " as ";
      print_name(clause_.outputs[k].name, out);
    }
  }
  struct Column {
    std::size_t column;
    int old, slot;
  };
  Clause clause_;
  std::shared_ptr<const LookupTable> table_;
  std::vector<std::size_t> key_columns_;
  std::vector<NodePtr> keys_;
  std::vector<Column> columns_;
};

class Lookup final : public TableLookup {
 public:
  using TableLookup::TableLookup;
  void print(std::string& out) const override {
    out += "lookup ";
    print_name(clause_.table, out);
    for (std::size_t k = 0; k < clause_.keys.size(); ++k) {
      out += k > 0 ? ", " : " ";
      print_name(clause_.keys[k].first, out);
      out += " as ";
      print_expr(*clause_.keys[k].second, out);
    }
    print_outputs(out);
  }

 private:
  static void append(std::string_view text, std::string& key) {
    key += std::to_string(text.size());
    key += ':';
    key += text;
  }
  Status prepare() override {
    for (const auto& row : table_->rows) {
      std::string key;
      for (std::size_t k : key_columns_) append(row[k], key);
      index_.try_emplace(std::move(key), &row);  // the first row wins
    }
    return Ok{};
  }
  const std::vector<std::string>* find(const std::vector<Value>& key) const override {
    std::string text, buffer;
    for (const Value& value : key) {
      if (value.null() || value.container()) return nullptr;
      append(text_of(value, buffer), text);
    }
    auto it = index_.find(text);
    return it == index_.end() ? nullptr : it->second;
  }
  std::unordered_map<std::string, const std::vector<std::string>*> index_;
};

class CidrLookup final : public TableLookup {
 public:
  CidrLookup(Clause clause, bool named) : TableLookup(std::move(clause)), named_(named) {}
  void print(std::string& out) const override {
    out += "cidrlookup ";
    print_name(clause_.table, out);
    out += ' ';
    print_expr(*clause_.keys[0].second, out);
    if (named_) {
      out += " as ";
      print_name(clause_.keys[0].first, out);
    }
    print_outputs(out);
  }

 private:
  Status prepare() override {
    for (const auto& row : table_->rows)
      if (auto cidr = parse_cidr(row[key_columns_[0]])) networks_.emplace_back(*cidr, &row);
    // Longest prefix first; among equals the first row.
    std::stable_sort(networks_.begin(), networks_.end(), [](const auto& a, const auto& b) { return a.first.bits > b.first.bits; });
    return Ok{};
  }
  const std::vector<std::string>* find(const std::vector<Value>& key) const override {
    if (!key[0].is_text()) return nullptr;
    auto ip = parse_ip(key[0].view());
    if (!ip) return nullptr;
    for (const auto& [cidr, row] : networks_)
      if (cidr.contains(*ip)) return row;
    return nullptr;
  }
  bool named_;
  std::vector<std::pair<Cidr, const std::vector<std::string>*>> networks_;
};

Status parse_outputs(Parser& parser, TableLookup::Clause& clause) {
  clause.only_new = parser.at_word("outputnew");
  if (!clause.only_new && !parser.at_word("output")) return parser.unexpected();
  TRYV(parser.advance());
  for (;;) {
    OutputColumn output;
    TRY(output.column, parser.name());
    output.name = output.column;
    TRY(bool as, parser.accept_word("as"));
    if (as) {
      TRY(output.name, parser.name());
    }
    clause.outputs.push_back(std::move(output));
    TRY(bool more, parser.accept_symbol(","));
    if (!more) return Ok{};
  }
}

}  // namespace

Result<CommandPtr> parse_lookup(Parser& parser) {
  TableLookup::Clause clause;
  TRY(clause.table, parser.name());
  for (;;) {
    TRY(std::string column, parser.name());
    TRYV(parser.expect_word("as"));
    TRY(ExprPtr field, parser.field());
    clause.keys.emplace_back(std::move(column), std::move(field));
    TRY(bool more, parser.accept_symbol(","));
    if (!more) break;
  }
  TRYV(parse_outputs(parser, clause));
  return CommandPtr(std::make_unique<Lookup>(std::move(clause)));
}

Result<CommandPtr> parse_cidrlookup(Parser& parser) {
  TableLookup::Clause clause;
  TRY(clause.table, parser.name());
  TRY(ExprPtr field, parser.field());
  std::string column = "cidr";
  TRY(bool named, parser.accept_word("as"));
  if (named) {
    TRY(column, parser.name());
  }
  clause.keys.emplace_back(std::move(column), std::move(field));
  TRYV(parse_outputs(parser, clause));
  return CommandPtr(std::make_unique<CidrLookup>(std::move(clause), named));
}

}  // namespace fog::insights
