#include "server/keys_command.h"

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iostream>

#include "api/auth/keys.h"
#include "api/auth/password.h"
#include "api/auth/users.h"
#include "api/neighbours/request.h"
#include "storage/base/random.h"

namespace fog {
namespace {

constexpr const char* kEverything = R"({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})";

Result<std::string> read_text(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (!in) return Error::invalid(fmt::format("{} cannot be read", file.string()));
  return text;
}

Status add(const KeysCommand& command) {
  SystemRandom random;
  NewKey key{.name = command.name,
             .access_key = neighbours::key_for_account("AKIA", command.account, random.next()),
             .secret_key = random.hex(40),
             .account = command.account,
             .policy = {}};
  if (!command.policy_file.empty()) {
    TRY(key.policy, read_text(command.policy_file));
  }
  if (command.is_admin) key.policy = kEverything;
  TRYV(add_key(command.file, key));
  fmt::print("aws_access_key_id = {}\naws_secret_access_key = {}\n", key.access_key, key.secret_key);
  return Ok{};
}

// One line of standard input; a terminal is asked, and shows nothing meanwhile.
Result<std::string> read_password() {
  termios before{};
  const bool is_terminal = ::isatty(STDIN_FILENO) == 1 && ::tcgetattr(STDIN_FILENO, &before) == 0;
  if (is_terminal) {
    fmt::print(stderr, "Password: ");
    std::fflush(stderr);
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  std::string line;
  const bool read = static_cast<bool>(std::getline(std::cin, line));
  if (is_terminal) {
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    fmt::print(stderr, "\n");
  }
  if (!read) return Error::invalid("no password came on standard input");
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

Result<std::string> hashed_password() {
  SystemRandom random;
  TRY(const std::string password, read_password());
  return hash_password(password, random);
}

Status add_user_of(const UsersCommand& command) {
  NewUser user{.name = command.name, .account = command.account, .password = {}, .policy = {}};
  if (!command.policy_file.empty()) {
    TRY(user.policy, read_text(command.policy_file));
  }
  if (command.is_admin) user.policy = kEverything;
  TRY(user.password, hashed_password());
  return add_user(command.file, user);
}

}  // namespace

Status run_users_command(const UsersCommand& command) {
  switch (command.action) {
    case UsersCommand::Action::kAdd: return add_user_of(command);
    case UsersCommand::Action::kRemove: return remove_user(command.file, command.name);
    case UsersCommand::Action::kPassword: {
      TRY(const std::string record, hashed_password());
      return set_user_password(command.file, command.name, record);
    }
    case UsersCommand::Action::kList: break;
  }
  TRY(const Users::Table table, Users::read(command.file));
  for (const auto& [name, user] : table)
    fmt::print("{}  {}  {}\n", name, user.identity.account, user.identity.policies.empty() ? "may do nothing" : fmt::format("{} policies", user.identity.policies.size()));
  return Ok{};
}

Status run_keys_command(const KeysCommand& command) {
  switch (command.action) {
    case KeysCommand::Action::kAdd: return add(command);
    case KeysCommand::Action::kRevoke: return revoke_key(command.file, command.access_key);
    case KeysCommand::Action::kList: break;
  }
  TRY(const auto lines, list_keys(command.file));
  for (const KeyLine& line : lines) {
    fmt::print("{}  {}  {}  {}\n", line.access_key, line.account, line.name, line.policies == 0 ? "may do nothing" : fmt::format("{} policies", line.policies));
  }
  return Ok{};
}

}  // namespace fog
