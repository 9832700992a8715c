#include "api/auth/sigv4.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include "api/codec/text.h"
#include "api/common/fault.h"

namespace fog::sigv4 {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view kAlgorithmA = "AWS4-ECDSA-P256-SHA256";
constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";
constexpr Millis kSkewMax = std::chrono::minutes(15);
constexpr Millis kPresignedEarly = std::chrono::minutes(5);
constexpr std::int64_t kExpiresMax = 604800;  // seven days, in seconds

using Digest = std::array<unsigned char, 32>;

std::string hex(const Digest& digest) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const unsigned char c : digest) {
    out.push_back(kHex[c >> 4]);
    out.push_back(kHex[c & 15]);
  }
  return out;
}

Digest hmac(std::string_view key, std::string_view text) {
  Digest out{};
  unsigned n = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), out.data(), &n);
  return out;
}

std::string_view bytes_of(const Digest& d) { return {reinterpret_cast<const char*>(d.data()), d.size()}; }

bool is_unreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.' || c == '~';
}

std::string percent_encode(std::string_view text, bool keeps_slash) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c) || (keeps_slash && c == '/')) {
      out.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out.push_back('%');
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    }
  }
  return out;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// '+' stays a plus here: signing knows no form rules.
std::string percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0) {
      out.push_back(static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  while (true) {
    const auto at = text.find(separator);
    out.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return out;
    text.remove_prefix(at + 1);
  }
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string_view path_of(std::string_view target) {
  if (target.starts_with("http://") || target.starts_with("https://")) {
    const auto slash = target.find('/', target.find("//") + 2);
    target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
  }
  return target.substr(0, target.find('?'));
}

std::string_view query_of(std::string_view target) {
  const auto mark = target.find('?');
  return mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
}

// "." and empty segments go, ".." takes one away, a final slash stays.
std::string canonical_path(std::string_view path) {
  std::vector<std::string_view> kept;
  for (const std::string_view segment : split(path, '/')) {
    if (segment.empty() || segment == ".") continue;
    if (segment == "..") {
      if (!kept.empty()) kept.pop_back();
    } else {
      kept.push_back(segment);
    }
  }
  std::string out;
  for (const std::string_view segment : kept) {
    out += '/';
    out += segment;
  }
  const bool ends_open = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
  if (out.empty() || ends_open) out += '/';
  return percent_encode(out, true);
}

std::string canonical_query(std::string_view query, bool drops_token) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string_view pair : split(query, '&')) {
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    const std::string name = percent_decode(pair.substr(0, equals));
    if (name == "X-Amz-Signature" || (drops_token && name == "X-Amz-Security-Token")) continue;
    const std::string value = equals == std::string_view::npos ? std::string() : percent_decode(pair.substr(equals + 1));
    pairs.emplace_back(percent_encode(name, false), percent_encode(value, false));
  }
  std::sort(pairs.begin(), pairs.end());
  std::string out;
  for (const auto& [name, value] : pairs) {
    if (!out.empty()) out += '&';
    out += name + '=' + value;
  }
  return out;
}

// Runs of white space, and folded lines, become one space.
void append_collapsed(std::string_view value, std::string& out) {
  bool gap = false;
  for (const char c : trim(value)) {
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      gap = true;
      continue;
    }
    if (gap) out.push_back(' ');
    gap = false;
    out.push_back(c);
  }
}

std::string canonical_headers(const http::Request& request, std::string_view signed_headers) {
  std::string out;
  for (const std::string_view name : split(signed_headers, ';')) {
    out += name;
    out += ':';
    bool first = true;
    for (const http::Header& header : request.headers) {
      if (!http::equal_ignoring_case(header.name, name)) continue;
      if (!first) out += ',';
      first = false;
      append_collapsed(header.value, out);
    }
    out += '\n';
  }
  return out;
}

bool is_signed_header(std::string_view signed_headers, std::string_view name) {
  for (const std::string_view one : split(signed_headers, ';'))
    if (http::equal_ignoring_case(one, name)) return true;
  return false;
}

