// Wire: requests as bytes, and what an answer says.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/common/operation.h"
#include "tests/fuzz/mutate/tree.h"

namespace fog::fuzz {

enum class Speech : std::uint8_t { kQuery, kJson, kRestJson, kCbor };
std::string_view name_of(Speech speech);
// How a service may be spoken to.
std::vector<Speech> speeches_of(const ServiceInfo& service);

struct Parts {
  std::string method = "POST";
  std::string target = "/";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};
Parts parts_of(const OperationInfo& operation, Speech speech, const Tree& input);
// The same with a body that is already encoded.
Parts parts_of(const OperationInfo& operation, Speech speech, std::string body);
std::string body_of(const OperationInfo& operation, Speech speech, const Tree& input);
std::string bytes_of(const Parts& parts);

struct Answer {
  int status = 0;  // 0: the connection ended without one
  bool is_stream = false;
  std::string head;
  std::string body;
  // Of an error: "InvalidParameterException", however the protocol writes it; "" when there is none.
  std::string code() const;
  std::string message() const;
};

// A keep-alive connection to 127.0.0.1 that opens itself again when need be.
class Connection {
 public:
  explicit Connection(std::uint16_t port) : port_(port) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { close(); }

  // One request, one answer. `is_whole` false: the bytes may be anything; the sending side is closed behind them.
  Answer ask(std::string_view bytes, bool is_whole = true);
  void close();

 private:
  bool open();
  bool more();
  int fd_ = -1;
  std::uint16_t port_;
  std::string buffer_;
};

}  // namespace fog::fuzz
