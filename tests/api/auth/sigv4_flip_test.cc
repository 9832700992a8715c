// One flipped bit, anywhere in what a signature covers, and the request is refused.
#include <gtest/gtest.h>

#include <filesystem>

#include "api/auth/sigv4.h"
#include "api/codec/text.h"
#include "tests/api/common/raw_http.h"

namespace fog::test {
namespace {

constexpr std::string_view kSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

sigv4::Options options() {
  sigv4::Options out;
  out.secrets_of = [](const sigv4::Signature& by) -> std::optional<sigv4::Secrets> {
    if (by.access_key != "AKIAIOSFODNN7EXAMPLE") return std::nullopt;
    return sigv4::Secrets{std::string(kSecret), ""};
  };
  return out;
}

Timestamp time_of(const http::Request& request) {
  std::string iso = sigv4::parse(request).time;
  iso = iso.substr(0, 4) + '-' + iso.substr(4, 2) + '-' + iso.substr(6, 5) + ':' + iso.substr(11, 2) + ':' + iso.substr(13);
  return parse_timestamp(iso).value();
}

bool is_signed(std::string_view list, std::string_view name) {
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t end = std::min(list.find(';', at), list.size());
    if (http::equal_ignoring_case(list.substr(at, end - at), name)) return true;
    at = end + 1;
  }
  return false;
}

// Flips every bit of `part` in turn, or one of each byte; `request` sees the text that `part` is.
int flip_all(const std::string& file, const char* what, const http::Request& request, Timestamp now, bool every_bit, std::string& part) {
  int flips = 0;
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (what[0] == 't' && i == 0) continue;  // a target that does not begin with a slash is no request at all
    for (int bit = every_bit ? 0 : static_cast<int>(i % 8), last = every_bit ? 7 : bit; bit <= last; ++bit) {
      // The two hexadecimal digits of an escape mean the same in either case.
      const bool in_escape = what[0] == 't' && bit == 5 && ((i > 0 && part[i - 1] == '%') || (i > 1 && part[i - 2] == '%')) && part[i] >= 'A';
      if (in_escape) continue;
      part[i] = static_cast<char>(part[i] ^ (1 << bit));
      EXPECT_FALSE(sigv4::verify(request, now, options()).ok()) << file << ": " << what << ", byte " << i << ", bit " << bit;
      part[i] = static_cast<char>(part[i] ^ (1 << bit));
      ++flips;
    }
  }
  return flips;
}

TEST(Signatures, break_with_any_flipped_bit) {
  int requests = 0;
  int flips = 0;
  for (const auto& entry : std::filesystem::directory_iterator(FOG_SOURCE_DIR "/tests/captures")) {
    const std::string file = entry.path().filename();
    if (entry.path().extension() != ".http") continue;
    RawRequest raw = parse_request(read_file(entry.path()));
    const auto signature = sigv4::parse(raw.request);
    // Long bodies are one hash like short ones; a flip costs a hash of the whole.
    if (!signature.is_present() || raw.request.body.size() > 3000) continue;
    const Timestamp now = time_of(raw.request);
    ASSERT_TRUE(sigv4::verify(raw.request, now, options()).ok()) << file;
    http::Request request = raw.request;
    const bool every_bit = requests % 12 == 0;  // a bit of every byte is enough for the others

    std::string method(request.method), target(request.target);
    request.method = method;
    request.target = target;
    flips += flip_all(file, "method", request, now, every_bit, method);
    flips += flip_all(file, "target", request, now, every_bit, target);
    for (http::Header& header : request.headers) {
      const bool is_own = http::equal_ignoring_case(header.name, "authorization");
      if (!is_own && !is_signed(signature.signed_headers, header.name)) continue;
      const std::string_view kept = header.value;
      std::string value(kept);
      header.value = value;
      flips += flip_all(file, is_own ? "authorization" : "header", request, now, every_bit, value);
      header.value = kept;
    }
    std::string body = request.body;
    for (std::size_t i = 0; i < body.size(); i += every_bit ? 1 : 7) {
      request.body[i] = static_cast<char>(request.body[i] ^ (1 << (i % 8)));
      EXPECT_FALSE(sigv4::verify(request, now, options()).ok()) << file << ": body, byte " << i;
      request.body[i] = body[i];
      ++flips;
    }
    EXPECT_TRUE(sigv4::verify(request, now, options()).ok()) << file << ": the test did not put back what it changed";
    ++requests;
  }
  std::cout << "  " << flips << " flips in " << requests << " requests\n";
  EXPECT_GE(requests, 30);
}

}  // namespace
}  // namespace fog::test
