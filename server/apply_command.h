// `fogwatch apply`: makes the resources of a template on a running server, or takes them away (api/apply).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/result.h"

namespace fog {

struct ApplyOptions {
  std::string file;  // "-": standard input
  std::string endpoint = "http://127.0.0.1:4566";
  std::map<std::string, std::string> parameters;
  std::string stack;  // empty: the file's name
  std::string region = "us-east-1";
  std::string access_key = "000000000000";
  std::string secret_key = "test";
  std::string session_token;
  std::string ca_file;  // PEM of who may sign the server's certificate; empty: the system's
  bool deletes = false;
  std::string help;  // not empty: print this and do nothing
};

// `arguments` behind the word apply. What they leave open comes from the environment, as AWS's tools read it:
// AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, AWS_DEFAULT_REGION,
// AWS_CA_BUNDLE. The error is a sentence for the user.
Result<ApplyOptions> parse_apply_options(const std::vector<std::string>& arguments, const std::map<std::string, std::string>& environment);

// Prints a row a resource. Returns the exit code: 0, or 1 when a resource failed, or 2 when nothing could be
// begun: bad options, a template that cannot be read, a server that is not there.
int run_apply(const ApplyOptions& options);

}  // namespace fog
