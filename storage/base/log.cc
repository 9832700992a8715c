#include "storage/base/log.h"

#include "storage/base/log_context.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <memory>
#include <mutex>
#include <string>

namespace fog::log {
namespace {

std::atomic<Level> level_now{Level::kWarn};

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    auto made = std::make_shared<spdlog::logger>("fogwatch",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
    made->set_level(spdlog::level::trace);
    made->flush_on(spdlog::level::warn);
    return made;
  }();
  return *instance;
}

// One log call is one line: what a caller smuggled in as a control character is shown, not obeyed.
std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

std::atomic<Format> format_now{Format::kText};
std::atomic<Access> access_now{Access::kOff};
thread_local std::string_view request_now;

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (code < 0x20 || code == 0x7f) {
      out += fmt::format("\\u{:04x}", code);
    } else {
      out += c;
    }
  }
  return out + '"';
}

// UTC with milliseconds.
std::string time_text() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  std::tm parts{};
  ::gmtime_r(&now.tv_sec, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                     parts.tm_hour, parts.tm_min, parts.tm_sec, now.tv_nsec / 1'000'000);
}

std::string_view level_text(Level level) {
  switch (level) {
    case Level::kDebug: return "debug";
    case Level::kInfo: return "info";
    case Level::kWarn: return "warning";
    case Level::kError: return "error";
    case Level::kOff: return "off";
  }
  return "";
}

// One write a line: lines of several threads do not mix.
void put_line(std::string line) {
  line += '\n';
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

std::string json_head(Level level, std::string_view message) {
  return fmt::format(R"({{"time":"{}","level":"{}","message":{})", time_text(), level_text(level), json_string(message));
}

// Words whose value nobody may read in a log.
constexpr std::string_view kSecretWords[] = {"signature=", "security-token=", "token=",   "secret_key=", "secretkey=", "secret-key=",
                                             "secret=",    "password=",       "passwd=",  "bearer ",     "basic ",     "x-amz-firehose-access-key: "};

bool ends_value(char c) { return c == '&' || c == ' ' || c == ',' || c == '"' || c == '\'' || c == ';' || c == '<' || c == '>'; }

}  // namespace

void set_level(Level level) {
  level_now = level;
}
bool enabled(Level level) {
  return level >= level_now.load(std::memory_order_relaxed);
}

void write(Level level, std::string_view text) {
  if (level == Level::kOff) return;
  const std::string safe = masked(text);
  if (format_now.load(std::memory_order_relaxed) == Format::kJson) {
    std::string line = json_head(level, safe);
    if (!request_now.empty()) line += ",\"request_id\":" + json_string(request_now);
    return put_line(line + '}');
  }
  std::string line = printable(safe);
  if (!request_now.empty()) line += " request_id=" + printable(request_now);
  switch (level) {
    case Level::kDebug:
      logger().debug("{}", line);
      return;
    case Level::kInfo:
      logger().info("{}", line);
      return;
    case Level::kWarn:
      logger().warn("{}", line);
      return;
    case Level::kError:
      logger().error("{}", line);
      return;
    case Level::kOff:
      return;
  }
}

void set_format(Format format) { format_now = format; }

bool parse_format(std::string_view text, Format& format) {
  if (text != "text" && text != "json") return false;
  format = text == "json" ? Format::kJson : Format::kText;
  return true;
}

RequestScope::RequestScope(std::string_view request_id) : before_(request_now) { request_now = request_id; }
RequestScope::~RequestScope() { request_now = before_; }

void set_access(Access access) { access_now = access; }

bool parse_access(std::string_view text, Access& access) {
  if (text == "off") access = Access::kOff;
  else if (text == "errors") access = Access::kErrors;
  else if (text == "all") access = Access::kAll;
  else return false;
  return true;
}

bool wants_access(int status) {
  const Access access = access_now.load(std::memory_order_relaxed);
  return access == Access::kAll || (access == Access::kErrors && status >= 500);
}

void write_access(const AccessLine& line) {
  const Level level = line.status >= 500 ? Level::kError : Level::kInfo;
  const double took_ms = static_cast<double>(line.took_us) / 1000.0;
  if (format_now.load(std::memory_order_relaxed) == Format::kJson) {
    return put_line(fmt::format(
        R"({},"request_id":{},"client":{},"account":{},"region":{},"service":{},"operation":{},"status":{},"error":{},"took_ms":{:.3f},"bytes_in":{},"bytes_out":{}}})",
        json_head(level, "request"), json_string(line.request_id), json_string(line.client), json_string(line.account),
        json_string(line.region), json_string(line.service), json_string(masked(line.operation)), line.status,
        json_string(line.error), took_ms, line.bytes_in, line.bytes_out));
  }
  put_line(printable(fmt::format("{} {} request {} {} {} {} {} {:.3f} ms {}+{} B {} request_id={}", time_text(), level_text(level),
                                 line.client, line.account.empty() ? "-" : line.account, line.service.empty() ? "-" : line.service,
                                 masked(line.operation), line.status, took_ms, line.bytes_in, line.bytes_out,
                                 line.error.empty() ? "-" : line.error, line.request_id)));
}

std::string masked(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  for (std::size_t i = 0; i < text.size();) {
    std::string_view hit;
    for (const std::string_view word : kSecretWords) {
      if (text.size() - i < word.size()) continue;
      bool same = true;
      for (std::size_t k = 0; k < word.size() && same; ++k) same = lower(text[i + k]) == word[k];
      if (same) hit = word;
      if (same) break;
    }
    if (hit.empty()) {
      out += text[i++];
      continue;
    }
    out += text.substr(i, hit.size());
    i += hit.size();
    const std::size_t begin = i;
    while (i < text.size() && !ends_value(text[i])) ++i;
    if (i > begin) out += "***";
  }
  return out;
}

bool parse_level(std::string_view text, Level& level) {
  if (text == "debug")
    level = Level::kDebug;
  else if (text == "info")
    level = Level::kInfo;
  else if (text == "warn")
    level = Level::kWarn;
  else if (text == "error")
    level = Level::kError;
  else if (text == "off")
    level = Level::kOff;
  else
    return false;
  return true;
}

}  // namespace fog::log
