// The notification service as main sees it: its operations, and the pages and files that links in
// its messages lead to.
#pragma once

#include <optional>
#include <string_view>

#include "api/common/call.h"
#include "api/common/http_message.h"
#include "api/common/registry.h"
#include "api/sns/sns.h"

namespace fog::sns {

Service service();

// GET /SimpleNotificationService-<hex>.pem, /confirmation.html, /unsubscribe.html. Nothing: not ours.
// `call` is that of an unsigned caller; `target` path and query as received.
std::optional<http::Response> serve_link(Sns& sns, Call& call, std::string_view target);

}  // namespace fog::sns
