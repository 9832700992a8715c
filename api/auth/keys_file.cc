#include "api/auth/keys_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include <nlohmann/json.hpp>

#include "storage/base/log.h"

namespace fog::keys_file {
namespace {

constexpr std::size_t kUserNameMax = 64;
constexpr std::size_t kPoliciesMax = 20;

bool is_account(std::string_view text) {
  return text.size() == 12 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_user_name(std::string_view name) {
  return !name.empty() && name.size() <= kUserNameMax && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view("_+=,.@-").find(c) != std::string_view::npos;
  });
}

// Held while a process reads, changes and writes the file; the lock goes with the descriptor.
class Turn {
 public:
  explicit Turn(const std::filesystem::path& file) : fd_(::open((file.string() + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    if (fd_ >= 0 && ::flock(fd_, LOCK_EX) != 0) close();
  }
  ~Turn() { close(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  bool taken() const { return fd_ >= 0; }

 private:
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  int fd_;
};

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

// Written beside, synced, renamed: whoever reads it sees the old file or the new one.
Status save(const std::filesystem::path& file, const Json& document) {
  const std::string text = document.dump(2) + "\n";
  const std::string beside = file.string() + ".new";
  const int fd = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return bad(beside, std::strerror(errno));
  const bool written = write_all(fd, text) && ::fsync(fd) == 0;
  ::close(fd);
  if (!written || ::rename(beside.c_str(), file.c_str()) != 0) {
    const std::string why = std::strerror(errno);
    ::unlink(beside.c_str());
    return bad(file, why);
  }
  return Ok{};
}

}  // namespace

Error bad(const std::filesystem::path& file, std::string_view what) { return Error::invalid(fmt::format("{}: {}", file.string(), what)); }

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
  if (document.contains("users") && !document["users"].is_array()) return bad(file, "\"users\" is not a list");
  return document;
}

Status change(const std::filesystem::path& file, bool may_create, const std::function<Status(Json& document)>& edit) {
  const Turn turn(file);
  if (!turn.taken()) return bad(file.string() + ".lock", std::strerror(errno));
  Json document{{"keys", Json::array()}};
  std::error_code error;
  if (!may_create || std::filesystem::exists(file, error)) {
    TRY(document, load(file));
  }
  TRYV(edit(document));
  return save(file, document);
}

std::string text_of(const Json& entry, const char* name) {
  return entry.is_object() && entry.contains(name) && entry[name].is_string() ? entry[name].get<std::string>() : std::string();
}

Status read_identity(const Json& entry, AccessKey& out) {
  if (!entry.is_object()) return Error::invalid("is not an object");
  out.name = text_of(entry, "name");
  out.account = text_of(entry, "account");
  if (!is_user_name(out.name)) return Error::invalid("\"name\" is not a user name of 1 to 64 letters, digits and _+=,.@-");
  if (!is_account(out.account)) return Error::invalid("\"account\" is not 12 digits");
  const Json none = Json::array();
  const Json& policies = entry.contains("policies") ? entry["policies"] : none;
  if (!policies.is_array()) return Error::invalid("\"policies\" is not a list");
  if (policies.size() > kPoliciesMax) return Error::invalid(fmt::format("there are more than {} policies", kPoliciesMax));
  std::size_t number = 0;
  for (const Json& document : policies) {
    ++number;
    auto policy = iam::parse_policy(document.dump(-1, ' ', false, Json::error_handler_t::replace));
    if (!policy.ok()) return Error::invalid(fmt::format("policy {}: {}", number, policy.error().message()));
    for (const std::string& warning : policy->warnings) LOG_WARN("policy {} of {}: {}", number, out.name, warning);
    out.policies.push_back(std::move(*policy));
  }
  return Ok{};
}

}  // namespace fog::keys_file
