// Sessions: who is signed in to the console.
//
//   TRY(auto opened, sessions.sign_in("ann", password, peer, steady_now));
//   sessions.find(opened.token, steady_now);   // what that user may do, while the session lasts
//
// A token is 256 random bits; only its SHA-256 is kept. A session ends after a time unused, after a
// time at all, at sign-out, and when its user is removed or has another password. They live in
// memory: a restart ends them. Wrong passwords make the next attempt wait, ever longer, by user and
// by where they come from. Time is a steady clock's. Any thread; sign_in() takes some 60 ms.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "api/auth/users.h"
#include "storage/base/clock.h"
#include "storage/base/random.h"

namespace fog {

// Counts attempts that failed, and says how long the next one must wait.
class LockOut {
 public:
  // Zero: try now, and the attempt is counted as failed until forgive() says otherwise.
  Millis enter(std::string_view user, std::string_view source, Millis now);
  void forgive(std::string_view user, std::string_view source);

 private:
  struct Count {
    unsigned failures = 0;
    Millis until{};  // no attempt before
    Millis last{};
  };
  struct Rule;
  static const Rule kRules[];
  void forget_old(Millis now);

  std::map<std::string, Count, std::less<>> counts_;  // by "rule/user/source"
};

class Sessions {
 public:
  struct Options {
    Millis idle{std::chrono::minutes(30)};
    Millis lifetime{std::chrono::hours(12)};
    std::size_t count_max = 10'000;
  };
  struct Opened {
    std::string token;
    std::shared_ptr<const User> user;
  };
  enum class Refusal { kWrong, kLocked, kBusy };
  struct Verdict {
    std::optional<Opened> opened;
    Refusal refusal = Refusal::kWrong;
    Millis wait{};  // kLocked: try again after
  };

  Sessions(const Users& users, Random& random) : Sessions(users, random, Options{}) {}
  Sessions(const Users& users, Random& random, Options options);

  Verdict sign_in(std::string_view user, std::string_view password, std::string_view source, Millis now);
  // Null: no such session, or it is over. Using it keeps it from idling out, unless it only `looks`.
  std::shared_ptr<const User> find(std::string_view token, Millis now, bool looks = false);
  // How long it lasts if it is not used; zero: it is over.
  Millis left(std::string_view token, Millis now);
  void sign_out(std::string_view token);
  const Options& options() const { return options_; }

 private:
  using Digest = std::array<unsigned char, 32>;
  struct HashDigest {
    std::size_t operator()(const Digest& d) const;  // a digest of random bits is its own hash
  };
  struct Session {
    std::string user;
    std::string password;  // the record it was opened with
    Millis began{};
    Millis used{};
  };
  static Digest digest(std::string_view token);
  bool is_over(const Session& session, Millis now) const;

  const Users& users_;
  Random& random_;
  const Options options_;
  const std::string stranger_;  // a record that nobody's password matches
  std::atomic<int> hashing_{0};
  std::mutex hash_mutex_;  // one password is hashed at a time: each takes 32 MiB
  std::mutex mutex_;
  std::unordered_map<Digest, Session, HashDigest> sessions_;
  LockOut lock_out_;
};

}  // namespace fog
