#include "query/insights/aggregate.h"

#include <cmath>
#include <cstring>
#include <numeric>
#include <tuple>

#include "query/insights/json.h"
#include "query/insights/limits.h"
#include "query/insights/run.h"
#include "storage/base/hash.h"

namespace fog::insights {

namespace {

__extension__ typedef __int128 Int128;

constexpr std::uint32_t kNone = ~0u;

// Calls visit(k, number) for every selected row whose value has a numeric view.
template <typename Visit>
void for_numbers(const Vec& vec, const std::vector<std::uint32_t>& sel, Visit&& visit) {
  switch (vec.kind) {
    case Vec::Kind::kInt:
    case Vec::Kind::kTime:
      for (std::size_t k = 0; k < sel.size(); ++k) {
        std::uint32_t row = sel[k];
        if (vec.has(row)) visit(k, Num{Num::Kind::kInt, vec.ints[row], static_cast<double>(vec.ints[row])});
      }
      return;
    case Vec::Kind::kDouble:
      for (std::size_t k = 0; k < sel.size(); ++k) {
        std::uint32_t row = sel[k];
        if (vec.has(row)) visit(k, Num{Num::Kind::kDouble, 0, vec.doubles[row]});
      }
      return;
    case Vec::Kind::kDict: {
      std::vector<Num> numbers(vec.dict_size);
      std::vector<char> known(vec.dict_size, 0);
      for (std::size_t k = 0; k < sel.size(); ++k) {
        std::uint32_t row = sel[k];
        if (!vec.has(row)) continue;
        std::uint32_t code = vec.codes[row];
        if (!known[code]) {
          known[code] = 1;
          numbers[code] = numeric(vec.values[code]);
        }
        if (numbers[code]) visit(k, numbers[code]);
      }
      return;
    }
    case Vec::Kind::kConst:
    case Vec::Kind::kTruth:
    case Vec::Kind::kText:
    case Vec::Kind::kValues:
    case Vec::Kind::kUnset:
      for (std::size_t k = 0; k < sel.size(); ++k)
        if (Num n = vec.num(sel[k])) visit(k, n);
      return;
  }
}

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
};

bool countable(const Value& value) { return !value.null() && !value.container(); }

class Count final : public Aggregator {
 public:
  explicit Count(NodePtr arg) : arg_(std::move(arg)) {}
  void grow(std::size_t groups) override { counts_.resize(groups); }
  void update(Batch& batch, const std::vector<std::uint32_t>& gids) override {
    if (arg_ == nullptr) {
      for (std::uint32_t g : gids) ++counts_[g];
      return;
    }
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

 private:
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
  std::size_t bytes() const override { return best_.capacity() * (sizeof(Held) + 8); }

 private:
  void offer(Held& best, const Value& value) const {
    if (!countable(value)) return;
    if (!best.value.null() && better(value, best.get()) <= 0) return;
    best.set(value);
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
  std::size_t bytes() const override { return states_.capacity() * sizeof(Pair); }

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
  static void offer(Point& point, bool first, std::int64_t time, std::uint64_t sequence, const Value& value) {
    if (point.set) {
      bool less = time < point.time || (time == point.time && sequence < point.sequence);
      if (less != first || (time == point.time && sequence == point.sequence)) return;
    }
    point.set = true;
    point.time = time;
    point.sequence = sequence;
    point.held.set(value.container() ? Value{} : value);
  }
  AggregateSpec spec_;
  std::vector<Pair> states_;
};

// Counts of numbers in buckets 1/128 of a power of two wide: every value is known within 0.4 %.
class Sketch {
 public:
  void add(double v, std::uint64_t count = 1) {
    total_ += count;
    if (v == 0) {
      zeros_ += count;
      return;
    }
    add_at(v < 0 ? negative_ : positive_, bucket(std::abs(v)), count);
  }
  void merge(const Sketch& other) {
    total_ += other.total_;
    zeros_ += other.zeros_;
    for (std::size_t k = 0; k < other.negative_.counts.size(); ++k)
      if (other.negative_.counts[k]) add_at(negative_, other.negative_.base + static_cast<std::int32_t>(k), other.negative_.counts[k]);
    for (std::size_t k = 0; k < other.positive_.counts.size(); ++k)
      if (other.positive_.counts[k]) add_at(positive_, other.positive_.base + static_cast<std::int32_t>(k), other.positive_.counts[k]);
  }
  // The value of rank `rank`, from 1.
  double at(std::uint64_t rank) const {
    for (std::size_t k = negative_.counts.size(); k > 0; --k) {
      if (rank <= negative_.counts[k - 1]) return -middle(negative_.base + static_cast<std::int32_t>(k - 1));
      rank -= negative_.counts[k - 1];
    }
    if (rank <= zeros_) return 0;
    rank -= zeros_;
    for (std::size_t k = 0; k < positive_.counts.size(); ++k) {
      if (rank <= positive_.counts[k]) return middle(positive_.base + static_cast<std::int32_t>(k));
      rank -= positive_.counts[k];
    }
    return 0;
  }
  std::uint64_t total() const { return total_; }
  std::size_t bytes() const { return (negative_.counts.capacity() + positive_.counts.capacity()) * 8; }

 private:
  struct Side {
    std::int32_t base = 0;
    std::vector<std::uint64_t> counts;
  };
  // Exponent and the first seven bits of the mantissa.
  static std::int32_t bucket(double v) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &v, 8);
    return static_cast<std::int32_t>(bits >> 45);
  }
  static double middle(std::int32_t bucket) {
    std::uint64_t bits = static_cast<std::uint64_t>(bucket) << 45 | 1ull << 44;
    double v = 0;
    std::memcpy(&v, &bits, 8);
    return v;
  }
  static void add_at(Side& side, std::int32_t bucket, std::uint64_t count) {
    if (side.counts.empty()) side.base = bucket;
    if (bucket < side.base) {
      side.counts.insert(side.counts.begin(), static_cast<std::size_t>(side.base - bucket), 0);
      side.base = bucket;
    }
    auto k = static_cast<std::size_t>(bucket - side.base);
    if (k >= side.counts.size()) side.counts.resize(k + 1);
    side.counts[k] += count;
  }
  Side negative_, positive_;
  std::uint64_t zeros_ = 0, total_ = 0;
};

// pct and histogram: exact values while they are few enough, then (pct) a sketch.
class Numbers final : public Aggregator {
 public:
  explicit Numbers(const AggregateSpec& spec) : spec_(spec) {}
  void grow(std::size_t groups) override { states_.resize(groups); }
  void update(Batch& batch, const std::vector<std::uint32_t>& gids) override {
    Vec vec = batch.eval(*spec_.arg);
    for_numbers(vec, batch.sel, [&](std::size_t k, const Num& n) { add(states_[gids[k]], n.d); });
  }
  void merge(Aggregator& other, const std::vector<std::uint32_t>& map) override {
    auto& from = static_cast<Numbers&>(other);
    for (std::size_t g = 0; g < from.states_.size(); ++g) {
      State& a = states_[map[g]];
      State& b = from.states_[g];
      if (a.exact.empty() && !a.sketch && !b.sketch) {
        kept_ += b.exact.size();
        a.exact = std::move(b.exact);
      } else {
        for (double v : b.exact) add(a, v);
      }
      if (b.sketch) {
        spill(a);
        a.sketch->merge(*b.sketch);
      }
    }
    // Many groups share one budget: the largest give way first.
    while (spec_.kind == Aggregation::kPct && kept_ > kPctExactTotal) {
      auto largest = std::max_element(states_.begin(), states_.end(), [](const State& a, const State& b) {
        return a.exact.size() < b.exact.size();
      });
      if (largest->exact.empty()) break;
      spill(*largest);
    }
  }
  Value result(std::size_t group, Arena& arena) override {
    State& s = states_[group];
    if (spec_.kind == Aggregation::kHistogram) return histogram(s.exact, arena);
    std::uint64_t n = s.sketch ? s.sketch->total() : s.exact.size();
    if (n == 0) return {};
    auto rank = static_cast<std::uint64_t>(std::ceil(spec_.percentile / 100 * static_cast<double>(n)));
    rank = std::clamp<std::uint64_t>(rank, 1, n);
    if (s.sketch) return Value::number(s.sketch->at(rank));
    auto nth = s.exact.begin() + static_cast<std::ptrdiff_t>(rank - 1);
    std::nth_element(s.exact.begin(), nth, s.exact.end());
    return Value::number(*nth);
  }
  std::size_t bytes() const override {
    std::size_t bytes = states_.capacity() * sizeof(State) + kept_ * 8;
    for (const State& s : states_)
      if (s.sketch) bytes += s.sketch->bytes();
    return bytes;
  }

