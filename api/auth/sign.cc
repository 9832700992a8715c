#include "api/auth/sign.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "api/auth/sigv4.h"
#include "api/codec/text.h"

namespace fog {
namespace {

std::string hmac(std::string_view key, std::string_view text) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()), text.size(), out,
       &size);
  return std::string(reinterpret_cast<const char*>(out), size);
}

std::string hex_of(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

}  // namespace

void sign_request(OutboundRequest& request, std::string_view service, std::string_view region, std::string_view access_key,
                  std::string_view secret_key, Timestamp real_now) {
  const std::size_t scheme = request.url.find("://");
  const std::size_t begin = scheme == std::string::npos ? 0 : scheme + 3;
  const std::size_t slash = std::min(request.url.find('/', begin), request.url.size());
  const std::string host = request.url.substr(begin, slash - begin);
  const std::string path = slash == request.url.size() ? "/" : request.url.substr(slash);
  std::string iso;
  append_iso8601(std::chrono::floor<std::chrono::seconds>(real_now), iso);  // 2026-01-01T00:00:00Z
  std::string date;
  for (const char c : iso)
    if (c != '-' && c != ':') date += c;
  const std::string day = date.substr(0, 8);
  const std::string canonical = fmt::format("{}\n{}\n\nhost:{}\nx-amz-date:{}\n\nhost;x-amz-date\n{}", request.method, path, host, date,
                                            sigv4::sha256_hex(request.body));
  const std::string scope = fmt::format("{}/{}/{}/aws4_request", day, region, service);
  const std::string to_sign = fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", date, scope, sigv4::sha256_hex(canonical));
  const std::string key = hmac(hmac(hmac(hmac(fmt::format("AWS4{}", secret_key), day), region), service), "aws4_request");
  request.headers.emplace_back("X-Amz-Date", date);
  request.headers.emplace_back("Authorization",
                               fmt::format("AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders=host;x-amz-date, Signature={}", access_key,
                                           scope, hex_of(hmac(key, to_sign))));
}

}  // namespace fog
