#include "tests/api/codec/xml.h"

#include <stdexcept>

#include "api/codec/text.h"

namespace fog::test {
namespace {

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  XmlNode document() {
    if (text_.starts_with("<?")) at_ = text_.find("?>") + 2;
    space();
    XmlNode root = element();
    space();
    if (at_ != text_.size()) throw std::runtime_error("text follows the document");
    return root;
  }

 private:
  void space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
  }
  char next() {
    if (at_ >= text_.size()) throw std::runtime_error("XML ends early");
    return text_[at_++];
  }
  void expect(char c) {
    if (next() != c) throw std::runtime_error(std::string("expected ") + c + " at " + std::to_string(at_));
  }
  std::string name() {
    std::string out;
    while (std::string_view(" \t\r\n/>=").find(text_.at(at_)) == std::string_view::npos) out += next();
    return out;
  }
  std::string entity() {
    const auto end = text_.find(';', at_);
    const std::string_view word = text_.substr(at_, end - at_);
    at_ = end + 1;
    if (word == "amp") return "&";
    if (word == "lt") return "<";
    if (word == "gt") return ">";
    if (word == "quot") return "\"";
    if (word == "apos") return "'";
    if (word == "#xD") return "\r";
    throw std::runtime_error("entity " + std::string(word));
  }

  XmlNode element() {
    XmlNode node;
    expect('<');
    node.name = name();
    while (true) {
      space();
      const char c = next();
      if (c == '>') break;
      if (c == '/') {
        expect('>');
        return node;
      }
      --at_;
      name();
      expect('=');
      const char quote = next();
      while (next() != quote) {
      }
    }
    while (true) {
      const char c = next();
      if (c == '&') {
        node.text += entity();
      } else if (c != '<') {
        if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' && c != '\r') throw std::runtime_error("control character");
        node.text += c;
      } else if (text_.substr(at_, 3) == "!--") {
        at_ = text_.find("-->", at_) + 3;
      } else if (text_.substr(at_, 8) == "![CDATA[") {
        const auto end = text_.find("]]>", at_);
        node.text += text_.substr(at_ + 8, end - at_ - 8);
        at_ = end + 3;
      } else if (text_.at(at_) == '/') {
        ++at_;
        if (name() != node.name) throw std::runtime_error("wrong end of " + node.name);
        space();
        expect('>');
        return node;
      } else {
        --at_;
        node.children.push_back(element());
      }
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

const XmlNode* XmlNode::child(std::string_view child_name) const {
  for (const XmlNode& node : children)
    if (node.name == child_name) return &node;
  return nullptr;
}

XmlNode parse_xml(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  return Parser(text).document();
}

nlohmann::json xml_to_json(const Shape& shape, const XmlNode& node) {
  switch (shape.kind) {
    case Kind::kBoolean: return node.text == "true";
    case Kind::kInteger:
    case Kind::kLong: return parse_integer(node.text).value();
    case Kind::kDouble: {
      if (node.text == "NaN" || node.text == "Infinity" || node.text == "-Infinity") return node.text;
      return parse_double(node.text).value();
    }
    case Kind::kString:
    case Kind::kEnum: return node.text;
    case Kind::kBlob: return decode_base64(node.text).value();
    case Kind::kTimestamp: return static_cast<double>(to_ms(parse_timestamp(node.text).value())) / 1000.0;
    case Kind::kList: {
      auto out = nlohmann::json::array();
      for (const XmlNode& child : node.children) out.push_back(xml_to_json(*shape.element, child));
      return out;
    }
    case Kind::kMap: {
      auto out = nlohmann::json::object();
      for (const XmlNode& entry : node.children) {
        const XmlNode* value = entry.child(shape.entry_value);
        if (value != nullptr) out[entry.child(shape.entry_key)->text] = xml_to_json(*shape.element, *value);
      }
      return out;
    }
    case Kind::kStruct: {
      auto out = nlohmann::json::object();
      for (std::size_t i = 0; i < shape.member_count; ++i)
        if (const XmlNode* child = node.child(shape.members[i].name))
          out[std::string(shape.members[i].name)] = xml_to_json(*shape.members[i].shape, *child);
      return out;
    }
  }
  return {};
}

}  // namespace fog::test
