// KeyPages: who may use this server, over /_fogwatch/keys and /_fogwatch/users.
//
//   GET    keys             {"enforced", "keys": [{"name", "access_key", "account", "policies"}], "users": [...]}
//   POST   keys             {"name", "account"?, "policies"?} -> the same and "secret_key", this once
//   PUT    keys/ACCESS_KEY  {"policies": [...]}
//   DELETE keys/ACCESS_KEY
//   POST   users            {"name", "password", "account"?, "policies"?}
//   PUT    users/NAME       {"policies": [...]} or {"password"}
//   DELETE users/NAME
//
// Changes go to the keys file and are in force when the answer leaves. Any thread; slow.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "api/common/http_message.h"
#include "storage/base/random.h"
#include "storage/base/result.h"

namespace fog {

class KeyPages {
 public:
  struct Parts {
    std::filesystem::path file;  // empty: keys are not enforced
    Random& random;
    std::string default_account;
    std::function<std::string(const std::string& account)> make_access_key;
    std::function<Status()> reload;  // takes the changed file into force
  };
  explicit KeyPages(Parts parts) : parts_(std::move(parts)) {}

  static bool owns(std::string_view path);
  http::Response answer(const http::Request& request);

 private:
  http::Response list();
  http::Response add_key(const http::Request& request);
  http::Response add_user(const http::Request& request);
  http::Response change_key(const http::Request& request, const std::string& access_key);
  http::Response change_user(const http::Request& request, const std::string& name);
  // Answers for a change of the file: takes it into force, or says what was wrong.
  http::Response changed(const Status& status, const http::Response& done);

  Parts parts_;
};

}  // namespace fog
