#include "api/logs/object_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <future>

#include "api/auth/sign.h"
#include "api/auth/sigv4.h"
#include "storage/base/hash.h"

namespace fog::logs {
namespace {

constexpr std::size_t kNameBytesMax = 200;
constexpr Millis kPatience{100};

// One part of a key as a file name: never up, never empty, never longer than file systems take.
std::string file_name(std::string_view part) {
  std::string name;
  for (const char c : part) name += c == '\0' || c == '/' ? '_' : c;
  if (name.empty() || name == "." || name == "..") return "_" + name;
  if (name.size() > kNameBytesMax) name = fmt::format("{}~{:016x}", name.substr(0, kNameBytesMax), hash64(name));
  return name;
}

std::filesystem::path below(std::filesystem::path folder, std::string_view key) {
  for (;;) {
    const std::size_t slash = key.find('/');
    if (slash != 0) folder /= file_name(key.substr(0, slash));
    if (slash == std::string_view::npos) return folder;
    key.remove_prefix(slash + 1);
  }
}

Status write_file(const std::filesystem::path& path, std::string_view bytes) {
  std::error_code failed;
  std::filesystem::create_directories(path.parent_path(), failed);
  if (failed) return Error::internal(fmt::format("cannot make folder {}: {}", path.parent_path().string(), failed.message()));
  const std::string beside = path.string() + ".part";
  const int file = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  const auto broken = [&](const char* what) { return Error::internal(fmt::format("cannot {} {}: {}", what, beside, std::strerror(errno))); };
  if (file < 0) return broken("create");
  Status status = Ok{};
  while (!bytes.empty() && status.ok()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) status = broken("write");
    else bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  if (status.ok() && ::fsync(file) != 0) status = broken("sync");
  ::close(file);
  if (status.ok() && ::rename(beside.c_str(), path.c_str()) != 0) status = broken("rename");
  if (!status.ok()) ::unlink(beside.c_str());
  return status;
}

// Everything but unreserved characters and slashes becomes %XX.
std::string encoded(std::string_view key) {
  std::string out;
  for (const char c : key) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view("-._~/").find(c) != std::string_view::npos;
    if (plain) out += c;
    else out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace

bool ObjectStore::has(std::string_view bucket) const {
  if (options_.buckets.contains(std::string(bucket))) return true;
  // A name of S3 is also a safe folder name.
  const bool plain = bucket.size() >= 3 && bucket.size() <= 63 && bucket.front() != '.' &&
                     bucket.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-") == std::string_view::npos;
  return !options_.root.empty() && plain;
}

Status ObjectStore::put(std::string_view bucket, std::string_view key, std::string bytes, const std::function<bool()>& given_up) const {
  const auto mapped = options_.buckets.find(std::string(bucket));
  if (mapped == options_.buckets.end()) {
    if (!has(bucket)) return Error::not_found("The given bucket does not exist. Please make sure the bucket is valid.");
    return write_file(below(options_.root / file_name(bucket), key), bytes);
  }
  const std::string& to = mapped->second;
  if (to.starts_with("file:")) return write_file(below(to.substr(5), key), bytes);
  if (outbound_ == nullptr) return Error::internal("no way out");
  OutboundRequest request;
  request.method = "PUT";
  request.url = to + (to.ends_with('/') ? "" : "/") + encoded(key);
  request.headers.emplace_back("Content-Type", "application/octet-stream");
  request.headers.emplace_back("x-amz-content-sha256", sigv4::sha256_hex(bytes));
  request.body = std::move(bytes);
  request.timeout = Millis(60'000);
  if (!options_.access_key.empty())
    sign_request(request, "s3", options_.region, options_.access_key, options_.secret_key, clock_.real_now());
  auto answer = std::make_shared<std::promise<Result<OutboundResponse>>>();
  auto waiting = answer->get_future();
  outbound_->http(std::move(request), [answer](Result<OutboundResponse> response) { answer->set_value(std::move(response)); });
  while (waiting.wait_for(kPatience) != std::future_status::ready)
    if (given_up && given_up()) return Error::busy("given up");
  Result<OutboundResponse> response = waiting.get();
  if (!response.ok()) return std::move(response).error();
  if (response->status / 100 != 2)
    return Error::internal(fmt::format("the bucket answered {}: {}", response->status, response->body.substr(0, 300)));
  return Ok{};
}

}  // namespace fog::logs
