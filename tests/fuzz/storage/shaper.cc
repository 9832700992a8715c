// Log messages, taken apart, put into a block and read back: byte for byte the same.
#include "storage/base/bytes.h"
#include "storage/segments/block_format.h"
#include "storage/segments/block_reader.h"
#include "tests/fuzz/target.h"

namespace fog::fuzz {

using namespace segments;

FOG_FUZZ(shaper) {
  BlockInput in;
  Cut cut(input);
  for (std::size_t i = 0; i < 200 && (i == 0 || !cut.rest().empty()); ++i)
    in.rows.push_back({.timestamp = static_cast<std::int64_t>(i) * 10, .sequence = i + 1, .ingestion = 5, .stream = 1, .message = cut.next()});
  std::vector<std::string> messages;
  for (const RowIn& row : in.rows) messages.emplace_back(row.message);
  auto bytes = std::make_shared<std::string>();
  const BlockSummary summary = write_block(in, [](std::string_view) { return true; }, *bytes);
  auto block = std::make_shared<const StoredBlock>(summary, std::make_shared<MemorySource>(bytes));
  must(verify_block(block).ok(), "a block that was just written is sound");
  const auto rows = read_all_rows(block, {});
  must(rows.ok() && rows->rows.size() == messages.size(), "every event comes back");
  for (std::size_t i = 0; i < messages.size(); ++i) must(rows->rows[i].message == messages[i], "byte for byte");
}

}  // namespace fog::fuzz
