// Executor: blocks of the store through the leading commands in parallel, into the first command that
// needs more than one row: groups, the best k rows, patterns, or all rows. What follows works on rows
// in memory.
#include "query/insights/aggregate.h"
#include "query/insights/commands/pattern.h"
#include "query/insights/commands/sort.h"
#include "query/insights/query_body.h"
#include "query/insights/run.h"

namespace fog::insights {

namespace {

// Loaded columns of blocks that hold candidates; beyond it they are dropped and loaded again at the end.
constexpr std::size_t kKeepBytesMax = 64u << 20;
// Blocks this small get their bytes counted exactly when only part of them is in the window.
constexpr std::size_t kExactBytesRows = 8192;

using Steady = std::chrono::steady_clock;

// The block that this thread works on turned out to be damaged: its events are left out, the store has
// counted them, and the query goes on.
thread_local bool block_damaged = false;

// The part of a query that runs block by block.
class BlockStage {
 public:
  BlockStage(Run& run, std::size_t commands) : run_(run) {
    while (lead_ < commands && run.pipeline.commands[lead_]->shape() != Command::Shape::kWhole) ++lead_;
    filters_ = leading_filters(run.pipeline, run.program, lead_);
    where_ = pushdown(run.program, filters_);
    while (rows_ < lead_ && run.pipeline.commands[rows_]->shape() == Command::Shape::kRows) ++rows_;
  }

  std::size_t lead() const { return lead_; }
  bool filtering() const { return !filters_.empty() || rows_ < lead_; }

  Result<std::vector<std::unique_ptr<LogBlock>>> open(bool newest_first) {
    ScanRequest request;
    request.source = run_.pipeline.source;
    request.from_ms = run_.info.start_ms - run_.program.window_shift_ms;
    request.to_ms = run_.info.end_ms - run_.program.window_shift_ms;
    request.where = where_;
    request.index_fields = run_.program.index_fields;
    request.newest_first = newest_first;
    TRY(ScanBlocks blocks, run_.scan.open(request));
    std::scoped_lock lock(run_.statistics_mutex);
    Statistics& s = run_.statistics;
    s.groups_scanned = static_cast<double>(blocks.groups);
    s.records_scanned += static_cast<double>(blocks.events_skipped);
    s.bytes_scanned += static_cast<double>(blocks.bytes_skipped);
    s.records_skipped += static_cast<double>(blocks.index_events_skipped);
    s.bytes_skipped += static_cast<double>(blocks.index_bytes_skipped);
    from_ms_ = request.from_ms;
    to_ms_ = request.to_ms;
    return std::move(blocks.blocks);
  }

  // A block that nobody has to look at still counts when the answer is known: all of it matches.
  void count_unseen(LogBlock& block) {
    if (filtering() || block.timestamp_min_ms() < from_ms_ || block.timestamp_max_ms() > to_ms_) return;
    count(block.rows(), block.rows(), block.message_bytes());
  }

  // One block through the leading commands. Null: nothing left.
  BatchPtr process(std::unique_ptr<LogBlock> block) {
    block_damaged = false;
    auto fail = [this](Error error) {
      run_.fail(std::move(error));
      return BatchPtr{};
    };
    auto visible = block->rows_visible();
    if (!visible.ok()) return fail(std::move(visible).error());
    RowSet rows = std::move(visible).value();
    std::size_t scanned = rows.count();
    std::uint64_t bytes = block->message_bytes();
    if (scanned < block->rows() && scanned > 0) {
      if (block->rows() <= kExactBytesRows) {
        auto messages = block->messages(rows);
        if (!messages.ok()) return fail(std::move(messages).error());
        bytes = 0;
        const LogColumn& column = **messages;
        rows.visit([&](std::size_t row) {
          if (column.type == LogColumnType::kText || column.type == LogColumnType::kDictionary) {
            bytes += column.text(row).size();
          } else {
            std::string text;
            column.append_text(row, text);
            bytes += text.size();
          }
        });
      } else {
        bytes = bytes * scanned / block->rows();
      }
    } else if (scanned == 0) {
      bytes = 0;
    }
    if (scanned > 0) {
      for (const auto& clause : where_) {
        if (auto done = narrow(*block, clause, rows); !done.ok()) return fail(std::move(done).error());
        if (rows.none()) break;
      }
    }
    auto batch = std::make_shared<Batch>(run_, std::move(block));
    // Newest first, as the language has it.
    std::size_t left = rows.count();
    batch->sel.resize(left);
    if (left == rows.rows())
      for (std::uint32_t& row : batch->sel) row = static_cast<std::uint32_t>(--left);
    else
      rows.visit([&](std::size_t row) { batch->sel[--left] = static_cast<std::uint32_t>(row); });
    for (const Node* filter : filters_) batch->filter(*filter);
    count(scanned, batch->sel.size(), bytes);
    if (batch->sel.empty() || block_damaged || run_.stop()) return nullptr;
    BatchPtr result = batch;
    for (std::size_t k = 0; k < lead_; ++k) {
      // The filters at the head have run already.
      if (k < rows_ && run_.pipeline.commands[k]->filter()) continue;
      auto next = run_.pipeline.commands[k]->apply(std::move(result), run_);
      if (!next.ok()) return fail(std::move(next).error());
      result = std::move(next).value();
    }
    return result->sel.empty() || block_damaged ? nullptr : result;
  }

