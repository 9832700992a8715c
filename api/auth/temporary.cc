#include "api/auth/temporary.h"

#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "api/auth/sigv4.h"
#include "api/codec/text.h"

namespace fog {
namespace {

using Json = nlohmann::json;

// Keeps the uses of the long-term secret apart.
constexpr std::string_view kSealUse = "fogwatch session token\n";
constexpr std::string_view kSecretUse = "fogwatch temporary secret\n";
constexpr std::size_t kSealBytes = 32;
constexpr std::size_t kSecretLength = 40;
constexpr std::size_t kTokenBytesMax = 16'384;
constexpr std::size_t kRememberedMax = 1'000;

std::string base64(std::string_view bytes) {
  std::string out;
  append_base64(bytes, out);
  return out;
}

std::string seal_of(std::string_view secret, std::string_view said) { return sigv4::hmac_sha256(secret, std::string(kSealUse).append(said)); }

std::string secret_of(std::string_view secret, std::string_view said) {
  return base64(sigv4::hmac_sha256(secret, std::string(kSecretUse).append(said))).substr(0, kSecretLength);
}

bool is_same(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char differs = 0;
  for (std::size_t i = 0; i < a.size(); ++i) differs = static_cast<unsigned char>(differs | (a[i] ^ b[i]));
  return differs == 0;
}

// What a token says, before anything is believed.
struct Said {
  std::string text;  // what is sealed
  std::string seal;
  Json fields;

  std::string get(const char* name) const {
    const auto found = fields.find(name);
    return found != fields.end() && found->is_string() ? found->get<std::string>() : std::string();
  }
};

std::optional<Said> open_token(std::string_view token) {
  if (token.size() > kTokenBytesMax) return std::nullopt;
  auto bytes = decode_base64(token);
  if (!bytes || bytes->size() <= kSealBytes) return std::nullopt;
  Said said{.text = bytes->substr(kSealBytes), .seal = bytes->substr(0, kSealBytes), .fields = {}};
  said.fields = Json::parse(said.text, nullptr, false);
  return said.fields.is_object() ? std::optional(std::move(said)) : std::nullopt;
}

// The key of a token that its seal has shown to be ours; null: its policies are not readable.
std::shared_ptr<const AccessKey> read_token(const Said& said, const AccessKey& parent) {
  auto key = std::make_shared<AccessKey>(parent);
  key->parent = parent.access_key;
  key->parent_secret = parent.secret_key;
  key->access_key = said.get("key");
  key->secret_key = secret_of(parent.secret_key, said.text);
  key->session_arn = said.get("arn");
  key->session_user_id = said.get("id");
  if (const auto policies = said.fields.find("policies"); policies != said.fields.end()) {
    if (!policies->is_array()) return nullptr;
    for (const Json& document : *policies) {  // whoever has the long-term secret may have made this token himself
      if (!document.is_string()) return nullptr;
      auto policy = iam::parse_policy(document.get<std::string>());
      if (!policy.ok()) return nullptr;
      key->session_documents.push_back(document.get<std::string>());
      key->session_policies.push_back(std::move(*policy));
    }
  }
  return key;
}

}  // namespace

TemporaryKey make_temporary_key(const AccessKey& parent, TemporaryGrant grant) {
  std::vector<std::string> policies = parent.session_documents;
  policies.insert(policies.end(), grant.session_policies.begin(), grant.session_policies.end());
  const Json fields{{"key", grant.access_key},
                    {"of", parent.is_temporary() ? parent.parent : parent.access_key},
                    {"arn", grant.arn},
                    {"id", grant.user_id},
                    {"until", grant.expires.time_since_epoch().count()},
                    {"policies", policies}};
  const std::string said = fields.dump(-1, ' ', false, Json::error_handler_t::replace);
  const std::string& secret = parent.long_term_secret();
  return {.access_key = grant.access_key, .secret_key = secret_of(secret, said), .session_token = base64(seal_of(secret, said) + said)};
}

TemporaryKeys::Found TemporaryKeys::find(std::string_view access_key, std::string_view session_token, Timestamp now) const {
  std::string token(session_token);
  {
    const auto read = read_.lock_shared();
    if (const auto known = read->find(token); known != read->end() && known->second.key->access_key == access_key) {
      const Read& entry = known->second;
      if (keys_.find(entry.parent->access_key) == entry.parent) return {entry.key, now >= entry.expires};
    }
  }
  const auto said = open_token(token);
  if (!said || !is_same(said->get("key"), access_key)) return {};
  const auto parent = keys_.find(said->get("of"));
  if (!parent || !is_same(seal_of(parent->secret_key, said->text), said->seal)) return {};
  const auto until = said->fields.find("until");
  if (until == said->fields.end() || !until->is_number_integer()) return {};
  Read entry{.parent = parent, .key = read_token(*said, *parent), .expires = Timestamp(Millis(until->get<std::int64_t>()))};
  if (!entry.key) return {};
  const Found found{entry.key, now >= entry.expires};
  auto read = read_.lock();
  if (read->size() >= kRememberedMax) read->clear();
  read->insert_or_assign(std::move(token), std::move(entry));
  return found;
}

}  // namespace fog
