// Which blocks a query has to look at: by streams, ranges of numbers and token filters.
//
// What is needed of a block (its directory, then a page or two of its filter) lies in small pieces all over the
// files. Read one after another from a disk, each waits for its turn; so all blocks are asked first for what
// they can tell at once, which sets their reads going, and only then waited for.
#include "storage/segments/block_reader_impl.h"
#include "storage/segments/token_filter.h"

namespace fog::segments {

// False: not in memory, and not to be waited for. True with a null directory: it is damaged.
bool BlockReader::has_directory(Wait wait) {
  if (directory_ != nullptr) return true;
  if (wait == Wait::kNever) {
    directory_ = block_->directory_now();
    if (directory_ == nullptr) return false;
    physical_.resize(directory_->columns.size());
    return true;
  }
  (void)noted(load_directory()).ok();
  return true;
}

std::optional<bool> BlockReader::may_contain(const LogPredicate& predicate, Wait wait) {
  using What = LogPredicate::What;
  if (!has_directory(wait)) return std::nullopt;
  if (directory_ == nullptr) return true;  // the damage will be met again when it is read
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
  bool on_its_way = false;
  const auto read = [&](std::size_t from, std::size_t size) -> Result<std::string> {
    if (wait == Wait::kForAll) return block_->read(directory_->filter, from, size);
    if (auto bytes = block_->read_now(directory_->filter, from, size)) return *std::move(bytes);
    on_its_way = true;
    return Error::busy("not in memory");
  };
  const bool perhaps = filter_may_contain(static_cast<std::size_t>(directory_->filter.stored), tokens, read);
  if (on_its_way) return std::nullopt;
  return perhaps;
}

// Nothing: cannot be told without waiting.
std::optional<BlockChoice> BlockReader::may_satisfy(const LogConditions& where, Wait wait) {
  if (scope_.streams != nullptr) {
    if (!has_directory(wait)) return std::nullopt;
    if (directory_ != nullptr && std::none_of(directory_->streams.begin(), directory_->streams.end(),
                                              [this](LogStreamId id) { return scope_.streams->contains(id); }))
      return BlockChoice::kOtherStreams;
  }
  bool known = true;
  for (const auto& clause : where) {
    bool holds = false;
    bool clause_known = true;
    for (const LogPredicate& predicate : clause) {
      const std::optional<bool> one = may_contain(predicate, wait);
      holds = one.value_or(false);
      if (holds) break;
      clause_known = clause_known && one.has_value();
    }
    if (holds) continue;
    if (clause_known) return BlockChoice::kNothing;
    known = false;
  }
  return known ? std::optional(BlockChoice::kLook) : std::nullopt;
}

std::vector<BlockChoice> choose_blocks(std::span<const std::unique_ptr<LogBlock>> blocks, const LogConditions& where) {
  std::vector<BlockChoice> chosen(blocks.size(), BlockChoice::kLook);
  std::vector<std::size_t> open(blocks.size());
  for (std::size_t i = 0; i < open.size(); ++i) open[i] = i;
  for (const Wait wait : {Wait::kNever, Wait::kForDirectory, Wait::kForAll})
    std::erase_if(open, [&](std::size_t i) {
      const std::optional<BlockChoice> answer = static_cast<BlockReader&>(*blocks[i]).may_satisfy(where, wait);
      chosen[i] = answer.value_or(BlockChoice::kLook);
      return answer.has_value();
    });
  return chosen;
}

}  // namespace fog::segments
