#include "api/codec/event_stream.h"

#include <algorithm>

#include "api/codec/json.h"
#include "storage/base/hash.h"

namespace fog {
namespace {

template <typename T>
void put(T value, std::string& out) {
  const auto bits = static_cast<std::make_unsigned_t<T>>(value);
  for (int i = static_cast<int>(sizeof(T)); i-- > 0;) out.push_back(static_cast<char>(bits >> (8 * i)));
}

void put_value(const EventHeader& header, std::string& out) {
  struct Writer {
    std::string& out;
    void type(int t) const { out.push_back(static_cast<char>(t)); }
    void chars(int t, std::string_view text) const {
      text = text.substr(0, kHeaderValueMax);
      type(t);
      put(static_cast<std::uint16_t>(text.size()), out);
      out += text;
    }
    void operator()(bool value) const { type(value ? 0 : 1); }
    void operator()(std::int8_t value) const { type(2), put(value, out); }
    void operator()(std::int16_t value) const { type(3), put(value, out); }
    void operator()(std::int32_t value) const { type(4), put(value, out); }
    void operator()(std::int64_t value) const { type(5), put(value, out); }
    void operator()(const EventHeader::Bytes& bytes) const { chars(6, bytes.value); }
    void operator()(const std::string& text) const { chars(7, text); }
    void operator()(Timestamp time) const { type(8), put(to_ms(time), out); }
    void operator()(const EventHeader::Uuid& uuid) const {
      type(9);
      std::string sixteen = uuid.value;
      sixteen.resize(16);
      out += sixteen;
    }
  };
  std::visit(Writer{out}, header.value);
}

std::vector<EventHeader> headers_of(std::string_view kind, std::string_view kind_header, std::string_view name) {
  return {{std::string(kind_header), std::string(name)},
          {":content-type", std::string("application/json")},
          {":message-type", std::string(kind)}};
}

}  // namespace

std::string encode_frame(const std::vector<EventHeader>& headers, std::string_view payload) {
  std::string packed;
  for (const EventHeader& header : headers) {
    const std::string_view name = std::string_view(header.name).substr(0, 255);
    packed.push_back(static_cast<char>(name.size()));
    packed += name;
    put_value(header, packed);
  }
  payload = payload.substr(0, kEventPayloadMax);
  std::string out;
  out.reserve(16 + packed.size() + payload.size());
  put(static_cast<std::uint32_t>(16 + packed.size() + payload.size()), out);
  put(static_cast<std::uint32_t>(packed.size()), out);
  put(crc32_ieee(out), out);
  out += packed;
  out += payload;
  put(crc32_ieee(out), out);
  return out;
}

std::string initial_response_frame() { return encode_frame(headers_of("event", ":event-type", "initial-response"), "{}"); }

std::string event_frame(const Shape& stream, const void* event) {
  for (std::size_t i = 0; i < stream.member_count; ++i) {
    const Member& member = stream.members[i];
    const void* value = peek(member, event);
    if (value == nullptr) continue;
    std::string payload;
    encode_json(*member.shape, value, payload);
    const auto headers = member.shape->is_error ? headers_of("exception", ":exception-type", member.name)
                                                : headers_of("event", ":event-type", member.name);
    return encode_frame(headers, payload);
  }
  return {};
}

std::string error_frame(std::string_view code, std::string_view message) {
  return encode_frame({{":error-code", std::string(code)},
                       {":error-message", std::string(message)},
                       {":message-type", std::string("error")}},
                      {});
}

}  // namespace fog
