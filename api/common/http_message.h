// http::Request and http::Response: HTTP without a library's types.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fog::http {

struct Header {
  std::string_view name;
  std::string_view value;
};

// Views point into the connection's buffer and live as long as the request is worked on.
struct Request {
  std::string_view method;  // as sent
  std::string_view target;  // as sent: path and query
  std::vector<Header> headers;  // in order of arrival, repetitions kept
  std::string body;  // de-chunked; reserve kBodyPadding bytes more than its size and no copy is made
  std::string peer;  // the client's address without port
  bool is_tls = false;

  // The first header of this name, whatever its case; empty when absent.
  std::string_view header(std::string_view name) const;
  bool has_header(std::string_view name) const;
};

// What the JSON parser wants to be able to read past a body's end.
inline constexpr std::size_t kBodyPadding = 64;

struct Response {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;  // Content-Length and Date are the server's
  std::string body;
  bool is_stream = false;  // the body follows through the ByteSink

  void set(std::string name, std::string value) { headers.emplace_back(std::move(name), std::move(value)); }
};

// The server's end of a streamed answer. Any thread; write() never blocks.
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  // False: the client has gone or fallen too far behind.
  virtual bool write(std::string bytes) = 0;
  virtual void close() = 0;
  virtual bool is_open() const = 0;
};

// Header names and the like: ASCII letters only.
bool equal_ignoring_case(std::string_view a, std::string_view b);

}  // namespace fog::http
