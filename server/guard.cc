#include "server/guard.h"

#include <algorithm>
#include <array>

namespace fog {
namespace {

// What a browser adds to its requests; views into the request.
struct BrowserHeaders {
  std::string_view host, origin, fetch_site, fetch_mode, fetch_dest;
  bool has_origin = false;
  bool is_browser = false;
};

// One walk over the headers, comparing only names of a length that matters.
BrowserHeaders collect(const http::Request& request) {
  BrowserHeaders found;
  for (const http::Header& h : request.headers) {
    const auto is = [&](std::string_view name) { return http::equal_ignoring_case(h.name, name); };
    switch (h.name.size()) {
      case 4:
        if (is("host")) found.host = h.value;
        break;
      case 6:
        if (is("origin")) {
          found.origin = h.value;
          found.has_origin = found.is_browser = true;
        }
        break;
      case 7:
        if (is("referer")) found.is_browser = true;
        break;
      case 10:
        if (is("user-agent") && h.value.starts_with("Mozilla/")) found.is_browser = true;
        break;
      case 14:
        if (is("sec-fetch-site")) found.fetch_site = h.value, found.is_browser = true;
        else if (is("sec-fetch-mode")) found.fetch_mode = h.value, found.is_browser = true;
        else if (is("sec-fetch-dest")) found.fetch_dest = h.value, found.is_browser = true;
        else if (is("sec-fetch-user")) found.is_browser = true;
        break;
      default: break;
    }
  }
  return found;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

bool is_ip4_literal(std::string_view name) {
  return !name.empty() && name.find_first_not_of("0123456789.") == std::string_view::npos &&
         std::count(name.begin(), name.end(), '.') == 3;
}

// Names that cannot be some attacker's DNS entry pointing here.
bool is_own_name(std::string_view host, const GuardRules& rules) {
  if (host.starts_with('[')) return host.find(']') != std::string_view::npos;  // IPv6 literal
  std::string name = lower(host.substr(0, host.find(':')));
  if (name.ends_with('.')) name.pop_back();
  if (name.empty()) return false;
  if (is_ip4_literal(name) || name.find('.') == std::string::npos) return true;
  if (name.ends_with(".localhost") || name == "host.docker.internal" || name.ends_with(".amazonaws.com")) return true;
  return std::any_of(rules.allowed_hosts.begin(), rules.allowed_hosts.end(),
                     [&](const std::string& allowed) { return lower(allowed) == name; });
}

// "http://127.0.0.1:4566" against Host "127.0.0.1:4566".
bool is_own_origin(std::string_view origin, std::string_view host) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (origin.starts_with(scheme)) return !host.empty() && http::equal_ignoring_case(origin.substr(scheme.size()), host);
  }
  return false;
}

bool is_allowed_origin(std::string_view origin, const GuardRules& rules) {
  return std::any_of(rules.allowed_origins.begin(), rules.allowed_origins.end(),
                     [&](const std::string& allowed) { return allowed == "*" || http::equal_ignoring_case(allowed, origin); });
}

// A link in a mail or on another site, clicked by a person.
bool is_permitted_navigation(const http::Request& request, const BrowserHeaders& browser) {
  if (request.method != "GET" || browser.fetch_mode != "navigate" || browser.fetch_dest != "document") return false;
  const std::size_t mark = request.target.find('?');
  const std::string_view path = request.target.substr(0, mark);
  if (path == "/console/" || path == "/confirmation.html" || path == "/unsubscribe.html") return true;
  if (path != "/") return false;
  if (mark == std::string_view::npos) return true;
  std::string_view rest = request.target.substr(mark + 1);
  bool is_link = true;
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    if (pair.starts_with("Action=")) is_link = is_link && (pair == "Action=ConfirmSubscription" || pair == "Action=Unsubscribe");
  }
  return is_link;
}

}  // namespace

GuardVerdict judge(const http::Request& request, const GuardRules& rules) {
  const BrowserHeaders browser = collect(request);
  GuardVerdict verdict;
  verdict.is_browser = browser.is_browser;
  if (!browser.is_browser) return verdict;
  if (!is_own_name(browser.host, rules)) {
    verdict.refused = "This host name is not known to be this server's; add it to allowed-hosts.";
    return verdict;
  }
  if (browser.has_origin && !is_own_origin(browser.origin, browser.host)) {
    if (!is_allowed_origin(browser.origin, rules)) {
      verdict.refused = "Pages of this origin may not call this server; add it to allowed-origins.";
      return verdict;
    }
    verdict.cors_origin = browser.origin;
    verdict.is_preflight = request.method == "OPTIONS" && request.has_header("access-control-request-method");
    return verdict;
  }
  // "same-site" is another port or another name of the same machine: no page of ours either.
  if ((browser.fetch_site == "cross-site" || browser.fetch_site == "same-site") && !is_permitted_navigation(request, browser)) {
    verdict.refused = "Pages of other sites may not call this server.";
  }
  return verdict;
}

void harden(http::Response& response, bool is_tls) {
  const auto add = [&](const char* name, const char* value) {
    const auto named = [&](const auto& header) { return http::equal_ignoring_case(header.first, name); };
    if (std::none_of(response.headers.begin(), response.headers.end(), named)) response.set(name, value);
  };
  add("X-Content-Type-Options", "nosniff");
  add("X-Frame-Options", "DENY");
  add("Referrer-Policy", "no-referrer");
  add("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'");
  add("Cross-Origin-Opener-Policy", "same-origin");
  if (is_tls) add("Strict-Transport-Security", "max-age=31536000");
}

void add_cors_headers(std::string_view origin, http::Response& response) {
  response.set("Access-Control-Allow-Origin", std::string(origin));
  response.set("Access-Control-Expose-Headers",
               "x-amzn-RequestId,x-amzn-ErrorType,x-amzn-query-error,x-amzn-ErrorMessage,Date,smithy-protocol,x-amz-retry-after");
  response.set("Vary", "Origin");
}

http::Response preflight_answer(const http::Request& request, std::string_view origin) {
  http::Response response;
  response.status = 204;
  response.set("Access-Control-Allow-Origin", std::string(origin));
  response.set("Access-Control-Allow-Methods", "GET,POST,PUT,DELETE,OPTIONS");
  // A literal "*" would not cover Authorization.
  if (const auto wanted = request.header("access-control-request-headers"); !wanted.empty()) {
    response.set("Access-Control-Allow-Headers", std::string(wanted));
  }
  response.set("Access-Control-Max-Age", "3600");
  response.set("Vary", "Origin");
  return response;
}

}  // namespace fog
