#include "api/auth/sessions.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstring>

#include "api/auth/password.h"
#include "storage/base/log.h"

namespace fog {
namespace {

constexpr std::size_t kTokenDigits = 64;  // hexadecimal: 256 bits
constexpr int kWaitingMax = 4;            // attempts that may wait for their turn to be hashed
constexpr std::size_t kCountsMax = 20'000;
constexpr Millis kForgotten{std::chrono::hours(24)};
constexpr std::size_t kNameShown = 64;  // of a user's name in the log

}  // namespace

// --- lock-out ------------------------------------------------------------------------------------

// Of a user from one place; of one place, whoever it tries; of a user from anywhere. The last waits
// little, so that strangers cannot keep a user out for long.
struct LockOut::Rule {
  bool by_user;
  bool by_source;
  unsigned free;  // failures that cost nothing
  Millis wait_max;
};
const LockOut::Rule LockOut::kRules[] = {
    {true, true, 4, std::chrono::minutes(15)},
    {false, true, 20, std::chrono::minutes(15)},
    {true, false, 50, std::chrono::seconds(30)},
};

namespace {

std::string count_key(std::size_t rule, bool by_user, std::string_view user, bool by_source, std::string_view source) {
  std::string key = std::to_string(rule) + '/';
  // Names come from strangers: their length is bounded, their content cannot meet another's.
  if (by_user) key += user.substr(0, 256);
  key += '\n';
  if (by_source) key += source;
  return key;
}

}  // namespace

void LockOut::forget_old(Millis now) {
  if (counts_.size() < kCountsMax) return;
  std::erase_if(counts_, [&](const auto& entry) { return entry.second.until <= now && entry.second.last + kForgotten < now; });
  if (counts_.size() < kCountsMax) return;
  // A flood of made-up names: what is not locked goes; sources stay locked by their own count.
  std::erase_if(counts_, [&](const auto& entry) { return entry.second.until <= now; });
}

Millis LockOut::enter(std::string_view user, std::string_view source, Millis now) {
  forget_old(now);
  Millis wait{};
  for (std::size_t i = 0; i < std::size(kRules); ++i) {
    const auto found = counts_.find(count_key(i, kRules[i].by_user, user, kRules[i].by_source, source));
    if (found != counts_.end()) wait = std::max(wait, found->second.until - now);
  }
  if (wait > Millis(0)) return wait;
  for (std::size_t i = 0; i < std::size(kRules); ++i) {
    const Rule& rule = kRules[i];
    Count& count = counts_[count_key(i, rule.by_user, user, rule.by_source, source)];
    if (count.last + kForgotten < now) count.failures = 0;
    count.last = now;
    ++count.failures;
    if (count.failures <= rule.free) continue;
    // 1 s, 2 s, 4 s ...
    const unsigned doublings = std::min(count.failures - rule.free - 1, 20u);
    count.until = now + std::min(rule.wait_max, Millis(std::int64_t{1000} << doublings));
  }
  return Millis(0);
}

void LockOut::forgive(std::string_view user, std::string_view source) {
  for (std::size_t i = 0; i < std::size(kRules); ++i) {
    const auto found = counts_.find(count_key(i, kRules[i].by_user, user, kRules[i].by_source, source));
    if (found == counts_.end()) continue;
    // Who knows one password does not earn fresh attempts at everybody else's.
    if (kRules[i].by_user) counts_.erase(found);
    else if (found->second.failures > 0) --found->second.failures, found->second.until = Millis(0);
  }
}

// --- sessions ------------------------------------------------------------------------------------

Sessions::Sessions(const Users& users, Random& random, Options options)
    : users_(users), random_(random), options_(options),
      stranger_("scrypt$32768$8$1$" + random.hex(32) + '$' + random.hex(64)) {}

std::size_t Sessions::HashDigest::operator()(const Digest& d) const {
  std::size_t out = 0;
  std::memcpy(&out, d.data(), sizeof(out));
  return out;
}

Sessions::Digest Sessions::digest(std::string_view token) {
  Digest out{};
  unsigned n = 0;
  EVP_Digest(token.data(), token.size(), out.data(), &n, EVP_sha256(), nullptr);
  return out;
}

Sessions::Verdict Sessions::sign_in(std::string_view name, std::string_view password, std::string_view source, Millis now) {
  Verdict verdict;
  {
    const std::lock_guard lock(mutex_);
    verdict.wait = lock_out_.enter(name, source, now);
  }
  const std::string_view shown = name.substr(0, kNameShown);
  if (verdict.wait > Millis(0)) {
    LOG_WARN("console: an attempt to sign in as {} from {} came too soon", shown, source);
    verdict.refusal = Refusal::kLocked;
    return verdict;
  }
  if (hashing_.fetch_add(1) >= kWaitingMax) {
    hashing_.fetch_sub(1);
    verdict.refusal = Refusal::kBusy;
    return verdict;
  }
  const auto user = users_.find(name);
  bool right = false;
  {
    // A user that is not there costs the same time as one that is.
    const std::lock_guard lock(hash_mutex_);
    right = matches_password(user ? user->password : stranger_, password) && user;
  }
  hashing_.fetch_sub(1);
  if (!right) {
    LOG_WARN("console: wrong user or password for {} from {}", shown, source);
    return verdict;
  }
  const std::string token = random_.hex(kTokenDigits);
  {
    const std::lock_guard lock(mutex_);
    lock_out_.forgive(name, source);
    std::erase_if(sessions_, [&](const auto& entry) { return is_over(entry.second, now); });
    if (sessions_.size() >= options_.count_max) {
      const auto oldest = std::min_element(sessions_.begin(), sessions_.end(), [](const auto& a, const auto& b) { return a.second.used < b.second.used; });
      sessions_.erase(oldest);
    }
    sessions_.emplace(digest(token), Session{.user = std::string(name), .password = user->password, .began = now, .used = now});
  }
  LOG_INFO("console: {} signed in from {}", shown, source);
  verdict.opened = Opened{token, user};
  return verdict;
}

bool Sessions::is_over(const Session& session, Millis now) const {
  return now >= session.used + options_.idle || now >= session.began + options_.lifetime;
}

std::shared_ptr<const User> Sessions::find(std::string_view token, Millis now, bool looks) {
  if (token.size() != kTokenDigits) return nullptr;
  const Digest key = digest(token);
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(key);
  if (found == sessions_.end()) return nullptr;
  auto user = is_over(found->second, now) ? nullptr : users_.find(found->second.user);
  if (!user || user->password != found->second.password) {
    sessions_.erase(found);
    return nullptr;
  }
  if (!looks) found->second.used = now;
  return user;
}

Millis Sessions::left(std::string_view token, Millis now) {
  const Digest key = digest(token);
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(key);
  if (found == sessions_.end()) return Millis(0);
  return std::max(Millis(0), std::min(found->second.used + options_.idle, found->second.began + options_.lifetime) - now);
}

void Sessions::sign_out(std::string_view token) {
  const Digest key = digest(token);
  const std::lock_guard lock(mutex_);
  sessions_.erase(key);
}

}  // namespace fog
