// Searching a block without putting messages together: which rows may satisfy a predicate. Most is decided by dictionaries, templates and the looks of columns.
#include "storage/base/find_text.h"
#include "storage/segments/block_reader_impl.h"
#include "storage/segments/point_read.h"

// The loops over columns are worth vector instructions, which -O2 of GCC 12 uses for the simplest only.
#pragma GCC optimize("tree-vectorize", "vect-cost-model=dynamic")

namespace fog::segments {

namespace {

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

}  // namespace

// Most columns do not hold it at all, which a look at them shows without taking their bytes apart.
Result<bool> BlockReader::column_may_hold(std::uint32_t index, std::string_view needle) {
  const ColumnEntry& entry = directory_->columns[index];
  const auto n = static_cast<std::size_t>(entry.present);
  const auto known = cached<ColumnLook>(PieceKind::kLook, index);
  if (known != nullptr && !known->may_hold(needle)) return false;
  TRY(const SectionBytes bytes, raw_of(index));
  if (scope_.cache != nullptr && known == nullptr)
    if (std::optional<ColumnLook> look = look_at(entry.encoding, *bytes, n)) {
      const std::size_t size = sizeof(ColumnLook) + look->mask.size();
      keep(PieceKind::kLook, index, std::make_shared<const ColumnLook>(std::move(*look)), size);
    }
  return column_may_contain(entry.encoding, *bytes, n, needle);
}

// Ids of one shape are compared as they are packed. False: another kind of column, or a text of another
// length than its values.
Result<bool> BlockReader::find_whole(std::uint32_t index, std::string_view text, RowSet& hits) {
  const ColumnEntry& entry = directory_->columns[index];
  if (entry.encoding != Encoding::kText) return false;
  TRY(const SectionBytes bytes, raw_of(index));
  std::vector<std::size_t> ranks;
  if (!find_packed(entry.encoding, *bytes, static_cast<std::size_t>(entry.present), text, ranks)) return false;
  if (ranks.empty()) return true;
  std::size_t rank = 0;
  std::size_t next = 0;
  rows_with(index)->visit([&](std::size_t row) {
    if (next < ranks.size() && rank++ == ranks[next]) {
      hits.set(row);
      ++next;
    }
  });
  return true;
}

// The one text column whose values are those of a field as they stand.
std::optional<std::uint32_t> BlockReader::only_column(std::string_view field) const {
  std::optional<std::uint32_t> only;
  for (std::uint32_t i = 0; i < directory_->columns.size(); ++i) {
    const ColumnEntry& entry = directory_->columns[i];
    if (entry.name.kind == HoleKind::kHidden || entry.name.name != field) continue;
    const bool plain = entry.encoding == Encoding::kText && !entry.escaped &&
                       (entry.name.kind == HoleKind::kString || entry.name.kind == HoleKind::kPlain);
    if (only || !plain) return std::nullopt;
    only = i;
  }
  return only;
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
    TRY(const bool perhaps, column_may_hold(index, needle));
    if (!perhaps) return std::shared_ptr<const RowSet>(result);
    TRY(const bool found, find_whole(index, needle, *result));
    if (found) return std::shared_ptr<const RowSet>(result);
  }
  TRY(const std::shared_ptr<const PhysicalColumn> raw, physical(index));
  const LogColumn& column = raw->column;
  if (column.type == LogColumnType::kDictionary) {
    std::vector<std::uint8_t> hit(column.dictionary.size());
    bool any = false;
    for (std::size_t i = 0; i < hit.size(); ++i) {
      hit[i] = find_text(column.dictionary[i], needle, 0) != std::string_view::npos ? 1 : 0;
      any = any || hit[i] != 0;
    }
    if (!any) return std::shared_ptr<const RowSet>(result);
    mark_rows(column.codes8, hit, *result);
    mark_rows(column.codes16, hit, *result);
    mark_rows(column.codes32, hit, *result);
    *result &= column.present;
  } else if (column.type == LogColumnType::kText) {
    const std::string_view bytes = column.bytes;
    std::size_t row = 0;
    for (std::size_t at = find_text(bytes, needle, 0); at != std::string_view::npos;) {
      // The row that holds byte `at`; hits come in ascending order.
      row = static_cast<std::size_t>(
          std::upper_bound(column.offsets.begin() + static_cast<std::ptrdiff_t>(row), column.offsets.end(), at) -
          column.offsets.begin() - 1);
      if (at + needle.size() <= column.offsets[row + 1]) {
        result->set(row);
        at = find_text(bytes, needle, column.offsets[row + 1]);
      } else {
        at = find_text(bytes, needle, at + 1);
      }
    }
  } else {
    std::string text;
    column.present.visit([&](std::size_t row) {
      text.clear();
      raw->append(row, text);
      if (find_text(text, needle, 0) != std::string_view::npos) result->set(row);
    });
  }
  return std::shared_ptr<const RowSet>(result);
}

