// The keys file as a document: read with its permissions checked, changed under a lock, written whole.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "api/auth/keys.h"
#include "storage/base/result.h"

namespace fog::keys_file {

using Json = nlohmann::ordered_json;

// An error that begins with the file's name; kind invalid.
Error bad(const std::filesystem::path& file, std::string_view what);

// Errors: missing, readable by others, not of the form {"keys": [...], "users": [...]}.
Result<Json> load(const std::filesystem::path& file);

// Loads (a missing file is empty when `may_create`), changes, writes beside, syncs and renames; one
// process at a time.
Status change(const std::filesystem::path& file, bool may_create, const std::function<Status(Json& document)>& edit);

std::string text_of(const Json& entry, const char* name);

// Name, account and policies of an entry, as keys and users have them.
Status read_identity(const Json& entry, AccessKey& out);

}  // namespace fog::keys_file
