#include "api/codec/gzip_write.h"

#include <zlib.h>

#include "storage/base/result.h"

namespace fog {

std::string gzip(std::string_view bytes, int level) {
  // One a thread and level: setting a stream up costs more than packing a short text.
  struct Stream {
    z_stream z{};
    int level = -1;
    ~Stream() {
      if (level >= 0) deflateEnd(&z);
    }
  };
  thread_local Stream stream;
  if (stream.level != level) {
    if (stream.level >= 0) deflateEnd(&stream.z);
    stream.z = {};
    stream.level = -1;
    const int ready = deflateInit2(&stream.z, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    FOG_ASSERT(ready == Z_OK, "zlib has no memory");
    stream.level = level;
  } else {
    deflateReset(&stream.z);
  }
  z_stream& z = stream.z;
  std::string out(deflateBound(&z, static_cast<uLong>(bytes.size())), '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  const int done = deflate(&z, Z_FINISH);
  FOG_ASSERT(done == Z_STREAM_END, "deflateBound is an upper bound");
  out.resize(z.total_out);
  return out;
}

}  // namespace fog
