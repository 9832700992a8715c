// Functions over any type: presence, choice.
#include "query/insights/function.h"

namespace fog::insights {

namespace {

using Args = std::span<const Value>;

Value ispresent_kernel(CallContext&, Args args) { return Value::boolean(!args[0].null()); }
Value coalesce_kernel(CallContext&, Args args) {
  for (const Value& arg : args)
    if (!arg.null()) return arg;
  return {};
}
Value case_kernel(CallContext&, Args args) {
  std::size_t k = 0;
  for (; k + 1 < args.size(); k += 2)
    if (truthy(args[k])) return args[k + 1];
  return k < args.size() ? args[k] : Value{};
}
Value if_kernel(CallContext&, Args args) { return truthy(args[0]) ? args[1] : args[2]; }
Value is_numeric_kernel(CallContext&, Args args) { return Value::boolean(static_cast<bool>(numeric(args[0]))); }
Value unmask_kernel(CallContext&, Args args) { return args[0]; }  // resolved when names are bound
Value message_size_kernel(CallContext& c, Args args) {
  return has_text(args[0]) ? Value::integer(static_cast<std::int64_t>(text_of(args[0], c.a).size())) : Value{};
}

constexpr Function kGeneral[] = {
    {"ispresent", 1, 1, ispresent_kernel, "1 if not null"},
    {"coalesce", 1, kAnyNumber, coalesce_kernel, "the first value that is not null"},
    {"case", 2, 21, case_kernel, "value of the first true condition, or the default"},
    {"if", 3, 3, if_kernel, "one of two values"},
    {"isnumeric", 1, 1, is_numeric_kernel, "1 if the value has a numeric view"},
    {"unmask", 1, 1, unmask_kernel, "a field without the masks of data protection"},
    {"messagesize", 1, 1, message_size_kernel, "UTF-8 bytes", true},
};

}  // namespace

std::span<const Function> general_functions() { return kGeneral; }

}  // namespace fog::insights
