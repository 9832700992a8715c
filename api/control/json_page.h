// What pages of the control plane answer with: JSON, and {"error": {"code", "message"}}.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "api/common/http_message.h"
#include "storage/base/result.h"

namespace fog::page {

using Json = nlohmann::ordered_json;

http::Response json(const Json& document, int status = 200);
http::Response error(int status, std::string_view code, std::string_view message);
http::Response wrong_method(std::string_view allowed);
// 503 when it may be tried again, else 500.
http::Response failure(const Error& error);

// The body as a JSON object; an empty body is {}. Nothing: it is something else.
std::optional<Json> object_of(const http::Request& request);

// A member's text; "" when it is absent or of another kind.
std::string text(const Json& object, const char* name);

std::string percent_decoded(std::string_view text);

// Without the query string.
std::string_view path_of(std::string_view target);
// The value of a parameter of the query string, decoded; "" when absent.
std::string parameter(std::string_view target, std::string_view name);

}  // namespace fog::page
