// Guard: keeps web pages of other sites from using this server through their visitor's browser.
//
// Form-encoded calls need no CORS preflight, so any page could otherwise write to a Fogwatch on its
// visitor's machine. SDKs, agents and command lines send none of the headers judged here and are
// never refused. The rules are those of every request, before it is routed:
//   - an Origin other than this server's own or an allowed one is refused;
//   - a fetch from another site, or another port of this one, is refused, but for a click on a link to a page meant for it;
//   - a browser must have used a name that is certainly this server's (DNS rebinding).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/common/http_message.h"

namespace fog {

struct GuardRules {
  std::vector<std::string> allowed_hosts;    // names without port
  std::vector<std::string> allowed_origins;  // "https://example.org", "*" for any
};

struct GuardVerdict {
  std::string_view refused;       // why; empty: let in
  std::string_view cors_origin;   // the allowed foreign origin, to be named in the answer
  bool is_preflight = false;
  bool is_browser = false;
};

GuardVerdict judge(const http::Request& request, const GuardRules& rules);

// What no browser shall do with an answer: guess its type, run it, frame it, or tell where it came from.
// A header that is there already stays.
void harden(http::Response& response, bool is_tls);

// Headers that let the page of `origin` read the answer.
void add_cors_headers(std::string_view origin, http::Response& response);
// The answer to a preflight of an allowed origin.
http::Response preflight_answer(const http::Request& request, std::string_view origin);

}  // namespace fog
