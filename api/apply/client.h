// Client: how `apply` speaks to a server: one AWS call at a time.
//
// The calls themselves are made by whoever owns a socket; this says only what goes in and comes out.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "api/apply/json.h"
#include "api/common/operation.h"
#include "storage/base/result.h"

namespace fog::apply {

struct Reply {
  int status = 200;
  std::string code;     // of an error, without its namespace: "ResourceNotFoundException"
  std::string message;  // of an error
  Json body = Json::object();
  bool ok() const { return status < 300; }
};

struct Client {
  // The error is one of the connection; what the server refuses is a Reply.
  std::function<Result<Reply>(std::string_view service, std::string_view operation, const Json& input)> send;
  // What the model says of an operation; null: unknown.
  std::function<const OperationInfo*(std::string_view service, std::string_view operation)> describe;
};

// The body of a successful call; a refusal becomes an Error in the server's words.
Result<Json> call(const Client& client, std::string_view service, std::string_view operation, const Json& input);
// The same, where an error of one of these codes (separated by spaces) means that there is nothing: null.
Result<Json> call_unless(const Client& client, std::string_view service, std::string_view operation, const Json& input, std::string_view codes);
// All pages of a list: `list` is the member of the answer, `token` that of answer and input.
Result<Json> call_all(const Client& client, std::string_view service, std::string_view operation, Json input, std::string_view list, std::string_view token);

}  // namespace fog::apply
