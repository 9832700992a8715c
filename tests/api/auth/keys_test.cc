// The keys file: what is read, what is refused, and what the command line changes in it.
#include "api/auth/keys.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

namespace fog {
namespace {

struct KeysTest : testing::Test {
  KeysTest() { std::filesystem::remove(file); }
  void write(const std::string& text, mode_t mode = 0600) {
    std::ofstream(file) << text;
    ::chmod(file.c_str(), mode);
  }
  std::string problem() {
    const auto table = Keys::read(file);
    return table.ok() ? "" : table.error().message().substr(file.string().size() + 2);
  }
  const std::filesystem::path file = testing::TempDir() + "/fogwatch-keys-test.json";
};

constexpr const char* kSecret = "0123456789abcdef0123456789abcdef01234567";

TEST_F(KeysTest, a_key_is_added_found_and_revoked) {
  ASSERT_TRUE(add_key(file, {.name = "etcher", .access_key = "AKIAETCHER000001", .secret_key = kSecret, .account = "123456789012", .policy = R"({"Statement": {"Effect": "Allow", "Action": "xray:*", "Resource": "*"}})"}).ok());
  ASSERT_TRUE(add_key(file, {.name = "idle", .access_key = "AKIAIDLE00000001", .secret_key = kSecret, .account = "123456789012", .policy = ""}).ok());
  struct stat facts {};
  ASSERT_EQ(::stat(file.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);

  Keys keys;
  auto table = Keys::read(file);
  ASSERT_TRUE(table.ok()) << table.error().message();
  keys.replace(std::move(*table));
  EXPECT_EQ(keys.size(), 2u);
  const auto key = keys.find("AKIAETCHER000001");
  ASSERT_TRUE(key);
  EXPECT_EQ(key->name, "etcher");
  EXPECT_EQ(key->policies.size(), 1u);
  EXPECT_FALSE(keys.find("AKIAETCHER000002"));
  const auto lines = list_keys(file);
  ASSERT_TRUE(lines.ok());
  EXPECT_EQ((*lines)[1].name, "idle");

  ASSERT_TRUE(revoke_key(file, "AKIAETCHER000001").ok());
  keys.replace(*Keys::read(file));
  EXPECT_FALSE(keys.find("AKIAETCHER000001"));
  EXPECT_EQ(key->secret_key, kSecret) << "who holds it keeps it";
  EXPECT_FALSE(revoke_key(file, "AKIAETCHER000001").ok());
}

TEST_F(KeysTest, a_file_that_others_may_read_is_refused) {
  EXPECT_EQ(problem(), "No such file or directory");
  write(R"({"keys": []})", 0640);
  EXPECT_EQ(problem(), "holds secrets and may be read by others; chmod 600 it");
  write(R"({"keys": []})");
  EXPECT_EQ(problem(), "");
}

TEST_F(KeysTest, what_is_wrong_is_said_with_its_place) {
  const struct {
    const char* text;
    const char* problem;
  } rows[] = {
      {"", "is not {\"keys\": [...]}"},
      {"{}", "is not {\"keys\": [...]}"},
      {R"({"keys": [1]})", "key 1: is not an object"},
      {R"({"keys": [{"name": "a/b"}]})", "key 1: \"name\" is not a user name of 1 to 64 letters, digits and _+=,.@-"},
      {R"({"keys": [{"name": "a", "account": "000000000000", "access_key": "short"}]})", "key 1: \"access_key\" is not 12 to 128 letters and digits"},
      {R"({"keys": [{"name": "a", "account": "000000000000", "access_key": "AKIA00000001", "secret_key": "short"}]})", "key 1: \"secret_key\" has fewer than 16 characters"},
      {R"({"keys": [{"name": "a", "access_key": "AKIA00000001", "secret_key": "0123456789abcdef", "account": "1"}]})", "key 1: \"account\" is not 12 digits"},
      {R"({"keys": [{"name": "a", "access_key": "AKIA00000001", "secret_key": "0123456789abcdef", "account": "000000000000", "policies": [{}]}]})", "key 1: policy 1: the policy has no Statement"},
      {R"({"keys": [{"name": "a", "access_key": "AKIA00000001", "secret_key": "0123456789abcdef", "account": "000000000000"},
                    {"name": "b", "access_key": "AKIA00000001", "secret_key": "0123456789abcdef", "account": "000000000000"}]})", "key 2: is there twice"},
  };
  for (const auto& row : rows) {
    write(row.text);
    EXPECT_EQ(problem(), row.problem) << row.text;
  }
  EXPECT_FALSE(add_key(file, {.name = "a", .access_key = "AKIA00000009", .secret_key = "0123456789abcdef", .account = "000000000000", .policy = "{"}).ok());
}

}  // namespace
}  // namespace fog
