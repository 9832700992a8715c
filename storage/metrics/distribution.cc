#include "storage/metrics/distribution.h"

#include <algorithm>
#include <cmath>

namespace fog {
namespace {

// Neighbouring bucket bounds differ by this factor; the representative in the middle (harmonic
// sense) is then within (gamma - 1) / (gamma + 1) = 0.5 % of every value of the bucket.
constexpr double kGamma = 1.005 / 0.995;
const double kLogGamma = std::log(kGamma);
// Zero has a bucket of its own, below every other.
constexpr std::int32_t kZeroIndex = INT32_MIN;
// Arrivals wait unsorted until they are as many as this, or half of what is there.
constexpr std::size_t kUnsortedMin = 32;
// What one distribution may claim to hold when read from disk.
constexpr std::uint64_t kDecodedEntriesMax = 1u << 20;

std::int32_t bucket_index(double value) {
  if (value <= 0) return kZeroIndex;
  return static_cast<std::int32_t>(std::ceil(std::log(value) / kLogGamma));
}

double representative(std::int32_t index) {
  if (index == kZeroIndex) return 0;
  return 2 * std::exp(static_cast<double>(index) * kLogGamma) / (kGamma + 1);
}

bool by_value(const Distribution::Weighted& a, const Distribution::Weighted& b) {
  return a.value < b.value;
}

// Adds up the weights of equal neighbours.
void fold_equal(std::vector<Distribution::Weighted>& entries) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (kept > 0 && entries[kept - 1].value == entries[i].value)
      entries[kept - 1].weight += entries[i].weight;
    else
      entries[kept++] = entries[i];
  }
  entries.resize(kept);
}

}  // namespace

void Distribution::make_unavailable() {
  available_ = false;
  entries_ = {};
  buckets_ = {};
  sorted_ = 0;
}

void Distribution::add(double value, double weight) {
  if (!available_ || !(weight > 0)) return;
  if (value < 0) return make_unavailable();
  if (!is_exact()) return add_bucket(value, weight);
  if (sorted_ == entries_.size() && sorted_ > 0) {
    if (entries_.back().value == value) {
      entries_.back().weight += weight;
      return;
    }
    if (entries_.back().value < value) {
      entries_.push_back({value, weight});
      ++sorted_;
      if (entries_.size() > kExactValuesMax) to_sketch();
      return;
    }
    const auto at = std::lower_bound(entries_.begin(), entries_.end(), Weighted{value, 0}, by_value);
    if (at != entries_.end() && at->value == value) {
      at->weight += weight;
      return;
    }
  }
  entries_.push_back({value, weight});
  if (entries_.size() == 1) sorted_ = 1;
  if (entries_.size() - sorted_ > std::max(kUnsortedMin, sorted_ / 2)) compact();
}

void Distribution::compact() {
  const auto middle = entries_.begin() + static_cast<std::ptrdiff_t>(sorted_);
  std::sort(middle, entries_.end(), by_value);
  std::inplace_merge(entries_.begin(), middle, entries_.end(), by_value);
  fold_equal(entries_);
  sorted_ = entries_.size();
  if (entries_.size() > kExactValuesMax) to_sketch();
}

void Distribution::to_sketch() {
  std::vector<Weighted> entries = std::move(entries_);
  entries_ = {};
  sorted_ = 0;
  for (const Weighted& entry : entries) add_bucket(entry.value, entry.weight);
}

void Distribution::add_bucket(double value, double weight) {
  const std::int32_t index = bucket_index(value);
  const auto at = std::lower_bound(buckets_.begin(), buckets_.end(), index,
                                   [](const Bucket& b, std::int32_t i) { return b.index < i; });
  if (at != buckets_.end() && at->index == index)
    at->weight += weight;
  else
    buckets_.insert(at, {index, weight});
}