 private:
  struct State {
    std::vector<double> exact;
    std::unique_ptr<Sketch> sketch;
  };
  void add(State& s, double v) {
    if (s.sketch) {
      s.sketch->add(v);
      return;
    }
    s.exact.push_back(v);
    ++kept_;
    if (s.exact.size() > kPctExactMax && spec_.kind == Aggregation::kPct) spill(s);
  }
  void spill(State& s) {
    if (!s.sketch) s.sketch = std::make_unique<Sketch>();
    for (double v : s.exact) s.sketch->add(v);
    kept_ -= s.exact.size();
    s.exact = {};
  }
  Value histogram(const std::vector<double>& values, Arena& arena) const {
    if (values.empty()) return {};
    auto [low, high] = std::minmax_element(values.begin(), values.end());
    auto n = static_cast<std::size_t>(spec_.n);
    double width = (*high - *low) / static_cast<double>(n);
    if (width <= 0) {
      n = 1;
      width = 0;
    }
    std::vector<std::int64_t> counts(n);
    for (double v : values)
      ++counts[width > 0 ? std::min(n - 1, static_cast<std::size_t>((v - *low) / width)) : 0];
    std::vector<std::string> names;
    for (std::size_t k = 0; k < n; ++k) {
      std::string name;
      render(Value::number(*low + width * static_cast<double>(k)), name);
      name += '-';
      render(Value::number(k + 1 == n ? *high : *low + width * static_cast<double>(k + 1)), name);
      names.push_back(std::move(name));
    }
    std::vector<std::pair<std::string_view, Value>> members;
    for (std::size_t k = 0; k < n; ++k) members.emplace_back(names[k], Value::integer(counts[k]));
    return Value::of(make_map(members, arena));
  }
  AggregateSpec spec_;
  std::vector<State> states_;
  std::size_t kept_ = 0;
};

// 128 bits of a text: two texts with the same fingerprint do not happen.
struct Print {
  std::uint64_t a = 0, b = 0;
  auto operator<=>(const Print&) const = default;
};
Print print_of(std::string_view text) { return {hash64(text, 0), hash64(text, 0x9e3779b97f4a7c15ull)}; }

class Distinct final : public Aggregator {
 public:
  explicit Distinct(NodePtr arg) : arg_(std::move(arg)) {}
  void grow(std::size_t groups) override { sets_.resize(groups); }
  void update(Batch& batch, const std::vector<std::uint32_t>& gids) override {
    Vec vec = batch.eval(*arg_);
    std::string buffer;
    if (vec.kind == Vec::Kind::kDict && sets_.size() * vec.dict_size <= 1u << 22) {
      // Each pair of group and entry once.
      std::vector<char> seen(sets_.size() * vec.dict_size);
      for (std::size_t k = 0; k < gids.size(); ++k) {
        std::uint32_t row = batch.sel[k];
        if (!vec.has(row)) continue;
        char& mark = seen[gids[k] * vec.dict_size + vec.codes[row]];
        if (mark) continue;
        mark = 1;
        insert(gids[k], vec.values[vec.codes[row]], buffer);
      }
      return;
    }
    for (std::size_t k = 0; k < gids.size(); ++k) insert(gids[k], vec.get(batch.sel[k], batch.arena()), buffer);
  }
  void merge(Aggregator& other, const std::vector<std::uint32_t>& map) override {
    auto& from = static_cast<Distinct&>(other);
    for (std::size_t g = 0; g < from.sets_.size(); ++g) {
      Set& a = sets_[map[g]];
      Set& b = from.sets_[g];
      a.items.insert(a.items.end(), b.items.begin(), b.items.end());
      a.tidy_if_grown();
    }
  }
  Value result(std::size_t group, Arena&) override {
    sets_[group].tidy();
    return Value::integer(static_cast<std::int64_t>(sets_[group].items.size()));
  }
  std::size_t bytes() const override {
    std::size_t bytes = sets_.capacity() * sizeof(Set);
    for (const Set& set : sets_) bytes += set.items.capacity() * sizeof(Print);
    return bytes;
  }

