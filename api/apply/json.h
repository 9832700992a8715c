// Json: the tree that templates and the calls made from them are held in. Members keep their order, so that
// what is printed and applied follows the template. The one header of this room that brings nlohmann in; it
// is not on the request path.
#pragma once

#include <nlohmann/json.hpp>

namespace fog::apply {

using Json = nlohmann::ordered_json;

}  // namespace fog::apply
