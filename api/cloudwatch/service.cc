#include "api/cloudwatch/service.h"

#include "api/cloudwatch/alarm_log.h"
#include "api/cloudwatch/alarm_operations.h"
#include "api/cloudwatch/model.h"
#include "api/common/violations.h"

namespace fog::cloudwatch {
namespace {

constexpr ErrorRow kErrors[] = {
    {ErrorKind::kNotFound, "ResourceNotFoundException", "", 404},
    {ErrorKind::kExists, "ConflictException", "", 409},
    {ErrorKind::kInvalid, "InvalidParameterValueException", "InvalidParameterValue", 400},
    {ErrorKind::kLimit, "LimitExceededException", "", 400},
    {ErrorKind::kConflict, "ConflictException", "", 409},
    {ErrorKind::kDenied, "AccessDenied", "", 403},
    {ErrorKind::kCorrupt, "InternalServiceFault", "InternalServiceError", 500},
    {ErrorKind::kInternal, "InternalServiceFault", "InternalServiceError", 500},
};

// GetMetricData reports a missing member as a validation error with a line end; every other
// operation as a missing parameter. Other constraints: the shared validator's words.
Error on_invalid(const OperationInfo& operation, std::span<const Violation> violations) {
  if (violations.front().constraint != Constraint::kNotNull) return validation_error(operation, violations);
  const std::string text = "The parameter " + violations.front().query_path() + " is required.";
  return operation.name == "GetMetricData" ? validation(text + "\n") : missing(text);
}

}  // namespace

Service service() {
  return {.info = &kService,
          .operations = {put_metric_operations(), metric_read_operations(), metric_data_operations(),
                         dashboard_operations(), tag_operations(), anomaly_operations(),
                         insight_rule_operations(), metric_stream_operations(), setting_operations(),
                         widget_image_operations(), alarm_put_operations(), alarm_describe_operations(),
                         alarm_mute_operations(), alarm_log_operations()},
          .errors = kErrors,
          .on_invalid = on_invalid};
}

}  // namespace fog::cloudwatch
