// Reads the text of a CloudFormation or SAM template, JSON or YAML, into one tree.
//
// YAML's short forms become the long ones: `!Ref X` is {"Ref": "X"}, `!GetAtt A.B` {"Fn::GetAtt": ["A", "B"]},
// `!Sub ...` {"Fn::Sub": ...}. Anchors, aliases and merge keys are resolved. Plain scalars are read as
// CloudFormation does, with two cautions: numbers with leading zeros stay text (account ids), and so do yes,
// no, on and off.
#pragma once

#include <string_view>

#include "api/apply/json.h"
#include "storage/base/result.h"

namespace fog::apply {

// Errors are sentences with the line where they are about a place.
Result<Json> read_template(std::string_view text);

}  // namespace fog::apply
