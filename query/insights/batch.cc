#include "query/insights/batch.h"

#include <cstring>

#include "query/insights/json.h"
#include "query/insights/run.h"
#include "storage/block_memory.h"

namespace fog::insights {

Value Vec::get(std::size_t row, Arena& arena) const {
  switch (kind) {
    case Kind::kUnset: return {};
    case Kind::kConst: return constant;
    case Kind::kInt: return has(row) ? Value::integer(ints[row]) : Value{};
    case Kind::kTime: return has(row) ? Value::time(ints[row]) : Value{};
    case Kind::kDouble: {
      if (!has(row)) return {};
      std::string text;
      source->append_text(row, text);
      return Value::number_text(arena.copy(text));
    }
    case Kind::kTruth: return truth[row] < 0 ? Value{} : Value::boolean(truth[row] == 1);
    case Kind::kDict: return has(row) ? values[codes[row]] : Value{};
    case Kind::kText: return has(row) ? Value::text(text(row)) : Value{};
    case Kind::kValues: return values[row];
  }
  return {};
}

Num Vec::num(std::size_t row) const {
  switch (kind) {
    case Kind::kInt:
    case Kind::kTime:
      if (!has(row)) return {};
      return {Num::Kind::kInt, ints[row], static_cast<double>(ints[row])};
    case Kind::kDouble: {
      if (!has(row)) return {};
      Value v = Value::number(doubles[row]);
      return v.type == Type::kInt ? Num{Num::Kind::kInt, v.i, doubles[row]} : Num{Num::Kind::kDouble, 0, doubles[row]};
    }
    case Kind::kTruth:
      if (truth[row] < 0) return {};
      return {Num::Kind::kInt, truth[row], static_cast<double>(truth[row])};
    case Kind::kText: return has(row) ? parse_number(text(row)) : Num{};
    case Kind::kDict: return has(row) ? numeric(values[codes[row]]) : Num{};
    case Kind::kConst: return numeric(constant);
    case Kind::kValues: return numeric(values[row]);
    case Kind::kUnset: return {};
  }
  return {};
}

bool Vec::null(std::size_t row) const {
  switch (kind) {
    case Kind::kUnset: return true;
    case Kind::kConst: return constant.null();
    case Kind::kInt:
    case Kind::kTime:
    case Kind::kDouble:
    case Kind::kText: return !has(row);
    case Kind::kTruth: return truth[row] < 0;
    case Kind::kDict: return !has(row) || values[codes[row]].null();
    case Kind::kValues: return values[row].null();
  }
  return true;
}

namespace {

Vec constant_vec(Value value) {
  Vec vec;
  vec.kind = Vec::Kind::kConst;
  vec.constant = value;
  return vec;
}

void all_rows(std::vector<std::uint32_t>& sel, std::size_t rows) {
  sel.resize(rows);
  for (std::size_t k = 0; k < rows; ++k) sel[k] = static_cast<std::uint32_t>(k);
}

std::size_t bytes_of(const LogColumn& column) {
  return column.ints.size() * 8 + column.doubles.size() * 8 + column.mantissas.size() * 8 + column.codes8.size() +
         column.codes16.size() * 2 + column.codes32.size() * 4 + column.dictionary.size() * 16 +
         column.offsets.size() * 4 + column.bytes.size();
}

}  // namespace

Batch::Batch(Run& run, std::shared_ptr<LogBlock> block)
    : run_(run), block_(std::move(block)), rows_(block_->rows()), arena_(std::make_unique<Arena>(&run.memory)),
      columns_(run.program.slots.size()) {}

Batch::Batch(Run& run, std::size_t rows, int first)
    : run_(run), rows_(rows), first_(first), arena_(std::make_unique<Arena>(&run.memory)),
      columns_(run.program.slots.size()) {
  all_rows(sel, rows);
}

Batch::Batch(Run& run, BatchPtr parent, std::vector<std::uint32_t> map, int first)
    : run_(run), parent_(std::move(parent)), map_(std::move(map)), rows_(map_.size()), first_(first),
      arena_(std::make_unique<Arena>(&run.memory)), columns_(run.program.slots.size()) {
  all_rows(sel, rows_);
  if (parent_->times() != nullptr && parent_->sequences() != nullptr) {
    auto* times = arena_->array<std::int64_t>(rows_);
    auto* sequences = arena_->array<std::uint64_t>(rows_);
    for (std::size_t k = 0; k < rows_; ++k) {
      times[k] = map_[k] == kNoRow ? 0 : parent_->times_[map_[k]];
      sequences[k] = map_[k] == kNoRow ? 0 : parent_->sequences_[map_[k]];
    }
    set_order(times, sequences);
  }
}

Batch::~Batch() { run_.memory.sub(loaded_); }

void Batch::load_order() {
  if (order_loaded_ || !block_) return;
  order_loaded_ = true;
  // Times and sequence numbers, and what a block makes the latter from.
  constexpr std::size_t kBytesPerRow = 2 * sizeof(std::int64_t) + 2 * sizeof(std::uint32_t);
  loaded_ += rows_ * kBytesPerRow;
  run_.memory.add(rows_ * kBytesPerRow);
  auto times = block_->timestamps_ms();
  auto sequences = times.ok() ? block_->sequences() : Result<std::span<const LogSequence>>(times.error());
  if (!sequences.ok()) {
    run_.fail(std::move(sequences).error());
    return;
  }
  set_order(times->data(), sequences->data());
}

const std::int64_t* Batch::times() {
  load_order();
  return times_;
}

const std::uint64_t* Batch::sequences() {
  load_order();
  return sequences_;
}

void Batch::release() {
  for (Vec& vec : columns_) vec = Vec{};
  arena_ = std::make_unique<Arena>(&run_.memory);
  run_.memory.sub(loaded_);
  loaded_ = 0;
  if (auto* block = dynamic_cast<BlockMemory*>(block_.get())) {
    times_ = nullptr;
    sequences_ = nullptr;
    order_loaded_ = false;
    block->forget();
  }
}

void Batch::set_values(int slot, const Value* values) {
  Vec vec;
  vec.kind = Vec::Kind::kValues;
  vec.values = values;
  set(slot, std::move(vec));
}

const Vec& Batch::column(int slot) {
  auto index = static_cast<std::size_t>(slot);
  if (columns_[index].kind != Vec::Kind::kUnset) return columns_[index];
  const Slot& def = run_.program.slots[index];
  bool here = def.kind != Slot::Kind::kField && (block_ != nullptr || def.command >= first_);
  if (here && def.kind == Slot::Kind::kMade) {
    run_.pipeline.commands[static_cast<std::size_t>(def.command)]->make(*this);
    if (columns_[index].kind == Vec::Kind::kUnset) columns_[index] = constant_vec({});
    return columns_[index];
  }
  Vec vec;
  if (here)
    vec = eval(*def.expr);
  else if (parent_)
    vec = gather(parent_->column(slot));
  else if (block_)
    vec = load(def.name);
  else
    vec = constant_vec({});
  columns_[index] = std::move(vec);
  return columns_[index];
}

Vec Batch::gather(const Vec& from) {
  if (from.kind == Vec::Kind::kConst && std::find(map_.begin(), map_.end(), kNoRow) == map_.end()) return from;
  auto* values = arena_->array<Value>(rows_);
  for (std::size_t k = 0; k < rows_; ++k)
    new (values + k) Value(map_[k] == kNoRow ? Value{} : from.get(map_[k], *arena_));
  Vec vec;
  vec.kind = Vec::Kind::kValues;
  vec.values = values;
  return vec;
}

Vec Batch::from_column(std::shared_ptr<const LogColumn> column) {
  if (column == nullptr) return constant_vec({});
  std::size_t bytes = bytes_of(*column);
  loaded_ += bytes;
  run_.memory.add(bytes);
  Vec vec;
  if (!column->all_present) vec.present = column->present.words().data();
  switch (column->type) {
    case LogColumnType::kInt:
      vec.kind = Vec::Kind::kInt;
      vec.ints = column->ints.data();
      break;
    case LogColumnType::kDouble:
      vec.kind = Vec::Kind::kDouble;
      vec.doubles = column->doubles.data();
      break;
    case LogColumnType::kText:
      vec.kind = Vec::Kind::kText;
      vec.offsets = column->offsets.data();
      vec.bytes = column->bytes.data();
      break;
    case LogColumnType::kDictionary: {
      vec.kind = Vec::Kind::kDict;
      auto* codes = arena_->array<std::uint32_t>(rows_);
      if (!column->codes8.empty())
        std::copy(column->codes8.begin(), column->codes8.end(), codes);
      else if (!column->codes16.empty())
        std::copy(column->codes16.begin(), column->codes16.end(), codes);
      else
        std::copy(column->codes32.begin(), column->codes32.end(), codes);
      auto* values = arena_->array<Value>(column->dictionary.size());
      for (std::size_t k = 0; k < column->dictionary.size(); ++k) new (values + k) Value(Value::text(column->dictionary[k]));
      vec.codes = codes;
      vec.values = values;
      vec.dict_size = static_cast<std::uint32_t>(column->dictionary.size());
      break;
    }
  }
  vec.source = std::move(column);
  return vec;
}

Vec Batch::load_message() {
  RowSet rows(rows_, false);
  for (std::uint32_t row : sel) rows.set(row);
  auto column = block_->messages(rows);
  if (!column.ok()) {
    run_.fail(std::move(column).error());
    return constant_vec({});
  }
  return from_column(std::move(column).value());
}

Vec Batch::load(const std::string& name) {
  auto failed = [this](Error error) {
    run_.fail(std::move(error));
    return constant_vec({});
  };
  if (name.starts_with(kUnmaskedPrefix)) {
    auto unmasked = block_->column(name);
    if (!unmasked.ok()) return failed(std::move(unmasked).error());
    return *unmasked != nullptr ? from_column(std::move(unmasked).value()) : load(name.substr(kUnmaskedPrefix.size()));
  }
  if (name == "@message") return load_message();
  if (name == "@timestamp" || name == "@ingestionTime") {
    auto times = name == "@timestamp" ? block_->timestamps_ms() : block_->ingestion_times_ms();
    if (!times.ok()) return failed(std::move(times).error());
    Vec vec;
    vec.kind = Vec::Kind::kTime;
    vec.ints = times->data();
    return vec;
  }
  if (name == "@log") return constant_vec(Value::text(run_.scan.log_name(block_->group())));
  if (name == "@aws.account") {
    std::string_view log = run_.scan.log_name(block_->group());
    return constant_vec(Value::text(log.substr(0, log.find(':'))));
  }
  if (name == "@aws.region") {
    std::string_view region = run_.scan.region();
    return constant_vec(region.empty() ? Value{} : Value::text(region));
  }
  if (name == "@logStream" || name == "@ptr") {
    auto codes = block_->stream_codes();
    if (!codes.ok()) return failed(std::move(codes).error());
    auto ids = block_->stream_ids();
    if (!ids.ok()) return failed(std::move(ids).error());
    Vec vec;
    if (name == "@logStream") {
      auto* values = arena_->array<Value>(ids->size());
      for (std::size_t k = 0; k < ids->size(); ++k) new (values + k) Value(Value::text(run_.scan.stream_name((*ids)[k])));
      vec.kind = Vec::Kind::kDict;
      vec.codes = codes->data();
      vec.values = values;
      vec.dict_size = static_cast<std::uint32_t>(ids->size());
      return vec;
    }
    auto times = block_->timestamps_ms();
    if (!times.ok()) return failed(std::move(times).error());
    auto sequences = block_->sequences();
    if (!sequences.ok()) return failed(std::move(sequences).error());
    auto* values = arena_->array<Value>(rows_);
    for (std::uint32_t row : sel)
      new (values + row) Value(Value::text(arena_->copy(
          run_.scan.pointer(block_->group(), (*ids)[(*codes)[row]], (*times)[row], (*sequences)[row]))));
    vec.kind = Vec::Kind::kValues;
    vec.values = values;
    return vec;
  }
  if (!run_.scan.discovers_fields(block_->group())) return constant_vec({});
  auto column = block_->column(name);
  if (!column.ok()) return failed(std::move(column).error());
  return from_column(std::move(column).value());
}

}  // namespace fog::insights