// Keeps, of the rows whose template is in scope, those that hold the needle in one value or in the
// template. Rows of other templates stay.
Status BlockReader::narrow_needle(std::string_view needle, const std::vector<char>& scope, RowSet& keep) {
  const bool all_rows = keep.all();
  std::vector<char> used(templates_->shapes.size(), all_rows ? 1 : 0);
  if (!all_rows) keep.visit([&](std::size_t row) { used[templates_->of(row)] = 1; });
  std::vector<std::uint8_t> stays(templates_->shapes.size());  // every row of the template
  std::map<std::uint32_t, std::shared_ptr<const RowSet>> found;
  for (std::size_t t = 0; t < templates_->shapes.size(); ++t) {
    if (used[t] == 0) continue;
    const Template& shape = templates_->shapes[t];
    bool all = scope[t] == 0;
    for (std::size_t i = 0; i < shape.literals.size() && !all; ++i)
      all = find_text(shape.literals[i], needle, 0) != std::string_view::npos;
    if (all) {
      stays[t] = 1;
      continue;
    }
    for (const std::uint32_t column : shape.columns) {
      auto& hits = found[column];
      if (hits == nullptr) {
        TRY(hits, containing(column, needle));
      }
    }
  }
  // A row holds values only of columns in its own template, so hits of all columns may be joined.
  RowSet result(rows(), false);
  if (std::find(stays.begin(), stays.end(), 1) != stays.end()) result = templates_->rows_of(stays);
  for (const auto& entry : found) result |= *entry.second;
  keep &= result;
  return Ok{};
}

Result<bool> BlockReader::narrow_message(std::string_view literal, RowSet& keep) {
  if (literal.empty()) return true;
  TRYV(load_templates());
  const std::vector<Template>& shapes = templates_->shapes;
  // Where the literal cannot lie across the edge of a hole it lies in one value or in the template.
  // Elsewhere each of its words does.
  std::vector<char> whole(shapes.size());
  std::vector<char> across(shapes.size());
  bool any_whole = false;
  bool any_across = false;
  for (std::size_t t = 0; t < shapes.size(); ++t) {
    const Template& shape = shapes[t];
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
  if (!any_across) return true;
  for (const std::string_view word : longest_words(literal)) TRYV(narrow_needle(word, across, keep));
  bool exact = true;
  keep.visit([&](std::size_t row) { exact = exact && whole[templates_->of(row)] != 0; });
  return exact;
}

Status BlockReader::narrow_rows(const LogPredicate& predicate, RowSet& keep) {
  using What = LogPredicate::What;
  if (predicate.what == What::kMessageContains) {
    TRY([[maybe_unused]] const bool exact, narrow_message(predicate.text, keep));
    return Ok{};
  }
  double number = 0;
  if (predicate.what == What::kFieldEquals && !numeric_view(predicate.text, number)) {
    TRYV(load_templates());
    if (const auto index = only_column(predicate.field); index && physical_[*index] == nullptr) {
      RowSet hits(rows(), false);
      TRY(const bool found, find_whole(*index, predicate.text, hits));
      if (found) {
        keep &= hits;
        return Ok{};
      }
    }
  }
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
      case What::kFieldContains: return find_text(text, predicate.text, 0) != std::string_view::npos;
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
      mark_rows(column->codes8, hit, result);
      mark_rows(column->codes16, hit, result);
      mark_rows(column->codes32, hit, result);
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

}  // namespace fog::segments
