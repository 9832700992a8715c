#include "api/logs/shown_block.h"

#include <algorithm>

#include "query/insights/scan.h"
#include "storage/base/guarded.h"
#include "storage/base/hash.h"
#include "storage/segments/block_reader.h"

namespace fog::logs {
namespace {

constexpr std::string_view kEntityPrefix = "@entity.";
constexpr std::size_t kViewBytesMax = 128u << 20;

// What was made of blocks, so that the next query over them need not transform again. An entry holds
// for one set of rules and one set of events.
class ViewCache {
 public:
  struct Key {
    const GroupRules* rules = nullptr;
    LogGroupId group = 0;
    std::uint64_t events = 0;  // hash of their sequence numbers
    bool masked = false;
    auto operator<=>(const Key&) const = default;
  };
  std::shared_ptr<const segments::StoredBlock> find(const Key& key, const GroupRulesPtr& rules) const {
    const auto state = state_.lock_shared();
    const auto it = state->entries.find(key);
    return it == state->entries.end() || it->second.rules.lock() != rules ? nullptr : it->second.block;
  }
  void add(const Key& key, const GroupRulesPtr& rules, std::shared_ptr<const segments::StoredBlock> block, std::size_t bytes) {
    const auto state = state_.lock();
    if (state->bytes + bytes > kViewBytesMax) {
      state->entries.clear();
      state->bytes = 0;
    }
    if (bytes > kViewBytesMax) return;
    state->entries[key] = {rules, std::move(block)};
    state->bytes += bytes;
  }

 private:
  struct Entry {
    std::weak_ptr<const GroupRules> rules;
    std::shared_ptr<const segments::StoredBlock> block;
  };
  struct State {
    std::map<Key, Entry> entries;
    std::size_t bytes = 0;
  };
  Guarded<State> state_;
};

ViewCache& views() {
  static ViewCache cache;
  return cache;
}

bool is_batch_field(std::string_view name) { return name.starts_with(kEntityPrefix); }

// Masks hide text and transformers change fields: which predicates still exclude rows for certain.
bool holds(const LogPredicate& predicate, bool masks, bool transforms) {
  if (predicate.what == LogPredicate::What::kMessageContains) return !masks || predicate.text.find('*') == std::string::npos;
  if (is_batch_field(predicate.field)) return true;
  if (transforms || predicate.field.starts_with(insights::kUnmaskedPrefix)) return false;
  return !masks || predicate.text.find('*') == std::string::npos;
}

class ShownBlock final : public LogBlock {
 public:
  ShownBlock(std::unique_ptr<LogBlock> inner, GroupPtr group, GroupRulesPtr rules)
      : inner_(std::move(inner)), group_(std::move(group)), rules_(std::move(rules)) {}

  LogGroupId group() const override { return inner_->group(); }
  std::size_t rows() const override { return inner_->rows(); }
  std::int64_t timestamp_min_ms() const override { return inner_->timestamp_min_ms(); }
  std::int64_t timestamp_max_ms() const override { return inner_->timestamp_max_ms(); }
  std::uint64_t message_bytes() const override { return inner_->message_bytes(); }
  bool may_contain(const LogPredicate& predicate) override {
    return !holds(predicate, rules_->has_masks(), rules_->has_transformers()) || inner_->may_contain(predicate);
  }
  std::vector<Field> fields() override {
    const Result<LogBlock*> made = view();
    if (!made.ok()) return {};
    std::vector<Field> all = (*made)->fields();
    for (const Field& field : inner_->fields())
      if (is_batch_field(field.name)) all.push_back(field);
    return all;
  }
  Result<RowSet> rows_visible() override { return inner_->rows_visible(); }
  Status narrow(const LogPredicate& predicate, RowSet& rows) override {
    if (!holds(predicate, rules_->has_masks(), rules_->has_transformers())) return Ok{};
    return inner_->narrow(predicate, rows);
  }
  Result<std::span<const std::int64_t>> timestamps_ms() override { return inner_->timestamps_ms(); }
  Result<std::span<const std::int64_t>> ingestion_times_ms() override { return inner_->ingestion_times_ms(); }
  Result<std::span<const LogSequence>> sequences() override { return inner_->sequences(); }
  Result<std::span<const std::uint32_t>> stream_codes() override { return inner_->stream_codes(); }
  Result<std::span<const LogStreamId>> stream_ids() override { return inner_->stream_ids(); }

