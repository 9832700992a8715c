// What pages of the control plane answer with: JSON, and {"error": {"code", "message"}}.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "api/common/http_message.h"

namespace fog::page {

using Json = nlohmann::ordered_json;

http::Response json(const Json& document, int status = 200);
http::Response error(int status, std::string_view code, std::string_view message);
http::Response wrong_method(std::string_view allowed);

// The body as a JSON object; an empty body is {}. Nothing: it is something else.
std::optional<Json> object_of(const http::Request& request);

// A member's text; "" when it is absent or of another kind.
std::string text(const Json& object, const char* name);

std::string percent_decoded(std::string_view text);

}  // namespace fog::page
