// Evaluation of bound expressions over the selected rows of a batch. Common shapes (numbers against
// constants, text in dictionaries, substrings of messages) have loops of their own; everything else
// goes value by value through the same rules.
#include <re2/re2.h>
#include <string.h>

#include "query/insights/batch.h"
#include "query/insights/json.h"
#include "query/insights/run.h"
#include "storage/base/find_text.h"

namespace fog::insights {

namespace {

Vec constant_vec(Value value) {
  Vec vec;
  vec.kind = Vec::Kind::kConst;
  vec.constant = value;
  return vec;
}

std::int8_t truth_of(const Value& value) { return value.null() ? -1 : truthy(value) ? 1 : 0; }

Value compare_values(Op op, const Value& a, const Value& b) {
  if (op == Op::kEq || op == Op::kNe) {
    int e = equal(a, b);
    return e < 0 ? Value{} : Value::boolean((e == 1) == (op == Op::kEq));
  }
  int o = order(a, b);
  if (o == kNullCompare) return {};
  return Value::boolean(o != kIncomparable && holds(op, o));
}

bool numeric_kind(const Vec& vec) {
  return vec.kind == Vec::Kind::kInt || vec.kind == Vec::Kind::kTime || vec.kind == Vec::Kind::kDouble;
}

bool search(const Pattern& pattern, std::string_view text) {
  if (!holds_text(text, pattern.literal)) return false;
  return pattern.re->Match(re2::StringPiece(text.data(), text.size()), 0, text.size(), re2::RE2::UNANCHORED, nullptr, 0);
}

template <typename T, typename U>
void compare_column(const std::vector<std::uint32_t>& sel, const Vec& vec, const T* values, Op op, U constant,
                    std::int8_t* out) {
  auto loop = [&](auto test) {
    if (vec.present == nullptr)
      for (std::uint32_t row : sel) out[row] = test(values[row]) ? 1 : 0;
    else
      for (std::uint32_t row : sel) out[row] = !vec.has(row) ? -1 : test(values[row]) ? 1 : 0;
  };
  switch (op) {
    case Op::kEq: loop([constant](T v) { return static_cast<U>(v) == constant; }); return;
    case Op::kNe: loop([constant](T v) { return static_cast<U>(v) != constant; }); return;
    case Op::kLt: loop([constant](T v) { return static_cast<U>(v) < constant; }); return;
    case Op::kLe: loop([constant](T v) { return static_cast<U>(v) <= constant; }); return;
    case Op::kGt: loop([constant](T v) { return static_cast<U>(v) > constant; }); return;
    case Op::kGe: loop([constant](T v) { return static_cast<U>(v) >= constant; }); return;
    case Op::kAdd: case Op::kSub: case Op::kMul: case Op::kDiv: case Op::kMod: case Op::kPow: return;
  }
}

Op mirrored(Op op) {
  switch (op) {
    case Op::kLt: return Op::kGt;
    case Op::kLe: return Op::kGe;
    case Op::kGt: return Op::kLt;
    case Op::kGe: return Op::kLe;
    case Op::kEq: case Op::kNe: case Op::kAdd: case Op::kSub: case Op::kMul: case Op::kDiv: case Op::kMod: case Op::kPow:
      return op;
  }
  return op;
}

}  // namespace

void ValueSet::add(const Value& value) {
  if (value.null() || value.container()) return;
  if (Num n = numeric(value)) {
    if (n.is_int())
      ints.insert(n.i);
    else
      doubles.insert(n.d);
    return;
  }
  texts.insert(to_text(value));
}

bool ValueSet::has(const Value& value) const {
  if (value.null() || value.container()) return false;
  if (Num n = numeric(value)) {
    if (n.is_int()) {
      if (ints.contains(n.i)) return true;
      // Integers beyond 2^53 equal the doubles they round to, as `=` has it.
      return !doubles.empty() && doubles.contains(n.d);
    }
    return doubles.contains(n.d);
  }
  std::string buffer;
  std::string_view text = text_of(value, buffer);
  return texts.contains(std::string(text));
}

Vec Batch::truth_vec(const std::int8_t* truth) {
  Vec vec;
  vec.kind = Vec::Kind::kTruth;
  vec.truth = truth;
  return vec;
}

std::int8_t* Batch::truths(const Vec& vec) {
  auto* out = arena_->array<std::int8_t>(rows_);
  switch (vec.kind) {
    case Vec::Kind::kConst: std::memset(out, truth_of(vec.constant), rows_); break;
    case Vec::Kind::kTruth: std::memcpy(out, vec.truth, rows_); break;
    case Vec::Kind::kDict: {
      auto* by_code = arena_->array<std::int8_t>(vec.dict_size);
      std::memset(by_code, 2, vec.dict_size);
      for (std::uint32_t row : sel) {
        if (!vec.has(row)) {
          out[row] = -1;
          continue;
        }
        std::int8_t& known = by_code[vec.codes[row]];
        if (known == 2) known = truth_of(vec.values[vec.codes[row]]);
        out[row] = known;
      }
      break;
    }
    case Vec::Kind::kInt:
    case Vec::Kind::kTime:
      for (std::uint32_t row : sel) out[row] = vec.has(row) ? vec.ints[row] != 0 : -1;
      break;
    case Vec::Kind::kDouble:
    case Vec::Kind::kText:
    case Vec::Kind::kValues:
    case Vec::Kind::kUnset:
      for (std::uint32_t row : sel) out[row] = truth_of(vec.get(row, *arena_));
      break;
  }
  return out;
}

void Batch::filter(const Node& node) {
  if (sel.empty()) return;
  if (node.kind == NodeKind::kAnd) {
    for (const NodePtr& arg : node.args) filter(*arg);
    return;
  }
  Vec vec = eval(node);
  const std::int8_t* truth = vec.kind == Vec::Kind::kTruth ? vec.truth : truths(vec);
  std::size_t kept = 0;
  for (std::uint32_t row : sel) {
    sel[kept] = row;
    kept += truth[row] == 1;
  }
  sel.resize(kept);
}

// Computes a function of one column: once for each dictionary entry in use, or row by row.
template <typename Compute>
Vec Batch::map_one(const Vec& vec, Compute&& compute) {
  if (vec.kind == Vec::Kind::kConst) return constant_vec(compute(vec.constant));
  Vec out;
  Pace pace(run_);
  if (vec.kind == Vec::Kind::kDict) {
    auto* values = arena_->array<Value>(vec.dict_size + 1);
    auto* done = arena_->array<char>(vec.dict_size + 1);
    auto* codes = arena_->array<std::uint32_t>(rows_);
    std::memset(done, 0, vec.dict_size + 1);
    for (std::uint32_t row : sel) {
      std::uint32_t code = vec.has(row) ? vec.codes[row] : vec.dict_size;  // the last entry stands for null
      codes[row] = code;
      if (done[code]) continue;
      done[code] = 1;
      new (values + code) Value(pace.stop() ? Value{} : compute(code == vec.dict_size ? Value{} : vec.values[code]));
    }
    out.kind = Vec::Kind::kDict;
    out.codes = codes;
    out.values = values;
    out.dict_size = vec.dict_size + 1;
    return out;
  }
  auto* values = arena_->array<Value>(rows_);
  for (std::uint32_t row : sel) new (values + row) Value(pace.stop() ? Value{} : compute(vec.get(row, *arena_)));
  out.kind = Vec::Kind::kValues;
  out.values = values;
  return out;
}

Vec Batch::eval(const Node& node) {
  switch (node.kind) {
    case NodeKind::kConst: return constant_vec(node.constant);
    case NodeKind::kSlot: return column(node.slot);
    case NodeKind::kPath: return eval_path(node);
    case NodeKind::kCall: return eval_call(node);
    case NodeKind::kAnd:
    case NodeKind::kOr:
    case NodeKind::kNot: return eval_logic(node);
    case NodeKind::kCompare: return eval_compare(node);
    case NodeKind::kArith:
    case NodeKind::kNegate: return eval_arith(node);
    case NodeKind::kContains: return eval_contains(node);
    case NodeKind::kMatch: return eval_match(node);
    case NodeKind::kIn:
    case NodeKind::kInQuery: return eval_in(node);
  }
  return {};
}

Vec Batch::eval_path(const Node& node) {
  Vec base = eval(*node.args[0]);
  return map_one(base, [&](const Value& value) {
    return value.container() ? json_path(value.json, node.steps) : Value{};
  });
}

Vec Batch::eval_call(const Node& node) {
  const Function& fn = *node.fn;
  std::vector<Vec> args;
  args.reserve(node.args.size());
  for (const NodePtr& arg : node.args) args.push_back(eval(*arg));
  CallContext context{*arena_, run_.info, &node, {}, {}, {}};
  std::vector<Value> values(args.size());
  auto call = [&]() -> Value {
    if (fn.strict)
      for (const Value& value : values)
        if (value.null()) return {};
    return fn.kernel(context, values);
  };
  std::size_t varying = 0, which = 0;
  for (std::size_t k = 0; k < args.size(); ++k) {
    if (args[k].kind == Vec::Kind::kConst) {
      values[k] = args[k].constant;
    } else {
      ++varying;
      which = k;
    }
  }
  if (varying == 0) return constant_vec(call());
  // Time bins of a time column: numbers in, numbers out.
  if (fn.period_arg == 1 && which == 0 && varying == 1 && args[0].kind == Vec::Kind::kTime) {
    bool ceil = fn.name == "dateceil";
    auto* out = arena_->array<std::int64_t>(rows_);
    std::int64_t start = 0, next = 0;  // the bin of the row before: neighbours share it
    const Vec& times = args[0];
    const bool whole = sel.size() == rows_ && times.present == nullptr && sel.front() == 0 && sel.back() + 1 == rows_;
    const auto block_times = block_ != nullptr && whole ? block_->timestamps_ms() : Result<std::span<const std::int64_t>>(std::span<const std::int64_t>());
    if (!ceil && block_times.ok() && block_times->data() == times.ints) {
      // The times of a block ascend: each bin is one stretch.
      for (std::size_t at = 0; at < rows_;) {
        start = bin_floor(times.ints[at], node.period);
        next = bin_next(start, node.period);
        const auto end = static_cast<std::size_t>(std::lower_bound(times.ints + at + 1, times.ints + rows_, next) - times.ints);
        std::fill(out + at, out + end, start);
        at = end;
      }
      Vec vec;
      vec.kind = Vec::Kind::kTime;
      vec.ints = out;
      return vec;
    }
    for (std::uint32_t row : sel) {
      if (!times.has(row)) continue;
      std::int64_t t = times.ints[row];
      if (ceil) {
        out[row] = bin_ceil(t, node.period);
        continue;
      }
      if (t < start || t >= next) {
        start = bin_floor(t, node.period);
        next = bin_next(start, node.period);
      }
      out[row] = start;
    }
    Vec vec;
    vec.kind = Vec::Kind::kTime;
    vec.ints = out;
    vec.present = times.present;
    return vec;
  }
  if (varying == 1)
    return map_one(args[which], [&](const Value& value) {
      values[which] = value;
      return call();
    });
  auto* out = arena_->array<Value>(rows_);
  Pace pace(run_);
  for (std::uint32_t row : sel) {
    if (pace.stop()) {
      new (out + row) Value();
      continue;
    }
    for (std::size_t k = 0; k < args.size(); ++k)
      if (args[k].kind != Vec::Kind::kConst) values[k] = args[k].get(row, *arena_);
    new (out + row) Value(call());
  }
  Vec vec;
  vec.kind = Vec::Kind::kValues;
  vec.values = out;
  return vec;
}

Vec Batch::eval_logic(const Node& node) {
  Vec first = eval(*node.args[0]);
  std::int8_t* a = truths(first);
  if (node.kind == NodeKind::kNot) {
    for (std::uint32_t row : sel) a[row] = static_cast<std::int8_t>(a[row] < 0 ? -1 : 1 - a[row]);
    return truth_vec(a);
  }
  Vec second = eval(*node.args[1]);
  const std::int8_t* b = truths(second);
  // Three-valued: a false decides `and`, a true decides `or`; else null if either is.
  std::int8_t decides = node.kind == NodeKind::kAnd ? 0 : 1;
  auto neutral = static_cast<std::int8_t>(1 - decides);
  for (std::uint32_t row : sel) {
    if (a[row] == decides || b[row] == decides)
      a[row] = decides;
    else
      a[row] = a[row] < 0 || b[row] < 0 ? static_cast<std::int8_t>(-1) : neutral;
  }
  return truth_vec(a);
}

Vec Batch::eval_compare(const Node& node) {
  Vec a = eval(*node.args[0]), b = eval(*node.args[1]);
  Op op = node.op;
  if (a.kind == Vec::Kind::kConst && b.kind != Vec::Kind::kConst) {
    std::swap(a, b);
    op = mirrored(op);
  }
  if (b.kind == Vec::Kind::kConst) {
    const Value constant = b.constant;
    if (constant.null()) return constant_vec({});
    Num n = numeric(constant);
    if (numeric_kind(a) && n) {
      auto* out = arena_->array<std::int8_t>(rows_);
      if (a.kind == Vec::Kind::kDouble)
        compare_column(sel, a, a.doubles, op, n.d, out);
      else if (n.is_int())
        compare_column(sel, a, a.ints, op, n.i, out);
      else
        compare_column(sel, a, a.ints, op, n.d, out);
      return truth_vec(out);
    }
    if (a.kind == Vec::Kind::kText && !n && constant.is_text() && (op == Op::kEq || op == Op::kNe)) {
      // Text that is no number equals only itself.
      auto* out = arena_->array<std::int8_t>(rows_);
      std::string_view wanted = constant.view();
      bool eq = op == Op::kEq;
      for (std::uint32_t row : sel) out[row] = !a.has(row) ? -1 : (a.text(row) == wanted) == eq ? 1 : 0;
      return truth_vec(out);
    }
    return map_one(a, [&](const Value& value) { return compare_values(op, value, constant); });
  }
  auto* out = arena_->array<std::int8_t>(rows_);
  for (std::uint32_t row : sel) out[row] = truth_of(compare_values(op, a.get(row, *arena_), b.get(row, *arena_)));
  return truth_vec(out);
}

Vec Batch::eval_arith(const Node& node) {
  if (node.kind == NodeKind::kNegate) {
    Vec a = eval(*node.args[0]);
    Num zero{Num::Kind::kInt, 0, 0};
    return map_one(a, [&](const Value& value) { return arithmetic(Op::kSub, zero, numeric(value)); });
  }
  Vec a = eval(*node.args[0]), b = eval(*node.args[1]);
  if (b.kind == Vec::Kind::kConst && (a.kind == Vec::Kind::kDict || a.kind == Vec::Kind::kConst)) {
    Num n = numeric(b.constant);
    return map_one(a, [&](const Value& value) { return arithmetic(node.op, numeric(value), n); });
  }
  if (a.kind == Vec::Kind::kConst && b.kind == Vec::Kind::kDict) {
    Num n = numeric(a.constant);
    return map_one(b, [&](const Value& value) { return arithmetic(node.op, n, numeric(value)); });
  }
  auto* out = arena_->array<Value>(rows_);
  for (std::uint32_t row : sel) new (out + row) Value(arithmetic(node.op, a.num(row), b.num(row)));
  Vec vec;
  vec.kind = Vec::Kind::kValues;
  vec.values = out;
  return vec;
}

namespace {

// Marks the rows of a text column that contain `needle` and satisfy `check`: one search through the
// whole buffer where most rows are wanted, else row by row.
template <typename Check>
void scan_text(const Vec& vec, const std::vector<std::uint32_t>& sel, std::size_t rows, std::string_view needle,
               std::int8_t* out, Check&& check) {
  for (std::uint32_t row : sel) out[row] = vec.has(row) ? 0 : -1;
  if (sel.size() < rows / 4 || needle.empty()) {
    for (std::uint32_t row : sel) {
      if (out[row] < 0) continue;
      std::string_view text = vec.text(row);
      if (holds_text(text, needle) && check(text)) out[row] = 1;
    }
    return;
  }
  const char* end = vec.bytes + vec.offsets[rows];
  const char* at = vec.bytes;
  auto* marks = out;
  std::vector<char> wanted(rows, 0);
  for (std::uint32_t row : sel) wanted[row] = out[row] == 0;
  std::size_t row = 0;
  while (at < end) {
    const void* hit = memmem(at, static_cast<std::size_t>(end - at), needle.data(), needle.size());
    if (hit == nullptr) return;
    auto offset = static_cast<std::size_t>(static_cast<const char*>(hit) - vec.bytes);
    while (vec.offsets[row + 1] <= offset) ++row;
    if (offset + needle.size() > vec.offsets[row + 1]) {  // across two rows
      at = static_cast<const char*>(hit) + 1;
      continue;
    }
    if (wanted[row] && check(vec.text(row))) marks[row] = 1;
    at = vec.bytes + vec.offsets[row + 1];
  }
}

}  // namespace

Vec Batch::eval_contains(const Node& node) {
  Vec a = eval(*node.args[0]), b = eval(*node.args[1]);
  std::string buffer, needle_buffer;
  auto contains = [&](const Value& value, const Value& part) -> Value {
    if (value.null() || part.null()) return {};
    return Value::boolean(text_of(value, buffer).find(text_of(part, needle_buffer)) != std::string_view::npos);
  };
  if (b.kind == Vec::Kind::kConst && a.kind == Vec::Kind::kText && b.constant.is_text()) {
    auto* out = arena_->array<std::int8_t>(rows_);
    scan_text(a, sel, rows_, b.constant.view(), out, [](std::string_view) { return true; });
    return truth_vec(out);
  }
  if (b.kind == Vec::Kind::kConst)
    return map_one(a, [&](const Value& value) { return contains(value, b.constant); });
  auto* out = arena_->array<std::int8_t>(rows_);
  for (std::uint32_t row : sel) out[row] = truth_of(contains(a.get(row, *arena_), b.get(row, *arena_)));
  return truth_vec(out);
}

Vec Batch::eval_match(const Node& node) {
  Vec a = eval(*node.args[0]);
  const Pattern& pattern = *node.pattern;
  if (a.kind == Vec::Kind::kText) {
    auto* out = arena_->array<std::int8_t>(rows_);
    if (!pattern.literal.empty()) {
      Pace pace(run_);
      scan_text(a, sel, rows_, pattern.literal, out, [&](std::string_view text) {
        return !pace.stop() && pattern.re->Match(re2::StringPiece(text.data(), text.size()), 0, text.size(), re2::RE2::UNANCHORED, nullptr, 0);
      });
      return truth_vec(out);
    }
    std::memset(out, 0, rows_);
    Pace pace(run_);
    for (std::uint32_t row : sel) {
      if (pace.stop()) break;
      out[row] = !a.has(row) ? -1 : search(pattern, a.text(row)) ? 1 : 0;
    }
    return truth_vec(out);
  }
  std::string buffer;
  return map_one(a, [&](const Value& value) -> Value {
    if (value.null()) return {};
    return Value::boolean(search(pattern, text_of(value, buffer)));
  });
}

Vec Batch::eval_in(const Node& node) {
  Vec a = eval(*node.args[0]);
  ValueSet own;
  const ValueSet* set = &own;
  if (node.kind == NodeKind::kInQuery) {
    set = &run_.sets[static_cast<std::size_t>(node.query)];
  } else {
    std::vector<Vec> items;
    bool constant = true;
    for (std::size_t k = 1; k < node.args.size(); ++k) {
      items.push_back(eval(*node.args[k]));
      constant = constant && items.back().kind == Vec::Kind::kConst;
    }
    if (!constant) {
      auto* out = arena_->array<std::int8_t>(rows_);
      for (std::uint32_t row : sel) {
        Value value = a.get(row, *arena_);
        bool found = false;
        for (const Vec& item : items) found = found || equal(value, item.get(row, *arena_)) == 1;
        out[row] = value.null() ? -1 : found != node.negated ? 1 : 0;
      }
      return truth_vec(out);
    }
    for (const Vec& item : items) own.add(item.constant);
  }
  return map_one(a, [&](const Value& value) -> Value {
    if (value.null()) return {};
    return Value::boolean(set->has(value) != node.negated);
  });
}

}  // namespace fog::insights
