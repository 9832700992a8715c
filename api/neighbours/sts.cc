#include "api/neighbours/sts.h"

#include <fmt/format.h>

namespace fog {
namespace {

constexpr std::string_view kNamespace = "https://sts.amazonaws.com/doc/2011-06-15/";
constexpr std::string_view kVersion = "2011-06-15";
// What AWS's documentation shows as the root user's id.
constexpr std::string_view kUserId = "AKIAIOSFODNN7EXAMPLE";

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string form_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
      out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string form_value(std::string_view form, std::string_view name) {
  while (!form.empty()) {
    const std::string_view pair = form.substr(0, form.find('&'));
    form.remove_prefix(std::min(form.size(), pair.size() + 1));
    if (pair.starts_with(name) && pair.size() > name.size() && pair[name.size()] == '=') {
      return form_decode(pair.substr(name.size() + 1));
    }
  }
  return {};
}

std::string_view query_of(std::string_view target) {
  const std::size_t mark = target.find('?');
  return mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
}

std::string parameter(const http::Request& request, std::string_view name) {
  std::string value = form_value(request.body, name);
  return value.empty() ? form_value(query_of(request.target), name) : value;
}

struct Scope {
  std::string access_key;
  std::string region;
  std::string service;
};

// "AKID/20260101/us-east-1/sts/aws4_request", from the header or a presigned URL.
Scope scope_of(const http::Request& request) {
  std::string credential;
  const std::string_view header = request.header("authorization");
  if (const std::size_t at = header.find("Credential="); at != std::string_view::npos) {
    credential = header.substr(at + 11);
    credential.resize(std::min(credential.find_first_of(", "), credential.size()));
  } else {
    credential = form_value(query_of(request.target), "X-Amz-Credential");
  }
  Scope scope;
  std::string* const parts[] = {nullptr, &scope.service, &scope.region, nullptr};
  for (std::string* part : parts) {  // from the right: keys may hold slashes
    const std::size_t slash = credential.rfind('/');
    if (slash == std::string::npos) return {};
    if (part != nullptr) *part = credential.substr(slash + 1);
    credential.resize(slash);
  }
  scope.access_key = std::move(credential);
  return scope;
}

std::string_view partition_of_region(std::string_view region) {
  if (region.starts_with("cn-")) return "aws-cn";
  if (region.starts_with("us-gov-")) return "aws-us-gov";
  if (region.starts_with("us-isob-")) return "aws-iso-b";
  if (region.starts_with("us-iso-")) return "aws-iso";
  return "aws";
}

bool is_account(std::string_view text) {
  return text.size() == 12 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (static_cast<unsigned char>(c) >= 0x20 && static_cast<unsigned char>(c) < 0x7f) out += c;
    else out += '?';
  }
  return out;
}

http::Response error_answer(std::string_view code, std::string_view message, std::string_view request_id) {
  http::Response response;
  response.status = 400;
  response.set("Content-Type", "text/xml");
  response.body = fmt::format(
      "<ErrorResponse xmlns=\"{}\"><Error><Type>Sender</Type><Code>{}</Code><Message>{}</Message></Error>"
      "<RequestId>{}</RequestId></ErrorResponse>",
      kNamespace, code, message, request_id);
  return response;
}

}  // namespace

bool Sts::claims(const http::Request& request) {
  const std::string_view authorization = request.header("authorization");
  if (!authorization.empty()) return authorization.find("/sts/aws4_request") != std::string_view::npos;
  if (request.has_header("x-amz-target")) return false;
  const std::string_view query = query_of(request.target);
  if (const std::string scope = form_value(query, "X-Amz-Credential"); !scope.empty()) {
    return scope.find("/sts/aws4_request") != std::string::npos;
  }
  return form_value(query, "Version") == kVersion ||
         (request.header("content-type").starts_with("application/x-www-form-urlencoded") &&
          form_value(request.body, "Version") == kVersion);
}

http::Response Sts::answer(const http::Request& request, const std::string& request_id) const {
  const std::string action = parameter(request, "Action");
  if (action.empty()) return error_answer("MissingAction", "The request does not name an action.", request_id);
  if (const std::string version = parameter(request, "Version"); !version.empty() && version != kVersion) {
    return error_answer("InvalidAction", fmt::format("Could not find operation {} for version {}", escape(action), escape(version)), request_id);
  }
  if (action != "GetCallerIdentity") {
    return error_answer("InvalidAction", fmt::format("Fogwatch does not implement sts:{}.", escape(action)), request_id);
  }
  const Scope scope = scope_of(request);
  const std::string& account = is_account(scope.access_key) ? scope.access_key : default_account_;
  const std::string_view partition = partition_of_region(scope.region.empty() ? default_region_ : scope.region);
  http::Response response;
  response.set("Content-Type", "text/xml");
  response.body = fmt::format(
      "<GetCallerIdentityResponse xmlns=\"{}\"><GetCallerIdentityResult><Arn>arn:{}:iam::{}:root</Arn>"
      "<UserId>{}</UserId><Account>{}</Account></GetCallerIdentityResult>"
      "<ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></GetCallerIdentityResponse>",
      kNamespace, partition, account, kUserId, account, request_id);
  return response;
}

}  // namespace fog
