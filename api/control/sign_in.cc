#include "api/control/sign_in.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/control/json_page.h"

namespace fog {
namespace {

using page::Json;

constexpr std::string_view kLogin = "/_fogwatch/login";
constexpr std::string_view kLogout = "/_fogwatch/logout";
constexpr std::string_view kSession = "/_fogwatch/session";
constexpr std::size_t kBodyMax = 8 * 1024;

// Under TLS the prefix makes the browser insist on Secure, on the whole host and on no Domain.
constexpr std::string_view kCookie = "fogwatch_session";
constexpr std::string_view kCookieTls = "__Host-fogwatch_session";

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

std::string cookie(const http::Request& request, std::string_view token, std::int64_t seconds) {
  return fmt::format("{}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{}", request.is_tls ? kCookieTls : kCookie, token, seconds,
                     request.is_tls ? "; Secure" : "");
}

std::int64_t seconds(Millis time) { return time.count() / 1000; }

}  // namespace

bool SignIn::owns(std::string_view path) { return path == kLogin || path == kLogout || path == kSession; }

std::string_view SignIn::token_of(const http::Request& request) {
  const std::string_view wanted = request.is_tls ? kCookieTls : kCookie;
  for (const http::Header& header : request.headers) {
    if (!http::equal_ignoring_case(header.name, "cookie")) continue;
    std::string_view rest = header.value;
    while (!rest.empty()) {
      std::string_view pair = rest.substr(0, rest.find(';'));
      rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
      while (pair.starts_with(' ')) pair.remove_prefix(1);
      if (pair.starts_with(wanted) && pair.size() > wanted.size() && pair[wanted.size()] == '=') return pair.substr(wanted.size() + 1);
    }
  }
  return {};
}

bool SignIn::is_from_console(const http::Request& request) { return request.has_header("x-fogwatch-console"); }

http::Response SignIn::answer(const http::Request& request, Millis now) {
  const std::string_view path = path_of(request.target);
  if (path == kSession) return request.method == "GET" ? session(request, now) : page::wrong_method("GET");
  if (request.method != "POST") return page::wrong_method("POST");
  if (!is_from_console(request)) return page::error(403, "Forbidden", "This call needs the header X-Fogwatch-Console.");
  return path == kLogin ? sign_in(request, now) : sign_out(request);
}

http::Response SignIn::sign_in(const http::Request& request, Millis now) {
  if (sessions_ == nullptr) return page::error(404, "NotAvailable", "Nobody needs to sign in to this server.");
  if (request.body.size() > kBodyMax) return page::error(413, "RequestEntityTooLarge", "The request body is too large.");
  const auto body = page::object_of(request);
  const std::string user = body ? page::text(*body, "user") : "";
  const std::string password = body ? page::text(*body, "password") : "";
  if (user.empty() || password.empty()) return page::error(400, "InvalidBody", "Give \"user\" and \"password\".");
  auto verdict = sessions_->sign_in(user, password, request.peer, now);
  if (!verdict.opened) {
    switch (verdict.refusal) {
      case Sessions::Refusal::kWrong: return page::error(401, "WrongPassword", "There is no such user with this password.");
      case Sessions::Refusal::kBusy: {
        auto busy = page::error(503, "Busy", "Too many people sign in at once; try again.");
        busy.set("Retry-After", "1");
        return busy;
      }
      case Sessions::Refusal::kLocked: {
        const std::int64_t wait = seconds(verdict.wait + Millis(999));
        auto locked = page::error(429, "TooManyAttempts", fmt::format("Too many wrong passwords; try again in {} s.", wait));
        locked.set("Retry-After", std::to_string(wait));
        return locked;
      }
    }
  }
  // Whoever had another session in this browser leaves it.
  sessions_->sign_out(token_of(request));
  auto response = page::json({{"user", verdict.opened->user->identity.name}, {"account", verdict.opened->user->identity.account}});
  response.set("Set-Cookie", cookie(request, verdict.opened->token, seconds(sessions_->options().lifetime)));
  return response;
}

http::Response SignIn::sign_out(const http::Request& request) {
  if (sessions_ != nullptr) sessions_->sign_out(token_of(request));
  auto response = page::json(Json::object());
  response.set("Set-Cookie", cookie(request, "", 0));
  response.set("Clear-Site-Data", "\"cache\"");
  return response;
}

http::Response SignIn::session(const http::Request& request, Millis now) {
  if (sessions_ == nullptr) return page::json({{"required", false}, {"user", nullptr}});
  const std::string_view token = token_of(request);
  const auto user = sessions_->find(token, now, true);
  if (!user) return page::json({{"required", true}, {"user", nullptr}});
  return page::json({{"required", true},
                     {"user", user->identity.name},
                     {"account", user->identity.account},
                     {"seconds_left", seconds(sessions_->left(token, now))}});
}

}  // namespace fog
