// pct and histogram: exact values while they are few enough, then a sketch.
#include <cmath>
#include <cstring>

#include "query/insights/aggregators.h"
#include "query/insights/json.h"
#include "query/insights/limits.h"

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

// The element that sorting would put at `k`. Of many values only those are looked at closely that share
// the leading 16 bits (sign, exponent, four bits of the mantissa) with it.
double nth_smallest(std::vector<double>& values, std::size_t k) {
  constexpr std::size_t kFew = 4096;
  if (values.size() > kFew) {
    const auto bucket = [](double v) {
      std::uint64_t bits = 0;
      std::memcpy(&bits, &v, 8);
      bits ^= bits >> 63 != 0 ? ~0ull : 1ull << 63;  // in the order of the values
      return static_cast<std::size_t>(bits >> 48);
    };
    std::vector<std::uint32_t> counts(1u << 16);
    for (const double v : values) ++counts[bucket(v)];
    std::size_t at = 0;
    for (; k >= counts[at]; ++at) k -= counts[at];
    std::vector<double> near;
    near.reserve(counts[at]);
    for (const double v : values)
      if (bucket(v) == at) near.push_back(v);
    std::nth_element(near.begin(), near.begin() + static_cast<std::ptrdiff_t>(k), near.end());
    return near[k];
  }
  const auto nth = values.begin() + static_cast<std::ptrdiff_t>(k);
  std::nth_element(values.begin(), nth, values.end());
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
      if (a.exact.empty() && !a.sketch && !b.sketch) {
        kept_ += b.exact.size();
        a.exact = std::move(b.exact);
      } else if (a.sketch) {
        for (double v : b.exact) a.sketch->add(v);
      } else {
        a.exact.insert(a.exact.end(), b.exact.begin(), b.exact.end());
        kept_ += b.exact.size();
        if (a.exact.size() > kPctExactMax && spec_.kind == Aggregation::kPct) spill(a);
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
    return Value::number(nth_smallest(s.exact, static_cast<std::size_t>(rank - 1)));
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
      states_[g].exact.resize(sizes[g] + 1);  // one more, for what an absent row leaves behind the last
      ends[g] = states_[g].exact.data();
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
      states_[g].exact.pop_back();
      kept_ += sizes[g];
    }
    return true;
  }
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

}  // namespace

std::unique_ptr<Aggregator> make_numbers(const AggregateSpec& spec) { return std::make_unique<Numbers>(spec); }

}  // namespace fog::insights
