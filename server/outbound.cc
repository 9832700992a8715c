#include "server/outbound.h"

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_set>

#include "server/late_curl.h"
#include "server/plain_http.h"
#include "storage/base/log.h"

namespace fog {
namespace {

constexpr Millis kMailTimeout{60'000};
// Headers of an answer beyond this are dropped; nobody here reads more than a few.
constexpr std::size_t kAnswerHeadersMax = 64;

bool has_line_break(std::string_view text) { return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos; }

// One call, queued or under way. Exactly one of the two callbacks is set.
struct Transfer {
  OutboundRequest request;
  Outbound::HttpDone http_done;
  OutboundMail mail;
  Outbound::MailDone mail_done;

  const AddressRules* rules = nullptr;  // null: the configured relay, which needs no judging
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  curl_slist* recipients = nullptr;
  std::size_t mail_sent = 0;
  OutboundResponse response;
  bool cut = false;  // the answer was longer than wanted
  std::string_view denied;
  std::chrono::steady_clock::time_point began;

  // What was never set up never needed libcurl, which then may not be open.
  ~Transfer() {
    if (easy != nullptr) curl_easy_cleanup(easy);
    if (headers != nullptr) curl_slist_free_all(headers);
    if (recipients != nullptr) curl_slist_free_all(recipients);
  }
};

curl_socket_t open_socket(void* context, curlsocktype, curl_sockaddr* address) {
  auto& transfer = *static_cast<Transfer*>(context);
  if (transfer.rules != nullptr) {
    const auto why = transfer.rules->why_denied(address->addr, address->addrlen);
    if (!why.empty()) {
      transfer.denied = why;
      return CURL_SOCKET_BAD;
    }
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

std::size_t take_body(char* data, std::size_t, std::size_t n, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  const std::size_t room = transfer.request.response_bytes_max - transfer.response.body.size();
  transfer.response.body.append(data, std::min(n, room));
  if (n <= room) return n;
  transfer.cut = true;  // ends the transfer; what has come counts as the answer
  return 0;
}

std::size_t take_header(char* data, std::size_t, std::size_t n, void* context) {
  auto& headers = static_cast<Transfer*>(context)->response.headers;
  std::string_view line(data, n);
  if (line.starts_with("HTTP/")) headers.clear();  // a 100 Continue came before
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || headers.size() >= kAnswerHeadersMax) return n;
  std::string_view value = line.substr(colon + 1);
  value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
  value = value.substr(0, value.find_last_not_of(" \t\r\n") + 1);
  headers.emplace_back(line.substr(0, colon), value);
  return n;
}

std::size_t give_mail(char* into, std::size_t, std::size_t n, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  const std::size_t size = std::min(n, transfer.mail.data.size() - transfer.mail_sent);
  std::memcpy(into, transfer.mail.data.data() + transfer.mail_sent, size);
  transfer.mail_sent += size;
  return size;
}

// Empty when the request may be tried, else what is wrong with it.
std::string_view fault_of(const OutboundRequest& request) {
  const bool scheme = request.url.starts_with("http://") || request.url.starts_with("https://");
  if (!scheme) return "only http and https are called";
  if (has_line_break(request.url) || has_line_break(request.method) || request.method.empty()) return "line break";
  for (const auto& [name, value] : request.headers) {
    if (name.empty() || has_line_break(name) || has_line_break(value) || name.find(':') != std::string::npos) return "bad header";
  }
  return {};
}

void set_up_common(Transfer& transfer, Millis connect_timeout) {
  CURL* easy = transfer.easy;
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(connect_timeout.count()));
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
}

void set_up_http(Transfer& transfer) {
  CURL* easy = transfer.easy;
  const OutboundRequest& request = transfer.request;
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
  if (request.method == "GET" && request.body.empty()) {
    curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  } else if (request.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    if (request.method != "POST") curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  transfer.headers = curl_slist_append(transfer.headers, "Expect:");
  bool typed = false;
  for (const auto& [name, value] : request.headers) {
    // A header with an empty value is written "Name;" for libcurl.
    transfer.headers = curl_slist_append(transfer.headers, (value.empty() ? name + ";" : name + ": " + value).c_str());
    typed = typed || ::strcasecmp(name.c_str(), "content-type") == 0;
  }
  if (!typed) transfer.headers = curl_slist_append(transfer.headers, "Content-Type:");  // no form by default
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer.headers);
}

void set_up_mail(Transfer& transfer, const SmtpRelay& relay) {
  CURL* easy = transfer.easy;
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  curl_easy_setopt(easy, CURLOPT_URL, relay.url.c_str());
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(kMailTimeout.count()));
  curl_easy_setopt(easy, CURLOPT_USE_SSL, static_cast<long>(relay.require_tls ? CURLUSESSL_ALL : CURLUSESSL_TRY));
  if (!relay.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, relay.ca_file.c_str());
  if (!relay.user.empty()) {
    curl_easy_setopt(easy, CURLOPT_USERNAME, relay.user.c_str());
    curl_easy_setopt(easy, CURLOPT_PASSWORD, relay.password.c_str());
  }
  curl_easy_setopt(easy, CURLOPT_MAIL_FROM, ("<" + transfer.mail.from + ">").c_str());
  transfer.recipients = curl_slist_append(transfer.recipients, ("<" + transfer.mail.to + ">").c_str());
  curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, transfer.recipients);
  curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_mail);
  curl_easy_setopt(easy, CURLOPT_READDATA, &transfer);
}

