// NeighbourCall: a request for a service next door, read far enough to answer it.
//
// These services answer a handful of operations each, so their requests are read by hand and not from
// a model: form parameters, a JSON body as it is, and the scope of the credentials.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "api/common/http_message.h"

namespace fog::neighbours {

enum class Neighbour : std::uint8_t { kNone, kSts, kIam, kEc2, kOam, kTagging, kCloudFormation };

// By credential scope, else by what only one of them sends: version, target, path. kNone: not theirs.
Neighbour neighbour_of(const http::Request& request);
std::string_view name_of(Neighbour neighbour);

struct Scope {
  std::string access_key;
  std::string region;
  std::string service;
};

// "AKID/20260101/us-east-1/sts/aws4_request", from the header or a presigned URL; empty parts: unsigned.
Scope scope_of(const http::Request& request);

// A form parameter of the body, else of the URL; "" when absent.
std::string parameter(const http::Request& request, std::string_view name);

std::string_view partition_of_region(std::string_view region);
bool is_account(std::string_view text);
std::string escape_xml(std::string_view text);

// Keys that this server gives out begin so (as LocalStack's do); their account is always read. Real ones
// begin with "AKIA" or "ASIA" and are anybody's: theirs is not.
inline constexpr std::string_view kOwnKeyPrefix = "LSIA";

// The account inside an access key of AWS's form (spec "Access key -> account"); "" when it has none.
std::string account_in_key(std::string_view access_key);
// A key of that form that names the account; `salt` fills what is left.
std::string key_for_account(std::string_view prefix, std::string_view account, std::uint64_t salt);

}  // namespace fog::neighbours
