// What links in notifications do, shared by the operations and the pages that open in a browser.
#pragma once

#include <string>

#include "api/common/call.h"
#include "storage/base/result.h"

namespace fog::sns {

class Sns;

// The ARN of the subscription that the token confirms (or restores).
Result<std::string> confirm_by_token(Call& call, const std::string& topic_arn, const std::string& token,
                                     bool authenticate_on_unsubscribe);
Status unsubscribe_by_arn(Call& call, const std::string& arn);
Status check_filter_policy_count(Sns& sns, const std::string& topic_arn);

}  // namespace fog::sns
