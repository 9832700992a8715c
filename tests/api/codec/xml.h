// A small XML reader for tests: elements and text, no attributes, no namespaces.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/api/codec/dynamic.h"

namespace fog::test {

struct XmlNode {
  std::string name;
  std::string text;
  std::vector<XmlNode> children;
  const XmlNode* child(std::string_view child_name) const;
};

// Throws std::runtime_error for what is not well-formed.
XmlNode parse_xml(std::string_view text);

// The value of a shape written as AWS writes XML, as test JSON.
nlohmann::json xml_to_json(const Shape& shape, const XmlNode& node);

}  // namespace fog::test
