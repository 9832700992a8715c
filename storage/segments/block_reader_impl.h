// BlockReader's inside, shared by the files that implement it: block_reader.cc (loading, visibility,
// fields), block_columns.cc (physical columns and what queries see of them), block_messages.cc (messages
// put together again) and block_search.cc (skipping and narrowing).
#pragma once

#include <cstring>
#include <map>
#include <optional>

#include "storage/block_memory.h"
#include "storage/message_search.h"
#include "storage/segments/block_reader.h"
#include "storage/segments/column_look.h"

namespace fog::segments {

// A physical column with an entry for every row. An ISO time column keeps ms in `ints`.
struct PhysicalColumn {
  LogColumn column;
  bool iso_time = false;

  void append(std::size_t row, std::string& out) const;
};

// The templates of a block and which of them each row has: 8 bits a row while there are few of them.
struct TemplateRows {
  std::vector<Template> shapes;
  std::vector<std::uint8_t> codes8;
  std::vector<std::uint32_t> codes32;

  std::uint32_t of(std::size_t row) const { return codes8.empty() ? codes32[row] : codes8[row]; }
  // The rows of the chosen templates: `chosen` has a 1 for each of them.
  RowSet rows_of(const std::vector<std::uint8_t>& chosen) const;
};

using SectionBytes = std::shared_ptr<const std::string>;

Error damaged(const char* what);

// Sets the bits of the rows whose code has a 1 in `chosen`, which has an entry for every code.
template <typename Code>
void mark_rows(const std::vector<Code>& codes, const std::vector<std::uint8_t>& chosen, RowSet& set) {
  std::vector<std::uint64_t>& words = set.words();
  const std::size_t whole = codes.size() / 64 * 64;
  for (std::size_t row = 0; row < whole; row += 64) {
    std::uint64_t word = 0;
    for (std::size_t part = 0; part < 64; part += 8) {
      std::uint64_t bytes = 0;  // eight times 0 or 1, gathered into eight bits by a multiplication
      for (std::size_t i = 0; i < 8; ++i) bytes |= static_cast<std::uint64_t>(chosen[codes[row + part + i]]) << (8 * i);
      word |= (bytes * 0x0102040810204080ull >> 56) << part;
    }
    words[row / 64] |= word;
  }
  for (std::size_t row = whole; row < codes.size(); ++row)
    words[row / 64] |= static_cast<std::uint64_t>(chosen[codes[row]]) << (row % 64);
}
// What of a block may be waited for when it comes from a disk.
enum class Wait : std::uint8_t { kNever, kForDirectory, kForAll };

class BlockReader final : public LogBlock, public MessageSearch, public BlockMemory {
 public:
  BlockReader(std::shared_ptr<const StoredBlock> block, ReadScope scope, OnDamage on_damage)
      : block_(std::move(block)), scope_(std::move(scope)), on_damage_(std::move(on_damage)) {}

  LogGroupId group() const override { return scope_.group; }
  std::size_t rows() const override { return static_cast<std::size_t>(block_->summary.rows); }
  std::int64_t timestamp_min_ms() const override { return block_->summary.timestamp_min; }
  std::int64_t timestamp_max_ms() const override { return block_->summary.timestamp_max; }
  std::uint64_t message_bytes() const override { return block_->summary.message_bytes; }

  bool may_contain(const LogPredicate& predicate) override { return may_contain(predicate, Wait::kForAll).value_or(true); }
  std::optional<BlockChoice> may_satisfy(const LogConditions& where, Wait wait);
  std::vector<Field> fields() override;
  Result<RowSet> rows_visible() override { return noted(visible()); }
  Status narrow(const LogPredicate& predicate, RowSet& rows) override { return noted(narrow_rows(predicate, rows)); }
  Result<bool> narrow_to(std::string_view text, RowSet& rows) override { return noted(narrow_message(text, rows)); }

  Result<std::span<const std::int64_t>> timestamps_ms() override;
  Result<std::span<const std::int64_t>> ingestion_times_ms() override;
  Result<std::span<const LogSequence>> sequences() override;
  Result<std::span<const std::uint32_t>> stream_codes() override;
  Result<std::span<const LogStreamId>> stream_ids() override;
  Result<std::shared_ptr<const LogColumn>> column(std::string_view field) override { return noted(public_column(field)); }
  Status append_message(std::size_t row, std::string& out) override { return noted(rebuild(row, out)); }
  Result<std::shared_ptr<const LogColumn>> messages(const RowSet& wanted) override { return noted(rebuild_all(wanted)); }

