// pct and histogram: exact values while they are few enough, then a sketch.
#include <cmath>
#include <cstring>
#include <limits>

#include "query/insights/aggregators.h"
#include "query/insights/json.h"
#include "query/insights/limits.h"
#include "storage/base/worker_pool.h"

namespace fog::insights {

namespace {

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

// Numbers in the order of their arrival: some by themselves, then whole pieces as blocks had them.
struct Exact {
  std::vector<double> few;
  std::unique_ptr<std::vector<std::vector<double>>> pieces;
  std::size_t piece_bytes = 0;
  std::size_t size = 0;

  void add(double v) {
    few.push_back(v);
    ++size;
  }
  void take(std::vector<double>&& values) {
    constexpr std::size_t kPieceMin = 2048;  // fewer are copied
    size += values.size();
    if (few.empty() && pieces == nullptr) {
      few = std::move(values);
    } else if (values.size() < kPieceMin) {
      few.insert(few.end(), values.begin(), values.end());
    } else {
      if (pieces == nullptr) pieces = std::make_unique<std::vector<std::vector<double>>>();
      piece_bytes += allocated(values.capacity() * sizeof(double)) + 2 * sizeof(values);
      pieces->push_back(std::move(values));
    }
  }
  void take(Exact&& other) {
    take(std::move(other.few));
    if (other.pieces != nullptr)
      for (std::vector<double>& piece : *other.pieces) take(std::move(piece));
    other = {};
  }
  template <typename Visit>
  void visit(Visit&& visit) const {
    for (const double v : few) visit(v);
    if (pieces != nullptr)
      for (const std::vector<double>& piece : *pieces)
        for (const double v : piece) visit(v);
  }
  std::size_t bytes() const { return allocated(few.capacity() * sizeof(double)) + piece_bytes; }
};

// The element that sorting would put at `k`. Of many values only those are looked at closely that share
// the leading 16 bits (sign, exponent, four bits of the mantissa) with it.
double nth_smallest(const Exact& values, std::size_t k) {
  constexpr std::size_t kFew = 4096;
  std::vector<double> near;
  if (values.size > kFew) {
    const auto bucket = [](double v) {
      std::uint64_t bits = 0;
      std::memcpy(&bits, &v, 8);
      bits ^= bits >> 63 != 0 ? ~0ull : 1ull << 63;  // in the order of the values
      return static_cast<std::size_t>(bits >> 48);
    };
    std::vector<std::uint32_t> counts(1u << 16);
    values.visit([&](double v) { ++counts[bucket(v)]; });
    std::size_t at = 0;
    for (; k >= counts[at]; ++at) k -= counts[at];
    near.reserve(counts[at]);
    values.visit([&](double v) {
      if (bucket(v) == at) near.push_back(v);
    });
  } else {
    near.reserve(values.size);
    values.visit([&](double v) { near.push_back(v); });
  }
  const auto nth = near.begin() + static_cast<std::ptrdiff_t>(k);
  std::nth_element(near.begin(), nth, near.end());
  return *nth;
}

// pct and histogram: exact values while they are few enough, then (pct) a sketch.
class Numbers final : public Aggregator {
 public:
  explicit Numbers(const AggregateSpec& spec) : spec_(spec) {}
  void grow(std::size_t groups) override { states_.resize(groups); }
  void update(Batch& batch, const std::vector<std::uint32_t>& gids) override {
    Vec vec = batch.eval(*spec_.arg);
    if (add_column(vec, batch.sel, gids)) return;
    for_numbers(vec, batch.sel, [&](std::size_t k, const Num& n) { add(states_[gids[k]], n.d); });
  }
  bool ordered() const override { return false; }
  void merge(Aggregator& other, const std::vector<std::uint32_t>& map) override {
    auto& from = static_cast<Numbers&>(other);
    for (std::size_t g = 0; g < from.states_.size(); ++g) {
      State& a = states_[map[g]];
      State& b = from.states_[g];
      change(a, [&] {
        kept_ += b.exact.size;
        a.exact.take(std::move(b.exact));
        if (b.sketch || (a.exact.size > kPctExactMax && spec_.kind == Aggregation::kPct)) spill(a);
        if (a.sketch && a.exact.size > 0) spill(a);
        if (b.sketch) a.sketch->merge(*b.sketch);
      });
    }
    // Many groups share one budget: the largest give way first.
    while (spec_.kind == Aggregation::kPct && kept_ > kPctExactTotal) {
      auto largest = std::max_element(states_.begin(), states_.end(), [](const State& a, const State& b) {
        return a.exact.size < b.exact.size;
      });
      if (largest->exact.size == 0) break;
      change(*largest, [&] { spill(*largest); });
    }
  }
  // What many values amount to takes a while: groups side by side.
  void settle(WorkerPool* pool) override {
    constexpr std::size_t kWorthIt = 1u << 16;
    settled_.clear();
    if (pool == nullptr || spec_.kind != Aggregation::kPct || kept_ < kWorthIt || states_.size() > 1024) return;
    settled_.resize(states_.size());
    pool->parallel_for(states_.size(), [this](std::size_t g) { settled_[g] = percentile(states_[g]); });
  }
  Value result(std::size_t group, Arena& arena) override {
    if (spec_.kind == Aggregation::kHistogram) return histogram(states_[group].exact, arena);
    return settled_.empty() ? percentile(states_[group]) : settled_[group];
  }
  std::size_t bytes() const override { return states_.capacity() * sizeof(State) + bytes_; }

