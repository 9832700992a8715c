// Users: people who may sign in to the console, and what each may do there. They live in the keys file
// (keys.h) as {"name", "password", "account", "policies"}; a password is kept as password.h says.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "api/auth/keys.h"
#include "storage/base/result.h"

namespace fog {

struct User {
  AccessKey identity;    // without access key and secret
  std::string password;  // a record
};

class Users {
 public:
  using Table = std::map<std::string, User, std::less<>>;

  static Result<Table> read(const std::filesystem::path& file);

  std::shared_ptr<const User> find(std::string_view name) const;  // null: unknown
  void replace(Table table);
  std::size_t size() const;

 private:
  std::shared_ptr<const Table> table() const;

  mutable std::mutex mutex_;
  std::shared_ptr<const Table> table_ = std::make_shared<Table>();
};

// What the command line and the console change in the file. `policy` is one document or "".
struct NewUser {
  std::string name;
  std::string account;
  std::string password;  // a record
  std::string policy;
};
Status add_user(const std::filesystem::path& file, const NewUser& user);
Status set_user_password(const std::filesystem::path& file, std::string_view name, const std::string& record);
Status set_user_policies(const std::filesystem::path& file, std::string_view name, const std::string& policies);
Status remove_user(const std::filesystem::path& file, std::string_view name);

}  // namespace fog
