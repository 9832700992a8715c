// Which fields of a group have an index by policy: its own, or else the account's.
#pragma once

#include <vector>

#include "api/logs/masking.h"

namespace fog::logs {

struct IndexedSince {
  IndexedField field;
  std::int64_t since_ms = 0;  // events that came in earlier are not in the index
};
std::vector<IndexedSince> indexed_fields(const EventRules& rules, const Group& group);

}  // namespace fog::logs