 private:
  // Sorted and unique after tidy(); new items wait at the end.
  struct Set {
    std::vector<Print> items;
    std::size_t tidied = 0;
    void tidy() {
      std::sort(items.begin(), items.end());
      items.erase(std::unique(items.begin(), items.end()), items.end());
      tidied = items.size();
    }
    void tidy_if_grown() {
      if (items.size() > 64 && items.size() > 2 * tidied) tidy();
    }
  };
  void insert(std::size_t group, const Value& value, std::string& buffer) {
    if (!countable(value)) return;
    sets_[group].items.push_back(print_of(text_of(value, buffer)));
    sets_[group].tidy_if_grown();
  }
  NodePtr arg_;
  std::vector<Set> sets_;
};

// values(f): distinct texts in the order in which they were first seen.
class Values final : public Aggregator {
 public:
  explicit Values(NodePtr arg) : arg_(std::move(arg)) {}
  void grow(std::size_t groups) override { sets_.resize(groups); }
  void update(Batch& batch, const std::vector<std::uint32_t>& gids) override {
    Vec vec = batch.eval(*arg_);
    std::string buffer;
    const std::int64_t* times = batch.times();
    const std::uint64_t* sequences = batch.sequences();
    bool events = times != nullptr && sequences != nullptr && batch.newest_first();
    for (std::size_t k = 0; k < gids.size(); ++k) {
      std::uint32_t row = batch.sel[k];
      Value value = vec.get(row, batch.arena());
      if (!countable(value)) continue;
      // Blocks overlap in time, so the place of a row is its time; rows in memory are in order already.
      Place place = events ? Place{-times[row], ~sequences[row], k} : Place{0, 0, k};
      offer(sets_[gids[k]], std::string(text_of(value, buffer)), place);
    }
  }
  void merge(Aggregator& other, const std::vector<std::uint32_t>& map) override {
    auto& from = static_cast<Values&>(other);
    for (std::size_t g = 0; g < from.sets_.size(); ++g)
      for (auto& [text, place] : from.sets_[g]) offer(sets_[map[g]], text, place);
  }
  Value result(std::size_t group, Arena& arena) override {
    std::vector<std::pair<Place, std::string_view>> order;
    for (auto& [text, place] : sets_[group]) order.emplace_back(place, text);
    if (order.empty()) return {};
    std::sort(order.begin(), order.end());
    std::vector<Value> texts;
    for (auto& [place, text] : order) texts.push_back(Value::text(text));
    return Value::of(make_list(texts, arena));
  }
  std::size_t bytes() const override { return bytes_ + sets_.capacity() * 56; }

