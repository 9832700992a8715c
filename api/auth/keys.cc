#include "api/auth/keys.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include <nlohmann/json.hpp>

#include "storage/base/log.h"

namespace fog {
namespace {

using Json = nlohmann::ordered_json;

Error bad(const std::filesystem::path& file, std::string_view what) { return Error::invalid(fmt::format("{}: {}", file.string(), what)); }

bool is_account(std::string_view text) {
  return text.size() == 12 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_user_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view("_+=,.@-").find(c) != std::string_view::npos;
  });
}

bool is_access_key(std::string_view key) {
  return key.size() >= 12 && key.size() <= 128 && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

Result<Json> load(const std::filesystem::path& file) {
  struct stat facts {};
  if (::stat(file.c_str(), &facts) != 0) return bad(file, std::strerror(errno));
  if (!S_ISREG(facts.st_mode)) return bad(file, "is not a file");
  if ((facts.st_mode & (S_IRWXG | S_IRWXO)) != 0) return bad(file, "holds secrets and may be read by others; chmod 600 it");
  std::ifstream in(file, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (!in) return bad(file, "cannot be read");
  Json document = Json::parse(text, nullptr, false);
  if (!document.is_object() || !document.contains("keys") || !document["keys"].is_array()) return bad(file, "is not {\"keys\": [...]}");
  return document;
}

// Written beside, synced, renamed: whoever reads it sees the old file or the new one.
Status save(const std::filesystem::path& file, const Json& document) {
  const std::string text = document.dump(2) + "\n";
  const std::string beside = file.string() + ".new";
  const int fd = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return bad(beside, std::strerror(errno));
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  ::close(fd);
  if (!written || ::rename(beside.c_str(), file.c_str()) != 0) {
    const std::string why = std::strerror(errno);
    ::unlink(beside.c_str());
    return bad(file, why);
  }
  return Ok{};
}

std::string text_of(const Json& entry, const char* name) {
  return entry.contains(name) && entry[name].is_string() ? entry[name].get<std::string>() : std::string();
}

Result<AccessKey> read_key(const Json& entry) {
  if (!entry.is_object()) return Error::invalid("is not an object");
  AccessKey key{.name = text_of(entry, "name"),
                .access_key = text_of(entry, "access_key"),
                .secret_key = text_of(entry, "secret_key"),
                .account = text_of(entry, "account")};
  if (!is_user_name(key.name)) return Error::invalid("\"name\" is not a user name of 1 to 64 letters, digits and _+=,.@-");
  if (!is_access_key(key.access_key)) return Error::invalid("\"access_key\" is not 12 to 128 letters and digits");
  if (key.secret_key.size() < 16) return Error::invalid("\"secret_key\" has fewer than 16 characters");
  if (!is_account(key.account)) return Error::invalid("\"account\" is not 12 digits");
  for (const Json& document : entry.value("policies", Json::array())) {
    auto policy = iam::parse_policy(document.dump());
    if (!policy.ok()) return Error::invalid("policy: " + policy.error().message());
    for (const std::string& warning : policy->warnings) LOG_WARN("key of {}: {}", key.name, warning);
    key.policies.push_back(std::move(*policy));
  }
  return key;
}

}  // namespace

Result<Keys::Table> Keys::read(const std::filesystem::path& file) {
  TRY(const Json document, load(file));
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
  Json document{{"keys", Json::array()}};
  std::error_code error;
  if (std::filesystem::exists(file, error)) {
    TRY(document, load(file));
  }
  Json entry{{"name", key.name}, {"access_key", key.access_key}, {"secret_key", key.secret_key}, {"account", key.account}, {"policies", Json::array()}};
  if (!key.policy.empty()) {
    Json policy = Json::parse(key.policy, nullptr, false);
    if (policy.is_discarded()) return Error::invalid("the policy is not JSON");
    entry["policies"].push_back(std::move(policy));
  }
  if (auto fine = read_key(entry); !fine.ok()) return std::move(fine).error();
  for (const Json& other : document["keys"]) {
    if (text_of(other, "access_key") == key.access_key) return Error::invalid("there is such a key already");
  }
  document["keys"].push_back(std::move(entry));
  return save(file, document);
}

Status revoke_key(const std::filesystem::path& file, std::string_view access_key) {
  TRY(Json document, load(file));
  Json kept = Json::array();
  for (const Json& entry : document["keys"]) {
    if (text_of(entry, "access_key") != access_key) kept.push_back(entry);
  }
  if (kept.size() == document["keys"].size()) return Error::invalid(fmt::format("{}: there is no key {}", file.string(), access_key));
  document["keys"] = std::move(kept);
  return save(file, document);
}

Result<std::vector<KeyLine>> list_keys(const std::filesystem::path& file) {
  TRY(const Keys::Table table, Keys::read(file));
  std::vector<KeyLine> lines;
  for (const auto& [id, key] : table) lines.push_back({key.name, id, key.account, key.policies.size()});
  return lines;
}

}  // namespace fog
