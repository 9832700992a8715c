// Requests to services that speak AWS's API at an address of the configuration: queues, functions,
// streams. Each is signed with the credentials of its target (Signature Version 4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/common/message_queues.h"
#include "api/sns/options.h"
#include "storage/base/clock.h"
#include "storage/base/outbound.h"

namespace fog::sns {

// Nothing: no target is configured for the ARN.
std::optional<OutboundRequest> send_message_request(const Options& options, Timestamp real_now,
                                                    std::string_view queue_arn, const QueueMessage& message);
std::optional<OutboundRequest> invoke_request(const Options& options, Timestamp real_now,
                                              std::string_view function_arn, std::string_view event);
std::optional<OutboundRequest> put_record_request(const Options& options, Timestamp real_now,
                                                  std::string_view stream_arn, std::string_view record);

}  // namespace fog::sns
