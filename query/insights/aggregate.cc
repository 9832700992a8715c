// Aggregates of one pass: counts, sums, extremes, first and last in time.
#include "query/insights/aggregators.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "query/insights/run.h"

// The loops over columns are worth vector instructions, which -O2 of GCC 12 uses for the simplest only.
#pragma GCC optimize("tree-vectorize", "vect-cost-model=dynamic")

namespace fog::insights {

namespace {

__extension__ typedef __int128 Int128;

constexpr std::uint32_t kNone = ~0u;

// A value that owns its text.
struct Held {
  Value value;
  std::string text;
  void set(const Value& v) {
    value = v;
    if (v.is_text()) text = v.view();
  }
  Value get() const {
    if (!value.is_text()) return value;
    Value v = Value::text(text);
    v.literal = value.literal;
    return v;
  }
  Value get(Arena& arena) const { return copy(get(), arena); }
  std::size_t text_bytes() const { return text.capacity() > 15 ? allocated(text.capacity() + 1) : 0; }
};

class Count final : public Aggregator {
 public:
  explicit Count(NodePtr arg) : arg_(std::move(arg)) {}
  void grow(std::size_t groups) override { counts_.resize(groups); }
  bool ordered() const override { return false; }
  bool wants_rows() const override { return arg_ != nullptr; }
  void update_sizes(const std::vector<std::uint32_t>& sizes) override {
    for (std::size_t g = 0; g < sizes.size(); ++g) counts_[g] += sizes[g];
  }
  void update(Batch& batch, const std::vector<std::uint32_t>& gids) override {
    Vec vec = batch.eval(*arg_);
    for (std::size_t k = 0; k < gids.size(); ++k)
      if (!vec.null(batch.sel[k])) ++counts_[gids[k]];
  }
  void merge(Aggregator& other, const std::vector<std::uint32_t>& map) override {
    auto& from = static_cast<Count&>(other);
    for (std::size_t g = 0; g < from.counts_.size(); ++g) counts_[map[g]] += from.counts_[g];
  }
  Value result(std::size_t group, Arena&) override { return Value::integer(counts_[group]); }
  std::size_t bytes() const override { return counts_.capacity() * 8; }

 private:
  NodePtr arg_;
  std::vector<std::int64_t> counts_;
};

// sum, avg, stddev, variance. Integers are summed exactly; fractions with compensation, so that the
// order of blocks does not show in the result.
class Sums final : public Aggregator {
 public:
  Sums(Aggregation kind, NodePtr arg) : kind_(kind), arg_(std::move(arg)) {}
  void grow(std::size_t groups) override { states_.resize(groups); }
  void update(Batch& batch, const std::vector<std::uint32_t>& gids) override {
    Vec vec = batch.eval(*arg_);
    bool spread = kind_ == Aggregation::kStddev || kind_ == Aggregation::kVariance;
    if (!spread && add_decimals(vec, batch.sel, gids)) return;
    for_numbers(vec, batch.sel, [&](std::size_t k, const Num& n) {
      State& s = states_[gids[k]];
      ++s.n;
      if (n.is_int())
        s.ints += n.i;
      else
        s.add(n.d);
      if (spread) {
        double delta = n.d - s.mean;
        s.mean += delta / static_cast<double>(s.n);
        s.m2 += delta * (n.d - s.mean);
      }
    });
  }
  void merge(Aggregator& other, const std::vector<std::uint32_t>& map) override {
    auto& from = static_cast<Sums&>(other);
    for (std::size_t g = 0; g < from.states_.size(); ++g) {
      const State& b = from.states_[g];
      State& a = states_[map[g]];
      if (b.n == 0) continue;
      double delta = b.mean - a.mean;
      auto na = static_cast<double>(a.n), nb = static_cast<double>(b.n);
      a.mean += delta * nb / (na + nb);
      a.m2 += b.m2 + delta * delta * na * nb / (na + nb);
      a.n += b.n;
      a.ints += b.ints;
      a.add(b.sum);
      a.rest += b.rest;
    }
  }
  Value result(std::size_t group, Arena&) override {
    const State& s = states_[group];
    if (s.n == 0) return {};
    auto n = static_cast<double>(s.n);
    double fractions = s.sum + s.rest;
    switch (kind_) {
      case Aggregation::kSum:
        if (fractions == 0 && s.ints >= INT64_MIN && s.ints <= INT64_MAX)
          return Value::integer(static_cast<std::int64_t>(s.ints));
        return Value::number(static_cast<double>(s.ints) + fractions);
      case Aggregation::kAvg:
        if (fractions == 0 && s.ints % s.n == 0 && s.ints >= INT64_MIN && s.ints <= INT64_MAX)
          return Value::integer(static_cast<std::int64_t>(s.ints / s.n));
        return Value::number((static_cast<double>(s.ints) + fractions) / n);
      case Aggregation::kVariance: return Value::number(s.m2 / n);
      case Aggregation::kStddev: return Value::number(std::sqrt(s.m2 / n));
      default: return {};
    }
  }
  std::size_t bytes() const override { return states_.capacity() * sizeof(State); }
  bool ordered() const override { return false; }

