#include "api/codec/gzip.h"

#include <zlib.h>

#include <algorithm>

#include "api/common/http_message.h"

namespace fog {

Result<std::string> gunzip(std::string_view bytes, std::size_t bytes_max, Packing packing) {
  z_stream stream{};
  // 15 bits of window; 16 more mean a gzip header and checksum.
  if (inflateInit2(&stream, packing == Packing::kGzip ? 15 + 16 : 15) != Z_OK) return Error::internal("zlib does not start");
  struct Guard {
    z_stream& stream;
    ~Guard() { inflateEnd(&stream); }
  } guard{stream};
  std::string out;
  // Text of these services shrinks to a fifth or less.
  out.resize(std::min(bytes_max, std::max<std::size_t>(4096, bytes.size() * 6)));
  std::size_t used = 0;
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  while (true) {
    if (used == out.size()) {
      if (used >= bytes_max) return Error::limit("The inflated body is too large");
      out.resize(std::min(bytes_max, out.size() * 2));
    }
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + used);
    stream.avail_out = static_cast<uInt>(out.size() - used);
    const int code = inflate(&stream, Z_NO_FLUSH);
    used = out.size() - stream.avail_out;
    if (code == Z_STREAM_END) {
      if (stream.avail_in == 0) break;
      if (inflateReset(&stream) != Z_OK) return Error::internal("zlib does not start");
      continue;
    }
    if (code != Z_OK && !(code == Z_BUF_ERROR && stream.avail_out == 0))
      return Error::invalid("The body is not valid gzip data");
    if (stream.avail_in == 0 && stream.avail_out != 0) return Error::invalid("The gzip body ends early");
  }
  out.resize(used);
  out.reserve(used + http::kBodyPadding);
  return out;
}

}  // namespace fog
