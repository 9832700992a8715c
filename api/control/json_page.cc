#include "api/control/json_page.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace fog::page {
namespace {

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

http::Response json(const Json& document, int status) {
  http::Response response;
  response.status = status;
  response.set("Content-Type", "application/json");
  response.set("Cache-Control", "no-store");
  response.body = document.dump(-1, ' ', false, Json::error_handler_t::replace);
  return response;
}

http::Response error(int status, std::string_view code, std::string_view message) {
  return json({{"error", {{"code", code}, {"message", message}}}}, status);
}

http::Response wrong_method(std::string_view allowed) {
  http::Response response = error(405, "MethodNotAllowed", fmt::format("This path answers {} only.", allowed));
  response.set("Allow", std::string(allowed));
  return response;
}

http::Response failure(const Error& problem) {
  return error(problem.kind() == ErrorKind::kBusy ? 503 : 500, "InternalError", problem.message());
}

std::optional<Json> object_of(const http::Request& request) {
  if (request.body.find_first_not_of(" \t\r\n") == std::string::npos) return Json::object();
  Json document = Json::parse(request.body, nullptr, false);
  if (!document.is_object()) return std::nullopt;
  return document;
}

std::string text(const Json& object, const char* name) {
  return object.contains(name) && object[name].is_string() ? object[name].get<std::string>() : std::string();
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0) {
      out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

std::string parameter(std::string_view target, std::string_view name) {
  const std::size_t mark = target.find('?');
  std::string_view rest = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    const std::size_t equal = std::min(pair.find('='), pair.size());
    if (pair.substr(0, equal) == name) return percent_decoded(pair.substr(std::min(pair.size(), equal + 1)));
  }
  return {};
}

}  // namespace fog::page
