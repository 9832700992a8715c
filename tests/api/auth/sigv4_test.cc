// The published signing vectors, where they are at hand, and the failures AWS names.
#include <gtest/gtest.h>

#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "api/auth/sigv4.h"
#include "api/codec/text.h"
#include "api/common/fault.h"
#include "tests/api/common/raw_http.h"

namespace fog::test {
namespace {

using nlohmann::json;

sigv4::Options options_of(const json& context) {
  const json& keys = context["credentials"];
  sigv4::Options options;
  options.region = context["region"];
  options.service = context["service"];
  options.explains = true;
  options.secrets_of = [keys](const sigv4::Signature& by) -> std::optional<sigv4::Secrets> {
    if (by.access_key != keys["access_key_id"].get<std::string>()) return std::nullopt;
    return sigv4::Secrets{keys["secret_access_key"], keys.value("token", "")};
  };
  return options;
}

std::string code_of(const Status& status) {
  if (status.ok()) return "ok";
  return dynamic_cast<const FaultDetail&>(*status.error().detail()).wire.query_code;
}

TEST(Signatures, of_the_published_vectors_verify_and_break_when_touched) {
  const std::string file = FOG_SHARED_DIR "/data/sigv4-tests/v4.json";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "no vectors beside the source folder: " << file;
  int passed = 0, skipped = 0;
  for (const json& test : json::parse(read_file(file))) {
    const std::string name = test["name"];
    if (!test["context"].value("normalize", true)) {
      skipped += 2;  // paths as S3 signs them, and no service of ours
      continue;
    }
    const auto options = options_of(test["context"]);
    const Timestamp now = parse_timestamp(test["context"]["timestamp"].get<std::string>()).value();
    for (const std::string form : {"header", "query"}) {
      const RawRequest raw = parse_request(test[form + "_signed_request"]);
      const auto signature = sigv4::parse(raw.request);
      EXPECT_EQ(signature.is_presigned, form == "query") << name;
      const Status status = sigv4::verify(raw.request, now, options);
      EXPECT_TRUE(status.ok()) << name << ' ' << form << ": " << (status.ok() ? "" : status.error().message());
      const bool omits_token = test["context"].value("omit_session_token", false);
      if (!omits_token) {
        const std::string canonical = sigv4::canonical_request(raw.request, signature);
        EXPECT_EQ(canonical, test[form + "_canonical_request"].get<std::string>()) << name;
        EXPECT_EQ(sigv4::string_to_sign(signature, canonical), test[form + "_string_to_sign"].get<std::string>()) << name;
      }
      http::Request touched = raw.request;
      touched.body += "x";
      EXPECT_EQ(code_of(sigv4::verify(touched, now, options)), "SignatureDoesNotMatch") << name;
      std::string text = *raw.text;
      const std::string right = test[form + "_signature"];
      std::string wrong = right;
      wrong[5] = wrong[5] == 'a' ? 'b' : 'a';
      text.replace(text.find(right), right.size(), wrong);
      EXPECT_EQ(code_of(sigv4::verify(parse_request(text).request, now, options)), "SignatureDoesNotMatch") << name;
      ++passed;
    }
  }
  std::cout << "  passed " << passed << ", skipped " << skipped << ": paths without normalisation\n";
  EXPECT_GE(passed, 60);
}

// A request as boto3 signs it (spec example), and what is done to it.
struct Failure {
  const char* what;
  const char* from;
  const char* to;
  const char* code;
  const char* words;
};
constexpr Failure kFailures[] = {
    {"nothing", "", "", "ok", ""},
    {"no header", "Authorization: AWS4", "X-Other: AWS4", "MissingAuthenticationToken", "Missing Authentication Token"},
    {"no signature", ", Signature=", ", Sig=", "IncompleteSignature", "'Signature'"},
    {"no credential", "Credential=", "Cred=", "IncompleteSignature", "'Credential'"},
    {"no date", "X-Amz-Date: 20261121T223908Z", "X-Other: 1", "IncompleteSignature", "'X-Amz-Date'"},
    {"bad date", "X-Amz-Date: 20261121T223908Z", "X-Amz-Date: yesterday", "IncompleteSignature", "ISO-8601"},
    {"old", "X-Amz-Date: 20261121T223908Z", "X-Amz-Date: 20261121T220000Z", "SignatureDoesNotMatch", "Signature expired: 20261121T220000Z is now earlier than 20261121T222408Z (20261121T223908Z - 15 min.)"},
    {"early", "X-Amz-Date: 20261121T223908Z", "X-Amz-Date: 20261121T230000Z", "SignatureDoesNotMatch", "Signature not yet current"},
    {"other day", "/20261121/us", "/20261120/us", "SignatureDoesNotMatch", "Date in Credential scope"},
    {"other service", "/logs/", "/sns/", "SignatureDoesNotMatch", "correct service: 'logs'"},
    {"other end", "aws4_request", "aws5_request", "SignatureDoesNotMatch", "aws4_request"},
    {"host unsigned", "SignedHeaders=content-type;host;", "SignedHeaders=content-type;", "SignatureDoesNotMatch", "'Host' must be"},
    {"algorithm", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512", "IncompleteSignature", "algorithm"},
    {"four parts", "/us-east-1/logs/aws4_request", "/logs/aws4_request", "IncompleteSignature", "5 slash-delimited"},
    {"unknown key", "AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLF", "InvalidClientTokenId", "The security token included in the request is invalid."},
    {"header changed", "Logs_20140328.StartQuery", "Logs_20140328.StopQuery", "SignatureDoesNotMatch", "The request signature we calculated"},
};

TEST(Signatures, fail_with_the_error_that_aws_gives_first) {
  const std::string original = read_file(FOG_SOURCE_DIR "/tests/captures/boto3-1.43--logs-StartQuery.http");
  sigv4::Options options;
  options.service = "logs";
  options.secrets_of = [](const sigv4::Signature& by) -> std::optional<sigv4::Secrets> {
    if (by.access_key != "AKIAIOSFODNN7EXAMPLE") return std::nullopt;
    return sigv4::Secrets{"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""};
  };
  const Timestamp now = parse_timestamp("2026-11-21T22:39:08Z").value();
  for (const Failure& failure : kFailures) {
    std::string text = original;
    const std::string from = failure.from;
    if (!from.empty()) {
      ASSERT_NE(text.find(from), std::string::npos) << failure.what;
      text.replace(text.find(from), from.size(), failure.to);
    }
    const Status status = sigv4::verify(parse_request(text).request, now, options);
    EXPECT_EQ(code_of(status), failure.code) << failure.what;
    if (!status.ok()) {
      EXPECT_NE(status.error().message().find(failure.words), std::string::npos)
          << failure.what << ": " << status.error().message();
    }
  }
}

TEST(Signatures, of_presigned_urls_end_when_they_say) {
  const std::string text = read_file(FOG_SOURCE_DIR "/tests/captures/boto3-1.43--sns-Publish-presigned-get.http");
  sigv4::Options options;
  options.secrets_of = [](const sigv4::Signature&) { return sigv4::Secrets{"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""}; };
  const Timestamp signed_at = parse_timestamp("2026-11-21T22:50:27Z").value();
  const RawRequest raw = parse_request(text);
  EXPECT_EQ(code_of(sigv4::verify(raw.request, signed_at + std::chrono::seconds(300), options)), "ok");
  EXPECT_EQ(code_of(sigv4::verify(raw.request, signed_at + std::chrono::seconds(301), options)), "SignatureDoesNotMatch");
  EXPECT_EQ(code_of(sigv4::verify(raw.request, signed_at - std::chrono::minutes(6), options)), "SignatureDoesNotMatch");
}

TEST(Signatures, of_other_schemes_are_read_as_far_as_they_go) {
  const RawRequest raw = parse_request(
      "POST / HTTP/1.1\nAuthorization: AWS4-ECDSA-P256-SHA256 Credential=AKID/20260101/logs/aws4_request, "
      "SignedHeaders=host, Signature=00\nX-Amz-Region-Set: *\n\n");
  const auto signature = sigv4::parse(raw.request);
  EXPECT_EQ(signature.access_key, "AKID");
  EXPECT_EQ(signature.service, "logs");
  EXPECT_EQ(signature.region, "");
  EXPECT_FALSE(sigv4::parse(parse_request("GET / HTTP/1.1\nAuthorization: Bearer ACWLx\n\n").request).is_present());
}

}  // namespace
}  // namespace fog::test
