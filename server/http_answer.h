// The text of an answer's head.
#pragma once

#include <string>
#include <string_view>

#include "api/common/http_message.h"

namespace fog::http {

// "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" of the real clock, made once a second a thread.
std::string_view date_line();

void append_number(std::string& out, std::size_t value);

// CR, LF and NUL in a value become spaces: no value can begin another header.
void append_header(std::string& out, std::string_view name, std::string_view value);

// Status line, date and the handler's headers; length and connection are the caller's.
void append_head(std::string& out, const Response& response);

}  // namespace fog::http
