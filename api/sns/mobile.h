// Platform applications, their endpoints, and numbers that opted out: what publishing asks of them.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "api/common/call.h"
#include "storage/base/result.h"
#include "storage/resource_store.h"

namespace fog::sns {

// Exists and is enabled, or the fault Publish gives.
Status check_publish_endpoint(Call& call, std::string_view arn);
bool is_opted_out(const ResourceStore& store, std::string_view account, std::string_view region,
                  std::string_view number);

// In the sandbox only numbers that were verified get messages.
bool is_verified(const ResourceStore& store, std::string_view account, std::string_view region, std::string_view number);
std::map<std::string, std::string> sms_attributes(const ResourceStore& store, std::string_view account, std::string_view region);

}  // namespace fog::sns