 private:
  // Columns of the store hold decimals as integers of one scale: they are added up exactly and divided
  // once a group. False: not such a column, or values so large that their sum might not fit.
  bool add_decimals(const Vec& vec, const std::vector<std::uint32_t>& sel, const std::vector<std::uint32_t>& gids) {
    const LogColumn* column = vec.source.get();
    if (column == nullptr) return false;
    const bool ints = vec.kind == Vec::Kind::kInt && vec.ints == column->ints.data();
    const bool decimals = vec.kind == Vec::Kind::kDouble && vec.doubles == column->doubles.data() &&
                          column->mantissas.size() == column->doubles.size();
    if (!ints && !decimals) return false;
    const std::vector<std::int64_t>& values = ints ? column->ints : column->mantissas;
    constexpr std::uint64_t kBoth = 62;  // bits of a sum
    std::uint64_t bits = 0;
    for (const std::int64_t v : values) bits |= static_cast<std::uint64_t>(v ^ (v >> 63));
    if (static_cast<std::uint64_t>(std::bit_width(bits)) + static_cast<std::uint64_t>(std::bit_width(values.size())) > kBoth)
      return false;
    // Two lanes: neighbours of one group do not wait for each other's store.
    struct Cell {
      std::int64_t sum = 0, n = 0;
    };
    const std::size_t groups = states_.size();
    std::vector<Cell> cells(2 * groups);
    Cell* lanes[2] = {cells.data(), cells.data() + groups};
    const std::int64_t* from = values.data();
    std::size_t begin = 0;
    if (sel.size() == values.size() && sel.front() == 0) {
      // All rows as they lie: where 64 neighbours are of one group (bins of time) their sum needs no look at
      // each. Absent rows hold zero.
      for (; begin + 64 <= sel.size(); begin += 64) {
        const std::uint32_t* ids = gids.data() + begin;
        bool same = ids[0] == ids[63];
        for (std::size_t i = 1; same && i < 64; i += 9) same = ids[i] == ids[0];
        if (same) same = std::all_of(ids, ids + 64, [ids](std::uint32_t id) { return id == ids[0]; });
        if (same) {
          std::int64_t sum = 0;
          for (std::size_t i = 0; i < 64; ++i) sum += from[begin + i];
          cells[ids[0]].sum += sum;
          cells[ids[0]].n += vec.present == nullptr ? 64 : std::popcount(vec.present[begin / 64]);
          continue;
        }
        const std::uint64_t present = vec.present == nullptr ? ~0ull : vec.present[begin / 64];
        for (std::size_t i = 0; i < 64; ++i) {
          Cell& cell = lanes[i & 1][ids[i]];
          cell.sum += from[begin + i];
          cell.n += static_cast<std::int64_t>((present >> i) & 1);
        }
      }
    }
    if (vec.present == nullptr) {
      for (std::size_t k = begin; k < sel.size(); ++k) {
        Cell& cell = lanes[k & 1][gids[k]];
        cell.sum += from[sel[k]];
        ++cell.n;
      }
    } else {
      for (std::size_t k = begin; k < sel.size(); ++k) {
        const std::uint32_t row = sel[k];
        const auto bit = static_cast<std::int64_t>((vec.present[row / 64] >> (row % 64)) & 1);
        Cell& cell = lanes[k & 1][gids[k]];
        cell.sum += from[row] & -bit;
        cell.n += bit;
      }
    }
    const double unit = decimals ? std::pow(10.0, column->scale) : 1;
    for (std::size_t g = 0; g < groups; ++g) {
      const Cell total{cells[g].sum + cells[groups + g].sum, cells[g].n + cells[groups + g].n};
      if (total.n == 0) continue;
      State& s = states_[g];
      s.n += total.n;
      if (ints)
        s.ints += total.sum;
      else
        s.add(static_cast<double>(total.sum) / unit);
    }
    return true;
  }

