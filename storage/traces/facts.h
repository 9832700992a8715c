// FactsBlock: the stored form of up to a few hundred traces, without their documents.
//
// Filters, summaries and graphs of traces that have left the head are computed from these. All
// strings of a block sit in one dictionary, so that decoding a trace costs no copying: its views
// point into the block, which it keeps alive.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/result.h"
#include "storage/traces/string_table.h"
#include "storage/traces/trace.h"

namespace fog {
class ByteWriter;
}

namespace fog::traces {

class FactsWriter {
 public:
  void add(const Trace& trace);
  std::size_t traces() const { return sizes_.size(); }
  std::string finish();  // the block; the writer is empty afterwards

 private:
  void add_entity(ByteWriter& out, const Trace& trace, std::size_t index);

  StringTable strings_;
  std::string records_;             // one after the other
  std::vector<std::size_t> sizes_;  // of the records
};

class FactsBlock : public std::enable_shared_from_this<FactsBlock> {
 public:
  static Result<std::shared_ptr<const FactsBlock>> open(std::string bytes);
  std::size_t size() const { return records_.size(); }
  // Error (corrupt) when the record does not make sense.
  Result<Trace> trace(std::size_t index) const;

 private:
  std::string bytes_;
  std::vector<std::string_view> strings_;
  std::vector<std::string_view> records_;
};

// A blob as it lies in a database: crc32c of what follows (4 bytes), size before compression
// (4 bytes), zstd frame. Level 1: higher levels gain nothing on this data.
std::string pack_blob(std::string_view raw);
Result<std::string> unpack_blob(std::string_view blob);

}  // namespace fog::traces
