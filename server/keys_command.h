// `fogwatch keys` and `fogwatch users`: make, list and take out the access keys and the people of a
// keys file (api/auth/keys.h).
#pragma once

#include "server/config.h"
#include "storage/base/result.h"

namespace fog {

// Prints to standard output. Errors are sentences for the user.
Status run_keys_command(const KeysCommand& command);
Status run_users_command(const UsersCommand& command);

}  // namespace fog
