// Signatures: an HTTP head of any text, by header and presigned.
#include "api/auth/sigv4.h"

#include "tests/fuzz/target.h"

namespace fog::fuzz {

FOG_FUZZ(sigv4) {
  // The same reading as of captures, but of any text.
  std::string text(input);
  http::Request request;
  std::string_view rest = text;
  const auto line = [&] {
    const auto end = rest.find('\n');
    std::string_view one = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (one.ends_with('\r')) one.remove_suffix(1);
    return one;
  };
  const std::string_view first = line();
  const auto space = first.find(' ');
  request.method = first.substr(0, space);
  request.target = space == std::string_view::npos ? "/" : first.substr(space + 1, first.rfind(' ') - std::min(first.rfind(' '), space + 1));
  if (request.target.empty()) request.target = "/";
  for (std::string_view header = line(); !header.empty(); header = line()) {
    const auto colon = std::min(header.find(':'), header.size() - 1);
    std::string_view value = header.substr(colon + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    request.headers.push_back({header.substr(0, colon), value});
  }
  request.body = rest;
  const sigv4::Signature signature = sigv4::parse(request);
  const std::string canonical = sigv4::canonical_request(request, signature);
  (void)sigv4::sign("secret", signature, sigv4::string_to_sign(signature, canonical));
  sigv4::Options options;
  options.secrets_of = [](const sigv4::Signature& by) { return by.access_key.empty() ? std::nullopt : std::optional<sigv4::Secrets>(sigv4::Secrets{"secret", ""}); };
  options.explains = true;
  const Status verdict = sigv4::verify(request, from_ms(1'767'225'720'000), options);
  (void)verdict;
}

FOG_FUZZ_SEEDS(sigv4) {
  return {"GET /?Action=Publish&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F20260101%2Fus-east-1%2Fsns%2Faws4_request&X-Amz-Date=20260101T000200Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature=00 HTTP/1.1\r\nHost: a\r\n\r\n",
          "POST / HTTP/1.1\r\nHost: a\r\nX-Amz-Date: 20260101T000200Z\r\nX-Amz-Content-Sha256: UNSIGNED-PAYLOAD\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/logs/aws4_request, SignedHeaders=host;x-amz-date, Signature=00\r\n\r\nbody"};
}

}  // namespace fog::fuzz
