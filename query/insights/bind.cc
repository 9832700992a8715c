#include "query/insights/bind.h"

#include "query/insights/command.h"
#include "query/insights/function.h"
#include "query/insights/lex.h"
#include "query/insights/limits.h"
#include "query/insights/scan.h"

namespace fog::insights {

NodePtr slot_node(int slot) {
  auto node = std::make_shared<Node>();
  node->kind = NodeKind::kSlot;
  node->slot = slot;
  return node;
}

NodePtr constant_node(Value value) {
  auto node = std::make_shared<Node>();
  node->constant = value;
  return node;
}

void slots_of(const Node& node, std::set<int>& slots) {
  if (node.kind == NodeKind::kSlot) slots.insert(node.slot);
  for (const NodePtr& arg : node.args) slots_of(*arg, slots);
}

Error Binder::error(std::size_t begin, std::size_t end, std::string message) const {
  return query_error(query_, begin, end, std::move(message));
}

Value Binder::text(std::string_view text) { return Value::text(program_.arena.copy(text)); }

Result<std::shared_ptr<const Pattern>> Binder::pattern(std::size_t begin, std::size_t end, std::string_view text) {
  auto pattern = compile_pattern(text);
  if (!pattern.ok()) return error(begin, end, "invalid regular expression: " + pattern.error().message());
  return pattern;
}

Result<NodePtr> Binder::scalar(const Expr& expr) { return bind(expr, nullptr); }
Result<NodePtr> Binder::item(const Expr& expr, const Aggregates& aggregates) { return bind(expr, &aggregates); }

std::optional<int> Binder::visible(const std::string& name) const {
  if (auto it = names_.find(name); it != names_.end()) return it->second;
  return std::nullopt;
}

Result<int> Binder::field(const std::string& name, std::size_t begin, std::size_t end) {
  if (auto slot = visible(name)) return *slot;
  if (!open_) return error(begin, end, "field " + name + " is not defined by the previous stats command");
  auto [it, fresh] = raw_.try_emplace(name, static_cast<int>(program_.slots.size()));
  if (fresh) program_.slots.push_back({.kind = Slot::Kind::kField, .name = name, .expr = nullptr, .command = -1});
  return it->second;
}

Result<NodePtr> Binder::bind_field(const Expr& expr, const Aggregates* aggregates) {
  std::string name = expr.field_name();
  if (aggregates) {
    auto it = aggregates->locals.find(name);
    if (it == aggregates->locals.end())
      return error(expr, "field " + name + " must be inside an aggregate function or in the by clause");
    return slot_node(it->second);
  }
  if (auto slot = visible(name)) return slot_node(*slot);
  if (expr.path.size() > 1) {
    if (auto alias = aliases.find(expr.path[0].text); alias != aliases.end()) {
      TRY(int slot, alias->second(name.substr(alias->first.size() + 1), expr.begin, expr.end));
      return slot_node(slot);
    }
  }
  // A path into a map or list that a column holds: the longest column name wins.
  for (std::size_t k = expr.path.size() - 1; k > 0; --k) {
    std::string prefix = expr.path[0].text;
    for (std::size_t m = 1; m < k; ++m) prefix += '.' + expr.path[m].text;
    auto slot = visible(prefix);
    if (!slot || program_.slots[static_cast<std::size_t>(*slot)].kind == Slot::Kind::kField) continue;
    auto node = std::make_shared<Node>();
    node->kind = NodeKind::kPath;
    node->args.push_back(slot_node(*slot));
    for (std::size_t m = k; m < expr.path.size(); ++m) node->steps.push_back(expr.path[m].text);
    return NodePtr(node);
  }
  TRY(int slot, field(name, expr.begin, expr.end));
  return slot_node(slot);
}

NodePtr Binder::unmasked(NodePtr node) {
  if (node->kind != NodeKind::kSlot) return node;
  const Slot& slot = program_.slots[static_cast<std::size_t>(node->slot)];
  if (slot.kind != Slot::Kind::kField || slot.name.starts_with(kUnmaskedPrefix)) return node;
  const std::string name = std::string(kUnmaskedPrefix) + slot.name;
  for (std::size_t k = 0; k < program_.slots.size(); ++k)
    if (program_.slots[k].kind == Slot::Kind::kField && program_.slots[k].name == name) return slot_node(static_cast<int>(k));
  program_.slots.push_back({.kind = Slot::Kind::kField, .name = name, .expr = nullptr, .command = -1});
  return slot_node(static_cast<int>(program_.slots.size() - 1));
}

Result<NodePtr> Binder::bind_call(const Expr& expr, const Aggregates* aggregates) {
  if (const AggregateFunction* aggregate = find_aggregate(expr.text)) {
    if (!aggregates) return error(expr, "aggregate function " + expr.text + " can only be used in stats");
    auto n = static_cast<int>(expr.args.size());
    bool star_ok = aggregate->kind == Aggregation::kCount;
    if (n < aggregate->args_min || n > aggregate->args_max || (expr.star && !star_ok))
      return error(expr, "wrong number of arguments for function " + expr.text);
    return aggregates->call(expr, *aggregate);
  }
  const Function* function = find_function(expr.text);
  if (function == nullptr) return error(expr, "unknown function " + expr.text);
  auto n = static_cast<int>(expr.args.size());
  if (expr.star || n < function->args_min || (function->args_max != kAnyNumber && n > function->args_max))
    return error(expr, "wrong number of arguments for function " + expr.text);
  auto node = std::make_shared<Node>();
  node->kind = NodeKind::kCall;
  node->fn = function;
  if (function->timestamp) {
    if (aggregates) return error(expr, "bin can only be used in the by clause of stats");
    TRY(int slot, field("@timestamp", expr.begin, expr.end));
    node->args.push_back(slot_node(slot));
  }
  if (function->name == "unmask") {
    // A field of the events is read without masks; anything else is what it is.
    TRY(NodePtr bound, bind(*expr.args[0], aggregates));
    return unmasked(std::move(bound));
  }
  int shift = function->timestamp ? 1 : 0;
  for (int k = 0; k < n; ++k) {
    const Expr& arg = *expr.args[static_cast<std::size_t>(k)];
    if (k + shift == function->period_arg) {
      auto period = arg.kind == Expr::Kind::kPeriod ? parse_period(arg.text, true) : std::nullopt;
      if (!period) return error(arg, "bad time period, expected a number and a unit such as 5m");
      node->period = *period;
      continue;
    }
    if (k == function->pattern_arg) {
      if (arg.kind != Expr::Kind::kString) return error(arg, "the pattern must be a string");
      TRY(node->pattern, pattern(arg.begin, arg.end, arg.text));
      node->args.push_back(constant_node(text(arg.text)));
      continue;
    }
    TRY(NodePtr bound, bind(arg, aggregates));
    node->args.push_back(std::move(bound));
  }
  return NodePtr(node);
}

namespace {

// How a column made by an expression is recognised again: blanks and case do not matter.
std::string without_blanks(std::string_view text) {
  std::string out = lower(text);
  std::erase_if(out, [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; });
  return out;
}

std::optional<Op> op_of(std::string_view text) {
  struct Row {
    std::string_view text;
    Op op;
  };
  static constexpr Row kOps[] = {{"=", Op::kEq},  {"!=", Op::kNe}, {"<", Op::kLt},  {"<=", Op::kLe},
                                 {">", Op::kGt},  {">=", Op::kGe}, {"+", Op::kAdd}, {"-", Op::kSub},
                                 {"*", Op::kMul}, {"/", Op::kDiv}, {"%", Op::kMod}, {"^", Op::kPow}};
  for (const Row& row : kOps)
    if (row.text == text) return row.op;
  return std::nullopt;
}

}  // namespace

Result<NodePtr> Binder::bind(const Expr& expr, const Aggregates* aggregates) {
  // After stats a call may name the column it made: `stats count(*) by a | sort count(*)`.
  if (!aggregates && table_ && expr.kind != Expr::Kind::kField && expr.kind != Expr::Kind::kNumber &&
      expr.kind != Expr::Kind::kString) {
    if (auto slot = visible(std::string(query_.substr(expr.begin, expr.end - expr.begin)))) return slot_node(*slot);
    std::string written = without_blanks(query_.substr(expr.begin, expr.end - expr.begin));
    for (const auto& [name, slot] : names_)
      if (without_blanks(name) == written) return slot_node(slot);
  }
  auto node = std::make_shared<Node>();
  auto add = [&](const Expr& arg) -> Status {
    TRY(NodePtr bound, bind(arg, aggregates));
    node->args.push_back(std::move(bound));
    return Ok{};
  };
  switch (expr.kind) {
    case Expr::Kind::kNumber: {
      Num num = parse_number(expr.text);
      if (!num) return error(expr, "number " + expr.text + " is out of range");
      return constant_node(num.is_int() ? Value::integer(num.i) : Value::number(num.d));
    }
    case Expr::Kind::kString: return constant_node(text(expr.text));
    case Expr::Kind::kPeriod: return unexpected(query_, expr.begin, expr.end);
    case Expr::Kind::kField: return bind_field(expr, aggregates);
    case Expr::Kind::kCall: return bind_call(expr, aggregates);
    case Expr::Kind::kNegate:
      node->kind = NodeKind::kNegate;
      TRYV(add(*expr.args[0]));
      return NodePtr(node);
    case Expr::Kind::kPlus:
      node->kind = NodeKind::kArith;
      node->op = Op::kAdd;
      node->args.push_back(constant_node(Value::integer(0)));
      TRYV(add(*expr.args[0]));
      return NodePtr(node);
    case Expr::Kind::kNot:
      node->kind = NodeKind::kNot;
      TRYV(add(*expr.args[0]));
      return NodePtr(node);
    case Expr::Kind::kBinary: {
      TRYV(add(*expr.args[0]));
      TRYV(add(*expr.args[1]));
      if (expr.text == "and" || expr.text == "or") {
        node->kind = expr.text == "and" ? NodeKind::kAnd : NodeKind::kOr;
        return NodePtr(node);
      }
      node->op = *op_of(expr.text);
      node->kind = node->op <= Op::kGe ? NodeKind::kCompare : NodeKind::kArith;
      return NodePtr(node);
    }
    case Expr::Kind::kLike: {
      TRYV(add(*expr.args[0]));
      if (expr.regex) {
        node->kind = NodeKind::kMatch;
        TRY(node->pattern, pattern(expr.begin, expr.end, expr.text));
        if (node->pattern->pure) {
          node->kind = NodeKind::kContains;
          node->args.push_back(constant_node(text(node->pattern->literal)));
        }
      } else {
        node->kind = NodeKind::kContains;
        TRYV(add(*expr.args[1]));
      }
      if (!expr.negated) return NodePtr(node);
      auto negation = std::make_shared<Node>();
      negation->kind = NodeKind::kNot;
      negation->args.push_back(std::move(node));
      return NodePtr(negation);
    }
    case Expr::Kind::kIn:
      node->kind = NodeKind::kIn;
      node->negated = expr.negated;
      for (const ExprPtr& arg : expr.args) TRYV(add(*arg));
      return NodePtr(node);
    case Expr::Kind::kInQuery:
      node->kind = NodeKind::kInQuery;
      node->negated = expr.negated;
      TRYV(add(*expr.args[0]));
      TRYV(bind_pipeline(query_, expr.query->pipeline, expr.query->program, options_, true));
      node->query = static_cast<int>(program_.subqueries.size());
      program_.subqueries.push_back(expr.query);
      return NodePtr(node);
  }
  return Error::internal("unknown expression");
}

int Binder::define_expr(const std::string& name, NodePtr expr) {
  int slot = hidden(std::move(expr));
  names_[name] = slot;
  return slot;
}

int Binder::hidden(NodePtr expr) {
  if (expr->kind == NodeKind::kSlot) return expr->slot;
  program_.slots.push_back({.kind = Slot::Kind::kExpr, .name = {}, .expr = std::move(expr), .command = command_});
  return static_cast<int>(program_.slots.size()) - 1;
}

int Binder::hidden_made() {
  program_.slots.push_back({.kind = Slot::Kind::kMade, .name = {}, .expr = nullptr, .command = command_});
  return static_cast<int>(program_.slots.size()) - 1;
}

int Binder::define_made(const std::string& name, bool created) {
  int slot = hidden_made();
  names_[name] = slot;
  if (created && std::find(created_.begin(), created_.end(), name) == created_.end()) created_.push_back(name);
  return slot;
}

void Binder::show_fields(const std::vector<std::string>& names) {
  if (table_) {
    created_.insert(created_.end(), names.begin(), names.end());
    return;
  }
  any_fields_ = true;
  fields_.insert(fields_.end(), names.begin(), names.end());
}

void Binder::show_display(const std::vector<std::string>& names) { display_ = names; }

void Binder::replace_columns(const std::vector<std::pair<std::string, int>>& columns, bool events) {
  names_.clear();
  columns_.clear();
  created_.clear();
  fields_.clear();
  any_fields_ = false;
  display_.reset();
  table_ = true;
  open_ = false;
  if (!events) program_.event_rows = false;
  for (const auto& [name, slot] : columns) {
    names_[name] = slot;
    columns_.push_back(name);
  }
}

std::vector<std::string> Binder::output_names() const {
  std::vector<std::string> all;
  if (display_) {
    all = *display_;
  } else {
    if (table_)
      all = columns_;
    else if (any_fields_)
      all = fields_;
    else
      all = {"@timestamp", "@message"};
    all.insert(all.end(), created_.begin(), created_.end());
  }
  std::vector<std::string> unique;
  std::set<std::string_view> seen;
  for (const std::string& name : all)
    if (seen.insert(name).second) unique.push_back(name);
  return unique;
}

std::vector<std::string> Binder::known_names() const {
  std::vector<std::string> names = output_names();
  std::set<std::string> seen(names.begin(), names.end());
  for (const auto* table : {&names_, &raw_}) {
    if (table == &raw_ && !open_) break;
    for (const auto& [name, slot] : *table)
      if (seen.insert(name).second) names.push_back(name);
  }
  return names;
}

Status Binder::finish() {
  for (const std::string& name : output_names()) {
    TRY(int slot, field(name, 0, 0));
    program_.outputs.push_back({name, slot});
  }
  bool shown = false;
  for (const Program::Output& output : program_.outputs) shown = shown || output.name == "@ptr";
  if (program_.event_rows && open_ && !shown) {
    TRY(program_.pointer_slot, field("@ptr", 0, 0));
  }
  return Ok{};
}

Status bind_pipeline(std::string_view query, Pipeline& pipeline, Program& program, const BindOptions& options, bool inner,
                     std::unique_ptr<Binder>* keep) {
  auto owned = std::make_unique<Binder>(query, program, options, inner);
  Binder& binder = *owned;
  bool dedup = false, joined = false, cut_after_stats = false;
  int index = 0;
  for (CommandPtr& command : pipeline.commands) {
    auto is = [&](std::string_view name) { return command->word == name; };
    auto refuse = [&](std::string message) { return binder.error(command->at_begin, command->at_end, std::move(message)); };
    bool limit = is("limit") || is("head");
    if (dedup && !limit) return refuse("only limit can follow dedup");
    if (is("dedup")) dedup = true;
    if (is("join")) {
      if (joined) return refuse("only one join is allowed in a query");
      joined = true;
    }
    bool last = index + 1 == static_cast<int>(pipeline.commands.size());
    if (is("estimate") && !last) return refuse("estimate must be the last command");
    if (is("stats")) {
      if (cut_after_stats) return refuse("sort and limit must follow the last stats command");
      std::size_t max = options.infrequent_access ? kStatsMaxInfrequent : kStatsMax;
      if (static_cast<std::size_t>(binder.stats_seen()) == max)
        return refuse("at most " + std::to_string(max) + " stats commands are allowed in a query");
    }
    if (binder.after_stats() && (limit || is("sort") || is("tail"))) cut_after_stats = true;
    if (options.infrequent_access) {
      const CommandRecord* record = find_command(command->word);
      if (record && !record->infrequent_access)
        return refuse("command " + std::string(command->word) + " is not supported for the Infrequent Access log class");
    }
    if (limit || is("tail")) program.has_limit = true;
    binder.begin(index);
    TRYV(command->bind(binder));
    if (is("stats")) binder.count_stats();
    ++index;
  }
  binder.begin(index);
  TRYV(binder.finish());
  if (keep) *keep = std::move(owned);
  return Ok{};
}

}  // namespace fog::insights