 private:
  using Place = std::tuple<std::int64_t, std::uint64_t, std::size_t>;
  using Set = std::unordered_map<std::string, Place>;
  void offer(Set& set, const std::string& text, Place place) {
    auto [it, fresh] = set.try_emplace(text, place);
    if (fresh)
      bytes_ += text.size() + 80;
    else
      it->second = std::min(it->second, place);
  }
  NodePtr arg_;
  std::vector<Set> sets_;
  std::size_t bytes_ = 0;
};

}  // namespace

std::unique_ptr<Aggregator> make_aggregator(const AggregateSpec& spec) {
  switch (spec.kind) {
    case Aggregation::kCount:
    case Aggregation::kTopk: return std::make_unique<Count>(spec.arg);
    case Aggregation::kCountDistinct: return std::make_unique<Distinct>(spec.arg);
    case Aggregation::kSum:
    case Aggregation::kAvg:
    case Aggregation::kStddev:
    case Aggregation::kVariance: return std::make_unique<Sums>(spec.kind, spec.arg);
    case Aggregation::kMin:
    case Aggregation::kMax:
    case Aggregation::kSortsFirst:
    case Aggregation::kSortsLast: return std::make_unique<Extreme>(spec.kind, spec.arg);
    case Aggregation::kPct:
    case Aggregation::kHistogram: return std::make_unique<Numbers>(spec);
    case Aggregation::kEarliest:
    case Aggregation::kLatest:
    case Aggregation::kRate: return std::make_unique<InTime>(spec);
    case Aggregation::kValues: return std::make_unique<Values>(spec.arg);
  }
  return nullptr;
}

GroupTable::GroupTable(const Grouping& grouping, Memory* memory) : grouping_(grouping), memory_(memory), arena_(memory) {
  for (const AggregateSpec& spec : grouping.aggregates) aggregators_.push_back(make_aggregator(spec));
}

GroupTable::~GroupTable() {
  if (memory_) memory_->sub(accounted_);
}

void GroupTable::account() {
  std::size_t bytes = keys_.capacity() * sizeof(Value) + index_.size() * 96;
  for (const auto& aggregator : aggregators_) bytes += aggregator->bytes();
  if (memory_ && bytes > accounted_) memory_->add(bytes - accounted_);
  if (memory_ && bytes < accounted_) memory_->sub(accounted_ - bytes);
  accounted_ = bytes;
}

