#include "api/apply/client.h"

#include <fmt/format.h>

namespace fog::apply {
namespace {

// A server that hands out the same page for ever is not believed for ever.
constexpr int kPagesMax = 10'000;

Error refusal(std::string_view service, std::string_view operation, const Reply& reply) {
  return Error::invalid(fmt::format("{}:{}: {}: {}", service, operation, reply.code.empty() ? std::to_string(reply.status) : reply.code, reply.message));
}

}  // namespace

Result<Json> call(const Client& client, std::string_view service, std::string_view operation, const Json& input) {
  return call_unless(client, service, operation, input, "");
}

Result<Json> call_unless(const Client& client, std::string_view service, std::string_view operation, const Json& input, std::string_view codes) {
  TRY(Reply reply, client.send(service, operation, input));
  if (reply.ok()) return std::move(reply.body);
  while (!codes.empty()) {
    const std::string_view code = codes.substr(0, codes.find(' '));
    if (code == reply.code) return Json(nullptr);
    codes.remove_prefix(std::min(codes.size(), code.size() + 1));
  }
  return refusal(service, operation, reply);
}

Result<Json> call_all(const Client& client, std::string_view service, std::string_view operation, Json input, std::string_view list, std::string_view token) {
  Json all = Json::array();
  const std::string list_name(list);
  const std::string token_name(token);
  for (int page = 0; page < kPagesMax; ++page) {
    TRY(Json body, call(client, service, operation, input));
    if (body.contains(list_name) && body[list_name].is_array()) {
      for (Json& item : body[list_name]) all.push_back(std::move(item));
    }
    if (!body.contains(token_name) || !body[token_name].is_string() || body[token_name].get_ref<const std::string&>().empty()) break;
    input[token_name] = body[token_name];
  }
  return all;
}

}  // namespace fog::apply
