// Gate: where access keys are enforced: who is calling, and may they.
//
// A program signs its call; a person at the console has a session. Whatever is no call of a service
// (own pages, neighbours, telemetry) is shut unless the caller's policies allow an action: for own
// pages "fogwatch:GetRequests", "fogwatch:PostReset" and the like, signed for the service "fogwatch".
// Any thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/auth/keys.h"
#include "api/auth/sessions.h"
#include "api/auth/sigv4.h"
#include "api/auth/temporary.h"
#include "api/common/http_message.h"
#include "storage/base/clock.h"

namespace fog {

class Gate {
 public:
  Gate(const Keys& keys, Sessions& sessions) : keys_(keys), temporary_(keys), sessions_(sessions) {}

  struct Refusal {
    int status = 403;
    std::string code;
    std::string message;
  };
  struct Visitor {
    std::shared_ptr<const AccessKey> identity;  // null: refused
    std::string region;                         // that the call is signed for; "": none
    Refusal refusal;
  };

  // The session of a request that the console sends; null: it has none, or it is over. A session
  // counts only beside the console's own header, but for reading the server's pages.
  std::shared_ptr<const AccessKey> session(const http::Request& request, bool is_own_page) const;
  // Does the request speak for a session rather than sign itself?
  static bool speaks_for_session(const http::Request& request);

  // Of a long-term key, or of temporary credentials that come with their token.
  std::optional<sigv4::Secrets> secrets_of(const sigv4::Signature& signature) const;
  // Whose verified signature that is; null: revoked since.
  std::shared_ptr<const AccessKey> holder(const sigv4::Signature& signature) const;

  // By session or by signature for one of `services` (empty: whichever).
  Visitor visitor(const http::Request& request, std::initializer_list<std::string_view> services) const;
  // The visitor, if policies allow this too.
  Visitor admit(const http::Request& request, std::initializer_list<std::string_view> services, const std::string& action,
                std::string resource = "*") const;

 private:
  const Keys& keys_;
  TemporaryKeys temporary_;
  Sessions& sessions_;
};

// "fogwatch:PostClock" for POST /_fogwatch/clock/advance: the method, and the page's first word.
std::string control_action(std::string_view method, std::string_view path);

// Pages that everybody may read: whether the server lives, and the way in.
bool is_open_page(const http::Request& request);

// Telemetry that is no AWS call, and what one must be allowed in order to send it; nothing: not of that kind.
struct TelemetryAction {
  std::string_view service;  // that it is signed for
  std::string action;
  std::string resource;
};
std::optional<TelemetryAction> telemetry_action(const http::Request& request);

}  // namespace fog
