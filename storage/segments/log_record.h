// What a record of StoreId::kLogs says, for the store and for those who follow the write-ahead log at
// recovery beside it. Format: at the top of log_record.cc.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/log_store.h"

namespace fog {

namespace segments {

enum class LogOperation : std::uint8_t { kAppend = 1, kDropGroup = 2, kDropStream = 3, kHideBefore = 4, kDropAll = 5 };

// The payload of an append; its sequence number is filled in once it is known.
std::string encode_append(const LogBatch& batch);
void set_first_sequence(std::string& payload, LogSequence first);

}  // namespace segments

// True when the payload is an append: `batch` is filled but for its group (the record's id); `events`
// holds its events, views into the payload.
bool read_append_record(std::string_view payload, LogBatch& batch, LogSequence& first, std::vector<LogEventIn>& events);

}  // namespace fog
