// shown(): a block of events as queries may see it: sensitive parts masked, fields from the
// transformed event.
//
// @message is the original text, masked. Fields come from what the transformer made of the event,
// masked inside values so that a masked number does not cost the line its other fields. A column
// named kUnmaskedPrefix + NAME holds the field NAME without masks.
#pragma once

#include <memory>
#include <vector>

#include "api/logs/logs.h"
#include "api/logs/masking.h"
#include "storage/log_store.h"

namespace fog::logs {

// The block itself where the rules do not concern it.
std::unique_ptr<LogBlock> shown(std::unique_ptr<LogBlock> block, GroupPtr group, GroupRulesPtr rules);

// Those clauses of a LogScanSpec that still tell the truth when events are shown by rules.
std::vector<std::vector<LogPredicate>> shown_where(const GroupRules& rules, std::vector<std::vector<LogPredicate>> where);

}  // namespace fog::logs
