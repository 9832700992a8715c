#include "server/snapshots.h"

#include <csignal>
#include <set>
#include <system_error>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/backup/copy.h"
#include "storage/base/log.h"
#include "storage/wal/file.h"

namespace fog {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::size_t kSnapshotsMax = 1000;

http::Response json_answer(const Json& json, int status = 200) {
  http::Response response;
  response.status = status;
  response.set("Content-Type", "application/json");
  response.body = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return response;
}

http::Response error_answer(int status, std::string_view code, std::string message) {
  return json_answer({{"error", {{"code", code}, {"message", std::move(message)}}}}, status);
}

http::Response error_of(const Error& error) {
  if (error.kind() == ErrorKind::kNotFound) return error_answer(404, "NotFound", error.message());
  return error_answer(error.kind() == ErrorKind::kBusy ? 503 : 500, "InternalError", error.message());
}

// A name becomes a folder's.
bool is_name(std::string_view name) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'; };
  return !name.empty() && name.size() <= 100 && name.front() != '.' && std::all_of(name.begin(), name.end(), plain);
}

// {"name": "..."}, or ?name=...; nothing: neither.
std::optional<std::string> name_of(const http::Request& request) {
  constexpr std::string_view kParameter = "?name=";
  if (const std::size_t at = request.target.find(kParameter); at != std::string_view::npos) {
    std::string name(request.target.substr(at + kParameter.size()));
    if (is_name(name)) return name;
    return std::nullopt;
  }
  const Json body = Json::parse(request.body, nullptr, false);
  if (!body.is_object() || body.size() != 1 || !body.contains("name") || !body["name"].is_string()) return std::nullopt;
  std::string name = body["name"].get<std::string>();
  if (is_name(name)) return name;
  return std::nullopt;
}

http::Response bad_name() {
  return error_answer(400, "InvalidName", R"(Give {"name": "..."}: up to 100 letters, digits, '-', '_' and '.'.)");
}

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) names.insert(at->path().filename().string());
  return names;
}

