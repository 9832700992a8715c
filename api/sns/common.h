// What the files of this service share: faults in the service's words, ARNs, times, paging tokens.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/common/call.h"
#include "api/sns/shapes.h"
#include "storage/base/result.h"

namespace fog::sns {

// InvalidParameter "Invalid parameter: <what>".
Error invalid(std::string_view what);
Error not_found(std::string_view what);  // NotFound "<what> does not exist"

struct Arn {
  std::string_view partition;
  std::string_view service;
  std::string_view region;
  std::string_view account;
  std::string_view resource;  // all after the fifth colon
};
// Nothing: fewer than six parts or not beginning with "arn".
std::optional<Arn> parse_arn(std::string_view text);
// Form and region; `parameter` is named in the error.
Result<Arn> check_arn(const Call& call, std::string_view text, std::string_view parameter);

std::string topic_arn(const Call& call, std::string_view name);

std::string iso_time(Timestamp t);  // 2012-05-02T00:54:06.655Z

// A page's token names the operation and the last key shown.
std::string page_token(std::string_view operation, std::string_view last_key);
// Error: not a token of this operation.
Result<std::string> page_start(std::string_view operation, const std::optional<std::string>& token);

// Appends `text` as a JSON string with its quotes.
void append_json_string(std::string& out, std::string_view text);
std::string json_string(std::string_view text);

std::string base64(std::string_view bytes);
std::string hex(std::string_view bytes);
std::string sha256(std::string_view bytes);  // 32 bytes

inline constexpr std::size_t kPageItems = 100;

}  // namespace fog::sns