void Distribution::merge(const Distribution& other) {
  if (!available_) return;
  if (!other.available_) return make_unavailable();
  if (other.is_exact()) {
    for (const Weighted& entry : other.entries_) add(entry.value, entry.weight);
    return;
  }
  if (is_exact()) to_sketch();
  std::vector<Bucket> merged;
  merged.reserve(buckets_.size() + other.buckets_.size());
  auto a = buckets_.begin();
  auto b = other.buckets_.begin();
  while (a != buckets_.end() || b != other.buckets_.end()) {
    if (b == other.buckets_.end() || (a != buckets_.end() && a->index < b->index))
      merged.push_back(*a++);
    else if (a == buckets_.end() || b->index < a->index)
      merged.push_back(*b++);
    else
      merged.push_back({a->index, a++->weight + b++->weight});
  }
  buckets_ = std::move(merged);
}

std::vector<Distribution::Weighted> Distribution::weighted() const {
  std::vector<Weighted> out;
  if (!is_exact()) {
    out.reserve(buckets_.size());
    for (const Bucket& bucket : buckets_) out.push_back({representative(bucket.index), bucket.weight});
    return out;
  }
  out = entries_;
  if (sorted_ < out.size()) {
    std::sort(out.begin(), out.end(), by_value);
    fold_equal(out);
  }
  return out;
}

std::size_t Distribution::memory_bytes() const {
  return sizeof(*this) + entries_.capacity() * sizeof(Weighted) +
         buckets_.capacity() * sizeof(Bucket);
}

// Encoding: varint n * 4 + kind (0 unavailable, 1 exact, 2 sketch), then n entries. Exact: a weight
// each, the values being in the column; sketch: zigzag difference of the index, then the weight.
// Weights: varint 2 * w for whole w, else 1 and an 8-byte double.
namespace {

void put_weight(ByteWriter& out, double weight) {
  if (weight >= 0 && weight < 9e15 && weight == std::floor(weight)) {
    out.varint(static_cast<std::uint64_t>(weight) << 1);
  } else {
    out.varint(1);
    out.fixed(weight);
  }
}

double get_weight(ByteReader& in) {
  const std::uint64_t raw = in.varint();
  if ((raw & 1) != 0) return in.fixed<double>();
  return static_cast<double>(raw >> 1);
}

}  // namespace

void Distribution::encode(ByteWriter& out, std::vector<double>& values) const {
  if (!available_) {
    out.varint(0);
  } else if (is_exact()) {
    const std::vector<Weighted> entries = weighted();
    out.varint(entries.size() * 4 + 1);
    for (const Weighted& entry : entries) {
      values.push_back(entry.value);
      put_weight(out, entry.weight);
    }
  } else {
    out.varint(buckets_.size() * 4 + 2);
    std::int64_t previous = 0;
    for (const Bucket& bucket : buckets_) {
      out.zigzag(bucket.index - previous);
      previous = bucket.index;
      put_weight(out, bucket.weight);
    }
  }
}

Distribution Distribution::decode(ByteReader& in, std::span<const double>& values) {
  Distribution result;
  const std::uint64_t head = in.varint();
  const std::uint64_t n = head / 4;
  if (head == 0) {
    result.available_ = false;
    return result;
  }
  const bool exact = head % 4 == 1;
  // Every entry takes a byte at least.
  if (n > kDecodedEntriesMax || n > in.rest().size() || (exact && n > values.size())) {
    in.raw(SIZE_MAX);  // marks the reader as failed
    return result;
  }
  if (exact) {
    result.entries_.resize(n);
    for (std::size_t i = 0; i < n; ++i) result.entries_[i] = {values[i], get_weight(in)};
    values = values.subspan(n);
    result.sorted_ = n;
  } else {
    std::int64_t index = 0;
    for (std::uint64_t i = 0; i < n && in.ok(); ++i) {
      index += in.zigzag();
      result.buckets_.push_back({static_cast<std::int32_t>(index), get_weight(in)});
    }
  }
  return result;
}

}  // namespace fog
