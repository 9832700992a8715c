// LogBlock: a batch of log events in columns, as the log store hands it to a query.
//
// A block belongs to one log group and holds up to some ten thousand events in ascending order of
// (timestamp, sequence number). Nothing is decoded until it is asked for, and only the columns asked
// for. Sealed blocks and blocks of the newest events in memory look the same.
//
// Threads: a block object is used by one thread at a time; different blocks of one snapshot may be
// used in parallel. Columns returned stay valid while the caller holds their shared_ptr.
#pragma once

#include <bit>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/result.h"

namespace fog {

using LogGroupId = std::uint64_t;   // never reused
using LogStreamId = std::uint64_t;  // never reused, unique over all groups
using LogSequence = std::uint64_t;  // of an event within its group: grows by one an event, from 1

// RowSet: one bit a row. Filters only clear bits.
class RowSet {
 public:
  RowSet() = default;
  RowSet(std::size_t rows, bool value) : rows_(rows), words_((rows + 63) / 64, value ? ~0ull : 0) {
    trim();
  }
  std::size_t rows() const { return rows_; }
  bool test(std::size_t row) const { return (words_[row / 64] >> (row % 64)) & 1; }
  void set(std::size_t row) { words_[row / 64] |= 1ull << (row % 64); }
  void clear(std::size_t row) { words_[row / 64] &= ~(1ull << (row % 64)); }
  std::size_t count() const {
    std::size_t n = 0;
    for (const std::uint64_t word : words_) n += static_cast<std::size_t>(std::popcount(word));
    return n;
  }
  bool none() const {
    for (const std::uint64_t word : words_)
      if (word != 0) return false;
    return true;
  }
  bool all() const { return count() == rows_; }
  void clear_all() { std::fill(words_.begin(), words_.end(), 0); }
  RowSet& operator&=(const RowSet& other) {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= other.words_[i];
    return *this;
  }
  RowSet& operator|=(const RowSet& other) {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
    return *this;
  }
  void flip() {
    for (std::uint64_t& word : words_) word = ~word;
    trim();
  }
  // Calls visit(row) for each set bit, ascending; visit_reverse descending.
  template <typename Visit>
  void visit(Visit&& visit) const {
    for (std::size_t i = 0; i < words_.size(); ++i)
      for (std::uint64_t word = words_[i]; word != 0; word &= word - 1)
        visit(i * 64 + static_cast<std::size_t>(std::countr_zero(word)));
  }
  std::vector<std::uint64_t>& words() { return words_; }
  const std::vector<std::uint64_t>& words() const { return words_; }

 private:
  void trim() {
    if (rows_ % 64 != 0) words_.back() &= (1ull << (rows_ % 64)) - 1;
  }
  std::size_t rows_ = 0;
  std::vector<std::uint64_t> words_;
};

enum class LogColumnType {
  kInt,         // ints: 64-bit integers whose source text is their plain decimal form. JSON true and
                // false arrive here as 1 and 0
  kDouble,      // doubles: source text by append_text
  kDictionary,  // codes into dictionary, which holds each distinct text once
  kText,        // offsets and bytes
};

// One field of every row of a block. Arrays have an entry for every row of the block; where `present`
// says no, the entry is zero or empty and means nothing.
struct LogColumn {
  LogColumnType type = LogColumnType::kText;
  std::size_t rows = 0;
  RowSet present;
  bool all_present = false;

  std::vector<std::int64_t> ints;
  std::vector<double> doubles;
  // kDouble: the source text is mantissas[row] with `scale` decimals; trailing zeros are cut off
  // when `shortest` is set.
  std::vector<std::int64_t> mantissas;
  int scale = 0;
  bool shortest = false;
  // kDictionary: exactly one of the three code arrays is in use, chosen by dictionary size
  // (<= 256, <= 65536, more).
  std::vector<std::uint8_t> codes8;
  std::vector<std::uint16_t> codes16;
  std::vector<std::uint32_t> codes32;
  std::vector<std::string_view> dictionary;  // distinct; views into `bytes`
  // kText: the text of a row is bytes[offsets[row] .. offsets[row + 1]).
  std::vector<std::uint32_t> offsets;
  std::string bytes;

