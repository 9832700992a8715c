// Format of a block, little-endian:
//
//   sections, in any order | directory | crc32c u32 of the directory | "FLB1"
//
// A section is stored as it is or as one zstd frame, whichever is smaller; the directory holds its
// place, sizes and CRC-32C. Integers in the directory are varints unless said otherwise.
//
//   directory   rows | 6 sections: templates, template codes, timestamps, batches, batch codes, filter
//               | streams: count, ids as ints | field sets: count, each: count, pairs of texts
//               | columns: count, each: kind u8, name text, encoding u8, flags u8 (1 escaped, 2 numeric),
//                 [min f64, max f64 when numeric], present, section
//   section     offset | stored | raw | crc u32
//
// Row-wise parts, in ascending order of (timestamp, sequence):
//   templates       count, each: holes, literal text, (column, literal text) a hole
//   template codes  ints (column_codec.cc)
//   timestamps      ints
//   batches         count | ints: stream (index into streams) | ints: ingestion time | ints: sequence
//                   number of the batch's first row | ints: field set
//   batch codes     ints: `used - code` where `used` counts the batches seen so far (0: the next new
//                   one). A row's sequence number is its batch's first one plus the number of earlier
//                   rows of that batch: one small number a row gives stream, ingestion time, sequence
//                   number and batch fields.
// A column holds the values of the rows whose template has a hole for it, in row order.
#include "storage/base/hash.h"
#include "storage/segments/block_format.h"
#include "storage/segments/limits.h"
#include "storage/segments/token_filter.h"

#include <zstd.h>

#include <cstring>
#include <memory>
#include <unordered_map>

namespace fog::segments {

namespace {

constexpr std::string_view kBlockMagic = "FLB1";

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

// Appends `raw` to the block as a section.
class SectionWriter {
 public:
  SectionWriter(std::string& out, std::size_t base, bool compress)
      : out_(out), base_(base), context_(compress ? ZSTD_createCCtx() : nullptr) {}

  Section add(std::string_view raw) {
    Section section;
    section.offset = out_.size() - base_;
    section.raw = raw.size();
    const std::size_t at = out_.size();
    if (raw.size() > 32 && context_ != nullptr) {
      out_.resize(at + ZSTD_compressBound(raw.size()));
      const std::size_t n = ZSTD_compressCCtx(context_.get(), out_.data() + at, out_.size() - at, raw.data(),
                                              raw.size(), kZstdLevel);
      out_.resize(ZSTD_isError(n) != 0 ? at : at + n);
    }
    const std::size_t packed = out_.size() - at;
    if (packed == 0 || packed + packed / 32 >= raw.size()) {
      out_.resize(at);
      out_.append(raw);
    }
    section.stored = out_.size() - at;
    section.crc = crc32c(std::string_view(out_).substr(at));
    return section;
  }
  Section add_plain(std::string_view raw) {
    Section section{out_.size() - base_, raw.size(), raw.size(), crc32c(raw)};
    out_.append(raw);
    return section;
  }