  // Runs visit(index, batch) for every block; in parallel, in no particular order, and with a null
  // batch where nothing is left. `skip` may spare a block.
  template <typename Skip, typename Visit>
  void each(std::vector<std::unique_ptr<LogBlock>>& blocks, Skip&& skip, Visit&& visit) {
    auto one = [&](std::size_t k) {
      if (run_.stop()) return;
      std::unique_ptr<LogBlock> block = std::move(blocks[k]);
      if (skip(*block)) {
        count_unseen(*block);
        visit(k, BatchPtr{});
        return;
      }
      BatchPtr batch;
      try {
        batch = process(std::move(block));
        visit(k, std::move(batch));
      } catch (const std::bad_alloc&) {
        run_.fail(Error::limit("the query needs more memory than there is"));
      }
      report();
    };
    if (run_.options.pool != nullptr && blocks.size() > 1)
      run_.options.pool->parallel_for(blocks.size(), one);
    else
      for (std::size_t k = 0; k < blocks.size(); ++k) one(k);
  }

 private:
  static Status narrow(LogBlock& block, const std::vector<LogPredicate>& clause, RowSet& rows) {
    for (const LogPredicate& p : clause)
      if (p.what == LogPredicate::What::kFieldAtLeast || p.what == LogPredicate::What::kFieldAtMost ||
          p.what == LogPredicate::What::kFieldPresent)
        return Ok{};  // the columns themselves are as quick
    if (clause.size() == 1) return block.narrow(clause[0], rows);
    RowSet any(rows.rows(), false);
    for (const LogPredicate& p : clause) {
      RowSet one = rows;
      TRYV(block.narrow(p, one));
      any |= one;
    }
    rows = std::move(any);
    return Ok{};
  }
  void count(std::size_t scanned, std::size_t matched, std::uint64_t bytes) {
    std::scoped_lock lock(run_.statistics_mutex);
    run_.statistics.records_scanned += static_cast<double>(scanned);
    run_.statistics.records_matched += static_cast<double>(matched);
    run_.statistics.bytes_scanned += static_cast<double>(bytes);
  }
  void report() {
    if (!run_.options.progress) return;
    std::scoped_lock lock(run_.statistics_mutex);
    auto now = Steady::now();
    if (now - reported_ < std::chrono::milliseconds(50)) return;
    reported_ = now;
    run_.options.progress(run_.statistics);
  }

  Run& run_;
  std::size_t lead_ = 0;
  std::size_t rows_ = 0;  // leading commands that keep rows as they are
  std::vector<const Node*> filters_;
  std::vector<std::vector<LogPredicate>> where_;
  std::int64_t from_ms_ = 0, to_ms_ = 0;
  Steady::time_point reported_ = Steady::now();
};

// A row that may be in the answer.
struct Candidate {
  std::vector<SortKey> keys;
  std::int64_t time = 0;
  std::uint64_t sequence = 0;
  std::size_t block = 0;     // breaks ties between groups
  std::size_t position = 0;  // within its batch
  std::uint32_t row = 0;
  BatchPtr batch;
};

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

// The best k rows in the order of a sort, or newest first. k < 0: all.
class BestRows {
 public:
  BestRows(Run& run, BlockStage& stage, const SortCommand* sort, std::int64_t k, std::set<int> slots, std::size_t from,
           bool show_partial)
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

  Result<BatchPtr> collect() {
    TRY(auto blocks, stage_.open(time_order_ <= 0));
    started_ = last_partial_ = Steady::now();
    stage_.each(blocks, [this](LogBlock& block) { return beyond(block); },
                [this](std::size_t k, BatchPtr batch) {
                  if (batch) add(k, std::move(batch));
                });
    TRYV(run_.status());
    std::vector<Candidate*> rows;
    for (Candidate& c : best_) rows.push_back(&c);
    std::sort(rows.begin(), rows.end(), [this](const Candidate* a, const Candidate* b) { return before(*a, *b); });
    BatchPtr result = materialise(run_, rows, slots_, from_);
    TRYV(run_.status());
    return result;
  }

