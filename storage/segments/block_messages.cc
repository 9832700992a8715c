// Messages: the values of a row put back into its template. For a few rows of a block single values are
// read where they lie, for more the columns are decoded.
#include "storage/segments/block_reader_impl.h"
#include "storage/segments/point_read.h"

namespace fog::segments {

void BlockReader::put_together(std::size_t row, std::string& out) const {
  const Template& shape = templates_->shapes[templates_->of(row)];
  out.append(shape.literals[0]);
  for (std::size_t i = 0; i < shape.columns.size(); ++i) {
    physical_[shape.columns[i]]->append(row, out);
    out.append(shape.literals[i + 1]);
  }
}

namespace {

// So many rows of a block are read singly; for more, whole columns are decoded, which takes as long.
constexpr std::size_t kSingleRowsMax = 24;
// The same for rows that come one by one, nobody knows how many.
constexpr std::size_t kFirstRowsMax = 8;

// The number of rows of the set before `row`.
std::size_t rank_of(const RowSet& set, std::size_t row) {
  std::size_t rank = 0;
  const std::vector<std::uint64_t>& words = set.words();
  for (std::size_t i = 0; i < row / 64; ++i) rank += static_cast<std::size_t>(std::popcount(words[i]));
  return rank + static_cast<std::size_t>(std::popcount(words[row / 64] & ((1ull << (row % 64)) - 1)));
}

}  // namespace

Status BlockReader::append_point(std::uint32_t column, std::size_t row, std::string& out) {
  if (physical_[column] == nullptr) physical_[column] = cached<PhysicalColumn>(PieceKind::kColumn, column);
  if (physical_[column] != nullptr) {
    physical_[column]->append(row, out);
    return Ok{};
  }
  const ColumnEntry& entry = directory_->columns[column];
  TRY(const SectionBytes bytes, raw_of(column));
  if (entry.encoding == Encoding::kIsoTime) TRYV(load_times());
  const std::int64_t time = entry.encoding == Encoding::kIsoTime ? times_[row] : 0;
  const std::size_t rank = rank_of(*rows_with(column), row);
  if (!append_value(entry.encoding, *bytes, static_cast<std::size_t>(entry.present), rank, time, out)) return damaged("column");
  return Ok{};
}

Status BlockReader::append_singly(std::size_t row, std::string& out) {
  const Template& shape = templates_->shapes[templates_->of(row)];
  out.append(shape.literals[0]);
  for (std::size_t i = 0; i < shape.columns.size(); ++i) {
    TRYV(append_point(shape.columns[i], row, out));
    out.append(shape.literals[i + 1]);
  }
  return Ok{};
}

Status BlockReader::rebuild(std::size_t row, std::string& out) {
  TRYV(load_templates());
  if (single_rows_ < kFirstRowsMax) {
    ++single_rows_;
    return append_singly(row, out);
  }
  for (const std::uint32_t column : templates_->shapes[templates_->of(row)].columns)
    if (physical_[column] == nullptr) TRYV(physical(column));
  put_together(row, out);
  return Ok{};
}

Status BlockReader::load_columns_of(const RowSet& wanted) {
  // Columns of all kinds: too much to keep for later queries.
  bulk_ = true;
  std::vector<char> used(templates_->shapes.size());
  wanted.visit([&](std::size_t row) { used[templates_->of(row)] = 1; });
  for (std::size_t t = 0; t < used.size(); ++t)
    if (used[t] != 0)
      for (const std::uint32_t column : templates_->shapes[t].columns)
        if (physical_[column] == nullptr) TRYV(physical(column));
  bulk_ = false;
  return Ok{};
}

Result<std::shared_ptr<const LogColumn>> BlockReader::rebuild_all(const RowSet& wanted) {
  TRYV(load_templates());
  const std::size_t n = wanted.count();
  const bool singly = n <= kSingleRowsMax;
  if (!singly) TRYV(load_columns_of(wanted));
  auto text = std::make_shared<LogColumn>();
  text->type = LogColumnType::kText;
  text->rows = rows();
  text->present = wanted;
  text->all_present = n == rows();
  text->bytes.reserve(static_cast<std::size_t>(block_->summary.message_bytes * n / rows()) + 4096);
  text->offsets.reserve(rows() + 1);
  for (std::size_t row = 0; row < rows(); ++row) {
    text->offsets.push_back(static_cast<std::uint32_t>(text->bytes.size()));
    if (!wanted.test(row)) continue;
    if (singly)
      TRYV(append_singly(row, text->bytes));
    else
      put_together(row, text->bytes);
  }
  text->offsets.push_back(static_cast<std::uint32_t>(text->bytes.size()));
  return std::shared_ptr<const LogColumn>(std::move(text));
}

}  // namespace fog::segments
