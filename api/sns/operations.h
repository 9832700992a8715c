// The operation tables of this service's files, and checks that several of them make.
#pragma once

#include <span>
#include <string_view>

#include "api/common/operation.h"
#include "storage/base/result.h"

namespace fog::sns {

std::span<const Operation> topic_operations();
std::span<const Operation> subscription_operations();
std::span<const Operation> publish_operations();
std::span<const Operation> mobile_operations();
std::span<const Operation> sms_operations();

Status check_data_protection_policy(std::string_view json);

}  // namespace fog::sns