  Result<std::shared_ptr<const LogColumn>> column(std::string_view field) override {
    if (is_batch_field(field)) return inner_->column(field);
    if (field.starts_with(insights::kUnmaskedPrefix)) {
      field.remove_prefix(insights::kUnmaskedPrefix.size());
      if (!rules_->has_masks()) return std::shared_ptr<const LogColumn>();  // the field itself will do
      if (field == "@message") return inner_->messages(RowSet(rows(), true));
      TRY(LogBlock* const plain, unmasked_view());
      return plain->column(field);
    }
    TRY(LogBlock* const made, view());
    return made->column(field);
  }
  Status append_message(std::size_t row, std::string& out) override {
    std::string text;
    TRYV(inner_->append_message(row, text));
    if (rules_->has_masks()) {
      TRY(const auto ingestions, inner_->ingestion_times_ms());
      TRY(const auto ordinals, inner_->sequences());
      rules_->mask(ingestions[row], ordinals[row], text);
    }
    out += text;
    return Ok{};
  }
  Result<std::shared_ptr<const LogColumn>> messages(const RowSet& rows) override {
    TRY(std::shared_ptr<const LogColumn> plain, inner_->messages(rows));
    if (!rules_->has_masks()) return plain;
    TRY(const auto ingestions, inner_->ingestion_times_ms());
    TRY(const auto ordinals, inner_->sequences());
    auto masked = std::make_shared<LogColumn>();
    masked->type = LogColumnType::kText;
    masked->rows = plain->rows;
    masked->present = plain->present;
    masked->all_present = plain->all_present;
    masked->offsets.push_back(0);
    std::string text;
    for (std::size_t row = 0; row < plain->rows; ++row) {
      if (plain->has(row)) {
        text.clear();
        plain->append_text(row, text);
        rules_->mask(ingestions[row], ordinals[row], text);
        masked->bytes += text;
      }
      masked->offsets.push_back(static_cast<std::uint32_t>(masked->bytes.size()));
    }
    return std::shared_ptr<const LogColumn>(std::move(masked));
  }

 private:
  // The events as they are shown, in a block of their own; its columns are those of any block.
  Result<LogBlock*> view() {
    if (view_ == nullptr) {
      TRY(view_, build(true));
    }
    return view_.get();
  }
  Result<LogBlock*> unmasked_view() {
    if (!rules_->has_transformers()) return inner_.get();
    if (unmasked_ == nullptr) {
      TRY(unmasked_, build(false));
    }
    return unmasked_.get();
  }

  Result<std::unique_ptr<LogBlock>> build(bool masked) {
    TRY(const auto times, inner_->timestamps_ms());
    TRY(const auto ingestions, inner_->ingestion_times_ms());
    TRY(const auto ordinals, inner_->sequences());
    TRY(const auto codes, inner_->stream_codes());
    TRY(const auto ids, inner_->stream_ids());
    const std::string_view ordinal_bytes(reinterpret_cast<const char*>(ordinals.data()), ordinals.size_bytes());
    const ViewCache::Key key{rules_.get(), inner_->group(), hash64(ordinal_bytes), masked};
    segments::ReadScope scope;
    scope.group = inner_->group();
    if (auto made = views().find(key, rules_)) return segments::make_block_reader(std::move(made), std::move(scope), {});
    std::vector<std::string> names;
    for (const LogStreamId id : ids) names.push_back(group_->stream_name(id));
    std::vector<std::string> texts(rows());
    segments::BlockInput input;
    input.rows.reserve(rows());
    for (std::size_t row = 0; row < rows(); ++row) {
      TRYV(inner_->append_message(row, texts[row]));
      if (auto made = rules_->transform(ingestions[row], ordinals[row], texts[row], names[codes[row]])) texts[row] = std::move(*made);
      if (masked) rules_->mask_fields(ingestions[row], ordinals[row], texts[row]);
      input.rows.push_back({times[row], ordinals[row], ingestions[row], ids[codes[row]], 0, texts[row]});
    }
    auto bytes = std::make_shared<std::string>();
    const segments::BlockSummary summary = segments::write_block(input, [](std::string_view) { return true; }, *bytes);
    const std::size_t size = bytes->size();
    auto source = std::make_shared<segments::MemorySource>(std::move(bytes));
    auto stored = std::make_shared<const segments::StoredBlock>(summary, std::move(source));
    views().add(key, rules_, stored, size);
    return segments::make_block_reader(std::move(stored), std::move(scope), {});
  }

  std::unique_ptr<LogBlock> inner_;
  const GroupPtr group_;
  const GroupRulesPtr rules_;
  std::unique_ptr<LogBlock> view_;      // masked, transformed
  std::unique_ptr<LogBlock> unmasked_;  // transformed only
};

}  // namespace

std::unique_ptr<LogBlock> shown(std::unique_ptr<LogBlock> block, GroupPtr group, GroupRulesPtr rules) {
  if (rules == nullptr) return block;
  const auto ingestions = block->ingestion_times_ms();
  const auto ordinals = block->sequences();
  if (ingestions.ok() && ordinals.ok()) {
    bool concerned = false;
    for (std::size_t row = 0; row < ordinals->size() && !concerned; ++row)
      concerned = rules->concerns((*ingestions)[row], (*ordinals)[row]);
    if (!concerned) return block;
  }
  return std::make_unique<ShownBlock>(std::move(block), std::move(group), std::move(rules));
}

std::vector<std::vector<LogPredicate>> shown_where(const GroupRules& rules, std::vector<std::vector<LogPredicate>> where) {
  std::erase_if(where, [&](const std::vector<LogPredicate>& clause) {
    return !std::all_of(clause.begin(), clause.end(),
                        [&](const LogPredicate& p) { return holds(p, rules.has_masks(), rules.has_transformers()); });
  });
  return where;
}

}  // namespace fog::logs
