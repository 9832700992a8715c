// Temporary credentials: what STS gives out where signatures are enforced (AWS Security Token Service
// User Guide, "Temporary security credentials in IAM").
//
// They hang on the long-term key that asked for them: secret and seal are derived from its secret, so
// nothing is stored, a restart ends none of them, and revoking that key ends them all. They may do what
// that key may, and no more than each session policy allows besides. Any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "api/auth/keys.h"
#include "storage/base/clock.h"
#include "storage/base/guarded.h"

namespace fog {

struct TemporaryGrant {
  std::string access_key;                     // the new one
  std::string arn;                            // of the assumed role's session; "": the user itself (GetSessionToken)
  std::string user_id;                        // "AROA...:session"; "": the user's
  std::vector<std::string> session_policies;  // documents, each valid; all must allow
  Timestamp expires{};                        // real time
};

struct TemporaryKey {
  std::string access_key;
  std::string secret_key;     // 40 characters
  std::string session_token;  // letters, digits, '+', '/', '='
};

// `parent` is a long-term key or a temporary one of it: then the new one keeps that one's session policies too.
TemporaryKey make_temporary_key(const AccessKey& parent, TemporaryGrant grant);

class TemporaryKeys {
 public:
  // `keys` outlives this.
  explicit TemporaryKeys(const Keys& keys) : keys_(keys) {}

  struct Found {
    std::shared_ptr<const AccessKey> key;  // null: the token is not one of ours, or its key has been revoked
    bool is_expired = false;
  };
  // `now` is real time.
  Found find(std::string_view access_key, std::string_view session_token, Timestamp now) const;

 private:
  struct Read {
    std::shared_ptr<const AccessKey> parent;  // as it was when the token was read
    std::shared_ptr<const AccessKey> key;
    Timestamp expires{};
  };

  const Keys& keys_;
  mutable Guarded<std::unordered_map<std::string, Read>> read_;  // by token; spares reading policies at each call
};

}  // namespace fog