  struct State {
    Int128 ints = 0;
    double sum = 0, rest = 0;  // of fractions: value and compensation (Neumaier)
    double mean = 0, m2 = 0;
    std::int64_t n = 0;
    void add(double v) {
      double t = sum + v;
      rest += std::abs(sum) >= std::abs(v) ? (sum - t) + v : (v - t) + sum;
      sum = t;
    }
  };
  Aggregation kind_;
  NodePtr arg_;
  std::vector<State> states_;
};

// min, max: numbers win over text. sortsFirst, sortsLast: the order of sort.
class Extreme final : public Aggregator {
 public:
  Extreme(Aggregation kind, NodePtr arg)
      : sorts_(kind == Aggregation::kSortsFirst || kind == Aggregation::kSortsLast),
        sign_(kind == Aggregation::kMin || kind == Aggregation::kSortsFirst ? -1 : 1), arg_(std::move(arg)) {}
  void grow(std::size_t groups) override { best_.resize(groups); }
  void update(Batch& batch, const std::vector<std::uint32_t>& gids) override {
    Vec vec = batch.eval(*arg_);
    std::vector<std::uint32_t> winner(best_.size(), kNone);
    bool numbers = vec.kind == Vec::Kind::kInt || vec.kind == Vec::Kind::kTime || vec.kind == Vec::Kind::kDouble;
    if (numbers) {
      std::vector<Num> most(best_.size());
      for_numbers(vec, batch.sel, [&](std::size_t k, const Num& n) {
        std::uint32_t g = gids[k];
        if (winner[g] != kNone && compare(n, most[g]) * sign_ <= 0) return;
        winner[g] = batch.sel[k];
        most[g] = n;
      });
      for (std::size_t g = 0; g < winner.size(); ++g)
        if (winner[g] != kNone) offer(best_[g], vec.get(winner[g], batch.arena()));
      return;
    }
    std::vector<char> seen(vec.kind == Vec::Kind::kDict ? vec.dict_size : 0);
    bool one = best_.size() == 1;
    for (std::size_t k = 0; k < gids.size(); ++k) {
      std::uint32_t row = batch.sel[k];
      // With one group each dictionary entry counts once.
      if (one && vec.kind == Vec::Kind::kDict && vec.has(row)) {
        if (seen[vec.codes[row]]) continue;
        seen[vec.codes[row]] = 1;
      }
      offer(best_[gids[k]], vec.get(row, batch.arena()));
    }
  }
  void merge(Aggregator& other, const std::vector<std::uint32_t>& map) override {
    auto& from = static_cast<Extreme&>(other);
    for (std::size_t g = 0; g < from.best_.size(); ++g) offer(best_[map[g]], from.best_[g].get());
  }
  Value result(std::size_t group, Arena& arena) override { return best_[group].get(arena); }
  std::size_t bytes() const override {
    return best_.capacity() * sizeof(Held) + text_bytes_;
  }

