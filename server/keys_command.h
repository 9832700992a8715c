// `fogwatch keys`: makes, lists and revokes the access keys of a keys file (api/auth/keys.h).
#pragma once

#include "server/config.h"
#include "storage/base/result.h"

namespace fog {

// Prints to standard output. Errors are sentences for the user.
Status run_keys_command(const KeysCommand& command);

}  // namespace fog