  void forget() override;

  Status load_everything();
  std::uint32_t field_set_of(std::size_t row) const { return batch_field_set_[batch_codes_[row]]; }
  const Directory& directory() const { return *directory_; }

 private:
  // Reports damage once a block.
  template <typename T>
  Result<T> noted(Result<T> result) {
    if (!result.ok() && result.error().kind() == ErrorKind::kCorrupt && !block_->damaged.exchange(true) && on_damage_)
      on_damage_(*block_);
    return result;
  }

  // Pieces in the cache, if there is one.
  template <typename T>
  std::shared_ptr<const T> cached(PieceKind kind, std::uint64_t index) const {
    return scope_.cache == nullptr ? nullptr : scope_.cache->find<T>({block_->id, kind, index});
  }
  void keep(PieceKind kind, std::uint64_t index, std::shared_ptr<const void> piece, std::size_t bytes) const {
    if (scope_.cache != nullptr && !bulk_) scope_.cache->add({block_->id, kind, index}, std::move(piece), bytes);
  }

  bool has_directory(Wait wait);
  std::optional<bool> may_contain(const LogPredicate& predicate, Wait wait);
  Status load_directory();
  Status load_templates();
  Status load_times();
  Status load_batches();
  Result<SectionBytes> section(const Section& section) const;
  Result<std::vector<std::int64_t>> read_ints(const Section& section) const;
  const std::shared_ptr<const RowSet>& rows_with(std::uint32_t column);
  Result<std::shared_ptr<const PhysicalColumn>> physical(std::uint32_t column);
  Result<RowSet> visible();
  Result<std::shared_ptr<const LogColumn>> public_column(std::string_view field);
  Result<std::shared_ptr<const LogColumn>> make_public(std::uint32_t column);
  std::shared_ptr<const LogColumn> batch_field(std::string_view field);
  Status load_columns_of(const RowSet& rows);
  Status rebuild(std::size_t row, std::string& out);
  Result<std::shared_ptr<const LogColumn>> rebuild_all(const RowSet& wanted);
  void put_together(std::size_t row, std::string& out) const;
  Status append_singly(std::size_t row, std::string& out);
  Status append_point(std::uint32_t column, std::size_t row, std::string& out);
  Result<SectionBytes> raw_of(std::uint32_t column);
  Status narrow_rows(const LogPredicate& predicate, RowSet& rows);
  // True: every row left contains the literal.
  Result<bool> narrow_message(std::string_view literal, RowSet& rows);
  Status narrow_needle(std::string_view needle, const std::vector<char>& scope, RowSet& keep);
  Result<std::shared_ptr<const RowSet>> containing(std::uint32_t column, std::string_view needle);
  Result<bool> column_may_hold(std::uint32_t column, std::string_view needle);
  Result<bool> find_whole(std::uint32_t column, std::string_view text, RowSet& hits);
  std::optional<std::uint32_t> only_column(std::string_view field) const;

  std::shared_ptr<const StoredBlock> block_;
  ReadScope scope_;
  OnDamage on_damage_;

  std::shared_ptr<const Directory> directory_;
  std::shared_ptr<const TemplateRows> templates_;
  std::vector<std::shared_ptr<const RowSet>> rows_with_;
  std::vector<std::shared_ptr<const PhysicalColumn>> physical_;
  std::map<std::uint32_t, SectionBytes> raw_;  // columns that were looked into but not decoded
  bool bulk_ = false;            // nothing that is loaded now goes to the cache
  std::size_t single_rows_ = 0;  // put together by append_message so far
  std::vector<std::int64_t> times_;
  std::vector<std::uint32_t> batch_codes_;
  std::vector<std::int64_t> batch_ingestion_;
  std::vector<std::uint32_t> batch_field_set_;
  std::vector<std::int64_t> ingestions_;
  std::vector<LogSequence> sequences_;
  std::vector<std::uint32_t> stream_codes_;
  std::map<std::string, std::shared_ptr<const LogColumn>, std::less<>> public_;
};

}  // namespace fog::segments
