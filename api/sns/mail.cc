#include "api/sns/mail.h"

#include <fmt/format.h>

#include <array>

#include "api/sns/common.h"

namespace fog::sns {
namespace {

bool is_ascii(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

// One header line's worth of text: no control characters can end the header early.
std::string header_text(std::string_view text) {
  std::string clean;
  for (const char c : text) clean.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c);
  if (is_ascii(clean)) return clean;
  // Encoded words of at most 75 characters, cut between characters.
  std::string out;
  std::string_view rest = clean;
  while (!rest.empty()) {
    std::size_t n = std::min<std::size_t>(42, rest.size());
    while (n < rest.size() && n > 1 && (static_cast<unsigned char>(rest[n]) & 0xc0) == 0x80) --n;
    if (!out.empty()) out += "\r\n ";
    out += "=?UTF-8?B?" + base64(rest.substr(0, n)) + "?=";
    rest.remove_prefix(n);
  }
  return out;
}

std::string quoted_printable(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  std::size_t column = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '\n') {
      out += "\r\n";
      column = 0;
      continue;
    }
    const bool line_ends = i + 1 == text.size() || text[i + 1] == '\n';
    const bool plain = (c >= 33 && c <= 126 && c != '=') || ((c == ' ' || c == '\t') && !line_ends);
    const std::size_t width = plain ? 1 : 3;
    if (column + width > 75) {
      out += "=\r\n";
      column = 0;
    }
    if (plain) {
      out.push_back(static_cast<char>(c));
    } else {
      out.push_back('=');
      out.push_back(kDigits[c >> 4]);
      out.push_back(kDigits[c & 15]);
    }
    column += width;
  }
  return out;
}

// Short ASCII lines go as they are, so that simple readers find links and the footer.
bool fits_plain(std::string_view text) {
  if (!is_ascii(text)) return false;
  std::size_t line = 0;
  for (const char c : text) {
    line = c == '\n' ? 0 : line + 1;
    if (line > 900 || c == '\r' || c == '\0') return false;
  }
  return true;
}

std::string with_crlf(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') out.push_back('\r');
    out.push_back(c);
  }
  return out;
}

std::string mail_date(Timestamp t) {
  constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(t);
  const std::chrono::year_month_day ymd(day);
  const std::chrono::hh_mm_ss time(std::chrono::floor<std::chrono::seconds>(t - day));
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} +0000", kDays[std::chrono::weekday(day).c_encoding()],
                     static_cast<unsigned>(ymd.day()), kMonths[static_cast<unsigned>(ymd.month()) - 1],
                     static_cast<int>(ymd.year()), time.hours().count(), time.minutes().count(),
                     time.seconds().count());
}

std::string quoted_name(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + "\"";
}

Mail compose(const StoredMessage& message, std::string subject, std::string text, std::string_view type,
             std::string_view from, std::string_view to) {
  Mail mail;
  mail.subject = std::move(subject);
  mail.text = std::move(text);
  const std::string sender = message.sender_name && !message.sender_name->empty() ? *message.sender_name
                                                                                  : "AWS Notifications";
  const std::string name = is_ascii(sender) ? header_text(quoted_name(sender)) : header_text(sender);
  const bool plain = fits_plain(mail.text);
  const std::size_t at = from.rfind('@');
  mail.data = fmt::format(
      "From: {} <{}>\r\nTo: {}\r\nSubject: {}\r\nDate: {}\r\nMessage-ID: <{}@{}>\r\n"
      "MIME-Version: 1.0\r\nContent-Type: {}; charset=UTF-8\r\nContent-Transfer-Encoding: {}\r\n\r\n",
      name, header_text(from), header_text(to), header_text(mail.subject), mail_date(from_ms(message.time_ms)),
      message.message_id, at == std::string_view::npos ? "localhost" : header_text(from.substr(at + 1)), type,
      plain ? "7bit" : "quoted-printable");
  mail.data += plain ? with_crlf(mail.text) : quoted_printable(mail.text);
  mail.data += "\r\n";
  return mail;
}

}  // namespace

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '_' || c == '.' || c == '~' || c == '@' || c == ':';
    if (plain) {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(kDigits[byte >> 4]);
      out.push_back(kDigits[byte & 15]);
    }
  }
  return out;
}

std::string html_escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out.push_back(c);
    }
  }
  return out;
}

std::string confirmation_link(const StoredMessage& message, std::string_view endpoint) {
  return fmt::format("{}/confirmation.html?TopicArn={}&Token={}&Endpoint={}", message.base_url, message.topic_arn,
                     message.token.value_or(""), percent_encode(endpoint));
}

std::string unsubscribe_link(const StoredMessage& message, std::string_view subscription_arn,
                             std::string_view endpoint) {
  return fmt::format("{}/unsubscribe.html?SubscriptionArn={}&Endpoint={}", message.base_url, subscription_arn,
                     percent_encode(endpoint));
}

Mail confirmation_mail(const StoredMessage& message, std::string_view from, std::string_view to) {
  const std::string link = confirmation_link(message, to);
  // The link must keep working when a reader copies the text, so it appears unescaped but for "&".
  std::string text = fmt::format(
      "<html><body>\n<p>You have chosen to subscribe to the topic:<br />\n<b>{}</b></p>\n"
      "<p>To confirm this subscription, click or visit the link below (If this was in error no action is necessary):"
      "<br />\n<a href=\"{}\">Confirm subscription</a></p>\n<hr />\n"
      "<p>Please do not reply directly to this email. If you wish to remove yourself from receiving all future "
      "subscription confirmation requests, tell the operator of this server.</p>\n</body></html>\n",
      html_escape(message.topic_arn), link);
  return compose(message, "AWS Notification - Subscription Confirmation", std::move(text), "text/html", from, to);
}

Mail json_confirmation_mail(const StoredMessage& message, std::string_view envelope, std::string_view from,
                            std::string_view to) {
  return compose(message, "AWS Notification - Subscription Confirmation", std::string(envelope) + "\n", "text/plain",
                 from, to);
}

Mail notification_mail(const StoredMessage& message, std::string_view body, std::string_view subscription_arn,
                       std::string_view from, std::string_view to) {
  std::string text = fmt::format(
      "{}\n\n--\nIf you wish to stop receiving notifications from this topic, please click or visit the link below to "
      "unsubscribe:\n{}\n\nPlease do not reply directly to this email. If you have any questions or comments regarding "
      "this email, please contact the operator of this server at {}\n",
      body, unsubscribe_link(message, subscription_arn, to), message.base_url);
  return compose(message, message.subject && !message.subject->empty() ? *message.subject : "AWS Notification Message",
                 std::move(text), "text/plain", from, to);
}

}  // namespace fog::sns
