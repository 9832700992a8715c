// The SQS service's table for main.
#pragma once

#include "api/common/registry.h"
#include "api/sqs/sqs.h"

namespace fog::sqs {

Service service();

std::span<const Operation> queue_operations();
std::span<const Operation> message_operations();

// The queue a URL means; the account and region of the call where it names none.
QueueKey queue_of_url(const Call& call, const std::string& url);
std::string queue_url(const Call& call, const QueueKey& key);
Error bad_value(std::string_view parameter, std::string_view value, std::string_view reason);

}  // namespace fog::sqs
