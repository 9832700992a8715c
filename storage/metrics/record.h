// The metrics engine's records in the shared write-ahead log.
//
// Wal id 1, a put (varints and zigzags as in storage/base/bytes.h):
//   varint  number of new series; each: varint id, text account, region, namespace, name,
//           varint dimensions, each text name, text value
//   varint  number of entities; each: varint series, text document
//   varint  number of points; each:
//     zigzag  series minus the series of the point before (0 first)
//     u8      unit | 32 if high resolution | 64 if one value of weight 1 follows | 128 if the time
//             differs from the point before
//     zigzag  if 128: time in ms minus that of the point before (0 first)
//     f64     if 64: the value; else
//     varint  n << 2 | 2 if counts follow | 1 if a statistic set follows; n values as f64; n counts
//             as f64; the set as 4 f64 (count, sum, minimum, maximum)
// Wal id 2, a reset: text account, text region (empty: all).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "storage/base/bytes.h"
#include "storage/metric_store.h"

namespace fog::metrics {

inline constexpr std::uint64_t kPutRecord = 1;
inline constexpr std::uint64_t kResetRecord = 2;

// One point as it goes into the head.
struct Observation {
  SeriesId series = 0;
  std::int64_t time_ms = 0;
  UnitCode unit = 0;
  bool high_resolution = false;
  std::span<const double> values;
  std::span<const double> counts;
  const StatisticSetValue* set = nullptr;
};

class PointWriter {
 public:
  explicit PointWriter(std::string& out) : out_(out) {}
  void add(const Observation& point);

 private:
  ByteWriter out_;
  SeriesId series_ = 0;
  std::int64_t time_ms_ = 0;
};

struct PutReader {
  std::function<void(SeriesId, const SeriesKeyView&)> series;
  std::function<void(SeriesId, std::string_view)> entity;
  std::function<void(const Observation&)> point;
  // False: the record is not as it should be.
  bool read(std::string_view payload) const;
};

}  // namespace fog::metrics
