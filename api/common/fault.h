// Faults: errors as AWS words them, carried by fog::Error through every room.
//
//   return fault(ResourceNotFoundException{.message = "The specified log group does not exist."});
//   return wire_fault({.code = "ValidationException", .query_code = "ValidationError", .message = m});
//   return Error::limit("...");   // a kind: the service's ErrorRow table names the wire code
//
// fault() takes an error structure of the service's model: code and HTTP status come from the model.
// wire_fault() is for the few that no model has. A bare kind is mapped once per service.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "api/common/shape.h"
#include "storage/base/result.h"

namespace fog {

// A fault as it goes on the wire, whatever the protocol.
struct WireFault {
  std::string code;          // JSON __type, x-amzn-ErrorType; "ns#Name" where the namespace is not the service's
  std::string query_code{};  // query <Code> and x-amzn-query-error; empty: the same
  int status = 400;
  int query_status = 0;  // where a protocol's differs; 0: the same
  int rest_status = 0;
  int cbor_status = 0;
  std::string message{};
};

struct FaultDetail final : ErrorDetail {
  WireFault wire;
  // The modelled error and its members beyond the message; null when not modelled.
  const Shape* shape = nullptr;
  std::shared_ptr<const void> value;
};

template <typename E>
Error fault(E error) {
  auto detail = std::make_shared<FaultDetail>();
  const Shape& shape = E::kShape;
  detail->wire = {.code = std::string(shape.name),
                  .query_code = std::string(shape.error_code),
                  .status = shape.error_status,
                  .message = error.message};
  detail->shape = &shape;
  const auto kind = shape.is_sender_fault ? ErrorKind::kInvalid : ErrorKind::kInternal;
  std::string message = error.message;
  detail->value = std::make_shared<const E>(std::move(error));
  return Error(kind, std::move(message)).with(std::move(detail));
}

Error wire_fault(WireFault wire);

// One line of a service's table from kinds to wire codes (api/<service>/errors.cc).
struct ErrorRow {
  ErrorKind kind;
  std::string_view code;        // shape name or JSON code
  std::string_view query_code;  // empty: the same
  int status = 400;
};

// The fault an Error becomes: its own detail, or else the row of its kind, or else a general one
// (internal -> InternalFailure 500, busy -> ServiceUnavailable 503, denied -> AccessDenied 403 ...).
const WireFault& wire_of(const Error& error, std::span<const ErrorRow> rows, WireFault& scratch);

}  // namespace fog
