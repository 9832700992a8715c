// XML out.
#include <cmath>
#include <cstring>

#include "api/codec/query.h"
#include "api/codec/text.h"

namespace fog {
namespace {

void open(std::string_view name, std::string& out) {
  out.push_back('<');
  out += name;
  out.push_back('>');
}
void close(std::string_view name, std::string& out) {
  out.append("</", 2);
  out += name;
  out.push_back('>');
}
void empty(std::string_view name, std::string& out) {
  out.push_back('<');
  out += name;
  out.append("/>", 2);
}

void element(std::string_view name, const Shape& shape, const void* value, std::string& out);

void append_real(double value, std::string& out) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value < 0 ? "-Infinity" : "Infinity";
  } else {
    append_double(value, out, true);
  }
}

void content(const Shape& shape, const void* value, std::string& out) {
  switch (shape.kind) {
    case Kind::kBoolean: out += *static_cast<const bool*>(value) ? "true" : "false"; break;
    case Kind::kInteger: append_integer(*static_cast<const std::int32_t*>(value), out); break;
    case Kind::kLong: append_integer(*static_cast<const std::int64_t*>(value), out); break;
    case Kind::kDouble: append_real(*static_cast<const double*>(value), out); break;
    case Kind::kString: append_xml_text(*static_cast<const std::string*>(value), out); break;
    case Kind::kBlob: append_base64(*static_cast<const std::string*>(value), out); break;
    case Kind::kTimestamp: append_iso8601(*static_cast<const Timestamp*>(value), out); break;
    case Kind::kEnum: {
      std::uint16_t i = 0;
      std::memcpy(&i, value, sizeof i);
      append_xml_text(shape.enum_values[i], out);
      break;
    }
    case Kind::kList: {
      const std::size_t n = shape.list->size(shape, value);
      for (std::size_t i = 0; i < n; ++i) element("member", *shape.element, shape.list->at(shape, value, i), out);
      break;
    }
    case Kind::kMap: {
      struct Context {
        const Shape& shape;
        std::string& out;
      } context{shape, out};
      shape.map->each(shape, value, &context, [](void* c, const std::string& key, const void* entry) {
        auto& in = *static_cast<Context*>(c);
        open("entry", in.out);
        open(in.shape.entry_key, in.out);
        append_xml_text(key, in.out);
        close(in.shape.entry_key, in.out);
        element(in.shape.entry_value, *in.shape.element, entry, in.out);
        close("entry", in.out);
      });
      break;
    }
    case Kind::kStruct: encode_xml_members(shape, value, out); break;
  }
}

void element(std::string_view name, const Shape& shape, const void* value, std::string& out) {
  const std::size_t before = out.size();
  open(name, out);
  const std::size_t inner = out.size();
  content(shape, value, out);
  if (out.size() == inner && shape.kind >= Kind::kList) {
    out.resize(before);
    empty(name, out);
  } else {
    close(name, out);
  }
}

// The bytes of one character of XML 1.0 that must not stand as they are.
std::string_view replacement(std::string_view text, std::size_t i) {
  const auto c = static_cast<unsigned char>(text[i]);
  switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '\r': return "&#xD;";
    case '\t':
    case '\n': return {};
    default: break;
  }
  if (c < 0x20) return "\xef\xbf\xbd";
  // U+FFFE and U+FFFF are not characters.
  if (c == 0xef && text.substr(i, 2) == "\xef\xbf" && i + 2 < text.size() &&
      static_cast<unsigned char>(text[i + 2]) >= 0xbe)
    return "\xef\xbf\xbd";
  return {};
}

}  // namespace

void append_xml_text(std::string_view text, std::string& out) {
  if (!is_utf8(text)) {
    append_xml_text(to_utf8(text), out);
    return;
  }
  std::size_t from = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view instead = replacement(text, i);
    if (instead.empty()) continue;
    out.append(text.data() + from, i - from);
    out += instead;
    if (static_cast<unsigned char>(text[i]) == 0xef) i += 2;
    from = i + 1;
  }
  out.append(text.data() + from, text.size() - from);
}

namespace {

// Entries without a common parent: <Attribute><Name/><Value/></Attribute>, <Message>...</Message>.
void flat_entries(const Shape& shape, std::string_view name, const void* value, std::string& out) {
  if (shape.kind == Kind::kList) {
    const std::size_t n = shape.list->size(shape, value);
    for (std::size_t i = 0; i < n; ++i) element(name, *shape.element, shape.list->at(shape, value, i), out);
    return;
  }
  struct Context {
    const Shape& shape;
    std::string_view name;
    std::string& out;
  } context{shape, name, out};
  shape.map->each(shape, value, &context, [](void* c, const std::string& key, const void* entry) {
    auto& in = *static_cast<Context*>(c);
    open(in.name, in.out);
    open(in.shape.entry_key, in.out);
    append_xml_text(key, in.out);
    close(in.shape.entry_key, in.out);
    element(in.shape.entry_value, *in.shape.element, entry, in.out);
    close(in.name, in.out);
  });
}

}  // namespace

void encode_xml_member(const Member& member, const void* value, std::string& out) {
  if (const auto name = flat_name(*member.shape); !name.empty()) return flat_entries(*member.shape, name, value, out);
  element(member.name, *member.shape, value, out);
}

void encode_xml_members(const Shape& shape, const void* value, std::string& out) {
  for (std::size_t i = 0; i < shape.member_count; ++i) {
    const Member& member = shape.members[i];
    if (const void* at = peek(member, value)) encode_xml_member(member, at, out);
  }
}

std::string encode_xml_response(const OperationInfo& operation, const void* output, std::string_view request_id) {
  std::string out;
  const std::string name(operation.name);
  out.reserve(512);
  out += '<' + name + "Response xmlns=\"";
  append_xml_text(operation.service->xml_namespace, out);
  out += "\">";
  if (operation.output != nullptr && output != nullptr) {
    const std::string result = name + "Result";
    const std::size_t before = out.size();
    open(result, out);
    const std::size_t inner = out.size();
    encode_xml_members(*operation.output, output, out);
    if (out.size() == inner) {
      out.resize(before);
      empty(result, out);
    } else {
      close(result, out);
    }
  }
  out += "<ResponseMetadata><RequestId>";
  out += request_id;
  out += "</RequestId></ResponseMetadata></" + name + "Response>";
  return out;
}

}  // namespace fog
