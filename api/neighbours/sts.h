// Sts: who am I, and credentials for another role: what Terraform, Grafana and shippers ask first.
//
// The query protocol of 2011-06-15: GetCallerIdentity, AssumeRole, AssumeRoleWithWebIdentity,
// GetSessionToken, GetAccessKeyInfo. The keys it gives out name their account, so that what is done
// with them lands there; who they are is remembered until the process ends. Any thread.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "api/common/http_message.h"
#include "storage/base/clock.h"
#include "storage/base/guarded.h"
#include "storage/base/random.h"

namespace fog::neighbours {

class Sts {
 public:
  struct Place {
    std::string account;
    std::string region;
    // Of an access key; "": it has none, and `account` stands.
    std::function<std::string(std::string_view access_key)> account_of;
    bool gives_keys = true;  // false: nobody gets keys that are not the operator's
  };

  Sts(Place place, const Clock& clock, Random& random) : place_(std::move(place)), clock_(clock), random_(random) {}

  http::Response answer(const http::Request& request, const std::string& request_id);

 private:
  struct Identity {
    std::string arn;
    std::string user_id;
  };
  struct Caller {
    std::string account;
    std::string partition;
    Identity identity;
  };

  Caller caller_of(const http::Request& request) const;
  std::string caller_identity(const http::Request& request) const;
  http::Response assume_role(const http::Request& request, const std::string& request_id, bool by_web_identity);
  http::Response session_token(const http::Request& request, const std::string& request_id);
  std::string credentials(const std::string& account, Identity identity, Millis lifetime);

  Place place_;
  const Clock& clock_;
  Random& random_;
  Guarded<std::map<std::string, Identity>> issued_;  // by access key
};

}  // namespace fog::neighbours
