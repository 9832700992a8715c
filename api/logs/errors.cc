// Which wire error a kind of failure is, and how breaches of the model are worded.
#include "api/logs/errors.h"

#include "api/common/violations.h"
#include "api/logs/common.h"

namespace fog::logs {
namespace {

constexpr ErrorRow kErrors[] = {
    {ErrorKind::kNotFound, "ResourceNotFoundException", "", 400},
    {ErrorKind::kExists, "ResourceAlreadyExistsException", "", 400},
    {ErrorKind::kInvalid, "InvalidParameterException", "", 400},
    {ErrorKind::kLimit, "LimitExceededException", "", 400},
    {ErrorKind::kConflict, "OperationAbortedException", "", 400},
    {ErrorKind::kDenied, "AccessDeniedException", "", 400},
    {ErrorKind::kBusy, "ServiceUnavailableException", "", 503},
    {ErrorKind::kCorrupt, "InternalServerException", "", 500},
    {ErrorKind::kInternal, "InternalServerException", "", 500},
};

// The newer families of operations: deliveries, scheduled queries, S3 tables, integrations.
bool answers_validation_exception(const OperationInfo& operation) {
  for (const std::string_view word : {std::string_view("Deliver"), std::string_view("ScheduledQuer"), std::string_view("S3Table"),
                                      std::string_view("Integration"), std::string_view("ConfigurationTemplate")})
    if (operation.name.find(word) != std::string_view::npos) return true;
  return false;
}

}  // namespace

std::span<const ErrorRow> error_rows() { return kErrors; }

Error invalid_input(const OperationInfo& operation, std::span<const Violation> violations) {
  if (answers_validation_exception(operation))
    return fault(ValidationException{.message = validation_text(violations)});
  for (const Violation& violation : violations) {
    if (violation.constraint != Constraint::kLengthMax || violation.path.empty()) continue;
    const std::string& member = violation.path.back().name;
    if (member == "logGroupName" || member == "logStreamName")
      return invalid_parameter("Invalid LogGroup or LogStream, both must have length less than or equal to 512.");
  }
  return invalid_parameter(validation_text(violations));
}

}  // namespace fog::logs
