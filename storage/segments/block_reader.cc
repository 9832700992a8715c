#include "storage/segments/block_reader.h"

#include "storage/segments/limits.h"
#include "storage/segments/token_filter.h"

#include <cmath>
#include <cstring>
#include <map>

// The loops over columns are worth vector instructions, which -O2 of GCC 12 uses for the simplest only.
#pragma GCC optimize("tree-vectorize", "vect-cost-model=dynamic")

namespace fog {

void LogColumn::append_text(std::size_t row, std::string& out) const {
  switch (type) {
    case LogColumnType::kInt: segments::append_int(ints[row], out); break;
    case LogColumnType::kDouble: segments::append_decimal(mantissas[row], scale, shortest, out); break;
    case LogColumnType::kDictionary:
    case LogColumnType::kText: out.append(text(row)); break;
  }
}

}  // namespace fog

namespace fog::segments {

Result<std::shared_ptr<const Directory>> StoredBlock::directory() const {
  {
    const std::lock_guard lock(mutex_);
    if (directory_ != nullptr) return directory_;
  }
  TRY(const std::string bytes,
      source_->read(summary.offset + summary.size - summary.directory_size, summary.directory_size));
  TRY(Directory decoded, decode_directory(bytes, summary.size));
  if (decoded.rows != summary.rows) return Error::corrupt("log block: directory of another block");
  auto shared = std::make_shared<const Directory>(std::move(decoded));
  const std::lock_guard lock(mutex_);
  if (directory_ == nullptr) directory_ = shared;
  return directory_;
}

Result<std::string> StoredBlock::section(const Section& section) const {
  TRY(const std::string stored, source_->read(summary.offset + section.offset, section.stored));
  return open_section(section, stored);
}

Result<std::string> StoredBlock::read(const Section& section, std::size_t from, std::size_t size) const {
  if (from > section.stored || size > section.stored - from) return Error::corrupt("log block: short section");
  return source_->read(summary.offset + section.offset + from, size);
}

namespace {

// A physical column with an entry for every row. An ISO time column keeps ms in `ints`.
struct Physical {
  LogColumn column;
  bool iso_time = false;

  void append(std::size_t row, std::string& out) const {
    if (iso_time) {
      char text[kIsoTimeSize];
      format_iso_time(column.ints[row], text);
      out.append(text, kIsoTimeSize);
    } else {
      column.append_text(row, out);
    }
  }
};

// From an entry a present row to an entry a row; absent rows get zero. Branchless inside a word of the
// presence: rows with and without a field alternate without a pattern.
template <typename T>
void expand(std::vector<T>& values, const RowSet& present, std::size_t n) {
  if (values.empty()) return;
  values.push_back(T{});  // read, and masked out, behind the last present row
  std::vector<T> dense(n);
  const std::vector<std::uint64_t>& words = present.words();
  std::size_t next = 0;
  for (std::size_t at = 0; at < words.size(); ++at) {
    const std::uint64_t word = words[at];
    const std::size_t first = at * 64;
    const std::size_t rows = std::min<std::size_t>(64, n - first);
    if (word == 0) continue;
    if (word == ~0ull) {
      std::copy_n(values.data() + next, 64, dense.data() + first);
      next += 64;
      continue;
    }
    T* to = dense.data() + first;
    for (std::size_t i = 0; i < rows; ++i) {
      const std::uint64_t bit = (word >> i) & 1;
      to[i] = static_cast<T>(values[next] & static_cast<T>(0 - bit));
      next += bit;
    }
  }
  values.swap(dense);
}

void spread(LogColumn& column, const RowSet& present, std::size_t n) {
  expand(column.ints, present, n);
  expand(column.mantissas, present, n);
  expand(column.codes8, present, n);
  expand(column.codes16, present, n);
  expand(column.codes32, present, n);
  if (!column.offsets.empty()) {
    std::vector<std::uint32_t> dense(n + 1);
    std::size_t next = 0;
    for (std::size_t row = 0; row < n; ++row) {
      dense[row] = column.offsets[next];
      next += present.test(row) ? 1 : 0;
    }
    dense[n] = column.offsets[next];
    column.offsets.swap(dense);
  }
  column.rows = n;
}

std::size_t find_in(std::string_view text, std::string_view needle, std::size_t from) {
  if (from > text.size()) return std::string_view::npos;
  const void* hit = memmem(text.data() + from, text.size() - from, needle.data(), needle.size());
  return hit == nullptr ? std::string_view::npos
                        : static_cast<std::size_t>(static_cast<const char*>(hit) - text.data());
}

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         static_cast<unsigned char>(c) >= 0x80;
}

// The words of a text, longest first; the longest few say enough.
std::vector<std::string_view> longest_words(std::string_view text) {
  constexpr std::size_t kWordsMax = 6;
  std::vector<std::string_view> words;
  for (std::size_t at = 0; at < text.size();) {
    if (!is_word(text[at])) {
      ++at;
      continue;
    }
    const std::size_t begin = at;
    while (at < text.size() && is_word(text[at])) ++at;
    words.push_back(text.substr(begin, at - begin));
  }
  std::stable_sort(words.begin(), words.end(),
                   [](std::string_view a, std::string_view b) { return a.size() > b.size(); });
  if (words.size() > kWordsMax) words.resize(kWordsMax);
  return words;
}

bool only_of(std::string_view text, std::string_view allowed) {
  return text.find_first_not_of(allowed) == std::string_view::npos;
}

class BlockReader final : public LogBlock {
 public:
  BlockReader(std::shared_ptr<const StoredBlock> block, ReadScope scope, OnDamage on_damage)
      : block_(std::move(block)), scope_(std::move(scope)), on_damage_(std::move(on_damage)) {}

