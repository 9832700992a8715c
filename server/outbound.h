// CurlOutbound: the Outbound door by libcurl, on one thread that starts with the first call. Plain
// http to an address that needs no name looked up takes a shorter way (plain_http.h), same rules.
//
// HTTP and HTTPS with connections kept for reuse, no redirects, no proxy, an answer's size capped;
// the address a name resolved to is judged by AddressRules at the moment of connecting, so a name
// cannot change its mind in between. Mail goes to the configured relay only (STARTTLS when it
// offers it). Callers never wait: the queue is bounded, and past it the answer is "busy".
#pragma once

#include <cstdint>
#include <memory>

#include "server/address_rules.h"
#include "server/config.h"
#include "storage/base/outbound.h"

namespace fog {

class CurlOutbound final : public Outbound {
 public:
  struct Options {
    AddressRules rules;
    SmtpRelay smtp;
    std::size_t running_max = 64;
    std::size_t queue_max = 10'000;
    Millis connect_timeout{5'000};
  };
  struct Stats {
    std::uint64_t calls = 0;
    std::uint64_t failures = 0;  // no answer at all, of whatever reason
    std::uint64_t denied = 0;
    std::uint64_t refused = 0;   // the queue was full
    std::uint64_t waiting = 0;   // queued or under way
  };

  explicit CurlOutbound(Options options);
  ~CurlOutbound() override;  // ends what is under way with "busy"

  void http(OutboundRequest request, HttpDone done) override;
  bool has_mail_relay() const override;
  void mail(OutboundMail mail, MailDone done) override;

  // The doors this server listens on, once they are known; before the first call.
  void set_own_ports(std::vector<std::uint16_t> ports);
  Stats stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fog
