// Distribution: which values were observed how often, for percentiles and their relatives.
//
// Exact while at most kExactValuesMax distinct values are held; beyond that a sketch of logarithmic
// buckets whose representative is within 0.5 % of every value in it. Both merge without loss of
// that guarantee. A distribution is unavailable once something went in that has none: a statistic
// set that does not say what its values were, or a negative value (the sketch and the extended
// statistics are defined for non-negative values only).
// Threads: const methods from any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "storage/base/bytes.h"

namespace fog {

class Distribution {
 public:
  static constexpr std::size_t kExactValuesMax = 10000;

  struct Weighted {
    double value = 0;
    double weight = 0;
    bool operator==(const Weighted&) const = default;
  };

  bool available() const { return available_; }
  bool is_exact() const { return buckets_.empty(); }
  bool empty() const { return entries_.empty() && buckets_.empty(); }
  void make_unavailable();

  // A weight of 0 or less adds nothing.
  void add(double value, double weight);
  void merge(const Distribution& other);

  // Values ascending, each once, weights summed; empty when unavailable.
  std::vector<Weighted> weighted() const;
  // The same without a copy where possible; the view lives as long as this and `scratch` do.
  std::span<const Weighted> weighted(std::vector<Weighted>& scratch) const {
    if (available_ && is_exact() && sorted_ == entries_.size()) return entries_;
    scratch = weighted();
    return scratch;
  }

  // What is there as it came: in any order, values perhaps more than once. Nothing when it is a sketch or
  // unavailable.
  std::span<const Weighted> arrivals() const { return entries_; }
  bool is_sorted() const { return sorted_ == entries_.size(); }

  // For chunks: exact values go to (come from) a column shared by many distributions, the rest to
  // bytes. decode marks the reader as failed on nonsense and takes its values from the front.
  void encode(ByteWriter& out, std::vector<double>& values) const;
  static Distribution decode(ByteReader& in, std::span<const double>& values);
  std::size_t memory_bytes() const;

 private:
  struct Bucket {
    std::int32_t index = 0;
    double weight = 0;
  };
  void compact();
  void to_sketch();
  void add_bucket(double value, double weight);

  // Exact: an ascending part of sorted_ entries, then arrivals not yet sorted in.
  std::vector<Weighted> entries_;
  std::size_t sorted_ = 0;
  std::vector<Bucket> buckets_;  // ascending; once not empty, entries_ is empty
  bool available_ = true;
};

}  // namespace fog
