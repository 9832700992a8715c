// Sts: GetCallerIdentity, which Terraform, Grafana and the CLI call before anything else.
//
// The query protocol of 2011-06-15. Every other operation of STS answers that Fogwatch does not
// implement it. No state; any thread.
#pragma once

#include <string>
#include <string_view>

#include "api/common/http_message.h"

namespace fog {

class Sts {
 public:
  Sts(std::string default_account, std::string default_region)
      : default_account_(std::move(default_account)), default_region_(std::move(default_region)) {}

  // Is this a call of STS: by credential scope, else by the version it names.
  static bool claims(const http::Request& request);
  http::Response answer(const http::Request& request, const std::string& request_id) const;

 private:
  std::string default_account_;
  std::string default_region_;
};

}  // namespace fog
