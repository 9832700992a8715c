// Numeric functions and arithmetic.
#include <charconv>
#include <cmath>

#include "query/insights/function.h"

namespace fog::insights {

bool holds(Op op, int order) {
  switch (op) {
    case Op::kEq: return order == 0;
    case Op::kNe: return order != 0;
    case Op::kLt: return order == -1;
    case Op::kLe: return order == -1 || order == 0;
    case Op::kGt: return order == 1;
    case Op::kGe: return order == 1 || order == 0;
    case Op::kAdd: case Op::kSub: case Op::kMul: case Op::kDiv: case Op::kMod: case Op::kPow: break;
  }
  return false;
}

Value arithmetic(Op op, const Num& a, const Num& b) {
  if (!a || !b) return {};
  std::int64_t i = 0;
  bool ints = a.is_int() && b.is_int();
  switch (op) {
    case Op::kAdd:
      if (ints && !__builtin_add_overflow(a.i, b.i, &i)) return Value::integer(i);
      return Value::number(a.d + b.d);
    case Op::kSub:
      if (ints && !__builtin_sub_overflow(a.i, b.i, &i)) return Value::integer(i);
      return Value::number(a.d - b.d);
    case Op::kMul:
      if (ints && !__builtin_mul_overflow(a.i, b.i, &i)) return Value::integer(i);
      return Value::number(a.d * b.d);
    case Op::kDiv:
      if (b.d == 0) return {};
      if (ints && b.i != -1 && a.i % b.i == 0) return Value::integer(a.i / b.i);
      return Value::number(a.d / b.d);
    case Op::kMod:
      if (b.d == 0) return {};
      if (ints) return Value::integer(b.i == -1 ? 0 : a.i % b.i);
      return Value::number(std::fmod(a.d, b.d));
    case Op::kPow: return Value::number(std::pow(a.d, b.d));
    case Op::kEq: case Op::kNe: case Op::kLt: case Op::kLe: case Op::kGt: case Op::kGe: break;
  }
  return {};
}

namespace {

using Args = std::span<const Value>;

Value plain(const Num& n) { return n.is_int() ? Value::integer(n.i) : n ? Value::number(n.d) : Value{}; }

Value abs_kernel(CallContext&, Args args) {
  Num n = numeric(args[0]);
  if (n.is_int() && n.i != INT64_MIN) return Value::integer(n.i < 0 ? -n.i : n.i);
  return n ? Value::number(std::abs(n.d)) : Value{};
}
Value ceil_kernel(CallContext&, Args args) {
  Num n = numeric(args[0]);
  return n.is_int() ? plain(n) : n ? Value::number(std::ceil(n.d)) : Value{};
}
Value floor_kernel(CallContext&, Args args) {
  Num n = numeric(args[0]);
  return n.is_int() ? plain(n) : n ? Value::number(std::floor(n.d)) : Value{};
}
Value log_kernel(CallContext&, Args args) {
  Num n = numeric(args[0]);
  return n && n.d > 0 ? Value::number(std::log(n.d)) : Value{};
}
Value sqrt_kernel(CallContext&, Args args) {
  Num n = numeric(args[0]);
  return n && n.d >= 0 ? Value::number(std::sqrt(n.d)) : Value{};
}
template <int kSign>
Value extreme_kernel(CallContext&, Args args) {
  Num best;
  bool time = false;
  for (const Value& arg : args) {
    Num n = numeric(arg);
    if (!n || (best && compare(n, best) * kSign <= 0)) continue;
    best = n;
    time = arg.type == Type::kTime;
  }
  return time ? Value::time(best.i) : plain(best);
}
// Half-up on the decimal digits a reader sees, so round(1.005, 2) is 1.01.
Value round_kernel(CallContext&, Args args) {
  Num n = numeric(args[0]);
  Num digits = args.size() > 1 ? numeric(args[1]) : Num{Num::Kind::kInt, 0, 0};
  if (!n || !digits) return {};
  auto places = static_cast<int>(std::clamp(digits.d, -320.0, 320.0));
  if (places >= 0) {
    if (n.is_int()) return plain(n);
    char text[1100];
    auto [end, error] = std::to_chars(text, text + sizeof text, n.d, std::chars_format::fixed);
    auto dot = std::find(text, end, '.');
    if (end - dot <= places + 1) return plain(n);
    // Cut behind the wanted digits and look at the next one.
    bool up = dot[places + 1] >= '5';
    double cut = 0;
    std::from_chars(text, dot + places + 1, cut);
    if (up) cut += (n.d < 0 ? -1 : 1) * std::pow(10.0, -places);
    // Remove the noise of the addition.
    char again[1100];
    auto [stop, failed] = std::to_chars(again, again + sizeof again, cut, std::chars_format::fixed, places);
    double result = 0;
    if (failed == std::errc()) std::from_chars(again, stop, result);
    return Value::number(result);
  }
  double unit = std::pow(10.0, -places);
  return Value::number(std::round(n.d / unit) * unit);
}
Value haversine_kernel(CallContext&, Args args) {
  double v[4];
  for (std::size_t k = 0; k < 4; ++k) {
    Num n = numeric(args[k]);
    if (!n) return {};
    v[k] = n.d * 3.14159265358979323846 / 180;
  }
  double a = std::sin((v[2] - v[0]) / 2), b = std::sin((v[3] - v[1]) / 2);
  double h = a * a + std::cos(v[0]) * std::cos(v[2]) * b * b;
  return Value::number(2 * 6371 * std::asin(std::sqrt(std::min(1.0, h))));
}
Value to_number_kernel(CallContext&, Args args) { return plain(numeric(args[0])); }
Value to_int_kernel(CallContext&, Args args) {
  Num n = numeric(args[0]);
  if (n.is_int() || !n) return plain(n);
  double whole = std::trunc(n.d);
  return std::abs(whole) < 9.2e18 ? Value::integer(static_cast<std::int64_t>(whole)) : Value{};
}

constexpr Function kNumeric[] = {
    {"abs", 1, 1, abs_kernel, "absolute value", true},
    {"ceil", 1, 1, ceil_kernel, "smallest integer not below", true},
    {"floor", 1, 1, floor_kernel, "largest integer not above", true},
    {"log", 1, 1, log_kernel, "natural logarithm", true},
    {"sqrt", 1, 1, sqrt_kernel, "square root", true},
    {"greatest", 1, kAnyNumber, extreme_kernel<1>, "largest number"},
    {"least", 1, kAnyNumber, extreme_kernel<-1>, "smallest number"},
    {"round", 1, 2, round_kernel, "half-up, to a number of decimals", true},
    {"haversine", 4, 4, haversine_kernel, "distance on the earth in km", true},
    {"tonumber", 1, 1, to_number_kernel, "the numeric view", true},
    {"todouble", 1, 1, to_number_kernel, "the numeric view", true},
    {"toint", 1, 1, to_int_kernel, "truncated toward zero", true},
    {"tolong", 1, 1, to_int_kernel, "truncated toward zero", true},
};

}  // namespace

std::span<const Function> numeric_functions() { return kNumeric; }

}  // namespace fog::insights