Error error_of(const Transfer& transfer, CURLcode code) {
  if (!transfer.denied.empty()) return Error::denied(std::string(transfer.denied));
  switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: return Error::invalid(curl_easy_strerror(code));
    default: return Error::busy(curl_easy_strerror(code));
  }
}

}  // namespace

struct CurlOutbound::Impl {
  Options options;
  std::mutex mutex;
  std::condition_variable wake_idle;
  std::deque<std::unique_ptr<Transfer>> queue;           // waiting for a place
  std::vector<std::pair<std::unique_ptr<Transfer>, Error>> rejected;  // to be told on the thread
  bool stopping = false;
  bool started = false;
  CURLM* multi = nullptr;  // made by the thread; read by others only for curl_multi_wakeup
  std::thread thread;
  std::unordered_set<Transfer*> running;  // thread only
  std::vector<CURL*> spare;               // thread only: handles to use again; making one costs more than a small call
  std::atomic<std::uint64_t> calls{0};
  std::atomic<std::uint64_t> failures{0};
  std::atomic<std::uint64_t> denied{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> waiting{0};

  PlainHttp plain{{.rules = &options.rules, .connections_per_address_max = options.running_max, .connect_timeout = options.connect_timeout}};

  explicit Impl(Options o) : options(std::move(o)) {}

  void submit(std::unique_ptr<Transfer> transfer, std::optional<Error> reject);
  void wake();
  void run();
  void run_without_curl();
  void start_queued();
  void finish(std::unique_ptr<Transfer> transfer, std::optional<Error> error);
  void end_transfer(Transfer* raw, CURLcode code);
};

void CurlOutbound::Impl::submit(std::unique_ptr<Transfer> transfer, std::optional<Error> reject) {
  ++calls;
  const std::lock_guard lock(mutex);
  if (!reject && queue.size() >= options.queue_max) {
    ++refused;
    reject = Error::busy("too many deliveries are waiting");
    transfer->request.body = std::string();
    transfer->mail.data = std::string();
  }
  ++waiting;
  if (reject) {
    rejected.emplace_back(std::move(transfer), std::move(*reject));
  } else {
    queue.push_back(std::move(transfer));
  }
  if (!started) {
    started = true;
    // libcurl and its TLS cost milliseconds and megabytes: not before somebody needs them.
    if (open_curl().ok()) {
      multi = curl_multi_init();
      curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 64L);
    } else {
      LOG_ERROR("no delivery but to plain http addresses: {}", open_curl().error().message());
    }
    thread = std::thread([this] { run(); });
  }
  wake();
}

void CurlOutbound::Impl::wake() {
  if (multi != nullptr) curl_multi_wakeup(multi);
  else wake_idle.notify_one();
}

void CurlOutbound::Impl::finish(std::unique_ptr<Transfer> transfer, std::optional<Error> error) {
  if (error) {
    ++failures;
    if (error->kind() == ErrorKind::kDenied) ++denied;
  }
  try {
    if (transfer->http_done) {
      if (error) transfer->http_done(std::move(*error));
      else transfer->http_done(std::move(transfer->response));
    } else if (transfer->mail_done) {
      if (error) transfer->mail_done(std::move(*error));
      else transfer->mail_done(Ok{});
    }
  } catch (const std::exception& e) {
    LOG_ERROR("a delivery's end was not taken: {}", e.what());
  }
  --waiting;
}

void CurlOutbound::Impl::start_queued() {
  while (running.size() < options.running_max) {
    std::unique_ptr<Transfer> transfer;
    {
      const std::lock_guard lock(mutex);
      if (queue.empty()) return;
      transfer = std::move(queue.front());
      queue.pop_front();
    }
    if (spare.empty()) {
      transfer->easy = curl_easy_init();
    } else {
      transfer->easy = spare.back();
      spare.pop_back();
    }
    if (transfer->easy == nullptr) {
      finish(std::move(transfer), Error::busy("libcurl gives no handle"));
      continue;
    }
    set_up_common(*transfer, options.connect_timeout);
    if (transfer->http_done) {
      transfer->rules = &options.rules;
      set_up_http(*transfer);
    } else {
      set_up_mail(*transfer, options.smtp);
    }
    transfer->began = std::chrono::steady_clock::now();
    curl_multi_add_handle(multi, transfer->easy);
    running.insert(transfer.release());
  }
}

