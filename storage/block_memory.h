// BlockMemory: a LogBlock that can give back what it has decoded. Ask for it with dynamic_cast.
#pragma once

namespace fog {

class BlockMemory {
 public:
  virtual ~BlockMemory() = default;
  // Drops decoded columns, times and sequence numbers: spans handed out before end here, columns live as long
  // as somebody holds them. What is asked for later is decoded again.
  virtual void forget() = 0;
};

}  // namespace fog
