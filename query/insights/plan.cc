// Planning: what of a query storage can use to skip blocks, in which order filters run, and which
// columns are still needed behind a point of the pipeline.
#include "query/insights/function.h"
#include "query/insights/pattern.h"
#include "query/insights/run.h"

namespace fog::insights {

namespace {

constexpr std::size_t kInListMax = 16;  // alternatives worth handing to storage

bool system_field(const std::string& name) {
  return name == "@timestamp" || name == "@ingestionTime" || name == "@message" || name == "@logStream" ||
         name == "@log" || name == "@ptr" || name.starts_with("@aws.");
}

const std::string* field_of(const Program& program, const Node& node) {
  if (node.kind != NodeKind::kSlot) return nullptr;
  const Slot& slot = program.slots[static_cast<std::size_t>(node.slot)];
  return slot.kind == Slot::Kind::kField && !slot.name.starts_with(kUnmaskedPrefix) ? &slot.name : nullptr;
}

using Clause = std::vector<LogPredicate>;

LogPredicate predicate(LogPredicate::What what, std::string field, std::string text, double number = 0) {
  LogPredicate p;
  p.what = what;
  p.field = std::move(field);
  p.text = std::move(text);
  p.number = number;
  return p;
}

std::optional<LogPredicate> contains(const std::string& field, std::string_view text) {
  if (text.empty()) return std::nullopt;
  if (field == "@message") return predicate(LogPredicate::What::kMessageContains, {}, std::string(text));
  if (system_field(field)) return std::nullopt;
  return predicate(LogPredicate::What::kFieldContains, field, std::string(text));
}

std::optional<LogPredicate> equals(const std::string& field, const Value& value) {
  if (value.null() || value.container()) return std::nullopt;
  std::string text = to_text(value);
  if (field == "@message") {
    if (numeric(value) || text.empty()) return std::nullopt;
    return predicate(LogPredicate::What::kMessageContains, {}, std::move(text));
  }
  if (system_field(field)) return std::nullopt;
  // A computed constant is rounded when rendered; numbers go by their exact text.
  if (value.type == Type::kDouble) return std::nullopt;
  return predicate(LogPredicate::What::kFieldEquals, field, std::move(text));
}

// The clauses that a condition implies.
void clauses_of(const Program& program, const Node& node, std::vector<Clause>& out) {
  switch (node.kind) {
    case NodeKind::kAnd:
      for (const NodePtr& arg : node.args) clauses_of(program, *arg, out);
      return;
    case NodeKind::kOr: {
      std::vector<Clause> a, b;
      clauses_of(program, *node.args[0], a);
      clauses_of(program, *node.args[1], b);
      if (a.empty() || b.empty()) return;
      // (a1 and a2) or (b1 and b2) implies (a1 or b1); the first of each side is as good as any.
      Clause both = a[0];
      both.insert(both.end(), b[0].begin(), b[0].end());
      if (both.size() <= kInListMax) out.push_back(std::move(both));
      return;
    }
    case NodeKind::kCompare: {
      const Node* field = node.args[0].get();
      const Node* constant = node.args[1].get();
      Op op = node.op;
      if (field->kind == NodeKind::kConst) {
        std::swap(field, constant);
        op = op == Op::kLt ? Op::kGt : op == Op::kGt ? Op::kLt : op == Op::kLe ? Op::kGe : op == Op::kGe ? Op::kLe : op;
      }
      const std::string* name = field_of(program, *field);
      if (name == nullptr || constant->kind != NodeKind::kConst) return;
      if (op == Op::kEq) {
        if (auto p = equals(*name, constant->constant)) out.push_back({*p});
        return;
      }
      Num n = numeric(constant->constant);
      if (!n || system_field(*name)) return;
      if (op == Op::kGt || op == Op::kGe)
        out.push_back({predicate(LogPredicate::What::kFieldAtLeast, *name, {}, n.d)});
      else if (op == Op::kLt || op == Op::kLe)
        out.push_back({predicate(LogPredicate::What::kFieldAtMost, *name, {}, n.d)});
      return;
    }
    case NodeKind::kContains: {
      const std::string* name = field_of(program, *node.args[0]);
      if (name == nullptr || node.args[1]->kind != NodeKind::kConst || !node.args[1]->constant.is_text()) return;
      if (auto p = contains(*name, node.args[1]->constant.view())) out.push_back({*p});
      return;
    }
    case NodeKind::kMatch: {
      const std::string* name = field_of(program, *node.args[0]);
      if (name == nullptr) return;
      Clause any;
      for (const std::string& text : required_alternatives(*node.pattern))
        if (auto p = contains(*name, text)) any.push_back(std::move(*p));
      if (!any.empty()) out.push_back(std::move(any));
      return;
    }
    case NodeKind::kIn: {
      const std::string* name = field_of(program, *node.args[0]);
      if (name == nullptr || node.negated || node.args.size() > kInListMax + 1) return;
      Clause any;
      for (std::size_t k = 1; k < node.args.size(); ++k) {
        if (node.args[k]->kind != NodeKind::kConst) return;
        auto p = equals(*name, node.args[k]->constant);
        if (!p) return;
        any.push_back(std::move(*p));
      }
      if (!any.empty()) out.push_back(std::move(any));
      return;
    }
    case NodeKind::kCall: {
      if (node.fn->name != "ispresent") return;
      const std::string* name = field_of(program, *node.args[0]);
      if (name && !system_field(*name)) out.push_back({predicate(LogPredicate::What::kFieldPresent, *name, {})});
      return;
    }
    case NodeKind::kConst: case NodeKind::kSlot: case NodeKind::kPath: case NodeKind::kNot: case NodeKind::kArith:
    case NodeKind::kNegate: case NodeKind::kInQuery: return;
  }
}

// A rough price of evaluating a condition for one row.
int cost(const Program& program, const Node& node) {
  int sum = 1;
  if (node.kind == NodeKind::kMatch) sum += 20;
  if (node.kind == NodeKind::kCall) sum += 5;
  if (node.kind == NodeKind::kSlot) {
    const Slot& slot = program.slots[static_cast<std::size_t>(node.slot)];
    if (slot.kind == Slot::Kind::kField && slot.name == "@message") sum += 100;
    if (slot.kind == Slot::Kind::kExpr) sum += cost(program, *slot.expr);
    if (slot.kind == Slot::Kind::kMade) sum += 200;
  }
  for (const NodePtr& arg : node.args) sum += cost(program, *arg);
  return sum;
}

void split(const Node& node, std::vector<const Node*>& out) {
  if (node.kind != NodeKind::kAnd) {
    out.push_back(&node);
    return;
  }
  for (const NodePtr& arg : node.args) split(*arg, out);
}

}  // namespace

std::vector<const Node*> leading_filters(const Pipeline& pipeline, const Program& program, std::size_t commands) {
  std::vector<const Node*> conjuncts;
  for (std::size_t k = 0; k < commands && pipeline.commands[k]->shape() == Command::Shape::kRows; ++k)
    if (const NodePtr* filter = pipeline.commands[k]->filter()) split(**filter, conjuncts);
  std::stable_sort(conjuncts.begin(), conjuncts.end(),
                   [&](const Node* a, const Node* b) { return cost(program, *a) < cost(program, *b); });
  return conjuncts;
}

std::vector<LogPredicate> message_texts(const Program& program, const Node& node) {
  std::vector<std::string> texts;
  if (node.kind == NodeKind::kContains) {
    const Node& text = *node.args[1];
    if (text.kind == NodeKind::kConst && text.constant.is_text()) texts.emplace_back(text.constant.view());
  } else if (node.kind == NodeKind::kMatch) {
    texts = pure_alternatives(*node.pattern);
  }
  std::vector<LogPredicate> clause;
  if (texts.empty()) return clause;
  const std::string* name = field_of(program, *node.args[0]);
  if (name == nullptr || *name != "@message") return clause;
  for (const std::string& text : texts) {
    auto one = contains(*name, text);
    if (!one) return {};
    clause.push_back(std::move(*one));
  }
  return clause;
}

std::vector<std::vector<LogPredicate>> pushdown(const Program& program, const std::vector<const Node*>& conjuncts) {
  std::vector<Clause> clauses;
  for (const Node* node : conjuncts) clauses_of(program, *node, clauses);
  return clauses;
}

std::set<int> needed_slots(const Pipeline& pipeline, const Program& program, std::size_t from, std::size_t commands,
                           const std::set<int>& wanted) {
  std::set<int> open = wanted, seen, result;
  for (std::size_t k = from; k < commands; ++k) pipeline.commands[k]->uses(open);
  while (!open.empty()) {
    int slot = *open.begin();
    open.erase(open.begin());
    if (slot < 0 || !seen.insert(slot).second) continue;
    const Slot& def = program.slots[static_cast<std::size_t>(slot)];
    if (def.kind == Slot::Kind::kField || def.command < static_cast<int>(from)) {
      result.insert(slot);
    } else if (def.kind == Slot::Kind::kExpr) {
      slots_of(*def.expr, open);
    }
  }
  return result;
}

}  // namespace fog::insights
