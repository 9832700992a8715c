#include "server/late_curl.h"

namespace fog {

FOG_CURL_FUNCTIONS(FOG_LATE_DEFINE)

namespace {

Result<Ok> load() {
  static LateLibrary library("libcurl.so.4");
  TRYV(library.open());
  FOG_CURL_FUNCTIONS(FOG_LATE_FIND)
  const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (code != CURLE_OK) return Error::busy(std::string("libcurl: ") + curl_easy_strerror(code));
  return Ok{};
}

}  // namespace

const Result<Ok>& open_curl() {
  static const Result<Ok> opened = load();
  return opened;
}

}  // namespace fog
