// TraceSink: how other parts of Fogwatch put segment documents (topics with active tracing).
// Any thread.
#pragma once

#include <string_view>

namespace fog {

class TraceSink {
 public:
  virtual ~TraceSink() = default;
  /// Takes a document as PutTraceSegments would; one that breaks a rule is left out and logged.
  virtual void put_segment(std::string_view account, std::string_view region, std::string_view document) = 0;
};

}  // namespace fog