 private:
  void offer(Held& best, const Value& value) {
    if (!countable(value)) return;
    if (!best.value.null() && better(value, best.get()) <= 0) return;
    text_bytes_ -= best.text_bytes();
    best.set(value);
    text_bytes_ += best.text_bytes();
  }
  int better(const Value& a, const Value& b) const {
    if (sorts_) return sort_compare(a, b) * sign_;
    Num x = numeric(a), y = numeric(b);
    if (x && y) return compare(x, y) * sign_;
    if (x || y) return x ? 1 : -1;
    std::string p, q;
    int c = text_of(a, p).compare(text_of(b, q));
    return (c < 0 ? -1 : c > 0 ? 1 : 0) * sign_;
  }
  bool sorts_;
  int sign_;
  NodePtr arg_;
  std::vector<Held> best_;
  std::size_t text_bytes_ = 0;
};

// earliest, latest, rate: ordered by @timestamp, then by sequence.
class InTime final : public Aggregator {
 public:
  explicit InTime(const AggregateSpec& spec) : spec_(spec) {}
  void grow(std::size_t groups) override { states_.resize(groups); }
  void update(Batch& batch, const std::vector<std::uint32_t>& gids) override {
    if (spec_.time_slot < 0) return;
    Vec vec = batch.eval(*spec_.arg);
    const Vec times = batch.column(spec_.time_slot);
    bool numbers = spec_.kind == Aggregation::kRate;
    struct Best {
      std::uint32_t row = kNone;
      std::int64_t time = 0;
      std::uint64_t sequence = 0;
    };
    std::vector<Best> first(states_.size()), last(states_.size());
    const std::uint64_t* sequences = batch.sequences();
    for (std::size_t k = 0; k < gids.size(); ++k) {
      std::uint32_t row = batch.sel[k];
      if (numbers ? !vec.num(row) : vec.null(row)) continue;
      Num time = times.num(row);
      if (!time) continue;
      // Without a sequence, earlier rows of a newest-first order count as newer.
      std::uint64_t sequence = sequences ? sequences[row] : ~static_cast<std::uint64_t>(k);
      std::int64_t t = time.is_int() ? time.i : static_cast<std::int64_t>(time.d);
      Best& a = first[gids[k]];
      if (a.row == kNone || t < a.time || (t == a.time && sequence < a.sequence)) a = {row, t, sequence};
      Best& b = last[gids[k]];
      if (b.row == kNone || t > b.time || (t == b.time && sequence > b.sequence)) b = {row, t, sequence};
    }
    for (std::size_t g = 0; g < states_.size(); ++g) {
      if (first[g].row == kNone) continue;
      offer(states_[g].first, true, first[g].time, first[g].sequence, vec.get(first[g].row, batch.arena()));
      offer(states_[g].last, false, last[g].time, last[g].sequence, vec.get(last[g].row, batch.arena()));
    }
  }
  void merge(Aggregator& other, const std::vector<std::uint32_t>& map) override {
    auto& from = static_cast<InTime&>(other);
    for (std::size_t g = 0; g < from.states_.size(); ++g) {
      const Pair& p = from.states_[g];
      if (p.first.set) offer(states_[map[g]].first, true, p.first.time, p.first.sequence, p.first.held.get());
      if (p.last.set) offer(states_[map[g]].last, false, p.last.time, p.last.sequence, p.last.held.get());
    }
  }
  Value result(std::size_t group, Arena& arena) override {
    const Pair& p = states_[group];
    if (!p.first.set) return {};
    if (spec_.kind == Aggregation::kEarliest) return p.first.held.get(arena);
    if (spec_.kind == Aggregation::kLatest) return p.last.held.get(arena);
    Num a = numeric(p.first.held.get()), b = numeric(p.last.held.get());
    auto elapsed = static_cast<double>(p.last.time - p.first.time) / static_cast<double>(spec_.period.ms());
    return elapsed > 0 ? Value::number((b.d - a.d) / elapsed) : Value{};
  }
  std::size_t bytes() const override {
    return states_.capacity() * sizeof(Pair) + text_bytes_;
  }

 private:
  struct Point {
    bool set = false;
    std::int64_t time = 0;
    std::uint64_t sequence = 0;
    Held held;
  };
  struct Pair {
    Point first, last;
  };
  void offer(Point& point, bool first, std::int64_t time, std::uint64_t sequence, const Value& value) {
    if (point.set) {
      bool less = time < point.time || (time == point.time && sequence < point.sequence);
      if (less != first || (time == point.time && sequence == point.sequence)) return;
    }
    point.set = true;
    point.time = time;
    point.sequence = sequence;
    text_bytes_ -= point.held.text_bytes();
    point.held.set(value.container() ? Value{} : value);
    text_bytes_ += point.held.text_bytes();
  }
  AggregateSpec spec_;
  std::vector<Pair> states_;
  std::size_t text_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Aggregator> make_aggregator(const AggregateSpec& spec) {
  switch (spec.kind) {
    case Aggregation::kCount:
    case Aggregation::kTopk: return std::make_unique<Count>(spec.arg);
    case Aggregation::kCountDistinct: return make_distinct(spec.arg);
    case Aggregation::kSum:
    case Aggregation::kAvg:
    case Aggregation::kStddev:
    case Aggregation::kVariance: return std::make_unique<Sums>(spec.kind, spec.arg);
    case Aggregation::kMin:
    case Aggregation::kMax:
    case Aggregation::kSortsFirst:
    case Aggregation::kSortsLast: return std::make_unique<Extreme>(spec.kind, spec.arg);
    case Aggregation::kPct:
    case Aggregation::kHistogram: return make_numbers(spec);
    case Aggregation::kEarliest:
    case Aggregation::kLatest:
    case Aggregation::kRate: return std::make_unique<InTime>(spec);
    case Aggregation::kValues: return make_values(spec.arg);
  }
  return nullptr;
}

}  // namespace fog::insights
