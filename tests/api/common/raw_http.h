// Raw HTTP messages from files, for tests.
#pragma once

#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "api/common/http_message.h"

namespace fog::test {

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// A request together with the text its views point into.
struct RawRequest {
  std::unique_ptr<std::string> text;
  http::Request request;
};

// Lines may end in CR LF or LF; folded header lines stay in the value, line ends and all.
inline RawRequest parse_request(std::string raw) {
  RawRequest out{std::make_unique<std::string>(std::move(raw)), {}};
  std::string_view rest = *out.text;
  const auto line = [&] {
    const auto end = rest.find('\n');
    std::string_view one = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (one.ends_with('\r')) one.remove_suffix(1);
    return one;
  };
  const std::string_view first = line();
  const auto space = first.find(' '), last = first.rfind(' ');
  out.request.method = first.substr(0, space);
  out.request.target = first.substr(space + 1, last - space - 1);
  while (true) {
    const std::string_view header = line();
    if (header.empty()) break;
    if (header[0] == ' ') {
      auto& value = out.request.headers.back().value;
      value = {value.data(), static_cast<std::size_t>(header.data() + header.size() - value.data())};
      continue;
    }
    const auto colon = header.find(':');
    std::string_view value = header.substr(colon + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    out.request.headers.push_back({header.substr(0, colon), value});
  }
  if (out.request.header("transfer-encoding") == "chunked") {
    while (!rest.empty()) {
      const auto n = std::stoul(std::string(line()), nullptr, 16);
      if (n == 0) break;
      out.request.body += rest.substr(0, n);
      rest.remove_prefix(n);
      line();
    }
  } else {
    out.request.body = rest;
  }
  return out;
}

struct RawResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

inline RawResponse parse_response(const std::string& raw) {
  RawResponse out;
  const auto blank = raw.find("\r\n\r\n");
  std::string_view head(raw.data(), blank);
  out.status = std::stoi(std::string(head.substr(9, 3)));
  head.remove_prefix(head.find('\n') + 1);
  while (!head.empty()) {
    const auto end = head.find("\r\n");
    const std::string_view one = head.substr(0, end);
    head.remove_prefix(end == std::string_view::npos ? head.size() : end + 2);
    const auto colon = one.find(':');
    out.headers.emplace_back(one.substr(0, colon), one.substr(colon + 2));
  }
  out.body = raw.substr(blank + 4);
  return out;
}

}  // namespace fog::test
