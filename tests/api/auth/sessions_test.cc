// People: passwords as they are kept, users in the file, sessions and the lock-out.
#include "api/auth/sessions.h"

#include <gtest/gtest.h>

#include "api/auth/password.h"

namespace fog {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr const char* kPassword = "correct horse battery";

struct SessionsTest : testing::Test {
  SessionsTest() { put("ann"); }
  void put(const std::string& name, const std::string& password = kPassword) {
    User user;
    user.identity.name = name;
    user.identity.account = "123456789012";
    user.password = *hash_password(password, random);
    Users::Table table;
    table.emplace(name, std::move(user));
    users.replace(std::move(table));
  }
  Sessions::Verdict attempt(const std::string& password, Millis now, const std::string& user = "ann", const std::string& source = "10.0.0.1") {
    return sessions.sign_in(user, password, source, now);
  }

  SeededRandom random{1};
  Users users;
  Sessions sessions{users, random};
};

TEST(Password, is_kept_salted_and_matches_only_itself) {
  SystemRandom random;
  const auto kept = hash_password(kPassword, random);
  const auto again = hash_password(kPassword, random);
  ASSERT_TRUE(kept.ok());
  EXPECT_NE(*kept, *again);
  EXPECT_TRUE(kept->starts_with("scrypt$32768$8$1$"));
  EXPECT_TRUE(matches_password(*kept, kPassword));
  EXPECT_FALSE(matches_password(*kept, "correct horse batterz"));
  EXPECT_FALSE(matches_password(*kept, ""));
  EXPECT_FALSE(hash_password("short", random).ok());
  EXPECT_FALSE(hash_password("ääääää", random).ok()) << "characters count, not bytes";
  EXPECT_FALSE(hash_password(std::string(1025, 'x'), random).ok());
  EXPECT_FALSE(matches_password(*kept, std::string(5000, 'x')));
}

// Costs that this server would not pay are no record either.
TEST(Password, records_of_other_forms_match_nothing) {
  const std::string salt(32, 'a'), hash(64, 'b');
  EXPECT_TRUE(is_password_record("scrypt$1024$8$1$" + salt + '$' + hash));
  for (const std::string& bad : {std::string(), std::string("scrypt"), "bcrypt$1024$8$1$" + salt + '$' + hash, "scrypt$1000$8$1$" + salt + '$' + hash,
                                "scrypt$1073741824$8$1$" + salt + '$' + hash, "scrypt$1024$8$1$" + salt + "$zz", "scrypt$1024$0$1$" + salt + '$' + hash,
                                "scrypt$1024$8$1$" + salt, "scrypt$-2$8$1$" + salt + '$' + hash}) {
    EXPECT_FALSE(is_password_record(bad)) << bad;
    EXPECT_FALSE(matches_password(bad, "anything at all"));
  }
}

TEST_F(SessionsTest, a_right_password_opens_one_that_ends_at_sign_out) {
  const auto verdict = attempt(kPassword, seconds(1));
  ASSERT_TRUE(verdict.opened);
  EXPECT_EQ(verdict.opened->token.size(), 64u);
  ASSERT_TRUE(sessions.find(verdict.opened->token, seconds(2)));
  EXPECT_EQ(sessions.find(verdict.opened->token, seconds(2))->identity.name, "ann");
  std::string other = verdict.opened->token;
  other[0] = other[0] == 'a' ? 'b' : 'a';
  EXPECT_FALSE(sessions.find(other, seconds(2)));
  EXPECT_FALSE(sessions.find("", seconds(2)));
  EXPECT_FALSE(sessions.find(std::string(1000, 'a'), seconds(2)));
  sessions.sign_out(verdict.opened->token);
  EXPECT_FALSE(sessions.find(verdict.opened->token, seconds(3)));
}

TEST_F(SessionsTest, one_that_nobody_uses_ends_and_looking_is_no_use) {
  const std::string token = attempt(kPassword, seconds(0)).opened->token;
  EXPECT_TRUE(sessions.find(token, minutes(29)));
  EXPECT_TRUE(sessions.find(token, minutes(58), true));
  EXPECT_EQ(sessions.left(token, minutes(58)), minutes(1));
  EXPECT_FALSE(sessions.find(token, minutes(59), true));
}

TEST_F(SessionsTest, the_busiest_one_ends_after_its_lifetime) {
  const std::string token = attempt(kPassword, seconds(0)).opened->token;
  for (Millis now = minutes(0); now < hours(12); now += minutes(20)) ASSERT_TRUE(sessions.find(token, now)) << now.count();
  EXPECT_FALSE(sessions.find(token, hours(12)));
}

TEST_F(SessionsTest, another_password_or_no_user_ends_it) {
  std::string token = attempt(kPassword, seconds(0)).opened->token;
  put("ann", "another password now");
  EXPECT_FALSE(sessions.find(token, seconds(1)));
  token = attempt("another password now", seconds(2)).opened->token;
  users.replace({});
  EXPECT_FALSE(sessions.find(token, seconds(3)));
}

TEST_F(SessionsTest, wrong_passwords_make_the_next_attempt_wait_ever_longer) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(attempt("wrong password", seconds(0)).refusal, Sessions::Refusal::kWrong) << i;
  // The right one does not help now, and asking costs nothing more.
  for (int i = 0; i < 3; ++i) {
    const auto early = attempt(kPassword, seconds(0));
    EXPECT_FALSE(early.opened);
    EXPECT_EQ(early.refusal, Sessions::Refusal::kLocked);
    EXPECT_EQ(early.wait, seconds(1));
  }
  EXPECT_EQ(attempt("wrong password", seconds(1)).refusal, Sessions::Refusal::kWrong);
  EXPECT_EQ(attempt(kPassword, seconds(2)).wait, seconds(1)) << "two seconds now";
  EXPECT_EQ(attempt("wrong password", seconds(3)).refusal, Sessions::Refusal::kWrong);
  EXPECT_EQ(attempt(kPassword, seconds(3)).wait, seconds(4));
  ASSERT_TRUE(attempt(kPassword, seconds(7)).opened);
  // And all is forgiven.
  EXPECT_EQ(attempt("wrong password", seconds(8)).refusal, Sessions::Refusal::kWrong);
  EXPECT_TRUE(attempt(kPassword, seconds(8)).opened);
}

