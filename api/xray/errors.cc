// Kinds of errors to X-Ray's codes, in one table.
#include "api/xray/errors.h"

#include "api/common/violations.h"
#include "api/xray/model.h"

namespace fog::xray {

namespace {

constexpr ErrorRow kErrors[] = {
    {ErrorKind::kNotFound, "ResourceNotFoundException", "", 404},
    {ErrorKind::kExists, "InvalidRequestException", "", 400},
    {ErrorKind::kInvalid, "InvalidRequestException", "", 400},
    {ErrorKind::kLimit, "InvalidRequestException", "", 400},
    {ErrorKind::kConflict, "InvalidRequestException", "", 400},
    {ErrorKind::kBusy, "ThrottledException", "", 429},
};

}  // namespace

std::span<const ErrorRow> error_rows() { return kErrors; }

Error on_invalid(const OperationInfo&, std::span<const Violation> violations) {
  return invalid(validation_text(violations));
}

}  // namespace fog::xray