 private:
  bool bounded() const { return k_ >= 0; }
  bool full() const { return bounded() && best_.size() >= static_cast<std::size_t>(k_); }

  bool before(const Candidate& a, const Candidate& b) const {
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
  bool beyond(LogBlock& block) {
    if (time_order_ == 0 || k_ == 0) return k_ == 0;
    std::scoped_lock lock(mutex_);
    if (!full()) return false;
    return time_order_ < 0 ? block.timestamp_max_ms() < best_.front().time
                           : block.timestamp_min_ms() > best_.front().time;
  }

  void add(std::size_t block, BatchPtr batch) {
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
    show();
  }

  // The rows so far, for those who wait.
  void show() {
    if (!partial_ || !run_.options.partial || !fresh_) return;
    auto now = Steady::now();
    auto wait = last_partial_ == started_ ? run_.options.partial_after : run_.options.partial_after * 5;
    if (now - last_partial_ < wait) return;
    for (const Candidate& c : best_)
      if (!c.batch->releasable()) return;
    std::vector<Candidate*> rows;
    for (Candidate& c : best_) rows.push_back(&c);
    std::sort(rows.begin(), rows.end(), [this](const Candidate* a, const Candidate* b) { return before(*a, *b); });
    BatchPtr batch = materialise(run_, rows, slots_, from_);
    run_.options.partial(make_table(run_, *batch));
    fresh_ = false;
    last_partial_ = Steady::now();
  }

  Run& run_;
  BlockStage& stage_;
  const SortCommand* sort_;
  std::int64_t k_;
  std::set<int> slots_;
  std::size_t from_;
  bool partial_;
  int time_order_ = 0;  // -1 newest first, 1 oldest first, 0 neither
  std::mutex mutex_;
  std::vector<Candidate> best_;  // a heap when bounded
  Arena arena_;                  // texts of sort keys
  std::size_t kept_bytes_ = 0;
  bool fresh_ = false;
  Steady::time_point started_, last_partial_;
};

// Every row, for commands that need them all. Columns are copied while their block is at hand.
Result<BatchPtr> all_rows(Run& run, BlockStage& stage, const std::set<int>& slots, std::size_t from) {
  struct Chunk {
    std::shared_ptr<Arena> arena;
    std::size_t rows = 0;
    std::vector<Value> values;  // slots.size() a row
    std::vector<std::int64_t> times;
    std::vector<std::uint64_t> sequences;
  };
  TRY(auto blocks, stage.open(true));
  std::vector<Chunk> chunks(blocks.size());
  stage.each(blocks, [](LogBlock&) { return false; },
             [&](std::size_t k, BatchPtr batch) {
               if (!batch) return;
               Chunk& chunk = chunks[k];
               chunk.arena = std::make_shared<Arena>(&run.memory);
               chunk.rows = batch->sel.size();
               run.memory.add(chunk.rows * (slots.size() + 1) * sizeof(Value));
               if (run.stop()) return;
               chunk.values.resize(chunk.rows * slots.size());
               std::size_t c = 0;
               for (int slot : slots) {
                 const Vec& vec = batch->column(slot);
                 for (std::size_t p = 0; p < chunk.rows; ++p)
                   chunk.values[p * slots.size() + c] = copy(vec.get(batch->sel[p], batch->arena()), *chunk.arena);
                 ++c;
               }
               const std::int64_t* times = batch->times();
               const std::uint64_t* sequences = batch->sequences();
               if (times == nullptr || sequences == nullptr || block_damaged) return;
               for (std::uint32_t row : batch->sel) {
                 chunk.times.push_back(times[row]);
                 chunk.sequences.push_back(sequences[row]);
               }
             });
  TRYV(run.status());
  struct Place {
    std::int64_t time;
    std::uint64_t sequence;
    std::uint32_t chunk, row;
  };
  std::vector<Place> order;
  for (std::size_t k = 0; k < chunks.size(); ++k)
    for (std::size_t p = 0; p < chunks[k].times.size(); ++p)
      order.push_back({chunks[k].times[p], chunks[k].sequences[p], static_cast<std::uint32_t>(k), static_cast<std::uint32_t>(p)});
  std::sort(order.begin(), order.end(), [](const Place& a, const Place& b) {
    if (a.time != b.time) return a.time > b.time;
    if (a.sequence != b.sequence) return a.sequence > b.sequence;
    if (a.chunk != b.chunk) return a.chunk < b.chunk;
    return a.row < b.row;
  });
  auto result = std::make_shared<Batch>(run, order.size(), static_cast<int>(from));
  Arena& arena = result->arena();
  auto* times = arena.array<std::int64_t>(order.size());
  auto* sequences = arena.array<std::uint64_t>(order.size());
  for (std::size_t k = 0; k < order.size(); ++k) {
    times[k] = order[k].time;
    sequences[k] = order[k].sequence;
  }
  result->set_order(times, sequences);
  std::size_t c = 0;
  for (int slot : slots) {
    auto* values = arena.array<Value>(order.size());
    for (std::size_t k = 0; k < order.size(); ++k)
      new (values + k) Value(chunks[order[k].chunk].values[order[k].row * slots.size() + c]);
    result->set_values(slot, values);
    ++c;
  }
  for (Chunk& chunk : chunks) {
    if (chunk.arena) result->keep(chunk.arena);
    run.memory.sub(chunk.rows * (slots.size() + 1) * sizeof(Value));
  }
  TRYV(run.status());
  return result;
}

// Mergeable parts made block by block, joined in the order of the blocks.
template <typename Part, typename Make>
Status merge_parts(Run& run, BlockStage& stage, Part& into, Make&& make) {
  TRY(auto blocks, stage.open(true));
  std::vector<std::unique_ptr<Part>> parts(blocks.size());
  std::vector<char> done(blocks.size(), 0);
  std::size_t next = 0;
  std::mutex mutex;
  stage.each(blocks, [](LogBlock&) { return false; },
             [&](std::size_t k, BatchPtr batch) {
               std::unique_ptr<Part> part;
               if (batch) {
                 part = make();
                 part->add(*batch);
                 if (block_damaged) part.reset();
                 batch.reset();
               }
               std::scoped_lock lock(mutex);
               parts[k] = std::move(part);
               done[k] = 1;
               for (; next < parts.size() && done[next]; ++next) {
                 if (parts[next] && !run.stop()) into.merge(*parts[next]);
                 parts[next].reset();
               }
             });
  return run.status();
}

bool only_names(const Pipeline& pipeline, std::size_t from, std::size_t to) {
  for (std::size_t k = from; k < to; ++k)
    if (!pipeline.commands[k]->only_names()) return false;
  return true;
}

Result<BatchPtr> estimate(Run& run) {
  ScanRequest request;
  request.source = run.pipeline.source;
  request.from_ms = run.info.start_ms;
  request.to_ms = run.info.end_ms;
  TRY(ScanBlocks blocks, run.scan.open(request));
  std::uint64_t bytes = 0;
  for (auto& block : blocks.blocks) {
    TRY(RowSet rows, block->rows_visible());
    std::size_t n = rows.count();
    bytes += n == block->rows() ? block->message_bytes() : block->message_bytes() * n / std::max<std::size_t>(1, block->rows());
  }
  run.statistics.groups_scanned = static_cast<double>(blocks.groups);
  auto batch = std::make_shared<Batch>(run, 1, static_cast<int>(run.pipeline.commands.size()));
  auto* values = batch->arena().array<Value>(1);
  new (values) Value(Value::integer(static_cast<std::int64_t>(bytes)));
  batch->set_values(run.program.outputs[0].slot, values);
  return batch;
}

}  // namespace

Result<BatchPtr> execute(Run& run, std::size_t commands, const std::set<int>& wanted, std::int64_t rows_max) {
  const Pipeline& pipeline = run.pipeline;
  if (commands > 0 && commands == pipeline.commands.size() && pipeline.commands.back()->word == "estimate")
    return estimate(run);
  // Subqueries first: their values are constants of this run.
  for (const auto& subquery : run.program.subqueries) {
    std::set<int> first{subquery->program.outputs[0].slot};
    TRY(BatchPtr rows, run.inner(subquery->pipeline, subquery->program, run.info, subquery->pipeline.commands.size(), first));
    ValueSet set;
    if (rows->sel.size() > kSubqueryValuesMax) return Error::limit("a subquery returned more than 100000 values");
    for (std::uint32_t row : rows->sel) set.add(rows->value(*first.begin(), row));
    run.sets.push_back(std::move(set));
  }

  BlockStage stage(run, commands);
  std::size_t next = stage.lead();
  const Command* command = next < commands ? pipeline.commands[next].get() : nullptr;
  BatchPtr batch;
  auto needed = [&](std::size_t from) { return needed_slots(pipeline, run.program, from, commands, wanted); };
  if (command && command->grouping()) {
    GroupTable table(*command->grouping(), &run.memory);
    TRYV(merge_parts(run, stage, table,
                     [&] { return std::make_unique<GroupTable>(*command->grouping(), &run.memory); }));
    batch = table.finish(run);
    ++next;
  } else if (command && command->pattern()) {
    auto table = command->pattern()->make_table(run);
    TRYV(merge_parts(run, stage, *table, [&] { return command->pattern()->make_table(run); }));
    batch = command->pattern()->finish(*table, run);
    ++next;
  } else {
    // A limit right behind (columns may be named in between) bounds what has to be kept.
    const SortCommand* sort = command ? command->sort() : nullptr;
    std::size_t look = sort ? next + 1 : next;
    std::size_t after = look;
    while (after < commands && pipeline.commands[after]->only_names()) ++after;
    std::int64_t k = -1;
    std::size_t from = look;
    if (after < commands && pipeline.commands[after]->limit() >= 0) {
      k = pipeline.commands[after]->limit();
      from = after + 1;
    } else if (after == commands) {
      k = rows_max;
      from = commands;
    }
    if (k >= 0) {
      bool last = only_names(pipeline, from, commands);
      BestRows best(run, stage, sort, k, needed(from), from, last);
      TRY(batch, best.collect());
      next = from;
    } else {
      TRY(batch, all_rows(run, stage, needed(next), next));
    }
  }
  for (; next < commands; ++next) {
    TRYV(run.status());
    TRY(batch, pipeline.commands[next]->apply(std::move(batch), run));
  }
  TRYV(run.status());
  return batch;
}

bool Run::stop() {
  if (failed_.load(std::memory_order_relaxed)) return true;
  if (options.cancelled != nullptr && options.cancelled->load(std::memory_order_relaxed)) {
    fail(Error::conflict("the query was cancelled"));
    return true;
  }
  if (memory.over()) {
    fail(Error::limit("the query needs more than its memory budget of " +
                      std::to_string(options.memory_bytes_max >> 20) + " MiB"));
    return true;
  }
  if (deadline && Steady::now() > *deadline) {
    fail(Error::limit("the query timed out"));
    return true;
  }
  return false;
}

void Run::fail(Error error) {
  if (error.kind() == ErrorKind::kCorrupt) {
    block_damaged = true;
    return;
  }
  std::scoped_lock lock(mutex_);
  if (!error_) error_ = std::move(error);
  failed_ = true;
}

Status Run::status() {
  (void)stop();
  std::scoped_lock lock(mutex_);
  if (error_) return *error_;
  return Ok{};
}

Result<BatchPtr> Run::inner(const Pipeline& inner_pipeline, const Program& inner_program, RunInfo inner_info,
                            std::size_t commands, const std::set<int>& wanted) {
  auto child = std::make_unique<Run>(inner_pipeline, inner_program, scan, options, inner_info, memory);
  child->deadline = deadline;
  auto own = Steady::now() + options.subquery_time_max;
  if (&inner_pipeline != &pipeline && (!deadline || own < *deadline)) child->deadline = own;
  Run& run = *child;
  children_.push_back(std::move(child));
  auto batch = execute(run, commands, wanted, -1);
  std::scoped_lock lock(statistics_mutex);
  statistics.records_scanned += run.statistics.records_scanned;
  statistics.bytes_scanned += run.statistics.bytes_scanned;
  return batch;
}

Table make_table(Run& run, Batch& batch) {
  Table table;
  table.arena = std::make_shared<Arena>();
  for (const Program::Output& output : run.program.outputs) table.columns.push_back(output.name);
  table.rows.resize(batch.sel.size());
  std::size_t width = run.program.outputs.size();
  for (Table::Row& row : table.rows) row.values.resize(width);
  for (std::size_t c = 0; c < width; ++c) {
    const Vec& vec = batch.column(run.program.outputs[c].slot);
    for (std::size_t r = 0; r < table.rows.size(); ++r)
      table.rows[r].values[c] = copy(vec.get(batch.sel[r], batch.arena()), *table.arena);
  }
  if (run.program.pointer_slot >= 0) {
    const Vec& vec = batch.column(run.program.pointer_slot);
    for (std::size_t r = 0; r < table.rows.size(); ++r)
      table.rows[r].pointer = to_text(vec.get(batch.sel[r], batch.arena()));
  }
  std::scoped_lock lock(run.statistics_mutex);
  table.statistics = run.statistics;
  return table;
}

}  // namespace fog::insights
