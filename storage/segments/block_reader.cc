#include "storage/segments/block_reader.h"

#include "storage/segments/block_reader_impl.h"

namespace fog::segments {

Error damaged(const char* what) { return Error::corrupt(std::string("log block: damaged ") + what); }

Status BlockReader::load_directory() {
  if (directory_ != nullptr) return Ok{};
  TRY(directory_, block_->directory());
  physical_.resize(directory_->columns.size());
  return Ok{};
}

// Bytes that are few for the rows they speak of stay in the cache.
Result<SectionBytes> BlockReader::section(const Section& section) const {
  constexpr std::size_t kBytesPerRow = 4;
  const bool kept = scope_.cache != nullptr && section.raw <= rows() * kBytesPerRow + 1024;
  if (kept)
    if (auto found = cached<std::string>(PieceKind::kSection, section.offset)) return found;
  TRY(std::string bytes, block_->section(section));
  auto made = std::make_shared<const std::string>(std::move(bytes));
  if (kept) keep(PieceKind::kSection, section.offset, made, made->size());
  return SectionBytes(made);
}

Result<std::vector<std::int64_t>> BlockReader::read_ints(const Section& ints) const {
  TRY(const SectionBytes raw, section(ints));
  ByteReader in(*raw);
  std::vector<std::int64_t> values;
  if (!decode_ints(in, rows(), values)) return damaged("integers");
  return values;
}

Status BlockReader::load_templates() {
  TRYV(load_directory());
  if (templates_ != nullptr) return Ok{};
  rows_with_.resize(directory_->columns.size());
  templates_ = cached<TemplateRows>(PieceKind::kTemplates, 0);
  if (templates_ != nullptr) return Ok{};
  TRY(const std::string raw, block_->section(directory_->templates));
  ByteReader in(raw);
  const std::uint64_t n = in.varint();
  if (n == 0 || n > rows()) return damaged("templates");
  auto made = std::make_shared<TemplateRows>();
  made->shapes.resize(static_cast<std::size_t>(n));
  std::size_t bytes = raw.size();
  for (Template& shape : made->shapes) {
    const std::uint64_t holes = in.varint();
    if (holes > raw.size()) return damaged("templates");
    shape.literals.emplace_back(in.text());
    for (std::uint64_t i = 0; i < holes && in.ok(); ++i) {
      const std::uint64_t column = in.varint();
      if (column >= directory_->columns.size()) return damaged("templates");
      shape.columns.push_back(static_cast<std::uint32_t>(column));
      shape.literals.emplace_back(in.text());
    }
    bytes += shape.literals.size() * (sizeof(std::string) + sizeof(std::uint32_t)) + sizeof(Template);
  }
  if (!in.ok()) return damaged("templates");
  TRY(const std::string raw_codes, block_->section(directory_->template_codes));
  ByteReader code_bytes(raw_codes);
  if (n <= 256 ? !decode_codes(code_bytes, rows(), n, false, made->codes8)
               : !decode_codes(code_bytes, rows(), n, false, made->codes32))
    return damaged("template codes");
  bytes += made->codes8.size() + made->codes32.size() * sizeof(std::uint32_t);
  templates_ = std::move(made);
  keep(PieceKind::kTemplates, 0, templates_, bytes);
  return Ok{};
}

Status BlockReader::load_times() {
  TRYV(load_directory());
  if (!times_.empty()) return Ok{};
  TRY(times_, read_ints(directory_->timestamps));
  return Ok{};
}

Status BlockReader::load_batches() {
  TRYV(load_directory());
  if (!batch_codes_.empty()) return Ok{};
  TRY(const SectionBytes raw, section(directory_->batches));
  ByteReader in(*raw);
  const std::uint64_t n64 = in.varint();
  if (n64 == 0 || n64 > rows()) return damaged("batches");
  const auto n = static_cast<std::size_t>(n64);
  std::vector<std::int64_t> streams;
  std::vector<std::int64_t> ingestion;
  std::vector<std::int64_t> first;
  std::vector<std::int64_t> field_set;
  if (!decode_ints(in, n, streams) || !decode_ints(in, n, ingestion) || !decode_ints(in, n, first) ||
      !decode_ints(in, n, field_set))
    return damaged("batches");
  for (std::size_t i = 0; i < n; ++i) {
    if (streams[i] < 0 || static_cast<std::size_t>(streams[i]) >= directory_->streams.size() || field_set[i] < 0 ||
        static_cast<std::size_t>(field_set[i]) >= directory_->field_sets.size())
      return damaged("batches");
  }
  TRY(const std::vector<std::int64_t> codes, read_ints(directory_->batch_codes));
  std::vector<std::uint32_t> batch_codes(codes.size());
  std::int64_t used = 0;
  for (std::size_t row = 0; row < codes.size(); ++row) {
    const std::int64_t code = used - codes[row];
    if (code < 0 || code > used || code >= static_cast<std::int64_t>(n)) return damaged("batch codes");
    if (code == used) ++used;
    batch_codes[row] = static_cast<std::uint32_t>(code);
  }
  sequences_.resize(codes.size());
  stream_codes_.resize(codes.size());
  for (std::size_t row = 0; row < codes.size(); ++row) {
    const std::uint32_t batch = batch_codes[row];
    sequences_[row] = static_cast<LogSequence>(first[batch]++);
    stream_codes_[row] = static_cast<std::uint32_t>(streams[batch]);
  }
  batch_ingestion_ = std::move(ingestion);
  batch_field_set_.assign(field_set.begin(), field_set.end());
  batch_codes_ = std::move(batch_codes);
  return Ok{};
}

Result<RowSet> BlockReader::visible() {
  TRYV(load_directory());
  RowSet set(rows(), true);
  if (block_->summary.timestamp_min < scope_.from_ms || block_->summary.timestamp_max > scope_.to_ms) {
    TRYV(load_times());
    for (std::size_t row = 0; row < times_.size(); ++row)
      if (times_[row] < scope_.from_ms || times_[row] > scope_.to_ms) set.clear(row);
  }
  // Streams that are not wanted or not there any more.
  std::vector<char> wanted(directory_->streams.size(), 1);
  bool all = true;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const LogStreamId id = directory_->streams[i];
    if ((scope_.streams != nullptr && !scope_.streams->contains(id)) ||
        (scope_.hidden != nullptr && scope_.hidden->streams.contains(id))) {
      wanted[i] = 0;
      all = false;
    }
  }
  if (!all) {
    TRYV(load_batches());
    for (std::size_t row = 0; row < stream_codes_.size(); ++row)
      if (wanted[stream_codes_[row]] == 0) set.clear(row);
  }
  if (scope_.hidden != nullptr) {
    bool floors = false;
    for (const Hidden::Floor& floor : scope_.hidden->floors)
      floors = floors || (block_->summary.timestamp_min < floor.before_ms &&
                          block_->summary.sequence_min < floor.sequence_below);
    if (floors) {
      TRYV(load_times());
      TRYV(load_batches());
      for (std::size_t row = 0; row < times_.size(); ++row)
        if (scope_.hidden->expired(times_[row], sequences_[row])) set.clear(row);
    }
  }
  return set;
}

