// MessageQueues: queues of this server that other services may put messages into.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "storage/base/result.h"

namespace fog {

struct QueueAttribute {
  std::string type;   // "String", "Number", "Binary", with suffixes
  std::string value;  // bytes if binary
};

struct QueueMessage {
  std::string body{};
  std::map<std::string, QueueAttribute> attributes{};
  std::string group_id{};          // empty: none
  std::string deduplication_id{};  // empty: none
  std::string trace_header{};
};

class MessageQueues {
 public:
  virtual ~MessageQueues() = default;
  // kNotFound: no such queue here.
  virtual Status send(std::string_view queue_arn, QueueMessage message) = 0;
};

}  // namespace fog
