#include "api/auth/keys.h"

#include <fmt/format.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "api/auth/keys_file.h"

namespace fog {
namespace {

using keys_file::bad;
using keys_file::Json;
using keys_file::text_of;

bool is_access_key(std::string_view key) {
  return key.size() >= 12 && key.size() <= 128 && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

Result<AccessKey> read_key(const Json& entry) {
  AccessKey key;
  TRYV(keys_file::read_identity(entry, key));
  key.access_key = text_of(entry, "access_key");
  key.secret_key = text_of(entry, "secret_key");
  if (!is_access_key(key.access_key)) return Error::invalid("\"access_key\" is not 12 to 128 letters and digits");
  if (key.secret_key.size() < 16) return Error::invalid("\"secret_key\" has fewer than 16 characters");
  return key;
}

Json* find_key(Json& document, std::string_view access_key) {
  for (Json& entry : document["keys"])
    if (text_of(entry, "access_key") == access_key) return &entry;
  return nullptr;
}

Error no_such_key(const std::filesystem::path& file, std::string_view access_key) {
  return bad(file, fmt::format("there is no key {}", access_key));
}

}  // namespace

std::string arn_of(const AccessKey& key, std::string_view partition) {
  return key.session_arn.empty() ? fmt::format("arn:{}:iam::{}:user/{}", partition, key.account, key.name) : key.session_arn;
}

std::string why_not(const AccessKey& key, const iam::Access& access) {
  const auto words = [&](iam::Decision decision, std::string_view kind, std::string_view article) {
    if (decision == iam::Decision::kAllowed) return std::string();
    return decision == iam::Decision::kExplicitDeny ? fmt::format("with an explicit deny in {} {} policy", article, kind)
                                                    : fmt::format("because no {} policy allows the {} action", kind, access.action);
  };
  std::string why = words(iam::evaluate(key.policies, access), "identity-based", "an");
  for (const iam::Policy& policy : key.session_policies)
    if (why.empty()) why = words(iam::evaluate({&policy, 1}, access), "session", "a");
  return why;
}

Result<Keys::Table> Keys::read(const std::filesystem::path& file) {
  TRY(const Json document, keys_file::load(file));
  Table table;
  std::size_t number = 0;
  for (const Json& entry : document["keys"]) {
    ++number;
    auto key = read_key(entry);
    if (!key.ok()) return bad(file, fmt::format("key {}: {}", number, key.error().message()));
    std::string id = key->access_key;
    if (!table.emplace(std::move(id), std::move(*key)).second) return bad(file, fmt::format("key {}: is there twice", number));
  }
  return table;
}

std::shared_ptr<const Keys::Table> Keys::table() const {
  const std::lock_guard lock(mutex_);
  return table_;
}

std::shared_ptr<const AccessKey> Keys::find(std::string_view access_key) const {
  const auto held = table();
  const auto found = held->find(access_key);
  if (found == held->end()) return nullptr;
  return {held, &found->second};
}

void Keys::replace(Table table) {
  auto fresh = std::make_shared<const Table>(std::move(table));
  const std::lock_guard lock(mutex_);
  table_ = std::move(fresh);
}

std::size_t Keys::size() const { return table()->size(); }

Status add_key(const std::filesystem::path& file, const NewKey& key) {
  return keys_file::change(file, true, [&](Json& document) -> Status {
    Json entry{{"name", key.name}, {"access_key", key.access_key}, {"secret_key", key.secret_key}, {"account", key.account}, {"policies", Json::array()}};
    if (!key.policy.empty()) {
      Json policy = Json::parse(key.policy, nullptr, false);
      if (policy.is_discarded()) return Error::invalid("the policy is not JSON");
      entry["policies"].push_back(std::move(policy));
    }
    if (auto fine = read_key(entry); !fine.ok()) return std::move(fine).error();
    if (find_key(document, key.access_key) != nullptr) return Error::invalid("there is such a key already");
    document["keys"].push_back(std::move(entry));
    return Ok{};
  });
}

Status revoke_key(const std::filesystem::path& file, std::string_view access_key) {
  return keys_file::change(file, false, [&](Json& document) -> Status {
    Json kept = Json::array();
    for (const Json& entry : document["keys"]) {
      if (text_of(entry, "access_key") != access_key) kept.push_back(entry);
    }
    if (kept.size() == document["keys"].size()) return no_such_key(file, access_key);
    document["keys"] = std::move(kept);
    return Ok{};
  });
}

Status set_key_policies(const std::filesystem::path& file, std::string_view access_key, const std::string& policies) {
  return keys_file::change(file, false, [&](Json& document) -> Status {
    Json* entry = find_key(document, access_key);
    if (entry == nullptr) return no_such_key(file, access_key);
    Json list = Json::parse(policies, nullptr, false);
    if (!list.is_array()) return Error::invalid("the policies are not a JSON list");
    Json changed = *entry;
    changed["policies"] = std::move(list);
    if (auto fine = read_key(changed); !fine.ok()) return std::move(fine).error();
    *entry = std::move(changed);
    return Ok{};
  });
}

Result<std::vector<KeyLine>> list_keys(const std::filesystem::path& file) {
  TRY(const Keys::Table table, Keys::read(file));
  std::vector<KeyLine> lines;
  for (const auto& [id, key] : table) lines.push_back({key.name, id, key.account, key.policies.size()});
  return lines;
}

Result<std::string> describe_keys_file(const std::filesystem::path& file) {
  TRY(const Json document, keys_file::load(file));
  Json out{{"keys", Json::array()}, {"users", Json::array()}};
  for (const auto& [list, secret] : {std::pair{"keys", "secret_key"}, std::pair{"users", "password"}}) {
    if (!document.contains(list)) continue;
    for (Json entry : document[list]) {
      entry.erase(secret);
      out[list].push_back(std::move(entry));
    }
  }
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace fog
