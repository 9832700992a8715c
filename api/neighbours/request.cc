#include "api/neighbours/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace fog::neighbours {
namespace {

constexpr std::string_view kBase32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
// Keys made since accounts are in them lie above this (40 bits).
constexpr std::uint64_t kKeyBase = 0x8000000000;
constexpr std::size_t kKeyChars = 20;

struct Row {
  Neighbour neighbour;
  std::string_view name;     // also in the credentials' scope
  std::string_view version;  // of its query protocol
  std::string_view target;   // prefix of X-Amz-Target
};
constexpr Row kRows[] = {
    {Neighbour::kSts, "sts", "2011-06-15", ""},
    {Neighbour::kIam, "iam", "2010-05-08", ""},
    {Neighbour::kEc2, "ec2", "2016-11-15", ""},
    {Neighbour::kOam, "oam", "", ""},
    {Neighbour::kTagging, "tagging", "", "ResourceGroupsTaggingAPI_20170126."},
    {Neighbour::kCloudFormation, "cloudformation", "2010-05-15", ""},
};

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

template <typename Test>
Neighbour first_that(Test test) {
  for (const Row& row : kRows) {
    if (test(row)) return row.neighbour;
  }
  return Neighbour::kNone;
}

}  // namespace

Neighbour neighbour_of(const http::Request& request) {
  const std::string_view authorization = request.header("authorization");
  const std::string_view query = query_of(request.target);
  std::string credential;
  if (authorization.empty()) credential = form_value(query, "X-Amz-Credential");
  const std::string_view scope = authorization.empty() ? credential : authorization;
  if (!scope.empty()) {
    const std::string_view before = scope.substr(0, scope.find("/aws4_request"));
    const std::string_view service = before.substr(before.rfind('/') + 1);
    return first_that([&](const Row& row) { return row.name == service; });
  }
  if (const std::string_view target = request.header("x-amz-target"); !target.empty()) {
    return first_that([&](const Row& row) { return !row.target.empty() && target.starts_with(row.target); });
  }
  std::string version = form_value(query, "Version");
  if (version.empty() && request.header("content-type").starts_with("application/x-www-form-urlencoded")) {
    version = form_value(request.body, "Version");
  }
  if (version.empty()) return Neighbour::kNone;
  return first_that([&](const Row& row) { return row.version == version; });
}

std::string_view name_of(Neighbour neighbour) {
  for (const Row& row : kRows) {
    if (row.neighbour == neighbour) return row.name;
  }
  return "";
}

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

std::string parameter(const http::Request& request, std::string_view name) {
  std::string value = form_value(request.body, name);
  return value.empty() ? form_value(query_of(request.target), name) : value;
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

std::string escape_xml(std::string_view text) {
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

std::string account_in_key(std::string_view access_key) {
  if (access_key.size() != kKeyChars) return {};
  std::uint64_t value = 0;
  for (const char c : access_key.substr(4)) {
    if (kBase32.find(c) == std::string_view::npos) return {};
  }
  for (const char c : access_key.substr(4, 8)) value = value << 5 | kBase32.find(c);
  if (value < kKeyBase) return {};
  const std::uint64_t account = 2 * (value - kKeyBase) + (kBase32.find(access_key[12]) >= 16 ? 1 : 0);
  return account < 1'000'000'000'000 ? fmt::format("{:012}", account) : std::string();
}

std::string key_for_account(std::string_view prefix, std::string_view account, std::uint64_t salt) {
  std::uint64_t number = 0;
  std::from_chars(account.data(), account.data() + account.size(), number);
  const std::uint64_t value = kKeyBase + number / 2;
  std::string key(prefix);
  for (int shift = 35; shift >= 0; shift -= 5) key += kBase32[value >> shift & 31];
  key += kBase32[(salt & 15) + (number % 2 == 1 ? 16 : 0)];
  for (salt >>= 4; key.size() < kKeyChars; salt >>= 5) key += kBase32[salt & 31];
  return key;
}

}  // namespace fog::neighbours
