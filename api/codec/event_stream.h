// Event stream: the binary frames of StartLiveTail and GetLogObject.
//
// Frame: u32 total length | u32 headers length | u32 crc32 of these 8 bytes | headers | payload |
// u32 crc32 of everything before; big endian. Header: u8 name length, name, u8 type, value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/common/shape.h"
#include "storage/base/clock.h"

namespace fog {

struct EventHeader {
  struct Bytes {
    std::string value;
  };
  struct Uuid {
    std::string value;  // 16 bytes
  };
  std::string name;  // 1 to 255 bytes
  std::variant<bool, std::int8_t, std::int16_t, std::int32_t, std::int64_t, Bytes, std::string, Timestamp, Uuid> value;
};

// Limits of the format; a string or byte header is cut at kHeaderValueMax.
inline constexpr std::size_t kEventPayloadMax = 24u << 20;
inline constexpr std::size_t kHeaderValueMax = 32767;

std::string encode_frame(const std::vector<EventHeader>& headers, std::string_view payload);

// The first frame of every stream.
std::string initial_response_frame();
// `event` is a stream union with one member set; a member that is an error becomes an exception.
std::string event_frame(const Shape& stream, const void* event);
// An error the stream does not model.
std::string error_frame(std::string_view code, std::string_view message);

}  // namespace fog
