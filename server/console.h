// The console: its built assets, embedded in the program and served under /console/.
#pragma once

#include <span>
#include <string_view>

#include "api/common/http_message.h"

namespace fog {

struct ConsoleAsset {
  std::string_view name;  // below /console/
  std::string_view content_type;
  std::string_view etag;
  bool is_immutable;      // the name carries a hash of the content
  std::string_view gzip;  // the content, compressed
};

// Written by web/embed.py at build time; empty when the console was not built.
std::span<const ConsoleAsset> console_assets();

// "/console", "/console/" and everything below.
bool is_console_path(std::string_view path);

// Names are looked up in the table above: no path ever reaches a file system.
http::Response answer_console(const http::Request& request);

}  // namespace fog