 private:
  std::string& out_;
  std::size_t base_;
  std::unique_ptr<ZSTD_CCtx, FreeContext> context_;
};

void write_section(const Section& section, std::string& out) {
  ByteWriter to(out);
  to.varint(section.offset);
  to.varint(section.stored);
  to.varint(section.raw);
  to.fixed(section.crc);
}

bool read_section(ByteReader& in, std::uint64_t block_size, Section& section) {
  section.offset = in.varint();
  section.stored = in.varint();
  section.raw = in.varint();
  section.crc = in.fixed<std::uint32_t>();
  return in.ok() && section.offset <= block_size && section.stored <= block_size - section.offset &&
         section.raw <= kSectionBytesLimit;
}

// One small code a row for stream, ingestion time, sequence number and field set.
struct Batches {
  std::vector<std::int64_t> stream;
  std::vector<std::int64_t> ingestion;
  std::vector<std::int64_t> first_sequence;
  std::vector<std::int64_t> field_set;
  std::vector<std::int64_t> codes;
};

Batches find_batches(std::span<const RowIn> rows, std::vector<LogStreamId>& streams) {
  Batches batches;
  batches.codes.reserve(rows.size());
  std::unordered_map<LogStreamId, std::int64_t> stream_index;
  std::unordered_map<LogSequence, std::int64_t> expecting;  // next sequence number -> batch
  std::vector<LogStreamId> batch_stream;
  std::int64_t used = 0;
  std::int64_t previous = -1;
  std::vector<LogSequence> next;
  const auto fits = [&](std::int64_t batch, const RowIn& row) {
    const auto b = static_cast<std::size_t>(batch);
    return next[b] == row.sequence && batch_stream[b] == row.stream && batches.ingestion[b] == row.ingestion &&
           batches.field_set[b] == static_cast<std::int64_t>(row.field_set);
  };
  for (const RowIn& row : rows) {
    std::int64_t code = used;
    if (previous >= 0 && fits(previous, row)) {
      code = previous;
    } else if (previous >= 0) {
      expecting[next[static_cast<std::size_t>(previous)]] = previous;
      if (const auto it = expecting.find(row.sequence); it != expecting.end()) {
        if (fits(it->second, row)) code = it->second;
        expecting.erase(it);
      }
    }
    if (code == used) {
      const auto [it, fresh] = stream_index.try_emplace(row.stream, static_cast<std::int64_t>(streams.size()));
      if (fresh) streams.push_back(row.stream);
      batches.stream.push_back(it->second);
      batches.ingestion.push_back(row.ingestion);
      batches.first_sequence.push_back(static_cast<std::int64_t>(row.sequence));
      batches.field_set.push_back(static_cast<std::int64_t>(row.field_set));
      batch_stream.push_back(row.stream);
      next.push_back(row.sequence);
    }
    batches.codes.push_back(used - code);
    if (code == used) ++used;
    next[static_cast<std::size_t>(code)] = row.sequence + 1;
    previous = code;
  }
  return batches;
}

// Each distinct field set that a row uses once, the empty one first; renumbers the rows.
std::vector<FieldSet> keep_used_field_sets(BlockInput& input) {
  std::vector<FieldSet> used(1);
  if (input.field_sets.size() <= 1) return used;
  std::map<FieldSet, std::uint32_t> numbers{{FieldSet{}, 0}};
  std::vector<std::int64_t> renamed(input.field_sets.size(), -1);
  for (RowIn& row : input.rows) {
    std::int64_t& number = renamed[row.field_set];
    if (number < 0) {
      const FieldSet& set = input.field_sets[row.field_set];
      const auto [it, fresh] = numbers.try_emplace(set, static_cast<std::uint32_t>(used.size()));
      if (fresh) used.push_back(set);
      number = it->second;
    }
    row.field_set = static_cast<std::uint32_t>(number);
  }
  return used;
}

}  // namespace

void BlockSummary::write(std::string& out) const {
  ByteWriter to(out);
  to.varint(offset);
  to.varint(size);
  to.varint(directory_size);
  to.varint(rows);
  to.zigzag(timestamp_min);
  to.zigzag(timestamp_max);
  to.varint(message_bytes);
  to.varint(sequence_min);
  to.varint(sequence_max);
}

bool BlockSummary::read(ByteReader& in, BlockSummary& summary) {
  summary.offset = in.varint();
  summary.size = in.varint();
  summary.directory_size = in.varint();
  summary.rows = in.varint();
  summary.timestamp_min = in.zigzag();
  summary.timestamp_max = in.zigzag();
  summary.message_bytes = in.varint();
  summary.sequence_min = in.varint();
  summary.sequence_max = in.varint();
  return in.ok() && summary.directory_size <= summary.size && summary.rows > 0 && summary.rows <= kBlockEventsLimit;
}

std::string encode_directory(const Directory& directory) {
  std::string out;
  ByteWriter to(out);
  to.varint(directory.rows);
  for (const Section* section : {&directory.templates, &directory.template_codes, &directory.timestamps,
                                 &directory.batches, &directory.batch_codes, &directory.filter})
    write_section(*section, out);
  to.varint(directory.streams.size());
  std::vector<std::int64_t> ids(directory.streams.begin(), directory.streams.end());
  encode_ints(ids, out);
  to.varint(directory.field_sets.size());
  for (const FieldSet& set : directory.field_sets) {
    to.varint(set.size());
    for (const auto& [name, value] : set) {
      to.text(name);
      to.text(value);
    }
  }
  to.varint(directory.columns.size());
  for (const ColumnEntry& column : directory.columns) {
    to.fixed(static_cast<std::uint8_t>(column.name.kind));
    to.text(column.name.name);
    to.fixed(static_cast<std::uint8_t>(column.encoding));
    to.fixed(static_cast<std::uint8_t>((column.escaped ? 1 : 0) | (column.numeric ? 2 : 0)));
    if (column.numeric) {
      to.fixed(column.min);
      to.fixed(column.max);
    }
    to.varint(column.present);
    write_section(column.section, out);
  }
  to.fixed(crc32c(out));
  to.raw(kBlockMagic);
  return out;
}

Result<Directory> decode_directory(std::string_view bytes, std::uint64_t block_size) {
  const auto damaged = [] { return Error::corrupt("log block: damaged directory"); };
  if (bytes.size() < 8 || bytes.substr(bytes.size() - 4) != kBlockMagic) return damaged();
  const std::string_view body = bytes.substr(0, bytes.size() - 8);
  std::uint32_t crc = 0;
  std::memcpy(&crc, bytes.data() + body.size(), 4);
  if (crc != crc32c(body)) return damaged();
  Directory directory;
  ByteReader in(body);
  directory.rows = in.varint();
  if (directory.rows == 0 || directory.rows > kBlockEventsLimit) return damaged();
  for (Section* section : {&directory.templates, &directory.template_codes, &directory.timestamps,
                           &directory.batches, &directory.batch_codes, &directory.filter})
    if (!read_section(in, block_size, *section)) return damaged();
  const std::uint64_t streams = in.varint();
  std::vector<std::int64_t> ids;
  if (streams > directory.rows || !decode_ints(in, static_cast<std::size_t>(streams), ids)) return damaged();
  directory.streams.assign(ids.begin(), ids.end());
  const std::uint64_t sets = in.varint();
  if (sets > directory.rows + 1) return damaged();
  for (std::uint64_t i = 0; i < sets && in.ok(); ++i) {
    FieldSet set;
    const std::uint64_t pairs = in.varint();
    for (std::uint64_t k = 0; k < pairs && in.ok(); ++k) {
      std::string name(in.text());
      set.emplace_back(std::move(name), in.text());
    }
    directory.field_sets.push_back(std::move(set));
  }
  const std::uint64_t columns = in.varint();
  for (std::uint64_t i = 0; i < columns && in.ok(); ++i) {
    ColumnEntry column;
    const auto kind = in.fixed<std::uint8_t>();
    column.name.name = in.text();
    const auto encoding = in.fixed<std::uint8_t>();
    const auto flags = in.fixed<std::uint8_t>();
    if (kind >= kHoleKinds || encoding > static_cast<std::uint8_t>(Encoding::kText)) return damaged();
    column.name.kind = static_cast<HoleKind>(kind);
    column.encoding = static_cast<Encoding>(encoding);
    column.escaped = (flags & 1) != 0;
    column.numeric = (flags & 2) != 0;
    if (column.numeric) {
      column.min = in.fixed<double>();
      column.max = in.fixed<double>();
    }
    column.present = in.varint();
    if (!read_section(in, block_size, column.section) || column.present > directory.rows) return damaged();
    directory.columns.push_back(std::move(column));
  }
  if (!in.ok() || !in.at_end()) return damaged();
  return directory;
}

Result<std::string> open_section(const Section& section, std::string_view stored) {
  if (stored.size() != section.stored || crc32c(stored) != section.crc)
    return Error::corrupt("log block: damaged section");
  if (section.stored == section.raw) return std::string(stored);
  thread_local const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  std::string raw(section.raw, '\0');
  const std::size_t n = ZSTD_decompressDCtx(context.get(), raw.data(), raw.size(), stored.data(), stored.size());
  if (ZSTD_isError(n) != 0 || n != section.raw) return Error::corrupt("log block: damaged section");
  return raw;
}

// The beginning of a message that is needed soon.
static void fetch(std::string_view message) {
  constexpr std::size_t kLine = 64;
  constexpr std::size_t kBytesMax = 8 * kLine;
  for (std::size_t at = 0; at < std::min(message.size(), kBytesMax); at += kLine) __builtin_prefetch(message.data() + at);
}

void sort_rows(std::vector<RowIn>& rows) {
  const auto before = [](const RowIn& a, const RowIn& b) {
    return a.timestamp != b.timestamp ? a.timestamp < b.timestamp : a.sequence < b.sequence;
  };
  if (!std::is_sorted(rows.begin(), rows.end(), before)) std::sort(rows.begin(), rows.end(), before);
}

BlockSummary write_block(BlockInput& input, const Shaper::Admit& admit, std::string& out, BlockUse use) {
  std::vector<RowIn>& rows = input.rows;
  FOG_ASSERT(!rows.empty() && rows.size() <= kBlockEventsLimit, "a block has rows");
  sort_rows(rows);
  const bool is_stored = use == BlockUse::kStored;
  const std::size_t base = out.size();
  SectionWriter sections(out, base, is_stored);
  Directory directory;
  directory.rows = rows.size();
  directory.field_sets = keep_used_field_sets(input);

  BlockSummary summary;
  summary.offset = base;
  summary.rows = rows.size();
  summary.timestamp_min = rows.front().timestamp;
  summary.timestamp_max = rows.back().timestamp;
  summary.sequence_min = rows.front().sequence;
  summary.sequence_max = rows.front().sequence;

  Shaper shaper(admit);
  std::vector<std::int64_t> template_codes;
  template_codes.reserve(rows.size());
  std::vector<std::vector<std::string_view>> values;
  std::vector<std::int64_t> times;
  times.reserve(rows.size());
  for (std::size_t r = 0; r < rows.size(); ++r) {
    if (r + 2 < rows.size()) fetch(rows[r + 2].message);
    const RowIn& row = rows[r];
    const std::uint32_t id = shaper.shape(row.message);
    template_codes.push_back(id);
    times.push_back(row.timestamp);
    const std::vector<std::uint32_t>& holes = shaper.templates()[id].columns;
    if (values.size() < shaper.columns().size()) values.resize(shaper.columns().size());
    for (std::size_t i = 0; i < holes.size(); ++i) values[holes[i]].push_back(shaper.values()[i]);
    summary.message_bytes += row.message.size();
    summary.sequence_min = std::min(summary.sequence_min, row.sequence);
    summary.sequence_max = std::max(summary.sequence_max, row.sequence);
  }

  // About nine words a line; room for them at once is cheaper than growing.
  TokenSet token_set(is_stored ? rows.size() * 9 : 0);
  TokenSet* const tokens = is_stored ? &token_set : nullptr;
  const auto add_tokens = [&](std::string_view text) {
    if (tokens != nullptr) tokens->add_text(text);
  };
  std::string raw;
  const auto add_ints = [&](std::span<const std::int64_t> ints) {
    raw.clear();
    encode_ints(ints, raw);
    return sections.add(raw);
  };

  ByteWriter to(raw);
  to.varint(shaper.templates().size());
  for (const Template& shape : shaper.templates()) {
    to.varint(shape.columns.size());
    to.text(shape.literals[0]);
    add_tokens(shape.literals[0]);
    for (std::size_t i = 0; i < shape.columns.size(); ++i) {
      to.varint(shape.columns[i]);
      to.text(shape.literals[i + 1]);
      add_tokens(shape.literals[i + 1]);
    }
  }
  directory.templates = sections.add(raw);
  directory.template_codes = add_ints(template_codes);
  directory.timestamps = add_ints(times);

  const Batches batches = find_batches(rows, directory.streams);
  raw.clear();
  to.varint(batches.stream.size());
  encode_ints(batches.stream, raw);
  encode_ints(batches.ingestion, raw);
  encode_ints(batches.first_sequence, raw);
  encode_ints(batches.field_set, raw);
  directory.batches = sections.add(raw);
  directory.batch_codes = add_ints(batches.codes);

  for (std::uint32_t c = 0; c < values.size(); ++c) {
    ColumnEntry entry;
    entry.name = shaper.columns()[c];
    entry.present = values[c].size();
    if (entry.present > 0) {
      const RowTimes row_times = [&] {
        if (values[c].size() == rows.size()) return times;
        std::vector<char> has(shaper.templates().size());
        for (std::size_t t = 0; t < has.size(); ++t)
          for (const std::uint32_t column : shaper.templates()[t].columns)
            if (column == c) has[t] = 1;
        std::vector<std::int64_t> some;
        some.reserve(values[c].size());
        for (std::size_t row = 0; row < rows.size(); ++row)
          if (has[static_cast<std::size_t>(template_codes[row])] != 0) some.push_back(times[row]);
        return some;
      };
      EncodedColumn column =
          encode_column(values[c], row_times, entry.name.kind == HoleKind::kString, tokens);
      entry.encoding = column.encoding;
      entry.escaped = column.escaped;
      entry.numeric = column.numeric && entry.name.kind != HoleKind::kHidden;
      const double unit = entry.name.kind == HoleKind::kMega ? 1e6 : 1;
      entry.min = column.min * unit;
      entry.max = column.max * unit;
      entry.section = sections.add(column.bytes);
    } else {
      entry.section = sections.add_plain({});
    }
    directory.columns.push_back(std::move(entry));
  }
  directory.filter = sections.add_plain(is_stored ? token_set.encode() : std::string());

  const std::string encoded = encode_directory(directory);
  out.append(encoded);
  summary.directory_size = encoded.size();
  summary.size = out.size() - base;
  return summary;
}

}  // namespace fog::segments