std::string iso8601(fs::file_time_type time) {
  struct timespec now {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const auto ago = std::chrono::duration_cast<std::chrono::seconds>(fs::file_time_type::clock::now() - time);
  const std::time_t at = now.tv_sec - ago.count();
  std::tm parts{};
  ::gmtime_r(&at, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

// The stores of `data` give way to those in `fresh`. Repeated after a crash it ends in the same state: a name
// that is not in `fresh` any more has been moved, and one that never was there belongs to the old state.
Status swap(const fs::path& data, const fs::path& fresh, const fs::path& old, const std::set<std::string>& wanted) {
  std::error_code error;
  fs::create_directories(old, error);
  const std::set<std::string> left = names_in(fresh);
  for (const std::string& name : names_in(data)) {
    // What lies beside a database is of it: its journal, its good copy.
    const std::size_t database = name.find(".db");
    const std::string_view base = std::string_view(name).substr(0, database == std::string::npos ? name.size() : database + 3);
    const bool is_new = wanted.contains(name) && !left.contains(name);
    if (!is_store_name(base) || is_new) continue;
    fs::rename(data / name, old / name, error);
    if (error) return Error::internal(fmt::format("cannot move {}: {}", name, error.message()));
  }
  for (const std::string& name : left) {
    fs::rename(fresh / name, data / name, error);
    if (error) return Error::internal(fmt::format("cannot move {}: {}", name, error.message()));
  }
  TRYV(sync_folder(data));
  fs::remove(data / ".swap", error);
  return Ok{};
}

bool is_of_living_process(std::string_view name) {
  const std::size_t dash = name.rfind('-');
  const long pid = dash == std::string_view::npos ? 0 : std::atol(std::string(name.substr(dash + 1)).c_str());
  return pid > 0 && ::kill(static_cast<pid_t>(pid), 0) == 0;
}

}  // namespace

Status finish_swap(const fs::path& data) {
  std::error_code error;
  if (fs::exists(data / ".swap", error)) {
    TRY(const std::string text, read_whole(data / ".swap"));
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      lines.push_back(text.substr(at, end - at));
      at = end + 1;
    }
    if (lines.size() < 2) return Error::corrupt((data / ".swap").string() + " is damaged");
    LOG_WARN("finishing the return to a snapshot that was interrupted");
    TRYV(swap(data, data / lines[0], data / lines[1], {lines.begin() + 2, lines.end()}));
  }
  for (const std::string& name : names_in(data)) {
    const bool is_ours = name.starts_with(".old-") || name.starts_with(".fresh-") || (name.starts_with(".backup-") && !is_of_living_process(name));
    if (is_ours) fs::remove_all(data / name, error);
  }
  for (const std::string& name : names_in(data / "snapshots"))
    if (name.starts_with('.')) fs::remove_all(data / "snapshots" / name, error);
  return Ok{};
}

Snapshots::~Snapshots() {
  if (thread_.joinable()) thread_.join();
}

http::Response Snapshots::answer(const http::Request& request) {
  if (data_.empty()) return error_answer(409, "NotAvailable", "A server that keeps everything in memory has no snapshots; start it with --data DIR --durability relaxed.");
  if (request.method == "GET" || request.method == "HEAD") return list();
  const auto name = name_of(request);
  if (request.method == "DELETE") return name ? remove(*name) : bad_name();
  if (request.method == "POST" || request.method == "PUT") return name ? save(*name) : bad_name();
  auto response = error_answer(405, "MethodNotAllowed", "This path answers GET, POST, PUT, DELETE only.");
  response.set("Allow", "GET, POST, PUT, DELETE");
  return response;
}

http::Response Snapshots::list() const {
  Json all = Json::array();
  for (const std::string& name : names_in(data_ / "snapshots")) {
    if (name.starts_with('.')) continue;
    std::error_code error;
    std::uint64_t bytes = 0;
    for (fs::recursive_directory_iterator at(folder_of(name), error), end; !error && at != end; at.increment(error))
      if (at->is_regular_file(error)) bytes += at->file_size(error);
    all.push_back({{"name", name}, {"made", iso8601(fs::last_write_time(folder_of(name), error))}, {"bytes", bytes}});
  }
  return json_answer({{"snapshots", std::move(all)}});
}

http::Response Snapshots::save(const std::string& name) {
  const std::lock_guard lock(mutex_);
  std::error_code error;
  const fs::path fresh = folder_of("." + name);
  if (!fs::exists(folder_of(name), error) && names_in(data_ / "snapshots").size() >= kSnapshotsMax)
    return error_answer(400, "LimitExceeded", fmt::format("There are {} snapshots; DELETE some.", kSnapshotsMax));
  fs::create_directories(data_ / "snapshots", error);
  fs::remove_all(fresh, error);
  const auto copied = copy_data_folder({.data = data_, .links = fresh, .copies = fresh}, CopyScope::kStores);
  if (!copied.ok()) {
    fs::remove_all(fresh, error);
    return error_of(copied.error());
  }
  const fs::path former = folder_of(".former-" + name);
  fs::rename(folder_of(name), former, error);
  fs::rename(fresh, folder_of(name), error);
  if (error) return error_answer(500, "InternalError", error.message());
  fs::remove_all(former, error);
  return json_answer({{"name", name}, {"bytes_copied", copied->copied_bytes}, {"files_linked", copied->linked}});
}

http::Response Snapshots::remove(const std::string& name) {
  const std::lock_guard lock(mutex_);
  std::error_code error;
  const fs::path gone = folder_of(".gone-" + name);
  fs::rename(folder_of(name), gone, error);
  if (error) return error_answer(404, "NotFound", fmt::format("There is no snapshot {}.", name));
  fs::remove_all(gone, error);
  return json_answer(Json::object());
}

void Snapshots::restore(const http::Request& request, std::function<void(http::Response)> done) {
  const auto name = name_of(request);
  if (request.method != "POST" && request.method != "PUT") return done(error_answer(405, "MethodNotAllowed", "This path answers POST only."));
  if (data_.empty()) return done(answer(request));
  if (!name) return done(bad_name());
  std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return done(error_answer(503, "InternalError", "Another snapshot is being made or returned to."));
  if (thread_.joinable()) thread_.join();
  thread_ = std::thread([this, name = *name, done = std::move(done)] {
    Status back = Ok{};
    {
      const std::lock_guard inner(mutex_);
      back = go_back(name);
    }
    done(back.ok() ? json_answer({{"name", name}}) : error_of(back.error()));
  });
}

Status Snapshots::go_back(const std::string& name) {
  std::error_code error;
  if (!fs::is_directory(folder_of(name), error)) return Error::not_found(fmt::format("There is no snapshot {}.", name));
  const std::string mark = fmt::format("{}-{}", name, std::chrono::steady_clock::now().time_since_epoch().count());
  const std::string fresh = ".fresh-" + mark;
  const std::string old = ".old-" + mark;
  if (Status cloned = clone_copy(folder_of(name), data_ / fresh); !cloned.ok()) {
    fs::remove_all(data_ / fresh, error);
    return cloned;
  }
  const std::set<std::string> wanted = names_in(data_ / fresh);
  Status replaced = replace_([&]() -> Status {
    std::string plan = fresh + "\n" + old + "\n";
    for (const std::string& each : wanted) plan += each + "\n";
    TRYV(write_whole(data_ / ".swap", plan));
    return swap(data_, data_ / fresh, data_ / old, wanted);
  });
  fs::remove_all(data_ / old, error);
  fs::remove_all(data_ / fresh, error);
  return replaced;
}

// --- the turnstile ----------------------------------------------------------------------------------------

bool Turnstile::enter() {
  const std::lock_guard lock(mutex_);
  if (!closed_) ++inside_;
  return !closed_;
}

bool Turnstile::join() {
  const std::lock_guard lock(mutex_);
  if (closed_ && inside_ <= 0) return false;
  ++inside_;
  return true;
}

void Turnstile::when_open(std::function<void()> go) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return waiting_.push_back(std::move(go));
  }
  go();
}

void Turnstile::leave() {
  const std::lock_guard lock(mutex_);
  --inside_;
  left_.notify_all();
}

bool Turnstile::close(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  closed_ = true;
  if (left_.wait_for(lock, patience, [this] { return inside_ <= 0; })) return true;
  lock.unlock();
  open();
  return false;
}

void Turnstile::open() {
  std::vector<std::function<void()>> ready;
  {
    const std::lock_guard lock(mutex_);
    closed_ = false;
    ready.swap(waiting_);
  }
  for (const auto& go : ready) go();
}

}  // namespace fog
