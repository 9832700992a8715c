// http_door: the server's HTTP layer by itself, plain and sealed: every request is read whole and
// answered `{}`. Beside http_floor it says what the layer costs, and what TLS adds.
//
//   http_door [--threads 1] [--connections-max 16384] [--cert FILE --key FILE]
//
// Prints `listening http://127.0.0.1:PORT`, with a certificate also `listening https://...`; ends by
// SIGTERM. bench/tls.py and bench/slow_clients.py run it.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "server/http.h"

namespace {

using namespace fog;

class Answer final : public http::Handler {
 public:
  void handle(http::Turn& turn) override {
    turn.response.set("Content-Type", "application/x-amz-json-1.0");
    turn.response.set("x-amzn-RequestId", "0b4a8f6e-5a0c-4a35-9d53-6b1d3f2c9e10");
    // "/get/100000": an answer of that many bytes.
    if (turn.request.target.starts_with("/get/")) {
      turn.response.body.assign(static_cast<std::size_t>(std::atol(std::string(turn.request.target.substr(5)).c_str())), 'x');
    } else {
      turn.response.body = "{}";
    }
  }
  void refuse(const http::Fault& fault, std::string_view, http::Response& response) override { response.status = fault.status; }
};

void listen(http::HttpServer& server, const char* scheme, http::DoorTls tls) {
  const auto port = server.listen("127.0.0.1", 0, 0, tls);
  if (!port.ok()) {
    std::fprintf(stderr, "http_door: %s\n", port.error().message().c_str());
    std::exit(1);
  }
  std::printf("listening %s://127.0.0.1:%u\n", scheme, static_cast<unsigned>(*port));
}

}  // namespace

int main(int argc, char** argv) {
  http::Options options;
  TlsContext::Files files;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string word = argv[i];
    if (word == "--threads") options.threads = static_cast<std::size_t>(std::atoi(argv[i + 1]));
    else if (word == "--connections-max") options.connections_max = static_cast<std::size_t>(std::atoi(argv[i + 1]));
    else if (word == "--cert") files.certificate = argv[i + 1];
    else if (word == "--key") files.key = argv[i + 1];
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  std::unique_ptr<Certificate> certificate;
  if (!files.certificate.empty()) {
    auto opened = Certificate::open(files);
    if (!opened.ok()) {
      std::fprintf(stderr, "http_door: %s\n", opened.error().message().c_str());
      return 1;
    }
    certificate = std::move(*opened);
    options.certificate = certificate.get();
  }
  Pressure pressure(0);
  options.pressure = &pressure;
  Answer answer;
  http::HttpServer server(options, answer);
  listen(server, "http", http::DoorTls::kNone);
  if (certificate) listen(server, "https", http::DoorTls::kRequired);
  std::fflush(stdout);
  server.start();
  const timespec second{.tv_sec = 1, .tv_nsec = 0};
  while (::sigtimedwait(&signals, nullptr, &second) < 0) pressure.tick(Timestamp{});
  return server.stop(Millis(2000)) ? 0 : 1;
}
