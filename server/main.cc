// fogwatch: the program. Reads the command line, runs the server, waits for a signal.
#include <malloc.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include <fmt/format.h>

#include "server/app.h"
#include "server/apply_command.h"
#include "server/backup/command.h"
#include "server/config.h"
#include "server/keys_command.h"
#include "server/notify.h"
#include "storage/base/log.h"

extern char** environ;

namespace fog {
namespace {

// Inside the five seconds a supervisor grants.
constexpr Millis kStopGrace{4000};

Environment environment() {
  Environment found;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equal = text.find('=');
    if (equal != std::string_view::npos) found.emplace(text.substr(0, equal), text.substr(equal + 1));
  }
  return found;
}

// The instruction set that CMakeLists.txt compiles the JSON reader for; null if all of it is here.
const char* missing_instructions() {
#ifdef __x86_64__
  if (!__builtin_cpu_supports("sse4.2")) return "SSE4.2";
  if (!__builtin_cpu_supports("popcnt")) return "POPCNT";
  if (!__builtin_cpu_supports("pclmul")) return "PCLMULQDQ";
#endif
  return nullptr;
}

// Threads share few heaps, and large pieces go back to the system when they are freed: without this the
// memory of a burst of writes stays with whichever thread handled it.
void tune_allocator() {
#ifdef __GLIBC__
  constexpr int kHeapsMax = 4;
  constexpr int kLargeBytes = 1 << 20;
  constexpr int kKeptBytes = 16 << 20;  // at the top of a heap
  ::mallopt(M_ARENA_MAX, kHeapsMax);
  ::mallopt(M_MMAP_THRESHOLD, kLargeBytes);
  ::mallopt(M_TRIM_THRESHOLD, kKeptBytes);
#endif
}

int complain(const Error& error) {
  fmt::print(stderr, "fogwatch: {}\n", error.message());
  return error.kind() == ErrorKind::kInvalid ? 2 : 1;
}

// The next signal. Meanwhile the service manager hears regularly that the server is well, as long as it is.
int wait_for(const sigset_t& signals, const App& app, ServiceManager& manager) {
  const auto every = manager.watchdog();
  while (true) {
    const auto ms = every ? every->count() : 3'600'000;
    const timespec limit{.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1'000'000};
    const int received = ::sigtimedwait(&signals, nullptr, &limit);
    if (received > 0) return received;
    if (every && app.is_well()) manager.alive();
  }
}

int serve(const Config& config) {
  log::set_level(config.log_level);
  log::set_format(config.log_format);
  log::set_access(config.access_log);
  ServiceManager manager(environment());
  // Every thread inherits the mask: signals are taken by sigwait below, and nowhere else.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  auto app = App::start(config);
  if (!app.ok()) return complain(app.error());
  for (const std::string& line : (*app)->start_lines()) fmt::print("{}\n", line);
  std::fflush(stdout);

  const std::string status = (*app)->start_lines().size() > 1 ? (*app)->start_lines().front() : std::string();
  manager.ready(status);
  while (wait_for(signals, **app, manager) == SIGHUP) {
    manager.reloading();
    (*app)->reload();
    manager.ready(status);
  }
  manager.stopping();
  LOG_INFO("stopping");
  if ((*app)->stop(kStopGrace)) return 0;
  LOG_WARN("some requests were still under way");
  std::_Exit(0);
}

int ingest(const IngestOptions& options) {
  const Status done = ingest_lines(0, options);
  return done.ok() ? 0 : complain(done.error());
}

int apply_template(const std::vector<std::string>& arguments) {
  const auto options = parse_apply_options(arguments, environment());
  return options.ok() ? run_apply(*options) : complain(options.error());
}

int run(const std::vector<std::string>& arguments) {
  if (!arguments.empty() && (arguments.front() == "backup" || arguments.front() == "restore")) {
    const std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
    return arguments.front() == "backup" ? backup::run_backup(rest, environment()) : backup::run_restore(rest, environment());
  }
  if (!arguments.empty() && arguments.front() == "apply") return apply_template({arguments.begin() + 1, arguments.end()});
  const auto line = parse_command_line(arguments, environment());
  if (!line.ok()) return complain(line.error());
  switch (line->command) {
    case Command::kServe: return serve(line->config);
    case Command::kCheck: return backup::run_check(line->folder);
    case Command::kIngest: return ingest(line->ingest);
    case Command::kKeys: {
      const Status done = run_keys_command(line->keys);
      return done.ok() ? 0 : complain(done.error());
    }
    case Command::kUsers: {
      const Status done = run_users_command(line->users);
      return done.ok() ? 0 : complain(done.error());
    }
    case Command::kVersion: fmt::print("fogwatch {}\n", FOG_VERSION); return 0;
    case Command::kHelp: fmt::print("{}", line->text); return 0;
  }
  return 2;
}

}  // namespace
}  // namespace fog

int main(int count, char** values) {
  if (const char* missing = fog::missing_instructions()) {
    fmt::print(stderr, "fogwatch: this processor has no {}, which the program is compiled for\n", missing);
    return 1;
  }
  ::umask(077);  // data, backups and keys are nobody else's to read
  fog::tune_allocator();
  try {
    return fog::run({values + 1, values + count});
  } catch (const std::exception& e) {
    fmt::print(stderr, "fogwatch: {}\n", e.what());
    return 1;
  }
}