  LogGroupId group() const override { return scope_.group; }
  std::size_t rows() const override { return static_cast<std::size_t>(block_->summary.rows); }
  std::int64_t timestamp_min_ms() const override { return block_->summary.timestamp_min; }
  std::int64_t timestamp_max_ms() const override { return block_->summary.timestamp_max; }
  std::uint64_t message_bytes() const override { return block_->summary.message_bytes; }

  bool may_contain(const LogPredicate& predicate) override;
  std::vector<Field> fields() override;
  Result<RowSet> rows_visible() override { return noted(visible()); }
  Status narrow(const LogPredicate& predicate, RowSet& rows) override { return noted(narrow_rows(predicate, rows)); }

  Result<std::span<const std::int64_t>> timestamps_ms() override {
    if (Status status = noted(load_times()); !status.ok()) return std::move(status).error();
    return std::span<const std::int64_t>(times_);
  }
  Result<std::span<const std::int64_t>> ingestion_times_ms() override {
    if (Status status = noted(load_batches()); !status.ok()) return std::move(status).error();
    if (ingestions_.empty()) {
      ingestions_.resize(rows());
      for (std::size_t row = 0; row < rows(); ++row) ingestions_[row] = batch_ingestion_[batch_codes_[row]];
    }
    return std::span<const std::int64_t>(ingestions_);
  }
  Result<std::span<const LogSequence>> sequences() override {
    if (Status status = noted(load_batches()); !status.ok()) return std::move(status).error();
    return std::span<const LogSequence>(sequences_);
  }
  Result<std::span<const std::uint32_t>> stream_codes() override {
    if (Status status = noted(load_batches()); !status.ok()) return std::move(status).error();
    return std::span<const std::uint32_t>(stream_codes_);
  }
  Result<std::span<const LogStreamId>> stream_ids() override {
    if (Status status = noted(load_directory()); !status.ok()) return std::move(status).error();
    return std::span<const LogStreamId>(directory_->streams);
  }
  Result<std::shared_ptr<const LogColumn>> column(std::string_view field) override { return noted(public_column(field)); }
  Status append_message(std::size_t row, std::string& out) override { return noted(rebuild(row, out)); }
  Result<std::shared_ptr<const LogColumn>> messages(const RowSet& wanted) override { return noted(rebuild_all(wanted)); }

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

  Status load_directory();
  Status load_templates();
  Status load_times();
  Status load_batches();
  Result<std::vector<std::int64_t>> read_ints(const Section& section);
  const RowSet& rows_with(std::uint32_t column);
  Result<std::shared_ptr<const Physical>> physical(std::uint32_t column);
  Result<RowSet> visible();
  Result<std::shared_ptr<const LogColumn>> public_column(std::string_view field);
  Result<std::shared_ptr<const LogColumn>> make_public(std::uint32_t column);
  std::shared_ptr<const LogColumn> batch_field(std::string_view field);
  Status load_columns_of(const RowSet& rows);
  Status rebuild(std::size_t row, std::string& out);
  Result<std::shared_ptr<const LogColumn>> rebuild_all(const RowSet& wanted);
  void put_together(std::size_t row, std::string& out) const;
  Status narrow_rows(const LogPredicate& predicate, RowSet& rows);
  Status narrow_message(std::string_view literal, RowSet& rows);
  Status narrow_needle(std::string_view needle, const std::vector<char>& scope, RowSet& keep);
  Result<std::shared_ptr<const RowSet>> containing(std::uint32_t column, std::string_view needle);

  std::shared_ptr<const StoredBlock> block_;
  ReadScope scope_;
  OnDamage on_damage_;