std::string canonical(const http::Request& request, const Signature& signature, bool drops_token) {
  std::string out(request.method);
  out += '\n';
  out += canonical_path(path_of(request.target));
  out += '\n';
  out += canonical_query(query_of(request.target), drops_token);
  out += '\n';
  out += canonical_headers(request, signature.signed_headers);
  out += '\n';
  out += signature.signed_headers;
  out += '\n';
  const std::string_view declared = request.header("x-amz-content-sha256");
  const bool uses_declared =
      !declared.empty() && (is_signed_header(signature.signed_headers, "x-amz-content-sha256") ||
                            (signature.is_presigned && declared == kUnsignedPayload));
  out += uses_declared ? std::string(declared) : sha256_hex(request.body);
  return out;
}

// yyyymmddThhmmssZ
std::optional<Timestamp> basic_time(std::string_view text) {
  if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
  std::string iso;
  iso += std::string(text.substr(0, 4)) + '-' + std::string(text.substr(4, 2)) + '-' + std::string(text.substr(6, 2));
  iso += 'T' + std::string(text.substr(9, 2)) + ':' + std::string(text.substr(11, 2)) + ':' + std::string(text.substr(13, 2)) + 'Z';
  return parse_timestamp(iso);
}

std::string basic_text(Timestamp time) {
  std::string iso;
  append_iso8601(std::chrono::floor<std::chrono::seconds>(time), iso);
  std::erase_if(iso, [](char c) { return c == '-' || c == ':'; });
  return iso;
}

// RFC 7231: Sun, 06 Nov 1994 08:49:37 GMT, given back in the basic form; empty when it is not that.
std::string basic_of_http_date(std::string_view text) {
  static constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (text.size() != 29 || text.substr(25) != " GMT") return {};
  for (std::size_t m = 0; m < 12; ++m) {
    if (text.substr(8, 3) != kMonths[m]) continue;
    const std::string month = (m + 1 < 10 ? "0" : "") + std::to_string(m + 1);
    return std::string(text.substr(12, 4)) + month + std::string(text.substr(5, 2)) + 'T' +
           std::string(text.substr(17, 2)) + std::string(text.substr(20, 2)) + std::string(text.substr(23, 2)) + 'Z';
  }
  return {};
}

void parse_credential(std::string_view credential, Signature& out) {
  // From the right: a key may hold slashes.
  std::array<std::string*, 4> parts = {&out.terminator, &out.service, &out.region, &out.date};
  if (out.algorithm == kAlgorithmA) parts = {&out.terminator, &out.service, &out.date, nullptr};
  for (std::string* part : parts) {
    if (part == nullptr) break;
    const auto slash = credential.rfind('/');
    if (slash == std::string_view::npos) break;
    *part = credential.substr(slash + 1);
    credential = credential.substr(0, slash);
  }
  out.access_key = credential;
}

void parse_header(std::string_view value, Signature& out) {
  const auto space = value.find(' ');
  out.algorithm = value.substr(0, space);
  if (space == std::string_view::npos) return;
  for (std::string_view part : split(value.substr(space + 1), ',')) {
    part = trim(part);
    const auto equals = part.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = part.substr(0, equals);
    const std::string_view text = part.substr(equals + 1);
    if (name == "Credential") parse_credential(text, out);
    if (name == "SignedHeaders") out.signed_headers = text;
    if (name == "Signature") out.signature = text;
  }
}

void parse_query(std::string_view query, Signature& out) {
  std::string credential;
  for (const std::string_view pair : split(query, '&')) {
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos || !pair.starts_with("X-Amz-")) continue;
    const std::string_view name = pair.substr(0, equals);
    std::string value = percent_decode(pair.substr(equals + 1));
    if (name == "X-Amz-Algorithm") out.algorithm = std::move(value);
    else if (name == "X-Amz-Credential") credential = std::move(value);
    else if (name == "X-Amz-Date") out.time = std::move(value);
    else if (name == "X-Amz-Expires") out.expires = std::move(value);
    else if (name == "X-Amz-SignedHeaders") out.signed_headers = std::move(value);
    else if (name == "X-Amz-Signature") out.signature = std::move(value);
    else if (name == "X-Amz-Security-Token") out.session_token = std::move(value);
  }
  out.is_presigned = !out.algorithm.empty();
  if (!credential.empty()) parse_credential(credential, out);
}

