// What is signed on the way out is what is accepted on the way in.
#include "api/auth/sign.h"

#include <gtest/gtest.h>

#include "api/auth/sigv4.h"

namespace fog {
namespace {

TEST(SignRequest, its_signature_verifies_and_a_changed_body_does_not) {
  const Timestamp now(Millis(1767225600000));  // 2026-01-01T00:00:00Z
  OutboundRequest out{.url = "http://queues.test:9324/000000000000/q", .body = "Action=SendMessage"};
  sign_request(out, "sqs", "eu-west-1", "AKIAOUTGOING0001", "a secret of some length", now);

  http::Request in;
  in.method = out.method;
  in.target = "/000000000000/q";
  in.headers.push_back({"Host", "queues.test:9324"});
  for (const auto& [name, value] : out.headers) in.headers.push_back({name, value});
  in.body = out.body;
  sigv4::Options options{.secrets_of = [](const sigv4::Signature&) { return sigv4::Secrets{.secret = "a secret of some length", .session_token = {}}; },
                         .region = "eu-west-1",
                         .service = "sqs"};
  const Status right = sigv4::verify(in, now, options);
  EXPECT_TRUE(right.ok()) << (right.ok() ? "" : right.error().message());
  in.body += "x";
  EXPECT_FALSE(sigv4::verify(in, now, options).ok());
}

}  // namespace
}  // namespace fog