std::vector<LogBlock::Field> BlockReader::fields() {
  std::vector<Field> result;
  if (!noted(load_directory()).ok()) return result;
  std::map<std::string_view, std::size_t> counts;
  for (const ColumnEntry& column : directory_->columns)
    if (column.name.kind != HoleKind::kHidden && column.present > 0) counts[column.name.name] += column.present;
  const bool batch_fields = directory_->field_sets.size() > 1;
  if (batch_fields && noted(load_batches()).ok())
    for (const std::uint32_t code : batch_codes_)
      for (const auto& pair : directory_->field_sets[batch_field_set_[code]]) ++counts[pair.first];
  for (const auto& [name, present] : counts) result.push_back({name, present});
  return result;
}

Result<std::span<const std::int64_t>> BlockReader::timestamps_ms() {
  if (Status status = noted(load_times()); !status.ok()) return std::move(status).error();
  return std::span<const std::int64_t>(times_);
}

Result<std::span<const std::int64_t>> BlockReader::ingestion_times_ms() {
  if (Status status = noted(load_batches()); !status.ok()) return std::move(status).error();
  if (ingestions_.empty()) {
    ingestions_.resize(rows());
    for (std::size_t row = 0; row < rows(); ++row) ingestions_[row] = batch_ingestion_[batch_codes_[row]];
  }
  return std::span<const std::int64_t>(ingestions_);
}

Result<std::span<const LogSequence>> BlockReader::sequences() {
  if (Status status = noted(load_batches()); !status.ok()) return std::move(status).error();
  return std::span<const LogSequence>(sequences_);
}

