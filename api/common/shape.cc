#include "api/common/shape.h"

namespace fog {

constinit const Shape Empty::kShape = {
    .name = "Empty", .kind = Kind::kStruct, .structure = &kStructOps<Empty>};

}  // namespace fog