namespace {

// Small numbers for the values of a key column; equal values get equal numbers, though not always the
// other way round (the merge settles that).
struct Encoded {
  std::vector<std::uint32_t> ids;  // by position in sel
  std::uint32_t size = 1;
};

Encoded encode(const Vec& vec, Batch& batch) {
  const auto& sel = batch.sel;
  Encoded out;
  out.ids.resize(sel.size());
  switch (vec.kind) {
    case Vec::Kind::kConst:
    case Vec::Kind::kUnset: return out;
    case Vec::Kind::kDict:
      out.size = vec.dict_size + 1;
      if (vec.present == nullptr)
        for (std::size_t k = 0; k < sel.size(); ++k) out.ids[k] = vec.codes[sel[k]];
      else
        for (std::size_t k = 0; k < sel.size(); ++k) {
          // Entries of absent rows are zero, so that both can be read before choosing.
          std::uint32_t code = vec.codes[sel[k]];
          out.ids[k] = vec.has(sel[k]) ? code : vec.dict_size;
        }
      return out;
    case Vec::Kind::kTruth:
      out.size = 3;
      for (std::size_t k = 0; k < sel.size(); ++k) out.ids[k] = static_cast<std::uint32_t>(vec.truth[sel[k]] + 1);
      return out;
    case Vec::Kind::kInt:
    case Vec::Kind::kTime:
    case Vec::Kind::kDouble: {
      std::unordered_map<std::int64_t, std::uint32_t> index;
      std::uint32_t next = 1;  // 0 is null
      std::int64_t last = 0;
      std::uint32_t last_id = 0;
      for (std::size_t k = 0; k < sel.size(); ++k) {
        std::uint32_t row = sel[k];
        if (!vec.has(row)) continue;
        std::int64_t key = 0;
        if (vec.kind == Vec::Kind::kDouble)
          std::memcpy(&key, &vec.doubles[row], 8);
        else
          key = vec.ints[row];
        if (last_id == 0 || key != last) {
          auto [it, fresh] = index.try_emplace(key, next);
          if (fresh) ++next;
          last = key;
          last_id = it->second;
        }
        out.ids[k] = last_id;
      }
      out.size = next;
      return out;
    }
    case Vec::Kind::kText:
    case Vec::Kind::kValues: {
      std::unordered_map<std::string_view, std::uint32_t> index;
      std::uint32_t next = 1;
      std::string buffer;
      for (std::size_t k = 0; k < sel.size(); ++k) {
        Value value = vec.get(sel[k], batch.arena());
        if (!countable(value)) continue;
        std::string_view text = text_of(value, buffer);
        auto it = index.find(text);
        if (it == index.end()) {
          if (!value.is_text()) text = batch.arena().copy(text);
          it = index.emplace(text, next++).first;
        }
        out.ids[k] = it->second;
      }
      out.size = next;
      return out;
    }
  }
  return out;
}

}  // namespace

void GroupTable::add(Batch& batch) {
  std::size_t n = batch.sel.size();
  if (n == 0) return;
  std::vector<Vec> columns;
  std::vector<std::uint32_t> gids(n, 0);
  std::vector<std::uint32_t> first{0};  // a position in sel for each group
  std::size_t groups = 1;
  for (const NodePtr& key : grouping_.keys) {
    columns.push_back(batch.eval(*key));
    Encoded encoded = encode(columns.back(), batch);
    if (encoded.size == 1) continue;
    // Combine with what there is and number the combinations in use.
    std::uint64_t combinations = static_cast<std::uint64_t>(groups) * encoded.size;
    std::vector<std::uint32_t> dense;
    std::unordered_map<std::uint64_t, std::uint32_t> sparse;
    if (combinations <= 1u << 20)
      dense.assign(combinations, kNone);
    std::vector<std::uint32_t> new_first;
    auto number = [&](std::uint32_t& id, std::size_t k) {
      if (id == kNone) [[unlikely]] {
        id = static_cast<std::uint32_t>(new_first.size());
        new_first.push_back(static_cast<std::uint32_t>(k));
      }
      return id;
    };
    if (!dense.empty() && groups == 1) {
      for (std::size_t k = 0; k < n; ++k) gids[k] = number(dense[encoded.ids[k]], k);
    } else if (!dense.empty()) {
      for (std::size_t k = 0; k < n; ++k)
        gids[k] = number(dense[static_cast<std::size_t>(gids[k]) * encoded.size + encoded.ids[k]], k);
    } else {
      for (std::size_t k = 0; k < n; ++k) {
        std::uint64_t combined = static_cast<std::uint64_t>(gids[k]) * encoded.size + encoded.ids[k];
        gids[k] = number(sparse.try_emplace(combined, kNone).first->second, k);
      }
    }
    first = std::move(new_first);
    groups = first.size();
  }
  groups_ = groups;
  for (std::size_t g = 0; g < groups; ++g)
    for (const Vec& vec : columns) {
      Value value = vec.get(batch.sel[first[g]], batch.arena());
      if (value.container()) value = Value{};
      if (value.type == Type::kTime) value.i += grouping_.offset_ms;
      keys_.push_back(copy(value, arena_));
    }
  for (const auto& aggregator : aggregators_) {
    aggregator->grow(groups);
    aggregator->update(batch, gids);
  }
  account();
}