Result<std::span<const std::uint32_t>> BlockReader::stream_codes() {
  if (Status status = noted(load_batches()); !status.ok()) return std::move(status).error();
  return std::span<const std::uint32_t>(stream_codes_);
}

Result<std::span<const LogStreamId>> BlockReader::stream_ids() {
  if (Status status = noted(load_directory()); !status.ok()) return std::move(status).error();
  return std::span<const LogStreamId>(directory_->streams);
}

void BlockReader::forget() {
  templates_ = nullptr;
  rows_with_.clear();
  physical_.assign(physical_.size(), nullptr);
  raw_.clear();
  public_.clear();
  for (auto* column : {&times_, &batch_ingestion_, &ingestions_}) *column = {};
  for (auto* column : {&batch_codes_, &batch_field_set_, &stream_codes_}) *column = {};
  sequences_ = {};
}

Status BlockReader::load_everything() {
  TRYV(load_directory());
  TRYV(load_templates());
  TRYV(load_times());
  TRYV(load_batches());
  for (std::uint32_t column = 0; column < directory_->columns.size(); ++column) TRYV(physical(column));
  return Ok{};
}

std::unique_ptr<LogBlock> make_block_reader(std::shared_ptr<const StoredBlock> block, ReadScope scope,
                                            OnDamage on_damage) {
  return std::make_unique<BlockReader>(std::move(block), std::move(scope), std::move(on_damage));
}

Result<BlockRows> read_all_rows(const std::shared_ptr<const StoredBlock>& block, const Hidden& hidden) {
  ReadScope scope;
  scope.hidden = std::make_shared<const Hidden>(hidden);
  BlockReader reader(block, std::move(scope), nullptr);
  TRYV(reader.load_everything());
  TRY(const RowSet keep, reader.rows_visible());
  TRY(const std::span<const std::int64_t> times, reader.timestamps_ms());
  TRY(const std::span<const std::int64_t> ingestion, reader.ingestion_times_ms());
  TRY(const std::span<const LogSequence> sequences, reader.sequences());
  TRY(const std::span<const std::uint32_t> streams, reader.stream_codes());
  BlockRows result;
  result.field_sets = reader.directory().field_sets;
  TRY(const std::shared_ptr<const LogColumn> messages, reader.messages(keep));
  result.bytes.reserve(messages->bytes.size() + 64);  // on the heap, so that views survive a move
  result.bytes.append(messages->bytes);
  result.rows.reserve(keep.count());
  keep.visit([&](std::size_t row) {
    result.rows.push_back({times[row], sequences[row], ingestion[row], reader.directory().streams[streams[row]],
                           reader.field_set_of(row), {}});
    result.rows.back().message = std::string_view(result.bytes)
                                     .substr(messages->offsets[row], messages->offsets[row + 1] - messages->offsets[row]);
  });
  return result;
}

Status verify_block(const std::shared_ptr<const StoredBlock>& block) {
  BlockReader reader(block, {}, nullptr);
  TRYV(reader.load_everything());
  const Directory& directory = reader.directory();
  TRY(const std::string filter,
      block->read(directory.filter, 0, static_cast<std::size_t>(directory.filter.stored)));
  if (!filter_intact(filter)) return Error::corrupt("log block: damaged filter");
  TRY(const std::span<const std::int64_t> times, reader.timestamps_ms());
  TRY(const std::span<const LogSequence> sequences, reader.sequences());
  const BlockSummary& summary = block->summary;
  LogSequence low = sequences[0];
  LogSequence high = sequences[0];
  for (std::size_t row = 0; row < times.size(); ++row) {
    if (row > 0 && (times[row] < times[row - 1] || (times[row] == times[row - 1] && sequences[row] <= sequences[row - 1])))
      return Error::corrupt("log block: rows out of order");
    low = std::min(low, sequences[row]);
    high = std::max(high, sequences[row]);
  }
  if (times.front() != summary.timestamp_min || times.back() != summary.timestamp_max || low != summary.sequence_min ||
      high != summary.sequence_max)
    return Error::corrupt("log block: summary does not match its rows");
  TRY(const std::shared_ptr<const LogColumn> messages, reader.messages(RowSet(reader.rows(), true)));
  if (messages->bytes.size() != summary.message_bytes) return Error::corrupt("log block: message bytes do not add up");
  return Ok{};
}

}  // namespace fog::segments
