#include "api/sns/service.h"

#include <fmt/format.h>

#include "api/sns/common.h"
#include "api/sns/mail.h"
#include "api/sns/operations.h"
#include "api/sns/subscriptions.h"

namespace fog::sns {
namespace {

constexpr ErrorRow kErrors[] = {
    {ErrorKind::kNotFound, "NotFoundException", "NotFound", 404},
    {ErrorKind::kInvalid, "InvalidParameterException", "InvalidParameter", 400},
    {ErrorKind::kLimit, "InvalidParameterException", "InvalidParameter", 400},
    {ErrorKind::kDenied, "AuthorizationErrorException", "AuthorizationError", 403},
    {ErrorKind::kInternal, "InternalErrorException", "InternalError", 500},
    {ErrorKind::kCorrupt, "InternalErrorException", "InternalError", 500},
};

std::string percent_decode(std::string_view text) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0) {
      out.push_back(static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

std::string parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    const std::size_t equals = pair.find('=');
    if (pair.substr(0, equals) == name)
      return equals == std::string_view::npos ? std::string() : percent_decode(pair.substr(equals + 1));
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return {};
}

http::Response page(int status, std::string_view title, std::string body) {
  http::Response out;
  out.status = status;
  out.set("Content-Type", "text/html; charset=utf-8");
  out.set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
  out.set("X-Content-Type-Options", "nosniff");
  out.set("Referrer-Policy", "no-referrer");
  out.set("Cache-Control", "no-store");
  out.body = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}</title>"
      "<style>body{{font:16px/1.5 sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}}code{{word-break:break-all}}"
      "</style></head>\n<body><h1>{0}</h1>\n{1}\n</body></html>\n",
      title, body);
  return out;
}

http::Response failure(const Error& error) {
  WireFault scratch;
  const WireFault& wire = wire_of(error, kErrors, scratch);
  return page(wire.status, "This did not work", fmt::format("<p>{}</p>", html_escape(wire.message)));
}

// An unsigned visitor comes from no region; the ARN of the link says where it leads.
void move_to(Call& call, std::string_view arn_text) {
  if (const auto arn = parse_arn(arn_text)) {
    call.region = std::string(arn->region);
    call.account = std::string(arn->account);
  }
}

http::Response confirm(Sns& sns, Call& call, std::string_view query) {
  const std::string topic = parameter(query, "TopicArn");
  move_to(call, topic);
  auto arn = confirm_by_token(call, topic, parameter(query, "Token"), false);
  if (!arn.ok()) return failure(arn.error());
  StoredMessage message;
  message.base_url = sns.base_url(call);
  const std::string link = unsubscribe_link(message, *arn, parameter(query, "Endpoint"));
  return page(200, "Subscription confirmed!",
              fmt::format("<p>You have successfully subscribed.</p>\n<p>Your subscription's id is:<br><code>{}</code></p>\n"
                          "<p>If it was not your intention to subscribe, <a href=\"{}\">click here to unsubscribe</a>.</p>",
                          html_escape(*arn), html_escape(link)));
}

http::Response leave(Call& call, std::string_view query) {
  const std::string arn = parameter(query, "SubscriptionArn");
  move_to(call, arn);
  if (Status status = unsubscribe_by_arn(call, arn); !status.ok()) return failure(status.error());
  return page(200, "Subscription removed!",
              fmt::format("<p>Your subscription's id was:<br><code>{}</code></p>", html_escape(arn)));
}

}  // namespace

Service service() {
  return {.info = &kService,
          .operations = {topic_operations(), subscription_operations(), publish_operations(), mobile_operations(),
                         sms_operations()},
          .errors = kErrors};
}

std::optional<http::Response> serve_link(Sns& sns, Call& call, std::string_view target) {
  const std::size_t mark = target.find('?');
  const std::string_view path = target.substr(0, mark);
  const std::string_view query = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
  if (path == "/confirmation.html") return confirm(sns, call, query);
  if (path == "/unsubscribe.html") return leave(call, query);
  if (!path.starts_with("/SimpleNotificationService-") || !path.ends_with(".pem")) return std::nullopt;
  const auto name = sns.signer().certificate_name();
  if (!name.ok() || path.substr(1) != *name) return page(404, "Not found", "");
  const auto pem = sns.signer().certificate_pem();
  http::Response out;
  out.set("Content-Type", "application/x-pem-file");
  out.body = pem.ok() ? *pem : std::string();
  return out;
}

}  // namespace fog::sns
