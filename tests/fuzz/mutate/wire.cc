#include "tests/fuzz/mutate/wire.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>

namespace fog::fuzz {
namespace {

constexpr int kAnswerMillis = 60'000;  // then the request counts as hanging

// The text behind the first `mark`, up to one of `ends`.
std::string between(std::string_view text, std::string_view mark, std::string_view ends) {
  const auto at = text.find(mark);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + mark.size());
  return std::string(text.substr(0, text.find_first_of(ends)));
}

// The text string behind the text string `key` in CBOR.
std::string cbor_text(std::string_view body, std::string_view key) {
  std::string mark(1, static_cast<char>(0x60 | key.size()));
  mark += key;
  auto at = body.find(mark);
  if (at == std::string_view::npos) return {};
  at += mark.size();
  if (at >= body.size()) return {};
  const auto head = static_cast<unsigned char>(body[at++]);
  std::size_t size = head & 31;
  for (int bytes = size == 24 ? 1 : size == 25 ? 2 : 0; bytes > 0; --bytes) {
    if (head - 0x60 > 23 && bytes == (head == 0x79 ? 2 : 1)) size = 0;
    if (at >= body.size()) return {};
    size = size << 8 | static_cast<unsigned char>(body[at++]);
  }
  return std::string(body.substr(at, size));
}

}  // namespace

std::string_view name_of(Speech speech) {
  switch (speech) {
    case Speech::kQuery: return "query";
    case Speech::kJson: return "json";
    case Speech::kRestJson: return "rest-json";
    case Speech::kCbor: return "cbor";
  }
  return {};
}

std::vector<Speech> speeches_of(const ServiceInfo& service) {
  if (service.name == "cloudwatch") return {Speech::kQuery, Speech::kJson, Speech::kCbor};
  if (service.name == "xray") return {Speech::kRestJson};
  if (service.name == "logs") return {Speech::kJson};
  return {Speech::kQuery, Speech::kJson};
}

std::string body_of(const OperationInfo& operation, Speech speech, const Tree& input) {
  if (speech == Speech::kCbor) return to_cbor(input);
  if (speech != Speech::kQuery) return to_json(input);
  std::string out = fmt::format("Action={}&Version={}", operation.name, operation.service->version);
  to_form(input, operation.input, {}, out);
  return out;
}

Parts parts_of(const OperationInfo& operation, Speech speech, const Tree& input) {
  return parts_of(operation, speech, body_of(operation, speech, input));
}

Parts parts_of(const OperationInfo& operation, Speech speech, std::string body) {
  const ServiceInfo& service = *operation.service;
  Parts parts;
  parts.body = std::move(body);
  parts.headers.emplace_back("Host", "127.0.0.1");
  parts.headers.emplace_back("Authorization", fmt::format("AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0",
                                                          service.signing_name));
  switch (speech) {
    case Speech::kQuery: parts.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded"); break;
    case Speech::kJson:
      parts.headers.emplace_back("Content-Type", service.name == "logs" ? "application/x-amz-json-1.1" : "application/x-amz-json-1.0");
      parts.headers.emplace_back("X-Amz-Target", fmt::format("{}.{}", service.target_prefix, operation.name));
      break;
    case Speech::kRestJson:
      parts.headers.emplace_back("Content-Type", "application/json");
      parts.target = operation.path;
      break;
    case Speech::kCbor:
      parts.headers.emplace_back("Content-Type", "application/cbor");
      parts.headers.emplace_back("Smithy-Protocol", "rpc-v2-cbor");
      parts.target = fmt::format("/service/{}/operation/{}", service.target_prefix, operation.name);
      break;
  }
  return parts;
}

std::string bytes_of(const Parts& parts) {
  std::string out = parts.method + ' ' + parts.target + " HTTP/1.1\r\n";
  for (const auto& [name, value] : parts.headers) out += name + ": " + value + "\r\n";
  out += fmt::format("Content-Length: {}\r\n\r\n", parts.body.size());
  return out += parts.body;
}

std::string Answer::code() const {
  std::string code = between(head, "x-amzn-ErrorType: ", ":\r\n");
  if (code.empty()) code = between(head, "x-amzn-errortype: ", ":\r\n");
  if (code.empty()) code = between(body, "<Code>", "<");
  if (code.empty()) code = between(body, "\"__type\":\"", "\"");
  if (code.empty()) code = cbor_text(body, "__type");
  if (const auto hash = code.rfind('#'); hash != std::string::npos) code.erase(0, hash + 1);
  return code;
}

std::string Answer::message() const {
  for (const std::string_view mark : {"<Message>", "\"message\":\"", "\"Message\":\""})
    if (std::string found = between(body, mark, mark[0] == '<' ? "<" : "\""); !found.empty()) return found;
  if (std::string found = cbor_text(body, "message"); !found.empty()) return found;
  return cbor_text(body, "Message");
}

void Connection::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  buffer_.clear();
}

bool Connection::open() {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port_);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

bool Connection::more() {
  pollfd wait{.fd = fd_, .events = POLLIN, .revents = 0};
  if (::poll(&wait, 1, kAnswerMillis) <= 0) return false;
  char bytes[65536];
  const ssize_t n = ::recv(fd_, bytes, sizeof bytes, 0);
  if (n <= 0) return false;
  buffer_.append(bytes, static_cast<std::size_t>(n));
  return true;
}

Answer Connection::ask(std::string_view bytes, bool is_whole) {
  Answer out;
  const bool is_old = fd_ >= 0;
  if (!is_old && !open()) return out;
  for (std::string_view rest = bytes; !rest.empty();) {
    const ssize_t n = ::send(fd_, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (n <= 0) break;  // it may have answered and closed already
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  if (!is_whole) ::shutdown(fd_, SHUT_WR);
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (more()) continue;
    const bool nothing = buffer_.empty();
    close();
    return is_old && nothing && is_whole ? ask(bytes) : out;  // a kept connection may have ended meanwhile
  }
  out.head = buffer_.substr(0, end + 2);
  std::from_chars(out.head.data() + 9, out.head.data() + 12, out.status);
  std::size_t size = end + 4;
  if (const std::string length = between(out.head, "Content-Length: ", "\r"); !length.empty()) {
    size += std::stoul(length);
    while (buffer_.size() < size && more()) {
    }
    out.body = buffer_.substr(end + 4, size - end - 4);
    buffer_.erase(0, size);
    if (!is_whole || out.head.find("Connection: close") != std::string::npos) close();
  } else {
    out.is_stream = out.head.find("chunked") != std::string::npos || out.head.find("event-stream") != std::string::npos;
    close();
  }
  return out;
}

}  // namespace fog::fuzz