 private:
  struct State {
    Exact exact;
    std::unique_ptr<Sketch> sketch;
    std::size_t bytes() const { return exact.bytes() + (sketch ? allocated(sizeof(Sketch)) + sketch->bytes() : 0); }
  };
  template <typename Change>
  void change(State& s, Change&& change) {
    bytes_ -= s.bytes();
    change();
    bytes_ += s.bytes();
  }
  Value percentile(const State& s) const {
    const std::uint64_t n = s.sketch ? s.sketch->total() : s.exact.size;
    if (n == 0) return {};
    auto rank = static_cast<std::uint64_t>(std::ceil(spec_.percentile / 100 * static_cast<double>(n)));
    rank = std::clamp<std::uint64_t>(rank, 1, n);
    if (s.sketch) return Value::number(s.sketch->at(rank));
    return Value::number(nth_smallest(s.exact, static_cast<std::size_t>(rank - 1)));
  }
  // A column of numbers into fresh states (those of one block): room first, then one store a row.
  bool add_column(const Vec& vec, const std::vector<std::uint32_t>& sel, const std::vector<std::uint32_t>& gids) {
    if (vec.kind != Vec::Kind::kDouble && vec.kind != Vec::Kind::kInt) return false;
    if (sel.size() > kPctExactMax / 2 || kept_ != 0) return false;
    for (const State& s : states_)
      if (s.sketch) return false;
    std::vector<std::size_t> sizes(states_.size());
    for (std::size_t k = 0; k < sel.size(); ++k) sizes[gids[k]] += vec.has(sel[k]) ? 1 : 0;
    std::vector<double*> ends(states_.size());
    for (std::size_t g = 0; g < states_.size(); ++g) {
      states_[g].exact.few.resize(sizes[g] + 1);  // one more, for what an absent row leaves behind the last
      ends[g] = states_[g].exact.few.data();
    }
    const auto copy_rows = [&](const auto* values) {
      for (std::size_t k = 0; k < sel.size(); ++k) {
        double*& end = ends[gids[k]];
        *end = static_cast<double>(values[sel[k]]);
        end += vec.has(sel[k]) ? 1 : 0;
      }
    };
    if (vec.kind == Vec::Kind::kDouble)
      copy_rows(vec.doubles);
    else
      copy_rows(vec.ints);
    for (std::size_t g = 0; g < states_.size(); ++g) {
      states_[g].exact.few.pop_back();
      states_[g].exact.size = sizes[g];
      kept_ += sizes[g];
      bytes_ += states_[g].bytes();
    }
    return true;
  }
  void add(State& s, double v) {
    change(s, [&] {
      if (s.sketch) {
        s.sketch->add(v);
        return;
      }
      s.exact.add(v);
      ++kept_;
      if (s.exact.size > kPctExactMax && spec_.kind == Aggregation::kPct) spill(s);
    });
  }
  void spill(State& s) {
    if (!s.sketch) s.sketch = std::make_unique<Sketch>();
    s.exact.visit([&](double v) { s.sketch->add(v); });
    kept_ -= s.exact.size;
    s.exact = {};
  }
  Value histogram(const Exact& values, Arena& arena) const {
    if (values.size == 0) return {};
    double low = std::numeric_limits<double>::infinity();
    double high = -low;
    values.visit([&](double v) {
      low = std::min(low, v);
      high = std::max(high, v);
    });
    auto n = static_cast<std::size_t>(spec_.n);
    double width = (high - low) / static_cast<double>(n);
    if (width <= 0) {
      n = 1;
      width = 0;
    }
    std::vector<std::int64_t> counts(n);
    values.visit([&](double v) { ++counts[width > 0 ? std::min(n - 1, static_cast<std::size_t>((v - low) / width)) : 0]; });
    std::vector<std::string> names;
    for (std::size_t k = 0; k < n; ++k) {
      std::string name;
      render(Value::number(low + width * static_cast<double>(k)), name);
      name += '-';
      render(Value::number(k + 1 == n ? high : low + width * static_cast<double>(k + 1)), name);
      names.push_back(std::move(name));
    }
    std::vector<std::pair<std::string_view, Value>> members;
    for (std::size_t k = 0; k < n; ++k) members.emplace_back(names[k], Value::integer(counts[k]));
    return Value::of(make_map(members, arena));
  }
  AggregateSpec spec_;
  std::vector<State> states_;
  std::vector<Value> settled_;  // by group; empty: not settled
  std::size_t kept_ = 0;
  std::size_t bytes_ = 0;  // behind the states
};

}  // namespace

std::unique_ptr<Aggregator> make_numbers(const AggregateSpec& spec) { return std::make_unique<Numbers>(spec); }

}  // namespace fog::insights
