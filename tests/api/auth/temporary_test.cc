// Temporary credentials without a server: what a token proves, for how long, and what it can't be made to say.
#include "api/auth/temporary.h"

#include <gtest/gtest.h>

#include "api/auth/sigv4.h"
#include "api/codec/text.h"

namespace fog {
namespace {

constexpr Timestamp kNow(Millis(1'767'225'600'000));  // 2026-01-01T00:00:00Z
constexpr Timestamp kLater = kNow + std::chrono::hours(1);

AccessKey long_term(std::string name, std::string secret) {
  AccessKey key;
  key.access_key = "AKIA" + name;
  key.name = std::move(name);
  key.secret_key = std::move(secret);
  key.account = "123456789012";
  key.policies.push_back(*iam::parse_policy(R"({"Statement": {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}})"));
  return key;
}

class TemporaryKeysTest : public ::testing::Test {
 protected:
  TemporaryKeysTest() { put({long_term("ANN", "a secret of some length"), long_term("BOB", "another secret, as long")}); }

  void put(std::vector<AccessKey> list) {
    Keys::Table table;
    for (AccessKey& key : list) {
      std::string id = key.access_key;
      table.emplace(std::move(id), std::move(key));
    }
    keys_.replace(std::move(table));
  }
  TemporaryKey make(std::vector<std::string> policies = {}) {
    return make_temporary_key(*keys_.find("AKIAANN"), {.access_key = "ASIATEMPORARY", .arn = "arn:aws:sts::123456789012:assumed-role/r/s", .user_id = "AROA:s",
                                                       .session_policies = std::move(policies), .expires = kLater});
  }

  Keys keys_;
  TemporaryKeys temporary_{keys_};
};

TEST_F(TemporaryKeysTest, a_token_brings_back_its_key) {
  const TemporaryKey made = make();
  EXPECT_EQ(made.secret_key.size(), 40u);
  for (int round = 0; round < 2; ++round) {  // read, and remembered
    const auto found = temporary_.find("ASIATEMPORARY", made.session_token, kNow);
    ASSERT_TRUE(found.key);
    EXPECT_FALSE(found.is_expired);
    EXPECT_EQ(found.key->secret_key, made.secret_key);
    EXPECT_EQ(found.key->name, "ANN");
    EXPECT_EQ(arn_of(*found.key, "aws"), "arn:aws:sts::123456789012:assumed-role/r/s");
    EXPECT_EQ(why_not(*found.key, {.action = "logs:PutLogEvents", .resources = {"x"}}), "");
    EXPECT_EQ(why_not(*found.key, {.action = "sns:Publish", .resources = {"x"}}), "because no identity-based policy allows the sns:Publish action");
  }
  EXPECT_TRUE(temporary_.find("ASIATEMPORARY", made.session_token, kLater).is_expired);
  EXPECT_FALSE(temporary_.find("ASIAANOTHER", made.session_token, kNow).key);
}

TEST_F(TemporaryKeysTest, each_session_policy_must_allow_too) {
  const auto first = temporary_.find("ASIATEMPORARY", make({R"({"Statement": {"Effect": "Allow", "Action": "logs:Put*", "Resource": "*"}})"}).session_token, kNow);
  ASSERT_TRUE(first.key);
  EXPECT_EQ(why_not(*first.key, {.action = "logs:GetLogEvents", .resources = {"x"}}), "because no session policy allows the logs:GetLogEvents action");
  const TemporaryKey chained = make_temporary_key(
      *first.key, {.access_key = "ASIACHAINED", .session_policies = {R"({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})"}, .expires = kLater});
  const auto second = temporary_.find("ASIACHAINED", chained.session_token, kNow);
  ASSERT_TRUE(second.key);
  EXPECT_EQ(second.key->parent, "AKIAANN");
  EXPECT_EQ(why_not(*second.key, {.action = "logs:PutLogEvents", .resources = {"x"}}), "");
  EXPECT_NE(why_not(*second.key, {.action = "logs:GetLogEvents", .resources = {"x"}}), "");
}

TEST_F(TemporaryKeysTest, no_byte_of_a_token_can_be_changed) {
  const std::string token = make().session_token;
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(temporary_.find("ASIATEMPORARY", changed, kNow).key) << i;
    EXPECT_FALSE(temporary_.find("ASIATEMPORARY", token.substr(0, i), kNow).key) << i;
  }
}

TEST_F(TemporaryKeysTest, revoking_or_changing_the_key_ends_its_sessions) {
  const std::string token = make().session_token;
  ASSERT_TRUE(temporary_.find("ASIATEMPORARY", token, kNow).key);
  put({long_term("ANN", "a secret of some length")});  // the file was read again: nothing has changed
  EXPECT_TRUE(temporary_.find("ASIATEMPORARY", token, kNow).key);
  put({long_term("ANN", "a fresh secret of some length")});
  EXPECT_FALSE(temporary_.find("ASIATEMPORARY", token, kNow).key);
  put({long_term("BOB", "another secret, as long")});
  EXPECT_FALSE(temporary_.find("ASIATEMPORARY", token, kNow).key);
}

// Whoever has the long-term secret can seal what he likes; it must be refused, not trip the server.
TEST_F(TemporaryKeysTest, a_sealed_token_may_hold_nonsense) {
  const char* const kNonsense[] = {
      R"([])", R"({})", R"({"key": 1, "of": "AKIAANN"})", R"({"key": "ASIATEMPORARY", "of": "AKIAANN"})",
      R"({"key": "ASIATEMPORARY", "of": "AKIAANN", "until": "soon"})", R"({"key": "ASIATEMPORARY", "of": "AKIAANN", "until": 1e300})",
      R"({"key": "ASIATEMPORARY", "of": "AKIAANN", "until": 9, "policies": "x"})", R"({"key": "ASIATEMPORARY", "of": "AKIAANN", "until": 9, "policies": [1]})",
      R"({"key": "ASIATEMPORARY", "of": "AKIAANN", "until": 9, "policies": ["{"]})", R"({"key": "ASIATEMPORARY", "of": "AKIAANN", "until": 9, "policies": {"a": []}})"};
  for (const char* text : kNonsense) {
    std::string token;
    append_base64(sigv4::hmac_sha256("a secret of some length", std::string("fogwatch session token\n") + text) + text, token);
    EXPECT_FALSE(temporary_.find("ASIATEMPORARY", token, kNow).key) << text;
  }
}

}  // namespace
}  // namespace fog
