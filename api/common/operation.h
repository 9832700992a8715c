// OperationInfo and ServiceInfo: what shapes.idl says about operations and services; Operation: an
// operation together with the function that carries it out.
//
//   constexpr Operation kTopicOperations[] = {bind<create_topic>(), bind<delete_topic>()};
//
// A handler is `Result<XOutput> x(Call&, const XInput&)`, or Result<Empty> where the model has no
// output; bind checks the pair against the model at compile time. A streaming operation
// (StartLiveTail, GetLogObject) is `Status x(Call&, const XInput&, Sink&)` with bind_stream.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "api/common/shape.h"
#include "storage/base/result.h"

namespace fog {

struct Call;
struct Violation;
struct OperationInfo;
class Sink;

struct ServiceInfo {
  std::string_view name;           // "cloudwatch", "logs", "xray", "sns": namespace and folder
  std::string_view id;             // "CloudWatch Logs"
  std::string_view signing_name;   // in credential scopes and host names
  std::string_view target_prefix;  // before the dot of X-Amz-Target, and the CBOR path's service
  std::string_view version;        // of the query protocol
  std::string_view xml_namespace;
  std::string_view shape_namespace;  // before '#' in __type
  bool is_query_compatible = false;  // errors carry x-amzn-query-error
  std::span<const OperationInfo* const> operations;  // all of the model, by name
};

struct OperationInfo {
  const ServiceInfo* service = nullptr;
  std::string_view name;
  std::string_view path;  // REST only: "/TraceSegments"
  const Shape* input = nullptr;
  const Shape* output = nullptr;  // null: the operation has no output
  std::span<const Shape* const> errors;
  bool is_streaming = false;   // answers with an event stream
  bool is_deprecated = false;
  std::size_t body_bytes_max = 0;  // as received; 0: the server's limit only
};

// Turns violations of the model's constraints into the error a service gives. `violations` is never
// empty. See api/common/violations.h for the wording helpers.
using InvalidHook = Error (*)(const OperationInfo& operation, std::span<const Violation> violations);

struct Operation {
  const OperationInfo* info = nullptr;
  // Runs the handler on an input and fills the output, both of the shapes in `info`.
  Status (*invoke)(Call& call, const void* input, void* output) = nullptr;
  Status (*stream)(Call& call, const void* input, Sink& sink) = nullptr;
  InvalidHook on_invalid = nullptr;  // instead of the service's
  bool is_heavy = false;  // may take longer than a few milliseconds: runs on the worker pool
};

// Marks an operation in its table: heavy(bind<start_query>()).
constexpr Operation heavy(Operation operation) {
  operation.is_heavy = true;
  return operation;
}

namespace internal {

template <typename Function>
struct HandlerTraits;
template <typename Output_, typename Input_>
struct HandlerTraits<Result<Output_> (*)(Call&, const Input_&)> {
  using Input = Input_;
  using Output = Output_;
};
template <typename Input_>
struct HandlerTraits<Status (*)(Call&, const Input_&, Sink&)> {
  using Input = Input_;
};

}  // namespace internal

template <auto handler>
constexpr Operation bind(InvalidHook on_invalid = nullptr) {
  using Traits = internal::HandlerTraits<decltype(handler)>;
  using Input = typename Traits::Input;
  using Output = typename Traits::Output;
  static_assert(std::is_same_v<Output, typename Input::Output>,
                "the handler's result is not the output that shapes.idl names for this operation");
  Operation operation;
  operation.info = &Input::kOperation;
  operation.on_invalid = on_invalid;
  operation.invoke = [](Call& call, const void* input, void* output) -> Status {
    Result<Output> result = handler(call, *static_cast<const Input*>(input));
    if (!result.ok()) return std::move(result).error();
    *static_cast<Output*>(output) = std::move(result).value();
    return Ok{};
  };
  return operation;
}

template <auto handler>
constexpr Operation bind_stream(InvalidHook on_invalid = nullptr) {
  using Input = typename internal::HandlerTraits<decltype(handler)>::Input;
  Operation operation;
  operation.info = &Input::kOperation;
  operation.on_invalid = on_invalid;
  operation.stream = [](Call& call, const void* input, Sink& sink) -> Status {
    return handler(call, *static_cast<const Input*>(input), sink);
  };
  return operation;
}

}  // namespace fog