// --- failures: JSON 400, query and REST 403 unless said otherwise ------------------------------

Error refused(std::string_view code, std::string_view query_code, std::string message, int query_status = 403) {
  return wire_fault({.code = std::string(code),
                     .query_code = std::string(query_code),
                     .status = 400,
                     .query_status = query_status,
                     .rest_status = 403,
                     .message = std::move(message)});
}
Error incomplete(std::string message) {
  return refused("IncompleteSignatureException", "IncompleteSignature", std::move(message), 400);
}
Error mismatch(std::string message) {
  return refused("InvalidSignatureException", "SignatureDoesNotMatch", std::move(message));
}

constexpr std::string_view kInvalidToken = "The security token included in the request is invalid.";
constexpr std::string_view kMismatch =
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
    "Key and signing method. Consult the service documentation for details.";

Status check_age(const Signature& signature, Timestamp time, Timestamp now) {
  if (signature.is_presigned) {
    const auto seconds = parse_integer(signature.expires);
    if (!seconds || *seconds < 1 || *seconds > kExpiresMax)
      return incomplete("X-Amz-Expires must be a number between 1 and 604800");
    if (now > time + std::chrono::seconds(*seconds))
      return mismatch("Signature expired: " + signature.time + " is now earlier than " + basic_text(now));
    if (now < time - kPresignedEarly)
      return mismatch("Signature not yet current: " + signature.time + " is still later than " + basic_text(now));
    return Ok{};
  }
  if (time < now - kSkewMax)
    return mismatch("Signature expired: " + signature.time + " is now earlier than " + basic_text(now - kSkewMax) +
                    " (" + basic_text(now) + " - 15 min.)");
  if (time > now + kSkewMax)
    return mismatch("Signature not yet current: " + signature.time + " is still later than " +
                    basic_text(now + kSkewMax) + " (" + basic_text(now) + " + 15 min.)");
  return Ok{};
}

Status check_form(const Signature& s) {
  std::string missing;
  if (s.access_key.empty()) missing += " 'Credential'";
  if (s.signature.empty()) missing += " 'Signature'";
  if (s.signed_headers.empty()) missing += " 'SignedHeaders'";
  if (!missing.empty()) return incomplete("Authorization header requires" + missing + " parameter.");
  if (s.time.empty())
    return incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
  return Ok{};
}

Status check_scope(const Signature& s, const Options& options) {
  if (s.date != s.time.substr(0, 8))
    return mismatch("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '" +
                    s.date + "' != '" + s.time.substr(0, 8) + "', from '" + s.time + "'.");
  if (s.terminator != "aws4_request")
    return mismatch("Credential should be scoped with a valid terminator: 'aws4_request', not '" + s.terminator + "'.");
  if (!options.region.empty() && s.region != options.region)
    return mismatch("Credential should be scoped to a valid region.");
  if (!options.service.empty() && s.service != options.service)
    return mismatch("Credential should be scoped to correct service: '" + options.service + "'.");
  return Ok{};
}

// The key of a day, region and service: most callers repeat theirs.
Digest signing_key(std::string_view secret, const Signature& s) {
  struct Last {
    std::string secret, date, region, service;
    Digest key{};
  };
  thread_local Last last;
  if (last.secret == secret && last.date == s.date && last.region == s.region && last.service == s.service)
    return last.key;
  Digest key = hmac("AWS4" + std::string(secret), s.date);
  key = hmac(bytes_of(key), s.region);
  key = hmac(bytes_of(key), s.service);
  key = hmac(bytes_of(key), "aws4_request");
  last = {std::string(secret), s.date, s.region, s.service, key};
  return key;
}

bool equal_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

std::string sha256_hex(std::string_view bytes) {
  Digest out{};
  unsigned n = 0;
  EVP_Digest(bytes.data(), bytes.size(), out.data(), &n, EVP_sha256(), nullptr);
  return hex(out);
}

