// Signature Version 4: reading and verifying signed requests, by header or by query string.
//
// Verification follows AWS's order of checks, so a caller gets the error that AWS gives first. The
// payload hash covers the bytes as received (de-chunked, not inflated). Any thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "api/common/http_message.h"
#include "storage/base/clock.h"
#include "storage/base/result.h"

namespace fog::sigv4 {

// What a request says about its signature.
struct Signature {
  bool is_presigned = false;
  std::string algorithm;
  std::string access_key;
  std::string date;        // yyyymmdd of the scope
  std::string region;
  std::string service;
  std::string terminator;  // "aws4_request"
  std::string signed_headers;  // as sent: a;b;c
  std::string signature;
  std::string time;            // X-Amz-Date as sent, or Date
  std::string expires;         // presigned: seconds, as sent
  std::string session_token;

  bool is_present() const { return !algorithm.empty() || !access_key.empty(); }
};

// Reads what is there, checks nothing. Empty for an unsigned request; other schemes (SigV2, Bearer)
// count as unsigned, SigV4a yields its access key with an empty region.
Signature parse(const http::Request& request);

struct Secrets {
  std::string secret;
  std::string session_token;  // empty: none expected
  bool is_expired = false;    // of temporary credentials
};

struct Options {
  // By the signature's access key, and its session token if it has one. Nothing: unknown key.
  std::function<std::optional<Secrets>(const Signature&)> secrets_of;
  std::string region;   // the scope must name it; empty: any
  std::string service;  // the same
  bool explains = false;  // SignatureDoesNotMatch repeats the canonical request and the string to sign
};

// Ok: the signature is right and fresh at `now` (real time). Errors carry the wire codes of
// spec section "Failures": MissingAuthenticationToken, IncompleteSignature, SignatureDoesNotMatch ...
Status verify(const http::Request& request, Timestamp now, const Options& options);

// The parts of the algorithm, for tests and for explaining a mismatch.
std::string canonical_request(const http::Request& request, const Signature& signature);
std::string string_to_sign(const Signature& signature, std::string_view canonical);
std::string sign(std::string_view secret, const Signature& signature, std::string_view text);

std::string sha256_hex(std::string_view bytes);
// 32 bytes.
std::string hmac_sha256(std::string_view key, std::string_view text);

}  // namespace fog::sigv4