  std::uint32_t code(std::size_t row) const {
    if (!codes8.empty()) return codes8[row];
    if (!codes16.empty()) return codes16[row];
    return codes32[row];
  }
  // kText and kDictionary.
  std::string_view text(std::size_t row) const {
    if (type == LogColumnType::kDictionary) return dictionary[code(row)];
    return std::string_view(bytes).substr(offsets[row], offsets[row + 1] - offsets[row]);
  }
  bool has(std::size_t row) const { return all_present || present.test(row); }
  // The source text of a present value of any type.
  void append_text(std::size_t row, std::string& out) const;
};

// A condition that storage understands. A row without the field never satisfies a field condition.
struct LogPredicate {
  enum class What {
    kMessageContains,  // `text` occurs in the message, byte for byte
    kFieldContains,    // `text` occurs in the text of the field
    kFieldEquals,      // the field's text is `text`, or both are numbers (after trimming: an optional
                       // sign, digits, fraction, exponent) and equal
    kFieldAtLeast,     // the field is a number >= `number`
    kFieldAtMost,      // the field is a number <= `number`
    kFieldPresent,
  };
  What what = What::kMessageContains;
  std::string field;
  std::string text;
  double number = 0;
};

class LogBlock {
 public:
  virtual ~LogBlock() = default;

  virtual LogGroupId group() const = 0;
  virtual std::size_t rows() const = 0;
  // Over all rows; rows that are hidden (see rows_visible) may make the range wider than needed.
  virtual std::int64_t timestamp_min_ms() const = 0;
  virtual std::int64_t timestamp_max_ms() const = 0;
  // Sum of the message bytes of all rows.
  virtual std::uint64_t message_bytes() const = 0;

  // False: certainly no row satisfies the predicate (decided from min/max, field list, token
  // filters; loads at most the filter). True: perhaps.
  virtual bool may_contain(const LogPredicate& predicate) = 0;
  // The names of all discovered fields that occur in the block, with the number of rows that have
  // them; batch fields (@entity...) included, system fields not.
  struct Field {
    std::string_view name;
    std::size_t present = 0;
  };
  virtual std::vector<Field> fields() = 0;

  // The rows that the snapshot's spec asks for: inside its time range and streams, not deleted, not
  // expired. Exact. Predicates of the spec are NOT applied.
  virtual Result<RowSet> rows_visible() = 0;
  // Clears rows that certainly do not satisfy the predicate; what remains must be verified by the
  // caller. Works on compressed forms (dictionaries, templates), many times faster than messages.
  virtual Status narrow(const LogPredicate& predicate, RowSet& rows) = 0;

  // System columns, an entry for every row.
  virtual Result<std::span<const std::int64_t>> timestamps_ms() = 0;
  virtual Result<std::span<const std::int64_t>> ingestion_times_ms() = 0;
  virtual Result<std::span<const LogSequence>> sequences() = 0;
  // Streams as codes into stream_ids().
  virtual Result<std::span<const std::uint32_t>> stream_codes() = 0;
  virtual Result<std::span<const LogStreamId>> stream_ids() = 0;

  // A discovered field (flattened name such as `a.b.0.c`, `@requestId`, `@duration`). Null pointer:
  // no row of this block has it.
  virtual Result<std::shared_ptr<const LogColumn>> column(std::string_view field) = 0;
  // Appends the message of one row, byte for byte as it was put.
  virtual Status append_message(std::size_t row, std::string& out) = 0;
  // The messages of the rows in `rows` as a text column (other rows are absent).
  virtual Result<std::shared_ptr<const LogColumn>> messages(const RowSet& rows) = 0;
};

}  // namespace fog