Signature parse(const http::Request& request) {
  Signature out;
  const std::string_view authorization = request.header("authorization");
  if (authorization.starts_with("AWS4-")) {
    parse_header(authorization, out);
    out.time = request.header("x-amz-date");
    if (out.time.empty()) {
      const std::string_view date = request.header("date");
      out.time = date.find('T') == 8 ? std::string(date) : basic_of_http_date(date);
    }
    out.session_token = request.header("x-amz-security-token");
  } else if (const auto query = query_of(request.target); query.find("X-Amz-") != std::string_view::npos) {
    parse_query(query, out);
  }
  return out;
}

std::string canonical_request(const http::Request& request, const Signature& signature) {
  return canonical(request, signature, false);
}

std::string string_to_sign(const Signature& s, std::string_view canonical_text) {
  std::string out = s.algorithm + '\n' + s.time + '\n';
  out += s.date + '/' + s.region + '/' + s.service + '/' + s.terminator + '\n';
  return out + sha256_hex(canonical_text);
}

std::string hmac_sha256(std::string_view key, std::string_view text) { return std::string(bytes_of(hmac(key, text))); }

std::string sign(std::string_view secret, const Signature& signature, std::string_view text) {
  return hex(hmac(bytes_of(signing_key(secret, signature)), text));
}

Status verify(const http::Request& request, Timestamp now, const Options& options) {
  const Signature s = parse(request);
  if (!s.is_present())
    return refused("MissingAuthenticationTokenException", "MissingAuthenticationToken", "Missing Authentication Token");
  TRYV(check_form(s));
  const auto time = basic_time(s.time);
  if (!time)
    return incomplete("Date must be in ISO-8601 'basic format'. Got '" + s.time + "'. See http://en.wikipedia.org/wiki/ISO_8601");
  TRYV(check_age(s, *time, now));
  if (!is_signed_header(s.signed_headers, "host")) return mismatch("'Host' must be a 'SignedHeader' in the AWS Authorization.");
  if (s.algorithm != kAlgorithm) return incomplete("Unsupported AWS 'algorithm': '" + s.algorithm + "'");
  if (s.date.empty() || s.region.empty() || s.service.empty())
    return incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term");
  TRYV(check_scope(s, options));
  const auto secrets = options.secrets_of(s);
  if (!secrets) return refused("UnrecognizedClientException", "InvalidClientTokenId", std::string(kInvalidToken));

  const std::string_view declared = request.header("x-amz-content-sha256");
  const bool declares_hash = is_signed_header(s.signed_headers, "x-amz-content-sha256") && declared != kUnsignedPayload;
  const std::string first = canonical(request, s, false);
  std::string text = string_to_sign(s, first);
  bool right = equal_constant_time(sign(secrets->secret, s, text), s.signature);
  // Some add the token to a presigned URL after signing it; some presign without hashing the body.
  if (!right && s.is_presigned && !s.session_token.empty())
    right = equal_constant_time(sign(secrets->secret, s, string_to_sign(s, canonical(request, s, true))), s.signature);
  if (!right && s.is_presigned) {
    const std::string unhashed = first.substr(0, first.rfind('\n') + 1) + std::string(kUnsignedPayload);
    right = equal_constant_time(sign(secrets->secret, s, string_to_sign(s, unhashed)), s.signature);
  }
  if (!right) {
    std::string message(kMismatch);
    if (options.explains)
      message += "\n\nThe Canonical String for this request should have been\n'" + first +
                 "'\n\nThe String-to-Sign should have been\n'" + text + "'\n";
    return mismatch(std::move(message));
  }
  if (declares_hash && !equal_constant_time(sha256_hex(request.body), declared))
    return mismatch("The value of x-amz-content-sha256 does not match the body.");
  if (!secrets->session_token.empty() && s.session_token != secrets->session_token)
    return refused("UnrecognizedClientException", "InvalidClientTokenId", std::string(kInvalidToken));
  if (secrets->is_expired) return refused("ExpiredTokenException", "ExpiredToken", "The security token included in the request is expired");
  return Ok{};
}

}  // namespace fog::sigv4