TEST(LockOut, of_one_place_does_not_keep_the_user_out_elsewhere) {
  LockOut lock_out;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(lock_out.enter("ann", "10.0.0.1", seconds(0)), Millis(0));
  EXPECT_GT(lock_out.enter("ann", "10.0.0.1", seconds(0)), Millis(0));
  EXPECT_EQ(lock_out.enter("ann", "10.0.0.2", seconds(0)), Millis(0));
  EXPECT_EQ(lock_out.enter("bob", "10.0.0.1", seconds(0)), Millis(0));
}

TEST(LockOut, counts_a_place_whatever_names_it_makes_up) {
  LockOut lock_out;
  int let_in = 0;
  for (int i = 0; i < 1000; ++i) let_in += lock_out.enter("user" + std::to_string(i), "10.0.0.1", seconds(0)) == Millis(0);
  EXPECT_EQ(let_in, 21);
  // A day of patience: how many guesses does one place get?
  LockOut day;
  int guesses = 0;
  for (int s = 0; s < 86400; ++s) guesses += day.enter("ann", "10.0.0.1", seconds(s)) == Millis(0);
  EXPECT_LT(guesses, 150);
}

TEST(LockOut, counts_a_user_from_ever_new_places_but_never_waits_long) {
  LockOut lock_out;
  Millis longest{};
  int let_in = 0;
  for (int i = 0; i < 5000; ++i) {
    const Millis wait = lock_out.enter("ann", "10.0." + std::to_string(i / 250) + '.' + std::to_string(i % 250), seconds(0));
    longest = std::max(longest, wait);
    let_in += wait == Millis(0);
  }
  EXPECT_EQ(let_in, 51);
  EXPECT_LE(longest, seconds(30));
}

}  // namespace
}  // namespace fog
