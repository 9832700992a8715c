// Sts: who am I, and credentials for another role: what Terraform, Grafana and shippers ask first.
//
// The query protocol of 2011-06-15: GetCallerIdentity, AssumeRole, AssumeRoleWithWebIdentity,
// GetSessionToken, GetAccessKeyInfo. The keys it gives out name their account, so that what is done
// with them lands there; who they are is remembered until the process ends. Where signatures are
// enforced the credentials hang on the caller's key (api/auth/temporary.h): a role is a name for a
// session that may do what its caller may, less what the session policy leaves out. Any thread.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "api/auth/temporary.h"
#include "api/common/http_message.h"
#include "storage/base/clock.h"
#include "storage/base/guarded.h"
#include "storage/base/random.h"

namespace fog::neighbours {

// The id of the user behind a key; the same each time.
std::string user_id_of(const AccessKey& key);

class Sts {
 public:
  struct Place {
    std::string account;
    std::string region;
    // Of an access key; "": it has none, and `account` stands.
    std::function<std::string(std::string_view access_key)> account_of;
  };

  Sts(Place place, const Clock& clock, Random& random) : place_(std::move(place)), clock_(clock), random_(random) {}

  // `caller`: who signed it, where that is enforced.
  http::Response answer(const http::Request& request, const std::string& request_id, const AccessKey* caller = nullptr);

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

  // One request on its way through.
  struct Asked {
    const http::Request& request;
    const std::string& request_id;
    const AccessKey* caller;  // null: not enforced
  };

  Caller caller_of(const Asked& asked) const;
  std::string caller_identity(const Asked& asked) const;
  http::Response assume_role(const Asked& asked, bool by_web_identity);
  http::Response session_token(const Asked& asked);
  std::string credentials(const std::string& account, Identity identity, Millis lifetime);
  std::string credentials(const AccessKey& parent, TemporaryGrant grant, Millis lifetime);

  Place place_;
  const Clock& clock_;
  Random& random_;
  Guarded<std::map<std::string, Identity>> issued_;  // by access key
};

}  // namespace fog::neighbours
