// PlainHttp: calls of http:// addresses that are written as an IP address, many a second.
//
// One thread on epoll; connections are kept and used again, a few for each address. What needs a
// name looked up or TLS is libcurl's (outbound.cc), which does all of it at several times the cost.
// The address rules judge every address before it is connected to; redirects are not followed.
//
// A connection that was kept may have been closed by the other side meanwhile: a call that finds it
// so before a byte of its answer came is tried once more on a fresh one.
// Threads: submit from any; callbacks run on the own thread.
#pragma once

#include <netinet/in.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/address_rules.h"
#include "storage/base/outbound.h"

namespace fog {

class PlainHttp {
 public:
  struct Options {
    const AddressRules* rules = nullptr;
    std::size_t connections_per_address_max = 32;
    Millis connect_timeout{5'000};
  };
  struct Where {
    sockaddr_storage address{};
    socklen_t length = 0;
    std::string authority{};  // as in Host, and the key of connections
    std::string target{};     // path and query
  };
  // Nothing: not a URL for this class.
  static std::optional<Where> parse(std::string_view url);

  explicit PlainHttp(Options options);
  ~PlainHttp();  // ends what is under way with "busy"
  void submit(Where where, OutboundRequest request, Outbound::HttpDone done);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fog
