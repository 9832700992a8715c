// Signing requests of our own (Signature Version 4), for services that Fogwatch calls.
#pragma once

#include <string_view>

#include "storage/base/clock.h"
#include "storage/base/outbound.h"

namespace fog {

// Adds X-Amz-Date and Authorization; signs host, date and body. The URL has no query.
void sign_request(OutboundRequest& request, std::string_view service, std::string_view region, std::string_view access_key,
                  std::string_view secret_key, Timestamp real_now);

}  // namespace fog
