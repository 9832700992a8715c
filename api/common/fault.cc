#include "api/common/fault.h"

namespace fog {

Error wire_fault(WireFault wire) {
  auto detail = std::make_shared<FaultDetail>();
  const auto kind = wire.status >= 500 ? ErrorKind::kInternal : ErrorKind::kInvalid;
  std::string message = wire.message;
  detail->wire = std::move(wire);
  return Error(kind, std::move(message)).with(std::move(detail));
}

namespace {

// When a service says nothing of a kind.
constexpr ErrorRow kGeneral[] = {
    {ErrorKind::kNotFound, "ResourceNotFoundException", "ResourceNotFound", 404},
    {ErrorKind::kExists, "ResourceAlreadyExistsException", "ResourceAlreadyExists", 400},
    {ErrorKind::kInvalid, "ValidationException", "ValidationError", 400},
    {ErrorKind::kLimit, "LimitExceededException", "LimitExceeded", 400},
    {ErrorKind::kConflict, "ConflictException", "Conflict", 409},
    {ErrorKind::kDenied, "AccessDeniedException", "AccessDenied", 403},
    {ErrorKind::kBusy, "ServiceUnavailableException", "ServiceUnavailable", 503},
    {ErrorKind::kCorrupt, "InternalFailure", "InternalFailure", 500},
    {ErrorKind::kInternal, "InternalFailure", "InternalFailure", 500},
};

const ErrorRow* find(ErrorKind kind, std::span<const ErrorRow> rows) {
  for (const ErrorRow& row : rows)
    if (row.kind == kind) return &row;
  return nullptr;
}

}  // namespace

const WireFault& wire_of(const Error& error, std::span<const ErrorRow> rows, WireFault& scratch) {
  if (const auto* detail = dynamic_cast<const FaultDetail*>(error.detail())) return detail->wire;
  const ErrorRow* row = find(error.kind(), rows);
  if (row == nullptr) row = find(error.kind(), kGeneral);
  scratch = {.code = std::string(row->code),
             .query_code = std::string(row->query_code),
             .status = row->status,
             .message = error.message()};
  return scratch;
}

}  // namespace fog
