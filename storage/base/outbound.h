// Outbound: the one door through which Fogwatch calls other programs.
//
// SNS deliveries, subscription filters and webhooks pass through it. The server's implementation
// uses libcurl on threads of its own and enforces the rules against server-side request forgery;
// tests record. Any thread; the callback runs on a thread of the implementation.
#pragma once

#include "storage/base/clock.h"
#include "storage/base/result.h"

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace fog {

struct OutboundRequest {
  std::string method = "POST";
  std::string url;  // http or https
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  Millis timeout{15000};
  std::size_t response_bytes_max = 64 * 1024;  // the rest of an answer is cut off
};

struct OutboundResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  Millis took{0};
};

struct OutboundMail {
  std::string from;
  std::string to;
  std::string data;  // the whole RFC 5322 message, CR LF line ends
};

class Outbound {
 public:
  using HttpDone = std::function<void(Result<OutboundResponse>)>;
  using MailDone = std::function<void(Status)>;
  virtual ~Outbound() = default;

  // Error kinds: invalid (URL), denied (address not allowed), busy (could not connect, time-out).
  virtual void http(OutboundRequest request, HttpDone done) = 0;
  // False when no relay is configured: the message then belongs in the outbox.
  virtual bool has_mail_relay() const = 0;
  virtual void mail(OutboundMail mail, MailDone done) = 0;
};

}  // namespace fog
