// JSON out.
#include <cmath>
#include <cstring>

#include "api/codec/json.h"
#include "api/codec/text.h"

namespace fog {
namespace {

// 0: as it is; 'u': \u00XX; otherwise the letter after the backslash.
constexpr auto kEscapes = [] {
  struct {
    char of[256];
  } table{};
  for (int c = 0; c < 0x20; ++c) table.of[c] = 'u';
  table.of[static_cast<int>('"')] = '"';
  table.of[static_cast<int>('\\')] = '\\';
  table.of[static_cast<int>('\b')] = 'b';
  table.of[static_cast<int>('\f')] = 'f';
  table.of[static_cast<int>('\n')] = 'n';
  table.of[static_cast<int>('\r')] = 'r';
  table.of[static_cast<int>('\t')] = 't';
  table.of[0x7f] = 'u';
  return table;
}();

void append_escaped(std::string_view text, std::string& out) {
  std::size_t from = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const char escape = kEscapes.of[c];
    if (escape == 0) continue;
    out.append(text.data() + from, i - from);
    from = i + 1;
    if (escape != 'u') {
      const char two[] = {'\\', escape};
      out.append(two, 2);
    } else {
      constexpr char kHex[] = "0123456789abcdef";
      const char six[] = {'\\', 'u', '0', '0', kHex[c >> 4], kHex[c & 15]};
      out.append(six, 6);
    }
  }
  out.append(text.data() + from, text.size() - from);
}

void append_real(double value, std::string& out) {
  if (std::isnan(value)) {
    out += "\"NaN\"";
  } else if (std::isinf(value)) {
    out += value < 0 ? "\"-Infinity\"" : "\"Infinity\"";
  } else {
    append_double(value, out, true);
  }
}

// Keys of the model are plain ASCII and need no escaping.
void append_key(std::string_view name, bool first, std::string& out) {
  if (!first) out.push_back(',');
  out.push_back('"');
  out += name;
  out.append("\":", 2);
}

void write(const Shape& shape, const void* value, std::string& out) {
  switch (shape.kind) {
    case Kind::kBoolean: out += *static_cast<const bool*>(value) ? "true" : "false"; break;
    case Kind::kInteger: append_integer(*static_cast<const std::int32_t*>(value), out); break;
    case Kind::kLong: append_integer(*static_cast<const std::int64_t*>(value), out); break;
    case Kind::kDouble: append_real(*static_cast<const double*>(value), out); break;
    case Kind::kString: append_json_string(*static_cast<const std::string*>(value), out); break;
    case Kind::kBlob:
      out.push_back('"');
      append_base64(*static_cast<const std::string*>(value), out);
      out.push_back('"');
      break;
    case Kind::kTimestamp: append_epoch_seconds(*static_cast<const Timestamp*>(value), out); break;
    case Kind::kEnum: {
      std::uint16_t i = 0;
      std::memcpy(&i, value, sizeof i);
      append_json_string(shape.enum_values[i], out);
      break;
    }
    case Kind::kList: {
      out.push_back('[');
      const std::size_t n = shape.list->size(shape, value);
      for (std::size_t i = 0; i < n; ++i) {
        if (i > 0) out.push_back(',');
        write(*shape.element, shape.list->at(shape, value, i), out);
      }
      out.push_back(']');
      break;
    }
    case Kind::kMap: {
      struct Context {
        const Shape& element;
        std::string& out;
        bool first = true;
      } context{*shape.element, out};
      out.push_back('{');
      shape.map->each(shape, value, &context, [](void* c, const std::string& key, const void* element) {
        auto& in = *static_cast<Context*>(c);
        if (!in.first) in.out.push_back(',');
        in.first = false;
        append_json_string(key, in.out);
        in.out.push_back(':');
        write(in.element, element, in.out);
      });
      out.push_back('}');
      break;
    }
    case Kind::kStruct: {
      out.push_back('{');
      bool first = true;
      for (std::size_t i = 0; i < shape.member_count; ++i) {
        const Member& member = shape.members[i];
        const void* at = peek(member, value);
        if (at == nullptr) continue;
        append_key(member.name, first, out);
        first = false;
        write(*member.shape, at, out);
      }
      out.push_back('}');
      break;
    }
  }
}

}  // namespace

void append_json_string(std::string_view text, std::string& out) {
  out.push_back('"');
  if (is_utf8(text)) {
    append_escaped(text, out);
  } else {
    append_escaped(to_utf8(text), out);
  }
  out.push_back('"');
}

void encode_json(const Shape& shape, const void* value, std::string& out) { write(shape, value, out); }

}  // namespace fog
