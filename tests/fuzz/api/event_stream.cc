// Frames of event streams: whatever goes in, a reader written from the format's description gets it back.
#include "api/codec/event_stream.h"

#include "storage/base/hash.h"
#include "tests/fuzz/target.h"

namespace fog::fuzz {

static std::uint32_t u32(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes.at(at + i));
  return value;
}

FOG_FUZZ(event_stream) {
  Cut cut(input);
  const std::string name(cut.next().substr(0, 255)), text(cut.next()), payload(cut.rest());
  std::vector<EventHeader> headers;
  headers.push_back({name.empty() ? "n" : name, text});
  headers.push_back({"bytes", EventHeader::Bytes{text}});
  headers.push_back({"number", static_cast<std::int64_t>(input.size())});
  const std::string frame = encode_frame(headers, payload);
  must(frame.size() >= 16 && u32(frame, 0) == frame.size(), "the length is the frame's");
  const std::size_t head = u32(frame, 4);
  must(u32(frame, 8) == crc32_ieee(std::string_view(frame).substr(0, 8)), "checksum of the prelude");
  must(u32(frame, frame.size() - 4) == crc32_ieee(std::string_view(frame).substr(0, frame.size() - 4)), "checksum of the frame");
  must(frame.size() == 16 + head + payload.size() && frame.compare(12 + head, payload.size(), payload) == 0, "the payload is whole");
  std::string_view rest = std::string_view(frame).substr(12, head);
  const std::size_t size = static_cast<unsigned char>(rest.at(0));
  must(rest.substr(1, size) == headers[0].name && rest.at(1 + size) == 7, "the first header is the text");
  must(rest.substr(4 + size, std::min(text.size(), kHeaderValueMax)) == std::string_view(text).substr(0, kHeaderValueMax), "and says what it was given");
  (void)error_frame(name, text);
}

}  // namespace fog::fuzz
