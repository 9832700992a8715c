// Executor: blocks of the store through the leading commands in parallel, into the first command that
// needs more than one row: groups, the best k rows, patterns, or all rows. What follows works on rows
// in memory.
#include "query/insights/aggregate.h"
#include "query/insights/best_rows.h"
#include "query/insights/commands/pattern.h"
#include "query/insights/query_body.h"
#include "query/insights/run.h"

namespace fog::insights {

namespace {

using Steady = std::chrono::steady_clock;

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
  const std::size_t order_bytes = order.capacity() * sizeof(Place);
  run.memory.add(order_bytes);
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
  run.memory.sub(order_bytes);
  TRYV(run.status());
  return result;
}

// Mergeable parts made block by block, joined in the order of the blocks; `show` sees what there is so far.
template <typename Part, typename Make, typename Show>
Status merge_parts(Run& run, BlockStage& stage, Part& into, Make&& make, Show&& show) {
  TRY(auto blocks, stage.open(true));
  show.preview(stage, blocks, make);
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
               if (next < parts.size() && !run.stop()) show.after(into);
             });
  return run.status();
}

struct ShowNothing {
  template <typename... Any>
  void preview(Any&&...) {}
  template <typename Any>
  void after(Any&) {}
};

bool only_names(const Pipeline& pipeline, std::size_t from, std::size_t to) {
  for (std::size_t k = from; k < to; ++k)
    if (!pipeline.commands[k]->only_names()) return false;
  return true;
}

// The groups so far, now and then, for those who wait; where what follows only picks, names and orders rows.
class PartialGroups {
 public:
  PartialGroups(Run& run, std::size_t from, std::size_t commands) : run_(run), from_(from), commands_(commands) {
    wanted_ = static_cast<bool>(run.options.partial) && commands == run.pipeline.commands.size();
    for (std::size_t k = from; k < commands && wanted_; ++k) {
      const Command& command = *run.pipeline.commands[k];
      wanted_ = command.only_names() || command.sort() != nullptr || command.limit() >= 0;
    }
  }
  // Where much lies ahead: what the newest few events give, at once.
  template <typename Make>
  void preview(BlockStage& stage, std::vector<std::unique_ptr<LogBlock>>& blocks, Make&& make) {
    constexpr std::size_t kEventsMin = 1'000'000;
    constexpr std::size_t kRows = 1'024;
    if (!wanted_ || blocks.empty()) return;
    std::size_t events = 0;
    for (const auto& block : blocks) events += block->rows();
    if (events < kEventsMin) return;
    const BatchPtr batch = stage.preview(*blocks.front(), kRows);
    if (!batch) return;
    const auto part = make();
    part->add(*batch);
    if (block_damaged || run_.stop()) return;
    const auto merged = make();
    merged->merge(*part);
    show(*merged);
  }
  void after(GroupTable& table) {
    if (Steady::now() >= next_) show(table);
  }

 private:
  void show(GroupTable& table) {
    constexpr std::size_t kGroupsMax = 10'000;
    if (!wanted_ || table.groups() > kGroupsMax || table.bytes() > kPartialBytesMax) return;
    BatchPtr batch = table.finish(run_);
    for (std::size_t k = from_; k < commands_ && batch; ++k) {
      auto next = run_.pipeline.commands[k]->apply(std::move(batch), run_);
      batch = next.ok() ? std::move(next).value() : nullptr;
    }
    if (batch) run_.options.partial(make_table(run_, *batch));
    next_ = Steady::now() + run_.options.partial_after * 5;
  }

  Run& run_;
  std::size_t from_;
  std::size_t commands_;
  bool wanted_ = false;
  Steady::time_point next_ = Steady::now() + run_.options.partial_after;
};

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
                     [&] { return std::make_unique<GroupTable>(*command->grouping(), &run.memory); },
                     PartialGroups(run, next + 1, commands)));
    batch = table.finish(run);
    ++next;
  } else if (command && command->pattern()) {
    auto table = command->pattern()->make_table(run);
    TRYV(merge_parts(run, stage, *table, [&] { return command->pattern()->make_table(run); }, ShowNothing{}));
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
