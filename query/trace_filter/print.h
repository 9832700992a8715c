// The text of a syntax tree: what parse_expression() reads back to the same tree, in one form whatever
// it was written like. A group stands as its own expression, because the tree no longer knows its name.
#pragma once

#include <string>

#include "query/trace_filter/ast.h"

namespace fog::trace_filter {

std::string print(const Node* node);  // null: ""

}  // namespace fog::trace_filter
