// Columns of a block: from an entry a value to an entry a row, and to what a query sees.
#include <cmath>

#include "storage/segments/block_reader_impl.h"

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

void PhysicalColumn::append(std::size_t row, std::string& out) const {
  if (iso_time) {
    char text[kIsoTimeSize];
    format_iso_time(column.ints[row], text);
    out.append(text, kIsoTimeSize);
  } else {
    column.append_text(row, out);
  }
}

namespace {

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

}  // namespace

RowSet TemplateRows::rows_of(const std::vector<std::uint8_t>& chosen) const {
  RowSet set(codes8.size() + codes32.size(), false);
  mark_rows(codes8, chosen, set);
  mark_rows(codes32, chosen, set);
  return set;
}

// The rows whose template has a hole for the column.
const std::shared_ptr<const RowSet>& BlockReader::rows_with(std::uint32_t column) {
  std::shared_ptr<const RowSet>& known = rows_with_[column];
  if (known != nullptr) return known;
  known = cached<RowSet>(PieceKind::kPresence, column);
  if (known != nullptr) return known;
  const std::vector<Template>& shapes = templates_->shapes;
  std::vector<std::uint8_t> has(shapes.size());
  for (std::size_t t = 0; t < shapes.size(); ++t)
    for (const std::uint32_t c : shapes[t].columns)
      if (c == column) has[t] = 1;
  known = std::make_shared<const RowSet>(templates_->rows_of(has));
  if (directory_->columns[column].encoding != Encoding::kText) keep(PieceKind::kPresence, column, known, rows() / 8);
  return known;
}

// The decompressed bytes of a column; kept for this query until they are decoded.
Result<SectionBytes> BlockReader::raw_of(std::uint32_t index) {
  if (const auto kept = raw_.find(index); kept != raw_.end()) return kept->second;
  TRY(SectionBytes read, section(directory_->columns[index].section));
  return raw_.emplace(index, std::move(read)).first->second;
}

Result<std::shared_ptr<const PhysicalColumn>> BlockReader::physical(std::uint32_t index) {
  TRYV(load_templates());
  if (physical_[index] != nullptr) return physical_[index];
  physical_[index] = cached<PhysicalColumn>(PieceKind::kColumn, index);
  if (physical_[index] != nullptr) return physical_[index];
  const ColumnEntry& entry = directory_->columns[index];
  const RowSet& present = *rows_with(index);
  const std::size_t n = present.count();
  if (n != entry.present) return damaged("column");
  auto made = std::make_shared<PhysicalColumn>();
  made->iso_time = entry.encoding == Encoding::kIsoTime;
  if (made->iso_time) TRYV(load_times());
  TRY(const SectionBytes raw, raw_of(index));
  raw_.erase(index);
  const RowTimes times = [&] {
    if (n == rows()) return times_;
    std::vector<std::int64_t> some;
    some.reserve(n);
    present.visit([&](std::size_t row) { some.push_back(times_[row]); });
    return some;
  };
  if (n > 0 && !decode_column(entry.encoding, *raw, n, times, made->column)) return damaged("column");
  if (n != rows()) spread(made->column, present, rows());
  if (made->column.type == LogColumnType::kDouble && !fill_doubles(made->column)) return damaged("column");
  made->column.present = present;
  made->column.all_present = n == rows();
  physical_[index] = std::move(made);
  // Codes of a byte are as small as their section, and ready to use.
  const LogColumn& column = physical_[index]->column;
  if (column.type == LogColumnType::kDictionary && !column.codes8.empty() && column.bytes.size() < rows())
    keep(PieceKind::kColumn, index, physical_[index], rows() + rows() / 8 + column.bytes.size() + column.dictionary.size() * sizeof(std::string_view));
  return physical_[index];
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

namespace {

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

}  // namespace

// One physical column as a query sees it. Null: it holds nothing but JSON nulls.
Result<std::shared_ptr<const LogColumn>> BlockReader::make_public(std::uint32_t index) {
  const ColumnEntry& entry = directory_->columns[index];
  TRY(const std::shared_ptr<const PhysicalColumn> raw, physical(index));
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

}  // namespace fog::segments