std::string GroupTable::key_of(std::size_t group) const {
  std::string key;
  std::size_t width = grouping_.keys.size();
  for (std::size_t k = 0; k < width; ++k) {
    const Value& value = keys_[group * width + k];
    if (value.null()) {
      key += '\0';
      continue;
    }
    std::string text = to_text(value);
    key += '\1';
    key += std::to_string(text.size());
    key += ':';
    key += text;
  }
  return key;
}

void GroupTable::merge(GroupTable& other) {
  std::vector<std::uint32_t> map(other.groups_);
  std::size_t width = grouping_.keys.size();
  for (std::size_t g = 0; g < other.groups_; ++g) {
    auto [it, fresh] = index_.try_emplace(other.key_of(g), static_cast<std::uint32_t>(groups_));
    if (fresh) {
      ++groups_;
      for (std::size_t k = 0; k < width; ++k) keys_.push_back(copy(other.keys_[g * width + k], arena_));
    }
    map[g] = it->second;
  }
  for (std::size_t k = 0; k < aggregators_.size(); ++k) {
    aggregators_[k]->grow(groups_);
    aggregators_[k]->merge(*other.aggregators_[k], map);
  }
  account();
}

BatchPtr GroupTable::finish(Run& run) {
  auto batch = std::make_shared<Batch>(run, groups_, grouping_.command);
  std::size_t width = grouping_.keys.size();
  Arena& arena = batch->arena();
  int time_key = -1;
  for (std::size_t k = 0; k < width; ++k) {
    auto* values = arena.array<Value>(groups_);
    bool time = false;
    for (std::size_t g = 0; g < groups_; ++g) {
      new (values + g) Value(copy(keys_[g * width + k], arena));
      time = time || values[g].type == Type::kTime;
    }
    if (time && time_key < 0) time_key = grouping_.key_slots[k];
    batch->set_values(grouping_.key_slots[k], values);
  }
  for (std::size_t a = 0; a < aggregators_.size(); ++a) {
    auto* values = arena.array<Value>(groups_);
    for (std::size_t g = 0; g < groups_; ++g) new (values + g) Value(aggregators_[a]->result(g, arena));
    batch->set_values(grouping_.aggregates[a].slot, values);
  }
  auto& sel = batch->sel;
  if (grouping_.skip_null_keys)
    for (int key : grouping_.key_slots)
      std::erase_if(sel, [&](std::uint32_t row) { return batch->value(key, row).null(); });
  if (grouping_.count_order >= 0) {
    int slot = grouping_.aggregates[static_cast<std::size_t>(grouping_.count_order)].slot;
    std::stable_sort(sel.begin(), sel.end(), [&](std::uint32_t a, std::uint32_t b) {
      if (int c = sort_compare(batch->value(slot, b), batch->value(slot, a)); c != 0) return c < 0;
      for (int key : grouping_.key_slots)
        if (int c = sort_compare(batch->value(key, a), batch->value(key, b)); c != 0) return c < 0;
      return false;
    });
    if (grouping_.rows_max >= 0 && sel.size() > static_cast<std::size_t>(grouping_.rows_max))
      sel.resize(static_cast<std::size_t>(grouping_.rows_max));
  } else if (time_key >= 0) {
    std::stable_sort(sel.begin(), sel.end(), [&](std::uint32_t a, std::uint32_t b) {
      return sort_compare(batch->value(time_key, a), batch->value(time_key, b)) > 0;
    });
  }
  return batch;
}

}  // namespace fog::insights
