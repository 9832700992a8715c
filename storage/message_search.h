// MessageSearch: a LogBlock that can tell exactly, from compressed forms, which messages hold a text.
// Ask for it with dynamic_cast; blocks that show events otherwise than they are stored do not offer it.
#pragma once

#include <string_view>

#include "storage/base/result.h"
#include "storage/log_block.h"

namespace fog {

class MessageSearch {
 public:
  virtual ~MessageSearch() = default;
  // Clears rows whose message certainly does not contain the text, byte for byte. True: the messages of
  // all rows that are left do contain it; false: some may not.
  virtual Result<bool> narrow_to(std::string_view text, RowSet& rows) = 0;
};

}  // namespace fog
