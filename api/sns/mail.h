// Mail: the messages e-mail subscribers receive, as RFC 5322 text.
#pragma once

#include <string>
#include <string_view>

#include "api/sns/documents.h"

namespace fog::sns {

struct Mail {
  std::string subject{};
  std::string text{};  // what the reader sees, line feeds only
  std::string data{};  // the whole message with headers, CR LF
};

// The mail that asks to confirm; opened link: <base>/confirmation.html?...
Mail confirmation_mail(const StoredMessage& message, std::string_view from, std::string_view to);
// A notification; `body` is the text, or the envelope for email-json.
Mail notification_mail(const StoredMessage& message, std::string_view body, std::string_view subscription_arn,
                       std::string_view from, std::string_view to);
// email-json's confirmation: the envelope itself.
Mail json_confirmation_mail(const StoredMessage& message, std::string_view envelope, std::string_view from,
                            std::string_view to);

std::string confirmation_link(const StoredMessage& message, std::string_view endpoint);
std::string unsubscribe_link(const StoredMessage& message, std::string_view subscription_arn, std::string_view endpoint);
std::string percent_encode(std::string_view text);
std::string html_escape(std::string_view text);

}  // namespace fog::sns