void CurlOutbound::Impl::end_transfer(Transfer* raw, CURLcode code) {
  running.erase(raw);
  std::unique_ptr<Transfer> transfer(raw);
  curl_multi_remove_handle(multi, transfer->easy);
  transfer->response.took = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - transfer->began);
  long status = 0;
  curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
  transfer->response.status = static_cast<int>(status);
  const bool ok = code == CURLE_OK || (transfer->cut && status > 0);
  std::optional<Error> error;
  if (!ok) error = error_of(*transfer, code);
  if (spare.size() < options.running_max) {
    curl_easy_reset(transfer->easy);
    spare.push_back(std::exchange(transfer->easy, nullptr));
  }
  finish(std::move(transfer), std::move(error));
}

void CurlOutbound::Impl::run_without_curl() {
  std::unique_lock lock(mutex);
  while (!stopping) {
    auto told = std::exchange(rejected, {});
    for (auto& transfer : std::exchange(queue, {})) told.emplace_back(std::move(transfer), open_curl().error());
    if (told.empty()) {
      wake_idle.wait(lock);
      continue;
    }
    lock.unlock();
    for (auto& [transfer, error] : told) finish(std::move(transfer), std::move(error));
    lock.lock();
  }
}

void CurlOutbound::Impl::run() {
  if (multi == nullptr) return run_without_curl();
  while (true) {
    std::vector<std::pair<std::unique_ptr<Transfer>, Error>> told;
    {
      const std::lock_guard lock(mutex);
      if (stopping) break;
      told.swap(rejected);
    }
    for (auto& [transfer, error] : told) finish(std::move(transfer), std::move(error));
    start_queued();
    int active = 0;
    curl_multi_perform(multi, &active);
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(multi, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      Transfer* transfer = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
      end_transfer(transfer, code);
    }
    {
      const std::lock_guard lock(mutex);
      const bool more = !rejected.empty() || (!queue.empty() && running.size() < options.running_max);
      if (more || stopping) continue;
    }
    curl_multi_poll(multi, nullptr, 0, 10'000, nullptr);
  }
  const std::vector<Transfer*> cut(running.begin(), running.end());
  for (Transfer* transfer : cut) end_transfer(transfer, CURLE_ABORTED_BY_CALLBACK);
}

CurlOutbound::CurlOutbound(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}

CurlOutbound::~CurlOutbound() {
  Impl& impl = *impl_;
  {
    const std::lock_guard lock(impl.mutex);
    impl.stopping = true;
    impl.wake();
  }
  if (impl.thread.joinable()) impl.thread.join();
  for (auto& transfer : impl.queue) impl.finish(std::move(transfer), Error::busy("the server is stopping"));
  for (auto& [transfer, error] : impl.rejected) impl.finish(std::move(transfer), std::move(error));
  for (CURL* easy : impl.spare) curl_easy_cleanup(easy);
  if (impl.multi != nullptr) curl_multi_cleanup(impl.multi);
}

void CurlOutbound::http(OutboundRequest request, HttpDone done) {
  auto transfer = std::make_unique<Transfer>();
  transfer->request = std::move(request);
  transfer->http_done = std::move(done);
  std::optional<Error> reject;
  if (const auto why = fault_of(transfer->request); !why.empty()) reject = Error::invalid(std::string(why));
  if (auto where = reject || impl_->waiting >= impl_->options.queue_max ? std::nullopt : PlainHttp::parse(transfer->request.url)) {
    ++impl_->calls;
    ++impl_->waiting;
    impl_->plain.submit(std::move(*where), std::move(transfer->request),
                        [impl = impl_.get(), own = std::move(transfer->http_done)](Result<OutboundResponse> answer) {
                          if (!answer.ok()) {
                            ++impl->failures;
                            if (answer.error().kind() == ErrorKind::kDenied) ++impl->denied;
                          }
                          own(std::move(answer));
                          --impl->waiting;
                        });
    return;
  }
  impl_->submit(std::move(transfer), std::move(reject));
}

bool CurlOutbound::has_mail_relay() const { return !impl_->options.smtp.url.empty(); }

void CurlOutbound::mail(OutboundMail mail, MailDone done) {
  auto transfer = std::make_unique<Transfer>();
  transfer->mail = std::move(mail);
  transfer->mail_done = std::move(done);
  if (transfer->mail.from.empty()) transfer->mail.from = impl_->options.smtp.from;
  std::optional<Error> reject;
  for (const std::string* address : {&transfer->mail.from, &transfer->mail.to}) {
    if (address->empty() || address->find_first_of(std::string_view("\r\n\0<> ", 6)) != std::string::npos) {
      reject = Error::invalid("bad mail address");
    }
  }
  if (!has_mail_relay()) reject = Error::conflict("no mail relay is configured");
  impl_->submit(std::move(transfer), std::move(reject));
}

void CurlOutbound::set_own_ports(std::vector<std::uint16_t> ports) {
  const std::lock_guard lock(impl_->mutex);
  impl_->options.rules.own_ports = std::move(ports);
}

CurlOutbound::Stats CurlOutbound::stats() const {
  return {.calls = impl_->calls,
          .failures = impl_->failures,
          .denied = impl_->denied,
          .refused = impl_->refused,
          .waiting = impl_->waiting};
}

}  // namespace fog
