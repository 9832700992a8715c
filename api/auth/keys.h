// Keys: the access keys that may use a server that enforces signatures, and what each may do.
//
// The file is JSON: {"keys": [{"name", "access_key", "secret_key", "account", "policies": [{...}]}],
// "users": [{"name", "password", "account", "policies"}]}; users are in users.h.
// It must be readable by its owner alone. Reading it again replaces everything at once; calls under
// way keep what they began with. Any thread.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "api/auth/policy.h"
#include "storage/base/result.h"

namespace fog {

struct AccessKey {
  std::string name;  // the user's, in ARNs: letters, digits and _+=,.@-
  std::string access_key;
  std::string secret_key;
  std::string account;                // 12 digits
  std::vector<iam::Policy> policies;  // none: nothing is allowed

  // Of temporary credentials alone (temporary.h).
  std::string parent;                              // the long-term key they hang on; "": this is one
  std::string parent_secret;
  std::string session_arn;                         // "": the user's own
  std::string session_user_id;                     // "": the user's own
  std::vector<std::string> session_documents;      // as given
  std::vector<iam::Policy> session_policies;       // each must allow as well

  bool is_temporary() const { return !parent.empty(); }
  const std::string& long_term_secret() const { return is_temporary() ? parent_secret : secret_key; }
};

// Who it is, in ARNs: the user, or the session of an assumed role.
std::string arn_of(const AccessKey& key, std::string_view partition);

// "": the key may. Else the end of AWS's sentence: "because no identity-based policy allows the ...
// action" (IAM User Guide, "Troubleshoot access denied error messages").
std::string why_not(const AccessKey& key, const iam::Access& access);

class Keys {
 public:
  using Table = std::map<std::string, AccessKey, std::less<>>;

  // Errors name the file and the place; kind invalid, whatever it is.
  static Result<Table> read(const std::filesystem::path& file);

  // Null: unknown.
  std::shared_ptr<const AccessKey> find(std::string_view access_key) const;
  void replace(Table table);
  std::size_t size() const;

 private:
  std::shared_ptr<const Table> table() const;

  mutable std::mutex mutex_;
  std::shared_ptr<const Table> table_ = std::make_shared<Table>();
};

// The file's entries as the command line changes them: secrets and policies are kept as they stand.
// Adding makes the file if it is missing. `policy` is a document as in the file.
struct NewKey {
  std::string name;
  std::string access_key;
  std::string secret_key;
  std::string account;
  std::string policy;
};
Status add_key(const std::filesystem::path& file, const NewKey& key);
Status revoke_key(const std::filesystem::path& file, std::string_view access_key);
// `policies` is a JSON list of documents; nothing changes when one of them is wrong.
Status set_key_policies(const std::filesystem::path& file, std::string_view access_key, const std::string& policies);
struct KeyLine {
  std::string name;
  std::string access_key;
  std::string account;
  std::size_t policies = 0;
};
Result<std::vector<KeyLine>> list_keys(const std::filesystem::path& file);
// The file's keys and users as JSON, without secrets and passwords.
Result<std::string> describe_keys_file(const std::filesystem::path& file);

}  // namespace fog
