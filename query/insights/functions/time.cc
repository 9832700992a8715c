// Time functions. Times are UTC unless a zone is given.
#include "query/insights/function.h"
#include "query/insights/time_text.h"

namespace fog::insights {

namespace {

using Args = std::span<const Value>;

Value bin_kernel(CallContext& c, Args args) {
  Num t = numeric(args[0]);
  return t ? Value::time(bin_floor(t.is_int() ? t.i : static_cast<std::int64_t>(t.d), c.node->period)) : Value{};
}
Value ceil_kernel(CallContext& c, Args args) {
  Num t = numeric(args[0]);
  return t ? Value::time(bin_ceil(t.is_int() ? t.i : static_cast<std::int64_t>(t.d), c.node->period)) : Value{};
}
Value from_millis_kernel(CallContext&, Args args) {
  Num t = numeric(args[0]);
  if (!t || !(t.d > -9e15 && t.d < 9e15)) return {};
  return Value::time(t.is_int() ? t.i : static_cast<std::int64_t>(t.d));
}
Value to_millis_kernel(CallContext&, Args args) {
  Num t = numeric(args[0]);
  if (!t) return {};
  return t.is_int() ? Value::integer(t.i) : Value::number(t.d);
}
Value now_kernel(CallContext& c, Args) { return Value::integer(c.info.now_ms / 1000); }
Value start_kernel(CallContext& c, Args) { return Value::integer(c.info.start_ms); }
Value end_kernel(CallContext& c, Args) { return Value::integer(c.info.end_ms); }
Value range_kernel(CallContext& c, Args) { return Value::integer(c.info.end_ms - c.info.start_ms); }
Value parse_date_kernel(CallContext& c, Args args) {
  if (!has_text(args[0]) || !has_text(args[1])) return {};
  std::string_view zone = args.size() > 2 && has_text(args[2]) ? text_of(args[2], c.c) : "UTC";
  auto ms = parse_java_date(text_of(args[0], c.a), text_of(args[1], c.b), zone);
  return ms ? Value::integer(*ms) : Value{};
}
Value format_date_kernel(CallContext& c, Args args) {
  Num t = numeric(args[0]);
  if (!t || !has_text(args[1]) || !(t.d > -9e15 && t.d < 9e15)) return {};
  std::string_view zone = args.size() > 2 && has_text(args[2]) ? text_of(args[2], c.c) : "UTC";
  auto text = format_strftime(static_cast<std::int64_t>(t.d), text_of(args[1], c.b), zone);
  return text ? Value::text(c.arena.copy(*text)) : Value{};
}

constexpr Function kTime[] = {
    {"bin", 1, 1, bin_kernel, "start of the time bin of @timestamp", true, 1, -1, true},
    {"datefloor", 2, 2, bin_kernel, "start of the time bin", true, 1},
    {"dateceil", 2, 2, ceil_kernel, "end of the time bin", true, 1},
    {"frommillis", 1, 1, from_millis_kernel, "timestamp of epoch ms", true},
    {"tomillis", 1, 1, to_millis_kernel, "epoch ms of a timestamp", true},
    {"now", 0, 0, now_kernel, "epoch seconds when the query began"},
    {"querystarttime", 0, 0, start_kernel, "start of the window, ms"},
    {"queryendtime", 0, 0, end_kernel, "end of the window, ms"},
    {"querytimerange", 0, 0, range_kernel, "length of the window, ms"},
    {"parsedate", 2, 3, parse_date_kernel, "epoch ms of a text, by a Java pattern", true},
    {"formatdate", 2, 3, format_date_kernel, "text of a time, by a strftime pattern", true},
    {"strftime", 2, 3, format_date_kernel, "text of a time, by a strftime pattern", true},
};

}  // namespace

std::span<const Function> time_functions() { return kTime; }

}  // namespace fog::insights
