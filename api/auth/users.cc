#include "api/auth/users.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/auth/keys_file.h"
#include "api/auth/password.h"

namespace fog {
namespace {

using keys_file::bad;
using keys_file::Json;
using keys_file::text_of;

Result<User> read_user(const Json& entry) {
  User user;
  TRYV(keys_file::read_identity(entry, user.identity));
  user.password = text_of(entry, "password");
  if (!is_password_record(user.password)) return Error::invalid("\"password\" was not made by fogwatch users");
  return user;
}

// Finds the user's entry, lets `edit` change a copy, and keeps it if it can be read.
Status change_user(const std::filesystem::path& file, std::string_view name, const std::function<Status(Json& entry)>& edit) {
  return keys_file::change(file, false, [&](Json& document) -> Status {
    if (!document.contains("users")) document["users"] = Json::array();
    for (Json& entry : document["users"]) {
      if (text_of(entry, "name") != name) continue;
      Json changed = entry;
      TRYV(edit(changed));
      if (auto fine = read_user(changed); !fine.ok()) return std::move(fine).error();
      entry = std::move(changed);
      return Ok{};
    }
    return bad(file, fmt::format("there is no user {}", name));
  });
}

}  // namespace

Result<Users::Table> Users::read(const std::filesystem::path& file) {
  TRY(const Json document, keys_file::load(file));
  Table table;
  if (!document.contains("users")) return table;
  std::size_t number = 0;
  for (const Json& entry : document["users"]) {
    ++number;
    auto user = read_user(entry);
    if (!user.ok()) return bad(file, fmt::format("user {}: {}", number, user.error().message()));
    std::string name = user->identity.name;
    if (!table.emplace(std::move(name), std::move(*user)).second) return bad(file, fmt::format("user {}: is there twice", number));
  }
  return table;
}

std::shared_ptr<const Users::Table> Users::table() const {
  const std::lock_guard lock(mutex_);
  return table_;
}

std::shared_ptr<const User> Users::find(std::string_view name) const {
  const auto held = table();
  const auto found = held->find(name);
  if (found == held->end()) return nullptr;
  return {held, &found->second};
}

void Users::replace(Table table) {
  auto fresh = std::make_shared<const Table>(std::move(table));
  const std::lock_guard lock(mutex_);
  table_ = std::move(fresh);
}

std::size_t Users::size() const { return table()->size(); }

Status add_user(const std::filesystem::path& file, const NewUser& user) {
  return keys_file::change(file, true, [&](Json& document) -> Status {
    Json entry{{"name", user.name}, {"password", user.password}, {"account", user.account}, {"policies", Json::array()}};
    if (!user.policy.empty()) {
      Json policy = Json::parse(user.policy, nullptr, false);
      if (policy.is_discarded()) return Error::invalid("the policy is not JSON");
      entry["policies"].push_back(std::move(policy));
    }
    if (auto fine = read_user(entry); !fine.ok()) return std::move(fine).error();
    if (!document.contains("users")) document["users"] = Json::array();
    for (const Json& other : document["users"])
      if (text_of(other, "name") == user.name) return Error::invalid("there is such a user already");
    document["users"].push_back(std::move(entry));
    return Ok{};
  });
}

Status set_user_password(const std::filesystem::path& file, std::string_view name, const std::string& record) {
  return change_user(file, name, [&](Json& entry) -> Status {
    entry["password"] = record;
    return Ok{};
  });
}

Status set_user_policies(const std::filesystem::path& file, std::string_view name, const std::string& policies) {
  return change_user(file, name, [&](Json& entry) -> Status {
    Json list = Json::parse(policies, nullptr, false);
    if (!list.is_array()) return Error::invalid("the policies are not a JSON list");
    entry["policies"] = std::move(list);
    return Ok{};
  });
}

Status remove_user(const std::filesystem::path& file, std::string_view name) {
  return keys_file::change(file, false, [&](Json& document) -> Status {
    Json kept = Json::array();
    if (document.contains("users"))
      for (const Json& entry : document["users"])
        if (text_of(entry, "name") != name) kept.push_back(entry);
    if (!document.contains("users") || kept.size() == document["users"].size()) return bad(file, fmt::format("there is no user {}", name));
    document["users"] = std::move(kept);
    return Ok{};
  });
}

}  // namespace fog
