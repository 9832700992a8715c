#include "server/ingest_stdin.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <ctime>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "api/codec/json.h"
#include "api/codec/text.h"
#include "server/late_curl.h"

namespace fog {
namespace {

constexpr std::size_t kBatchBytesMax = 1'000'000;
constexpr std::size_t kBatchEventsMax = 10'000;
constexpr std::size_t kLineBytesMax = 1'000'000;
constexpr int kPauseMs = 200;  // a line waits this long for company
constexpr std::chrono::seconds kAwayMax{30};
constexpr long kTimeoutSeconds = 30;

std::int64_t now_ms() {
  return std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string own_stream(bool lambda) {
  std::random_device device;
  const std::time_t now = std::time(nullptr);
  std::tm day{};
  ::gmtime_r(&now, &day);
  const std::string id = fmt::format("{:08x}{:08x}{:08x}{:08x}", device(), device(), device(), device());
  const std::string date = fmt::format("{:04}/{:02}/{:02}", day.tm_year + 1900, day.tm_mon + 1, day.tm_mday);
  return lambda ? fmt::format("{}/[$LATEST]{}", date, id) : fmt::format("{}/{}", date, id);
}

class Sender {
 public:
  explicit Sender(const IngestOptions& options) : options_(options), curl_(curl_easy_init(), curl_easy_cleanup) {}

  Status send(const std::vector<std::pair<std::int64_t, std::string>>& lines) {
    std::string body = fmt::format("{{\"logGroupName\":{},\"logStreamName\":{},\"logEvents\":[", quoted(options_.group), quoted(options_.stream));
    for (std::size_t i = 0; i < lines.size(); ++i)
      body += fmt::format("{}{{\"timestamp\":{},\"message\":{}}}", i == 0 ? "" : ",", lines[i].first, quoted(lines[i].second));
    body += "]}";
    for (;;) {
      TRY(const Answer answer, call("PutLogEvents", body));
      if (answer.status == 200) return Ok{};
      if (answer.body.find("ResourceNotFoundException") == std::string::npos)
        return Error::invalid(fmt::format("PutLogEvents: {} {}", answer.status, answer.body));
      const std::string names = fmt::format("{{\"logGroupName\":{}}}", quoted(options_.group));
      TRY(const Answer group, call("CreateLogGroup", names));
      TRY(const Answer stream, call("CreateLogStream", fmt::format("{{\"logGroupName\":{},\"logStreamName\":{}}}", quoted(options_.group), quoted(options_.stream))));
      for (const Answer* made : {&group, &stream})
        if (made->status != 200 && made->body.find("ResourceAlreadyExistsException") == std::string::npos)
          return Error::invalid(fmt::format("{} {}", made->status, made->body));
    }
  }

 private:
  struct Answer {
    long status = 0;
    std::string body;
  };
  static std::string quoted(std::string_view text) {
    std::string out;
    append_json_string(text, out);
    return out;
  }
  static std::size_t keep(char* data, std::size_t size, std::size_t n, void* to) {
    static_cast<std::string*>(to)->append(data, size * n);
    return size * n;
  }

  // Tries again while the server is away or overloaded.
  Result<Answer> call(std::string_view operation, const std::string& body) {
    const auto began = std::chrono::steady_clock::now();
    std::chrono::milliseconds pause(100);
    const std::string day = [] {
      std::string text;
      append_iso8601(std::chrono::floor<std::chrono::seconds>(from_ms(now_ms())), text);
      return text.substr(0, 4) + text.substr(5, 2) + text.substr(8, 2);
    }();
    for (;;) {
      Answer answer;
      curl_slist* headers = nullptr;
      const auto header = [&](const std::string& line) { headers = curl_slist_append(headers, line.c_str()); };
      header("Content-Type: application/x-amz-json-1.1");
      header(fmt::format("X-Amz-Target: Logs_20140328.{}", operation));
      header(fmt::format("Authorization: AWS4-HMAC-SHA256 Credential={}/{}/{}/logs/aws4_request, SignedHeaders=host;x-amz-date, Signature=0",
                         options_.account, day, options_.region));
      header("Expect:");
      if (options_.emf) header("x-amzn-logs-format: json/emf");
      CURL* handle = curl_.get();
      curl_easy_setopt(handle, CURLOPT_URL, (options_.url + "/").c_str());
      curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body.c_str());
      curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
      curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
      curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, keep);
      curl_easy_setopt(handle, CURLOPT_WRITEDATA, &answer.body);
      curl_easy_setopt(handle, CURLOPT_TIMEOUT, kTimeoutSeconds);
      curl_easy_setopt(handle, CURLOPT_NOPROXY, "*");
      const CURLcode code = curl_easy_perform(handle);
      curl_slist_free_all(headers);
      curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &answer.status);
      if (code == CURLE_OK && answer.status < 500) return answer;
      if (std::chrono::steady_clock::now() - began > kAwayMax)
        return Error::busy(fmt::format("{}: {}", options_.url, code == CURLE_OK ? answer.body : curl_easy_strerror(code)));
      std::this_thread::sleep_for(pause);
      pause = std::min(pause * 2, std::chrono::milliseconds(2000));
    }
  }

  const IngestOptions& options_;
  std::unique_ptr<CURL, void (*)(CURL*)> curl_;
};

}  // namespace

Status ingest_lines(int descriptor, IngestOptions options) {
  while (options.url.ends_with('/')) options.url.pop_back();
  if (options.lambda && !options.group.starts_with("/aws/lambda/")) options.group.insert(0, "/aws/lambda/");
  if (options.stream.empty()) options.stream = own_stream(options.lambda);
  if (!open_curl().ok()) return open_curl().error();
  Sender sender(options);
  std::vector<std::pair<std::int64_t, std::string>> lines;
  std::size_t bytes = 0;
  const auto flush = [&]() -> Status {
    if (lines.empty()) return Ok{};
    TRYV(sender.send(lines));
    lines.clear();
    bytes = 0;
    return Ok{};
  };
  const auto take = [&](std::string_view line) -> Status {
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::string text = to_utf8(line);
    for (std::size_t at = 0; at < text.size();) {
      std::size_t end = std::min(at + kLineBytesMax, text.size());
      while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // not inside a character
      const std::string_view part = std::string_view(text).substr(at, end - at);
      at = end;
      if (lines.size() == kBatchEventsMax || bytes + part.size() + 26 > kBatchBytesMax) TRYV(flush());
      const std::int64_t now = now_ms();  // never before the line above, whatever the clock does
      lines.emplace_back(lines.empty() ? now : std::max(now, lines.back().first), std::string(part));
      bytes += lines.back().second.size() + 26;
    }
    return Ok{};
  };
  std::string pending;
  std::string buffer(64 * 1024, '\0');
  for (;;) {
    pollfd ready{descriptor, POLLIN, 0};
    if (::poll(&ready, 1, kPauseMs) == 0) {
      TRYV(flush());
      continue;
    }
    const ssize_t n = ::read(descriptor, buffer.data(), buffer.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0) break;
    if (options.echo) fmt::print("{}", std::string_view(buffer.data(), static_cast<std::size_t>(n)));
    pending.append(buffer.data(), static_cast<std::size_t>(n));
    std::size_t at = 0;
    for (std::size_t end = pending.find('\n'); end != std::string::npos; end = pending.find('\n', at)) {
      TRYV(take(std::string_view(pending).substr(at, end - at)));
      at = end + 1;
    }
    pending.erase(0, at);
  }
  TRYV(take(pending));
  return flush();
}

}  // namespace fog
