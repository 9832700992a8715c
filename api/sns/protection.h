// Data protection policies of topics: what may not be published, and what is masked on the way in.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/sns/sns.h"

namespace fog::sns {

struct Finding {
  std::size_t begin = 0;
  std::size_t end = 0;
};
// Where `text` holds what the identifier names (EmailAddress, IpAddress, CreditCardNumber, Ssn-US,
// PhoneNumber-*, AwsSecretKey); unknown identifiers find nothing.
std::vector<Finding> find_identifier(std::string_view identifier, std::string_view text);

// De-identifies the texts, then refuses with AuthorizationError where a statement denies them.
Status apply_inbound_protection(const std::string& policy, Checked& checked);
// True: an outbound statement forbids delivery.
bool outbound_denied(const std::string& policy, std::string_view text);

}  // namespace fog::sns