  std::shared_ptr<const Directory> directory_;
  std::vector<Template> templates_;
  // The template of each row: 8 bits while there are few of them.
  std::vector<std::uint8_t> template_codes8_;
  std::vector<std::uint32_t> template_codes32_;
  std::uint32_t template_of(std::size_t row) const {
    return template_codes8_.empty() ? template_codes32_[row] : template_codes8_[row];
  }
  std::vector<RowSet> rows_with_;
  std::vector<std::shared_ptr<const Physical>> physical_;
  std::map<std::uint32_t, std::string> raw_;  // columns that were looked into but not decoded
  std::vector<std::int64_t> times_;
  std::vector<std::uint32_t> batch_codes_;
  std::vector<std::int64_t> batch_ingestion_;
  std::vector<std::uint32_t> batch_field_set_;
  std::vector<std::int64_t> ingestions_;
  std::vector<LogSequence> sequences_;
  std::vector<std::uint32_t> stream_codes_;
  std::map<std::string, std::shared_ptr<const LogColumn>, std::less<>> public_;
};

Error damaged(const char* what) { return Error::corrupt(std::string("log block: damaged ") + what); }

Status BlockReader::load_directory() {
  if (directory_ != nullptr) return Ok{};
  TRY(directory_, block_->directory());
  physical_.resize(directory_->columns.size());
  return Ok{};
}

Result<std::vector<std::int64_t>> BlockReader::read_ints(const Section& section) {
  TRY(const std::string raw, block_->section(section));
  ByteReader in(raw);
  std::vector<std::int64_t> values;
  if (!decode_ints(in, rows(), values)) return damaged("integers");
  return values;
}

Status BlockReader::load_templates() {
  TRYV(load_directory());
  if (!templates_.empty()) return Ok{};
  TRY(const std::string raw, block_->section(directory_->templates));
  ByteReader in(raw);
  const std::uint64_t n = in.varint();
  if (n == 0 || n > rows()) return damaged("templates");
  std::vector<Template> templates(static_cast<std::size_t>(n));
  for (Template& shape : templates) {
    const std::uint64_t holes = in.varint();
    if (holes > raw.size()) return damaged("templates");
    shape.literals.emplace_back(in.text());
    for (std::uint64_t i = 0; i < holes && in.ok(); ++i) {
      const std::uint64_t column = in.varint();
      if (column >= directory_->columns.size()) return damaged("templates");
      shape.columns.push_back(static_cast<std::uint32_t>(column));
      shape.literals.emplace_back(in.text());
    }
  }
  if (!in.ok()) return damaged("templates");
  TRY(const std::string raw_codes, block_->section(directory_->template_codes));
  ByteReader code_bytes(raw_codes);
  if (n <= 256 ? !decode_codes(code_bytes, rows(), n, false, template_codes8_)
               : !decode_codes(code_bytes, rows(), n, false, template_codes32_)) {
    template_codes8_.clear();
    template_codes32_.clear();
    return damaged("template codes");
  }
  rows_with_.resize(directory_->columns.size());
  templates_ = std::move(templates);
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
  TRY(const std::string raw, block_->section(directory_->batches));
  ByteReader in(raw);
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

const RowSet& BlockReader::rows_with(std::uint32_t column) {
  RowSet& set = rows_with_[column];
  if (set.rows() != 0) return set;
  std::vector<std::uint8_t> has(std::max<std::size_t>(templates_.size(), 256));
  for (std::size_t t = 0; t < templates_.size(); ++t)
    for (const std::uint32_t c : templates_[t].columns)
      if (c == column) has[t] = 1;
  set = RowSet(rows(), false);
  std::vector<std::uint64_t>& words = set.words();
  const auto fill = [&](const auto& codes) {
    const std::size_t whole = codes.size() / 64 * 64;
    for (std::size_t row = 0; row < whole; row += 64) {
      std::uint64_t word = 0;
      for (std::size_t part = 0; part < 64; part += 8) {
        std::uint64_t bytes = 0;  // eight times 0 or 1, gathered into eight bits by a multiplication
        for (std::size_t i = 0; i < 8; ++i) bytes |= static_cast<std::uint64_t>(has[codes[row + part + i]]) << (8 * i);
        word |= (bytes * 0x0102040810204080ull >> 56) << part;
      }
      words[row / 64] = word;
    }
    for (std::size_t row = whole; row < codes.size(); ++row)
      words[row / 64] |= static_cast<std::uint64_t>(has[codes[row]]) << (row % 64);
  };
  if (template_codes8_.empty())
    fill(template_codes32_);
  else
    fill(template_codes8_);
  return set;
}

Result<std::shared_ptr<const Physical>> BlockReader::physical(std::uint32_t index) {
  TRYV(load_templates());
  if (physical_[index] != nullptr) return physical_[index];
  const ColumnEntry& entry = directory_->columns[index];
  const RowSet& present = rows_with(index);
  const std::size_t n = present.count();
  if (n != entry.present) return damaged("column");
  auto made = std::make_shared<Physical>();
  made->iso_time = entry.encoding == Encoding::kIsoTime;
  if (made->iso_time) TRYV(load_times());
  std::string raw;
  if (const auto kept = raw_.find(index); kept != raw_.end()) {
    raw = std::move(kept->second);
    raw_.erase(kept);
  } else {
    TRY(raw, block_->section(entry.section));
  }
  const RowTimes times = [&] {
    if (n == rows()) return times_;
    std::vector<std::int64_t> some;
    some.reserve(n);
    present.visit([&](std::size_t row) { some.push_back(times_[row]); });
    return some;
  };
  if (n > 0 && !decode_column(entry.encoding, raw, n, times, made->column)) return damaged("column");
  if (n != rows()) spread(made->column, present, rows());
  if (made->column.type == LogColumnType::kDouble && !fill_doubles(made->column)) return damaged("column");
  made->column.present = present;
  made->column.all_present = n == rows();
  physical_[index] = std::move(made);
  return physical_[index];
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

// ---- messages -------------------------------------------------------------------------------------------

void BlockReader::put_together(std::size_t row, std::string& out) const {
  const Template& shape = templates_[template_of(row)];
  out.append(shape.literals[0]);
  for (std::size_t i = 0; i < shape.columns.size(); ++i) {
    physical_[shape.columns[i]]->append(row, out);
    out.append(shape.literals[i + 1]);
  }
}

Status BlockReader::rebuild(std::size_t row, std::string& out) {
  TRYV(load_templates());
  for (const std::uint32_t column : templates_[template_of(row)].columns)
    if (physical_[column] == nullptr) TRYV(physical(column));
  put_together(row, out);
  return Ok{};
}

Status BlockReader::load_columns_of(const RowSet& wanted) {
  std::vector<char> used(templates_.size());
  wanted.visit([&](std::size_t row) { used[template_of(row)] = 1; });
  for (std::size_t t = 0; t < used.size(); ++t)
    if (used[t] != 0)
      for (const std::uint32_t column : templates_[t].columns)
        if (physical_[column] == nullptr) TRYV(physical(column));
  return Ok{};
}

Result<std::shared_ptr<const LogColumn>> BlockReader::rebuild_all(const RowSet& wanted) {
  TRYV(load_templates());
  TRYV(load_columns_of(wanted));
  auto text = std::make_shared<LogColumn>();
  text->type = LogColumnType::kText;
  text->rows = rows();
  text->present = wanted;
  const std::size_t n = wanted.count();
  text->all_present = n == rows();
  text->bytes.reserve(static_cast<std::size_t>(block_->summary.message_bytes * n / rows()) + 4096);
  text->offsets.reserve(rows() + 1);
  for (std::size_t row = 0; row < rows(); ++row) {
    text->offsets.push_back(static_cast<std::uint32_t>(text->bytes.size()));
    if (wanted.test(row)) put_together(row, text->bytes);
  }
  text->offsets.push_back(static_cast<std::uint32_t>(text->bytes.size()));
  return std::shared_ptr<const LogColumn>(std::move(text));
}

// ---- fields -----------------------------------------------------------------------------------------------

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

std::shared_ptr<const LogColumn> BlockReader::batch_field(std::string_view field) {
  auto made = std::make_shared<LogColumn>();
  made->type = LogColumnType::kDictionary;
  made->rows = rows();
  made->present = RowSet(rows(), false);
  std::map<std::string_view, std::uint32_t> codes;
  std::vector<std::int64_t> set_code(directory_->field_sets.size(), -1);
  for (std::size_t i = 0; i < directory_->field_sets.size(); ++i)
    for (const auto& [name, value] : directory_->field_sets[i])
      if (name == field && set_code[i] < 0) {
        const auto [it, fresh] = codes.try_emplace(value, static_cast<std::uint32_t>(codes.size()));
        if (fresh) made->dictionary.push_back(it->first);  // lives as long as directory_, see below
        set_code[i] = it->second;
      }
  if (codes.empty()) return nullptr;
  // The views must outlive this reader: copy the texts.
  std::size_t total = 0;
  for (const std::string_view text : made->dictionary) total += text.size();
  made->bytes.reserve(std::max<std::size_t>(total, 64));  // never in the string itself, which moves
  for (std::string_view& text : made->dictionary) {
    const std::size_t at = made->bytes.size();
    made->bytes.append(text);
    text = std::string_view(made->bytes).substr(at, text.size());
  }
  const auto fill = [&](auto& to) {
    to.resize(rows());
    for (std::size_t row = 0; row < rows(); ++row) {
      const std::int64_t code = set_code[field_set_of(row)];
      if (code < 0) continue;
      made->present.set(row);
      to[row] = static_cast<typename std::remove_reference_t<decltype(to)>::value_type>(code);
    }
  };
  if (codes.size() <= 256) {
    fill(made->codes8);
  } else if (codes.size() <= 65536) {
    fill(made->codes16);
  } else {
    fill(made->codes32);
  }
  made->all_present = made->present.all();
  return made;
}

// The unescaped form of a dictionary or text column. Entries that become equal share a code.
void unescape(const LogColumn& from, LogColumn& to) {
  to.type = from.type;
  to.rows = from.rows;
  to.present = from.present;
  to.all_present = from.all_present;
  to.bytes.reserve(std::max<std::size_t>(from.bytes.size() + from.bytes.size() / 2, 64));
  if (from.type == LogColumnType::kText) {
    to.offsets.reserve(from.rows + 1);
    for (std::size_t row = 0; row < from.rows; ++row) {
      to.offsets.push_back(static_cast<std::uint32_t>(to.bytes.size()));
      append_unescaped(from.text(row), to.bytes);
    }
    to.offsets.push_back(static_cast<std::uint32_t>(to.bytes.size()));
    return;
  }
  std::vector<std::uint32_t> starts;
  for (const std::string_view entry : from.dictionary) {
    starts.push_back(static_cast<std::uint32_t>(to.bytes.size()));
    append_unescaped(entry, to.bytes);
  }
  starts.push_back(static_cast<std::uint32_t>(to.bytes.size()));
  std::map<std::string_view, std::uint32_t> seen;
  std::vector<std::uint32_t> codes(from.dictionary.size());
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const std::string_view text = std::string_view(to.bytes).substr(starts[i], starts[i + 1] - starts[i]);
    const auto [it, fresh] = seen.try_emplace(text, static_cast<std::uint32_t>(to.dictionary.size()));
    if (fresh) to.dictionary.push_back(text);
    codes[i] = it->second;
  }
  const auto map_codes = [&](const auto& source, auto& target) {
    target.resize(source.size());
    for (std::size_t row = 0; row < source.size(); ++row)
      target[row] = static_cast<typename std::remove_reference_t<decltype(target)>::value_type>(codes[source[row]]);
  };
  map_codes(from.codes8, to.codes8);
  map_codes(from.codes16, to.codes16);
  map_codes(from.codes32, to.codes32);
}

// One physical column as a query sees it. Null: it holds nothing but JSON nulls.
Result<std::shared_ptr<const LogColumn>> BlockReader::make_public(std::uint32_t index) {
  const ColumnEntry& entry = directory_->columns[index];
  TRY(const std::shared_ptr<const Physical> raw, physical(index));
  const LogColumn& from = raw->column;
  if (raw->iso_time) {
    auto text = std::make_shared<LogColumn>();
    text->type = LogColumnType::kText;
    text->rows = from.rows;
    text->present = from.present;
    text->all_present = from.all_present;
    text->offsets.reserve(from.rows + 1);
    text->bytes.reserve(std::max<std::size_t>(from.rows * kIsoTimeSize, 64));
    for (std::size_t row = 0; row < from.rows; ++row) {
      text->offsets.push_back(static_cast<std::uint32_t>(text->bytes.size()));
      if (from.has(row)) raw->append(row, text->bytes);
    }
    text->offsets.push_back(static_cast<std::uint32_t>(text->bytes.size()));
    return std::shared_ptr<const LogColumn>(std::move(text));
  }
  if (entry.name.kind == HoleKind::kWord) {
    auto bits = std::make_shared<LogColumn>();
    bits->type = LogColumnType::kInt;
    bits->rows = from.rows;
    bits->present = from.present;
    bits->ints.resize(from.rows);
    from.present.visit([&](std::size_t row) {
      const std::string_view word = from.text(row);
      if (word == "null") bits->present.clear(row);
      bits->ints[row] = word == "true" ? 1 : 0;
    });
    if (bits->present.none()) return std::shared_ptr<const LogColumn>();
    bits->all_present = bits->present.all();
    return std::shared_ptr<const LogColumn>(std::move(bits));
  }
  if (entry.name.kind == HoleKind::kMega && (from.type == LogColumnType::kInt || from.type == LogColumnType::kDouble)) {
    auto scaled = std::make_shared<LogColumn>();
    scaled->rows = from.rows;
    scaled->present = from.present;
    scaled->all_present = from.all_present;
    scaled->type = LogColumnType::kInt;
    scaled->ints.resize(from.rows);
    for (std::size_t row = 0; row < from.rows; ++row)
      scaled->ints[row] = from.type == LogColumnType::kInt
                              ? static_cast<std::int64_t>(static_cast<std::uint64_t>(from.ints[row]) * 1000000u)
                              : std::llround(from.doubles[row] * 1e6);
    return std::shared_ptr<const LogColumn>(std::move(scaled));
  }
  if (entry.name.kind == HoleKind::kString && entry.escaped) {
    auto plain = std::make_shared<LogColumn>();
    unescape(from, *plain);
    return std::shared_ptr<const LogColumn>(std::move(plain));
  }
  return std::shared_ptr<const LogColumn>(raw, &from);
}

Result<std::shared_ptr<const LogColumn>> BlockReader::public_column(std::string_view field) {
  TRYV(load_directory());
  if (const auto it = public_.find(field); it != public_.end()) return it->second;
  std::vector<std::shared_ptr<const LogColumn>> parts;
  for (std::uint32_t i = 0; i < directory_->columns.size(); ++i) {
    const ColumnEntry& entry = directory_->columns[i];
    if (entry.name.kind == HoleKind::kHidden || entry.present == 0 || entry.name.name != field) continue;
    TRY(std::shared_ptr<const LogColumn> part, make_public(i));
    if (part != nullptr) parts.push_back(std::move(part));
  }
  std::shared_ptr<const LogColumn> result;
  if (parts.size() == 1) {
    result = parts[0];
  } else if (parts.size() > 1) {
    // Strings here, numbers there: as text, each in its source form.
    auto text = std::make_shared<LogColumn>();
    text->type = LogColumnType::kText;
    text->rows = rows();
    text->present = RowSet(rows(), false);
    text->bytes.reserve(64);
    for (const auto& part : parts) text->present |= part->present;
    text->all_present = text->present.all();
    for (std::size_t row = 0; row < rows(); ++row) {
      text->offsets.push_back(static_cast<std::uint32_t>(text->bytes.size()));
      for (const auto& part : parts)
        if (part->has(row)) {
          part->append_text(row, text->bytes);
          break;
        }
    }
    text->offsets.push_back(static_cast<std::uint32_t>(text->bytes.size()));
    result = std::move(text);
  } else if (directory_->field_sets.size() > 1) {
    TRYV(load_batches());
    result = batch_field(field);
  }
  public_.emplace(field, result);
  return result;
}

// ---- skipping and narrowing ----------------------------------------------------------------------------------

bool BlockReader::may_contain(const LogPredicate& predicate) {
  using What = LogPredicate::What;
  if (!noted(load_directory()).ok()) return true;  // the damage will be met again when it is read
  std::vector<TokenHash> tokens;
  if (predicate.what == What::kMessageContains) {
    tokens = required_tokens(predicate.text, false);
  } else {
    bool found = false;
    bool text_like = false;  // some column may hold the value as text
    double number = 0;
    const bool numeric = numeric_view(predicate.text, number);
    bool in_range = false;
    for (const ColumnEntry& column : directory_->columns) {
      if (column.name.kind == HoleKind::kHidden || column.present == 0 || column.name.name != predicate.field) continue;
      found = true;
      if (!column.numeric) text_like = true;
      if (column.name.kind == HoleKind::kWord) in_range = true;
      switch (predicate.what) {
        case What::kFieldAtLeast: in_range = in_range || !column.numeric || column.max >= predicate.number; break;
        case What::kFieldAtMost: in_range = in_range || !column.numeric || column.min <= predicate.number; break;
        case What::kFieldEquals:
          in_range = in_range || !column.numeric || (numeric && number >= column.min && number <= column.max);
          break;
        default: in_range = true;
      }
    }
    if (!found) {
      for (const FieldSet& set : directory_->field_sets)
        for (const auto& pair : set)
          if (pair.first == predicate.field) return true;
      return false;
    }
    if (!in_range) return false;
    // Words are known of texts only: a number may be written in other ways, or be stored as a number.
    if (predicate.what == What::kFieldEquals && text_like && !numeric) tokens = required_tokens(predicate.text, true);
    if (predicate.what == What::kFieldContains && text_like) tokens = required_tokens(predicate.text, false);
  }
  if (tokens.empty()) return true;
  return filter_may_contain(static_cast<std::size_t>(directory_->filter.stored), tokens,
                            [this](std::size_t from, std::size_t size) {
                              return block_->read(directory_->filter, from, size);
                            });
}

// The rows (of those that have it) whose value of a physical column, as it stands in the message,
// contains the needle.
Result<std::shared_ptr<const RowSet>> BlockReader::containing(std::uint32_t index, std::string_view needle) {
  const ColumnEntry& entry = directory_->columns[index];
  auto result = std::make_shared<RowSet>(rows(), false);
  const bool number = entry.encoding == Encoding::kInt || entry.encoding == Encoding::kDecimal;
  if (number && !only_of(needle, "0123456789-.")) return std::shared_ptr<const RowSet>(result);
  if (entry.encoding == Encoding::kIsoTime && !only_of(needle, "0123456789-:.TZ"))
    return std::shared_ptr<const RowSet>(result);
  if (entry.name.kind == HoleKind::kWord && !only_of(needle, "truefalsn")) return std::shared_ptr<const RowSet>(result);
  if (physical_[index] == nullptr) {
    // Most columns do not hold it at all, which their bytes show without being taken apart.
    auto bytes = raw_.find(index);
    if (bytes == raw_.end()) {
      TRY(std::string section, block_->section(entry.section));
      bytes = raw_.emplace(index, std::move(section)).first;
    }
    if (!column_may_contain(entry.encoding, bytes->second, static_cast<std::size_t>(entry.present), needle))
      return std::shared_ptr<const RowSet>(result);
  }
  TRY(const std::shared_ptr<const Physical> raw, physical(index));
  const LogColumn& column = raw->column;
  if (column.type == LogColumnType::kDictionary) {
    std::vector<std::uint8_t> hit(column.dictionary.size());
    bool any = false;
    for (std::size_t i = 0; i < hit.size(); ++i) {
      hit[i] = find_in(column.dictionary[i], needle, 0) != std::string_view::npos ? 1 : 0;
      any = any || hit[i] != 0;
    }
    if (!any) return std::shared_ptr<const RowSet>(result);
    std::vector<std::uint64_t>& words = result->words();
    const auto mark = [&](const auto& codes) {
      for (std::size_t row = 0; row < codes.size(); ++row)
        words[row / 64] |= static_cast<std::uint64_t>(hit[codes[row]]) << (row % 64);
    };
    mark(column.codes8);
    mark(column.codes16);
    mark(column.codes32);
    *result &= column.present;
  } else if (column.type == LogColumnType::kText) {
    const std::string_view bytes = column.bytes;
    std::size_t row = 0;
    for (std::size_t at = find_in(bytes, needle, 0); at != std::string_view::npos;) {
      // The row that holds byte `at`; hits come in ascending order.
      row = static_cast<std::size_t>(
          std::upper_bound(column.offsets.begin() + static_cast<std::ptrdiff_t>(row), column.offsets.end(), at) -
          column.offsets.begin() - 1);
      if (at + needle.size() <= column.offsets[row + 1]) {
        result->set(row);
        at = find_in(bytes, needle, column.offsets[row + 1]);
      } else {
        at = find_in(bytes, needle, at + 1);
      }
    }
  } else {
    std::string text;
    column.present.visit([&](std::size_t row) {
      text.clear();
      raw->append(row, text);
      if (find_in(text, needle, 0) != std::string_view::npos) result->set(row);
    });
  }
  return std::shared_ptr<const RowSet>(result);
}

// Keeps, of the rows whose template is in scope, those that hold the needle in one value or in the
// template. Rows of other templates stay.
Status BlockReader::narrow_needle(std::string_view needle, const std::vector<char>& scope, RowSet& keep) {
  std::vector<char> used(templates_.size());
  keep.visit([&](std::size_t row) { used[template_of(row)] = 1; });
  std::vector<char> stays(templates_.size());   // every row of the template
  std::vector<char> searched(templates_.size());
  std::map<std::uint32_t, std::shared_ptr<const RowSet>> found;
  for (std::size_t t = 0; t < templates_.size(); ++t) {
    if (used[t] == 0) continue;
    const Template& shape = templates_[t];
    bool all = scope[t] == 0;
    for (std::size_t i = 0; i < shape.literals.size() && !all; ++i)
      all = find_in(shape.literals[i], needle, 0) != std::string_view::npos;
    if (all) {
      stays[t] = 1;
      continue;
    }
    searched[t] = 1;
    for (const std::uint32_t column : shape.columns) {
      auto& hits = found[column];
      if (hits == nullptr) {
        TRY(hits, containing(column, needle));
      }
    }
  }
  RowSet result(rows(), false);
  bool any_stays = false;
  for (std::size_t t = 0; t < templates_.size(); ++t) any_stays = any_stays || stays[t] != 0;
  // A row holds values only of columns in its own template, so hits of all columns may be joined;
  // rows of templates that were not searched are replaced below.
  for (const auto& entry : found) result |= *entry.second;
  if (any_stays)
    keep.visit([&](std::size_t row) {
      if (stays[template_of(row)] != 0) result.set(row);
    });
  keep &= result;
  return Ok{};
}

Status BlockReader::narrow_message(std::string_view literal, RowSet& keep) {
  if (literal.empty()) return Ok{};
  TRYV(load_templates());
  // Where the literal cannot lie across the edge of a hole it lies in one value or in the template.
  // Elsewhere each of its words does.
  std::vector<char> whole(templates_.size());
  std::vector<char> across(templates_.size());
  bool any_whole = false;
  bool any_across = false;
  for (std::size_t t = 0; t < templates_.size(); ++t) {
    const Template& shape = templates_[t];
    bool edge = false;
    for (std::size_t i = 0; i < shape.columns.size() && !edge; ++i) {
      const std::string& before = shape.literals[i];
      const std::string& after = shape.literals[i + 1];
      edge = (!before.empty() && literal.find(before.back()) != std::string_view::npos) ||
             (!after.empty() && literal.find(after.front()) != std::string_view::npos) || (i > 0 && before.empty());
    }
    (edge ? across : whole)[t] = 1;
    (edge ? any_across : any_whole) = true;
  }
  if (any_whole) TRYV(narrow_needle(literal, whole, keep));
  if (any_across)
    for (const std::string_view word : longest_words(literal)) TRYV(narrow_needle(word, across, keep));
  return Ok{};
}

Status BlockReader::narrow_rows(const LogPredicate& predicate, RowSet& keep) {
  using What = LogPredicate::What;
  if (predicate.what == What::kMessageContains) return narrow_message(predicate.text, keep);
  TRY(const std::shared_ptr<const LogColumn> column, public_column(predicate.field));
  if (column == nullptr) {
    keep.clear_all();
    return Ok{};
  }
  keep &= column->present;
  if (predicate.what == What::kFieldPresent) return Ok{};
  double wanted = predicate.number;
  const bool wanted_numeric = predicate.what != What::kFieldEquals || numeric_view(predicate.text, wanted);
  const auto number_holds = [&](double value) {
    switch (predicate.what) {
      case What::kFieldAtLeast: return value >= wanted;
      case What::kFieldAtMost: return value <= wanted;
      default: return value == wanted;
    }
  };
  const auto text_holds = [&](std::string_view text) {
    double value = 0;
    switch (predicate.what) {
      case What::kFieldContains: return find_in(text, predicate.text, 0) != std::string_view::npos;
      case What::kFieldEquals:
        return text == predicate.text || (wanted_numeric && numeric_view(text, value) && value == wanted);
      default: return numeric_view(text, value) && number_holds(value);
    }
  };
  RowSet result(rows(), false);
  switch (column->type) {
    case LogColumnType::kInt:
    case LogColumnType::kDouble:
      if (predicate.what == What::kFieldContains) {
        std::string text;
        keep.visit([&](std::size_t row) {
          text.clear();
          column->append_text(row, text);
          if (text_holds(text)) result.set(row);
        });
      } else if (wanted_numeric) {
        const bool integer = column->type == LogColumnType::kInt;
        keep.visit([&](std::size_t row) {
          if (number_holds(integer ? static_cast<double>(column->ints[row]) : column->doubles[row])) result.set(row);
        });
      }
      break;
    case LogColumnType::kDictionary: {
      std::vector<std::uint8_t> hit(column->dictionary.size());
      for (std::size_t i = 0; i < hit.size(); ++i) hit[i] = text_holds(column->dictionary[i]) ? 1 : 0;
      std::vector<std::uint64_t>& words = result.words();
      const auto mark = [&](const auto& codes) {
        for (std::size_t row = 0; row < codes.size(); ++row)
          words[row / 64] |= static_cast<std::uint64_t>(hit[codes[row]]) << (row % 64);
      };
      mark(column->codes8);
      mark(column->codes16);
      mark(column->codes32);
      break;
    }
    case LogColumnType::kText:
      keep.visit([&](std::size_t row) {
        if (text_holds(column->text(row))) result.set(row);
      });
      break;
  }
  keep &= result;
  return Ok{};
}

Status BlockReader::load_everything() {
  TRYV(load_directory());
  TRYV(load_templates());
  TRYV(load_times());
  TRYV(load_batches());
  for (std::uint32_t column = 0; column < directory_->columns.size(); ++column) TRYV(physical(column));
  return Ok{};
}

}  // namespace

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
