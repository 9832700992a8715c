// What a record of StoreId::kLogs says, for those who follow the write-ahead log at recovery beside the
// store itself.
#pragma once

#include <string_view>
#include <vector>

#include "storage/log_store.h"

namespace fog {

// True when the payload is an append: `batch` is filled but for its group (the record's id); `events`
// holds its events, views into the payload.
bool read_append_record(std::string_view payload, LogBatch& batch, LogSequence& first, std::vector<LogEventIn>& events);

}  // namespace fog
