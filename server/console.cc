#include "server/console.h"

#include <algorithm>
#include <string>

#include "api/codec/gzip.h"

namespace fog {
namespace {

constexpr std::string_view kRoot = "/console";
constexpr std::string_view kPolicy =
    "default-src 'self'; style-src 'self'; img-src 'self' data: blob:; object-src 'none'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
constexpr std::size_t kAssetBytesMax = 16u << 20;

http::Response page(int status, std::string_view text) {
  http::Response response;
  response.status = status;
  response.set("Content-Type", "text/plain; charset=utf-8");
  response.set("X-Content-Type-Options", "nosniff");
  response.body = text;
  return response;
}

}  // namespace

bool is_console_path(std::string_view path) {
  return path == kRoot || (path.starts_with(kRoot) && path[kRoot.size()] == '/');
}

http::Response answer_console(const http::Request& request) {
  if (request.method != "GET" && request.method != "HEAD")
    return page(405, "The console answers GET only.\n");
  const std::string_view path = request.target.substr(0, request.target.find_first_of("?#"));
  if (path == kRoot) {
    http::Response response = page(302, "");
    response.set("Location", "/console/");
    return response;
  }
  std::string_view name = path.substr(kRoot.size() + 1);
  if (name.empty()) name = "index.html";
  const auto assets = console_assets();
  if (assets.empty())
    return page(404, "This server was built without its console. `./dev build` builds both.\n");
  const auto found = std::find_if(assets.begin(), assets.end(),
                                  [&](const ConsoleAsset& asset) { return asset.name == name; });
  if (found == assets.end()) return page(404, "There is nothing at this path.\n");

  http::Response response;
  response.set("Content-Type", std::string(found->content_type));
  response.set("ETag", std::string(found->etag));
  response.set("Cache-Control", found->is_immutable ? "public, max-age=31536000, immutable" : "no-cache");
  response.set("Content-Security-Policy", std::string(kPolicy));
  response.set("X-Content-Type-Options", "nosniff");
  response.set("Referrer-Policy", "no-referrer");
  response.set("Vary", "Accept-Encoding");
  if (request.header("if-none-match") == found->etag) {
    response.status = 304;
    return response;
  }
  if (request.header("accept-encoding").find("gzip") != std::string_view::npos) {
    response.set("Content-Encoding", "gzip");
    response.body = found->gzip;
    return response;
  }
  auto plain = gunzip(found->gzip, kAssetBytesMax);
  if (!plain.ok()) return page(500, "The asset is damaged.\n");
  response.body = std::move(plain).value();
  return response;
}

}  // namespace fog
