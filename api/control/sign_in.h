// SignIn: how people come into the console: POST /_fogwatch/login and /logout, GET /_fogwatch/session.
//
// A session is a cookie that no script can read and no other site can send; every call that changes
// something must also bear the header X-Fogwatch-Console, which another origin's page cannot add.
// Any thread; login is slow (a password is hashed) and belongs on a worker thread.
#pragma once

#include <string_view>

#include "api/auth/sessions.h"
#include "api/common/http_message.h"

namespace fog {

class SignIn {
 public:
  // `sessions` null: nobody needs to sign in.
  explicit SignIn(Sessions* sessions) : sessions_(sessions) {}

  static bool owns(std::string_view path);
  http::Response answer(const http::Request& request, Millis steady_now);

  // The token of the request's cookie; "" when it has none.
  static std::string_view token_of(const http::Request& request);
  static bool is_from_console(const http::Request& request);

 private:
  http::Response sign_in(const http::Request& request, Millis now);
  http::Response sign_out(const http::Request& request);
  http::Response session(const http::Request& request, Millis now);

  Sessions* sessions_;
};

}  // namespace fog
