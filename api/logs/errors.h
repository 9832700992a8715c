// How failures of the service are worded on the wire.
#pragma once

#include <span>

#include "api/common/fault.h"
#include "api/common/operation.h"

namespace fog::logs {

std::span<const ErrorRow> error_rows();
Error invalid_input(const OperationInfo& operation, std::span<const Violation> violations);

}  // namespace fog::logs
