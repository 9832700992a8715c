#include "api/auth/sign.h"

#include <fmt/format.h>

#include "api/auth/sigv4.h"
#include "api/codec/text.h"

namespace fog {

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
  const sigv4::Signature signature{.algorithm = "AWS4-HMAC-SHA256",
                                   .date = date.substr(0, 8),
                                   .region = std::string(region),
                                   .service = std::string(service),
                                   .terminator = "aws4_request",
                                   .time = date};
  const std::string canonical = fmt::format("{}\n{}\n\nhost:{}\nx-amz-date:{}\n\nhost;x-amz-date\n{}", request.method, path, host, date,
                                            sigv4::sha256_hex(request.body));
  request.headers.emplace_back("X-Amz-Date", date);
  request.headers.emplace_back(
      "Authorization", fmt::format("AWS4-HMAC-SHA256 Credential={}/{}/{}/{}/aws4_request, SignedHeaders=host;x-amz-date, Signature={}", access_key,
                                   signature.date, region, service,
                                   sigv4::sign(secret_key, signature, sigv4::string_to_sign(signature, canonical))));
}

}  // namespace fog
