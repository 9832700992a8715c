// Envelope: the JSON documents subscribers receive, and the text over which they are signed.
#pragma once

#include <string>
#include <string_view>

#include "api/sns/documents.h"
#include "api/sns/signer.h"
#include "storage/base/result.h"

namespace fog::sns {

inline constexpr std::string_view kNotification = "Notification";
inline constexpr std::string_view kSubscriptionConfirmation = "SubscriptionConfirmation";
inline constexpr std::string_view kUnsubscribeConfirmation = "UnsubscribeConfirmation";

// The text a protocol gets: its own of a MessageStructure=json message, or else the default.
const std::string& text_for(const StoredMessage& message, const std::string& protocol);

std::string subscribe_url(const StoredMessage& message);
std::string unsubscribe_url(const StoredMessage& message, std::string_view subscription_arn);

// Raw, unescaped "Name\nValue\n" pairs in the documented order.
std::string string_to_sign(const StoredMessage& message, std::string_view text);

// FIFO topics' documents bear no signature.
struct Seal {
  std::string signature{};
  std::string certificate_url{};
};
Result<Seal> seal(Signer& signer, const StoredMessage& message, std::string_view text);

// The document of one subscription (empty ARN for confirmations).
std::string envelope(const StoredMessage& message, std::string_view text, const Seal& seal,
                     std::string_view subscription_arn);
// The event a function receives.
std::string lambda_event(const StoredMessage& message, std::string_view text, const Seal& seal,
                         std::string_view subscription_arn);

}  // namespace fog::sns
