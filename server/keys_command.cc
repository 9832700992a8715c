#include "server/keys_command.h"

#include <fmt/format.h>

#include <fstream>

#include "api/auth/keys.h"
#include "api/neighbours/request.h"
#include "storage/base/random.h"

namespace fog {
namespace {

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
  TRYV(add_key(command.file, key));
  fmt::print("aws_access_key_id = {}\naws_secret_access_key = {}\n", key.access_key, key.secret_key);
  return Ok{};
}

}  // namespace

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
