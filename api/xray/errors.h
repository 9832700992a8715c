// How X-Ray names errors.
#pragma once

#include <span>

#include "api/common/fault.h"
#include "api/common/operation.h"

namespace fog::xray {

std::span<const ErrorRow> error_rows();
// Breaches of the model are InvalidRequestException here.
Error on_invalid(const OperationInfo& operation, std::span<const Violation> violations);

}  // namespace fog::xray
