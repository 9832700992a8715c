// A block of log events: a sound one with some bytes changed and every checksum made right again where that
// is possible, so that damage reaches the decoders behind the checks.
#include "storage/base/hash.h"
#include "storage/segments/block_format.h"
#include "storage/segments/block_reader.h"
#include "tests/fuzz/target.h"

namespace fog::fuzz {

using namespace segments;

// The input: u16 size of the directory, then the block. The directory gets its checksum.
static std::string with_checksum(std::string block, std::size_t directory) {
  if (directory < 8 || directory > block.size()) return block;
  const std::size_t at = block.size() - directory;
  const std::uint32_t crc = crc32c(std::string_view(block).substr(at, directory - 8));
  block.replace(block.size() - 8, 4, reinterpret_cast<const char*>(&crc), 4);
  return block;
}

FOG_FUZZ(log_block) {
  if (input.size() < 2) return;
  const std::size_t directory = static_cast<unsigned char>(input[0]) | static_cast<std::size_t>(static_cast<unsigned char>(input[1])) << 8;
  auto bytes = std::make_shared<std::string>(with_checksum(std::string(input.substr(2)), directory));
  (void)decode_directory(std::string_view(*bytes).substr(bytes->size() - std::min(directory, bytes->size())), bytes->size());
  BlockSummary summary;
  summary.size = bytes->size();
  summary.directory_size = directory;
  summary.rows = 40;
  auto block = std::make_shared<const StoredBlock>(summary, std::make_shared<MemorySource>(bytes));
  (void)verify_block(block);
  (void)read_all_rows(block, {});
  const auto reader = make_block_reader(block, {}, [](const StoredBlock&) {});
  (void)reader->rows_visible();
  (void)reader->timestamps_ms();
  (void)reader->stream_codes();
  for (const auto& field : reader->fields()) {
    (void)reader->may_contain({LogPredicate::What::kFieldEquals, std::string(field.name), "200", 0});
    (void)reader->column(field.name);
  }
  RowSet rows(reader->rows() < 100'000 ? reader->rows() : 0, true);
  (void)reader->narrow({LogPredicate::What::kMessageContains, {}, "ERROR", 0}, rows);
  (void)reader->messages(rows);
  std::string message;
  (void)reader->append_message(0, message);
}

FOG_FUZZ_SEEDS(log_block) {
  std::vector<std::string> out;
  const std::vector<std::string> kinds[] = {
      {R"({"level":"ERROR","latency_ms":12.5,"at":"2026-08-20T00:00:00.001Z","n":42})", R"({"level":"INFO","latency_ms":7.25,"at":"2026-08-20T00:00:00.777Z","n":43})"},
      {"plain text line", "another ERROR line 7", ""},
      {"REPORT RequestId: 6d4f2c1e-0b1a-4c3d-9e8f-7a6b5c4d3e2f\tDuration: 102.25 ms\tBilled Duration: 103 ms\tMemory Size: 128 MB\tMax Memory Used: 64 MB"},
      {R"({"id":"6d4f2c1e-0b1a-4c3d-9e8f-7a6b5c4d3e2f","ok":true,"tags":["a","b"],"deep":{"x":{"y":null}}})"}};
  for (const auto& messages : kinds) {
    BlockInput block;
    for (std::size_t i = 0; i < 40; ++i)
      block.rows.push_back({.timestamp = 1'787'184'000'000 + static_cast<std::int64_t>(i) * 37, .sequence = i + 1, .ingestion = 1'787'184'001'000, .stream = 1 + i % 3,
                            .message = messages[i % messages.size()]});
    std::string bytes;
    const BlockSummary summary = write_block(block, [](std::string_view) { return true; }, bytes);
    std::string seed{static_cast<char>(summary.directory_size & 255), static_cast<char>(summary.directory_size >> 8)};
    out.push_back(seed + bytes);
  }
  return out;
}

}  // namespace fog::fuzz
