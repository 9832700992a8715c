// How the server's own log lines look, and which request they concern. Apart from log.h, which everybody
// includes.
//
//   const log::RequestScope scope(x.call.request_id);   // every line of this thread names the request
//
// text: 2026-11-22T08:00:00.123Z warning cannot seal ... request_id=1b9d6bcd-...
// json: {"time":"2026-11-22T08:00:00.123Z","level":"warning","message":"cannot seal ...","request_id":"1b9d6bcd-..."}
//
// Secrets are masked in either form, wherever in the text they stand: see masked().
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fog::log {

enum class Format { kText, kJson };
void set_format(Format format);
// "text" or "json"; false for anything else.
bool parse_format(std::string_view text, Format& format);

// Names the request that this thread works on, until it is destroyed. The text must outlive it.
class RequestScope {
 public:
  explicit RequestScope(std::string_view request_id);
  ~RequestScope();
  RequestScope(const RequestScope&) = delete;
  RequestScope& operator=(const RequestScope&) = delete;

 private:
  std::string_view before_;
};

// Which answered requests get a line of their own.
enum class Access { kOff, kErrors, kAll };  // kErrors: those answered with a 5xx
void set_access(Access access);
bool parse_access(std::string_view text, Access& access);

// One answered request. Paths are without their query, which may hold signatures and tokens.
struct AccessLine {
  std::string_view request_id;
  std::string_view client;
  std::string_view account;
  std::string_view region;
  std::string_view service;    // "" for the server's own pages
  std::string_view operation;  // or the path
  std::string_view error;
  int status = 200;
  std::int64_t took_us = 0;
  std::size_t bytes_in = 0;
  std::size_t bytes_out = 0;
};
void write_access(const AccessLine& line);
bool wants_access(int status);

// The text with what follows "X-Amz-Signature=", "Signature=", "Token=", "secret_key=", "password=", "Bearer " and
// their kin replaced by "***".
std::string masked(std::string_view text);

}  // namespace fog::log
