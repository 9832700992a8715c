#include "query/insights/best_rows.h"

#include "query/insights/aggregate.h"
#include "query/insights/query_body.h"

namespace fog::insights {

namespace {

// Loaded columns of blocks that hold candidates; beyond it they are dropped and loaded again at the end.
constexpr std::size_t kKeepBytesMax = 64u << 20;
// A query that has to look at so many events before it ends shows at once what the newest few would give.
constexpr std::size_t kPreviewEvents = 65'536;
constexpr std::size_t kPreviewRows = 1'024;  // of a block
constexpr std::chrono::milliseconds kPreviewTimeMax{50};

// Copies columns of chosen rows into a batch of rows in memory.
BatchPtr materialise(Run& run, std::vector<Candidate*>& rows, const std::set<int>& slots, std::size_t from) {
  auto result = std::make_shared<Batch>(run, rows.size(), static_cast<int>(from));
  Arena& arena = result->arena();
  std::vector<std::pair<int, Value*>> columns;
  for (int slot : slots) columns.emplace_back(slot, arena.array<Value>(rows.size()));
  auto* times = arena.array<std::int64_t>(rows.size());
  auto* sequences = arena.array<std::uint64_t>(rows.size());
  std::map<Batch*, std::vector<std::size_t>> by_batch;
  for (std::size_t k = 0; k < rows.size(); ++k) {
    by_batch[rows[k]->batch.get()].push_back(k);
    times[k] = rows[k]->time;
    sequences[k] = rows[k]->sequence;
  }
  for (auto& [batch, wanted] : by_batch) {
    // Only these rows matter from here on; earlier columns were computed for more of them.
    std::vector<std::uint32_t> selected;
    for (std::size_t k : wanted) selected.push_back(rows[k]->row);
    batch->sel = std::move(selected);
    for (auto& [slot, values] : columns) {
      const Vec& vec = batch->column(slot);
      for (std::size_t k : wanted) new (values + k) Value(copy(vec.get(rows[k]->row, batch->arena()), arena));
    }
    // Columns of these rows only must not serve anyone else.
    if (batch->releasable()) batch->release();
    if (run.stop()) {
      for (auto& [slot, values] : columns)
        for (std::size_t k = 0; k < rows.size(); ++k) new (values + k) Value();
      break;
    }
  }
  for (auto& [slot, values] : columns) result->set_values(slot, values);
  result->set_order(times, sequences);
  return result;
}

}  // namespace

BestRows::BestRows(Run& run, BlockStage& stage, const SortCommand* sort, std::int64_t k, std::set<int> slots,
                   std::size_t from, bool show_partial)
    : run_(run), stage_(stage), sort_(sort), k_(k), slots_(std::move(slots)), from_(from), partial_(show_partial),
      arena_(&run.memory) {
if (sort_ && !sort_->keys().empty()) {
    // @timestamp as the first key follows the order of blocks.
    const Node& first = *sort_->keys()[0].node;
    const auto& program = run.program;
    if (first.kind == NodeKind::kSlot) {
      const Slot& slot = program.slots[static_cast<std::size_t>(first.slot)];
      if (slot.kind == Slot::Kind::kField && slot.name == "@timestamp")
        time_order_ = sort_->keys()[0].descending ? -1 : 1;
    }
  } else {
    time_order_ = -1;
  }
}

Result<BatchPtr> BestRows::collect() {
  TRY(auto blocks, stage_.open(time_order_ <= 0));
  started_ = last_partial_ = Steady::now();
  preview(blocks);
  stage_.each(blocks, [this](LogBlock& block) { return beyond(block); },
              [this](std::size_t k, BatchPtr batch) {
                if (batch) add(k, std::move(batch));
              });
  TRYV(run_.status());
  std::vector<Candidate*> rows = in_order();
  BatchPtr result = materialise(run_, rows, slots_, from_);
  TRYV(run_.status());
  return result;
}

std::vector<Candidate*> BestRows::in_order() {
  std::vector<Candidate*> rows;
  for (Candidate& c : best_) rows.push_back(&c);
  std::sort(rows.begin(), rows.end(), [this](const Candidate* a, const Candidate* b) { return before(*a, *b); });
  return rows;
}

bool BestRows::before(const Candidate& a, const Candidate& b) const {
  for (std::size_t k = 0; k < a.keys.size(); ++k) {
    int c = sort_compare(a.keys[k], b.keys[k]);
    if (c != 0) return sort_->keys()[k].descending ? c > 0 : c < 0;
  }
  if (a.time != b.time) return a.time > b.time;
  if (a.sequence != b.sequence) return a.sequence > b.sequence;
  if (a.block != b.block) return a.block < b.block;
  return a.position < b.position;
}

// Nothing in the block can be among the best.
bool BestRows::beyond(LogBlock& block) {
  if (time_order_ == 0 || k_ == 0) return k_ == 0;
  std::scoped_lock lock(mutex_);
  if (!full()) return false;
  return time_order_ < 0 ? block.timestamp_max_ms() < best_.front().time
                         : block.timestamp_min_ms() > best_.front().time;
}

// Only where every block has to be looked at: otherwise the answer itself comes as soon.
void BestRows::preview(std::vector<std::unique_ptr<LogBlock>>& blocks) {
  if (!partial_ || !run_.options.partial || time_order_ != 0 || !bounded()) return;
  std::size_t events = 0;
  for (const auto& block : blocks) events += block->rows();
  if (events < kPreviewEvents) return;
  for (const auto& block : blocks) {
    if (run_.stop() || Steady::now() - started_ > kPreviewTimeMax) return;
    BatchPtr batch = stage_.preview(*block, kPreviewRows);
    if (!batch) continue;
    if (!batch->releasable()) return;
    add(0, std::move(batch));
    std::vector<Candidate*> rows = in_order();
    if (!rows.empty()) run_.options.partial(make_table(run_, *materialise(run_, rows, slots_, from_)));
    best_.clear();
    kept_bytes_ = 0;
    fresh_ = false;
    return;
  }
}

void BestRows::add(std::size_t block, BatchPtr batch) {
  std::size_t width = sort_ ? sort_->keys().size() : 0;
  std::vector<Vec> columns;
  for (std::size_t k = 0; k < width; ++k) columns.push_back(batch->eval(*sort_->keys()[k].node));
  const std::int64_t* times = batch->times();
  const std::uint64_t* sequences = batch->sequences();
  if (block_damaged || run_.stop()) return;
  // Rows worse than the worst of a full house need no closer look.
  std::optional<Candidate> bound;
  {
    std::scoped_lock lock(mutex_);
    if (full() && !best_.empty()) bound = best_.front();
  }
  std::vector<Candidate> local;
  // Newest-first rows of one batch are in order: the first k are its best.
  std::size_t rows = batch->sel.size();
  if (width == 0 && bounded()) rows = std::min(rows, static_cast<std::size_t>(k_));
  auto order = [this](const Candidate& a, const Candidate& b) { return before(a, b); };
  Candidate c;
  c.block = block;
  for (std::size_t p = 0; p < rows; ++p) {
    std::uint32_t row = batch->sel[p];
    c.row = row;
    c.position = p;
    c.time = times ? times[row] : 0;
    c.sequence = sequences ? sequences[row] : 0;
    c.keys.clear();
    for (const Vec& vec : columns) c.keys.push_back(sort_key(vec, row, batch->arena()));
    if (bound && !before(c, *bound)) continue;
    if (width > 0 && bounded()) {
      // A heap of the best k of this batch, the worst on top.
      if (local.size() >= static_cast<std::size_t>(k_)) {
        if (!before(c, local.front())) continue;
        std::pop_heap(local.begin(), local.end(), order);
        local.pop_back();
      }
      local.push_back(c);
      std::push_heap(local.begin(), local.end(), order);
      continue;
    }
    local.push_back(c);
  }
  bound.reset();
  std::scoped_lock lock(mutex_);
  bool any = false;
  for (Candidate& one : local) {
    if (full()) {
      if (!before(one, best_.front())) {
        if (width == 0) break;
        continue;
      }
      std::pop_heap(best_.begin(), best_.end(), order);
      best_.pop_back();
    }
    for (SortKey& key : one.keys) key.value = copy(key.value, arena_);
    one.batch = batch;
    best_.push_back(std::move(one));
    if (bounded()) std::push_heap(best_.begin(), best_.end(), order);
    any = true;
  }
  if (any && batch->releasable()) {
    kept_bytes_ += batch->loaded_bytes();
    if (kept_bytes_ > kKeepBytesMax) {
      kept_bytes_ -= batch->loaded_bytes();
      batch->release();
    }
  }
  if (any) fresh_ = true;
  account();
  show();
}

void BestRows::account() {
  const std::size_t width = sort_ ? sort_->keys().size() : 0;
  const std::size_t bytes = best_.capacity() * sizeof(Candidate) + best_.size() * allocated(width * sizeof(SortKey));
  if (bytes > accounted_) run_.memory.add(bytes - accounted_);
  if (bytes < accounted_) run_.memory.sub(accounted_ - bytes);
  accounted_ = bytes;
}

// The rows so far, for those who wait.
void BestRows::show() {
  if (!partial_ || !run_.options.partial || !fresh_) return;
  auto now = Steady::now();
  // Blocks are looked into again for it: a tenth of the time at most.
  Steady::duration wait = last_partial_ == started_ ? run_.options.partial_after : run_.options.partial_after * 5;
  if (now - last_partial_ < std::max(wait, 10 * partial_cost_)) return;
  for (const Candidate& c : best_)
    if (!c.batch->releasable()) return;
  std::vector<Candidate*> rows = in_order();
  BatchPtr batch = materialise(run_, rows, slots_, from_);
  if (batch->arena().bytes() <= kPartialBytesMax) run_.options.partial(make_table(run_, *batch));
  fresh_ = false;
  last_partial_ = Steady::now();
  partial_cost_ = last_partial_ - now;
}

}  // namespace fog::insights
