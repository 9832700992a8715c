// Resettable: something that holds users' data and can forget it: a store, a service's memory, the
// outbox. The control plane's reset walks a list of them in the order main gives.
#pragma once

#include <string_view>

#include "storage/base/result.h"

namespace fog {

class Resettable {
 public:
  virtual ~Resettable() = default;
  // Forgets the scope; an empty account or region means all of them. Durable when it returns.
  virtual Status reset(std::string_view account, std::string_view region) = 0;
};

}  // namespace fog
