#include "storage/metrics/record.h"

namespace fog::metrics {

void PointWriter::add(const Observation& point) {
  const bool single = point.values.size() == 1 && point.set == nullptr &&
                      (point.counts.empty() || point.counts[0] == 1);
  const bool moved = point.time_ms != time_ms_;
  out_.zigzag(static_cast<std::int64_t>(point.series - series_));
  out_.fixed(static_cast<std::uint8_t>(point.unit | (point.high_resolution ? 32 : 0) |
                                       (single ? 64 : 0) | (moved ? 128 : 0)));
  if (moved) out_.zigzag(point.time_ms - time_ms_);
  series_ = point.series;
  time_ms_ = point.time_ms;
  if (single) {
    out_.fixed(point.values[0]);
    return;
  }
  out_.varint(static_cast<std::uint64_t>(point.values.size()) << 2 |
              (point.counts.empty() ? 0u : 2u) | (point.set == nullptr ? 0u : 1u));
  for (const double value : point.values) out_.fixed(value);
  for (const double count : point.counts) out_.fixed(count);
  if (point.set != nullptr)
    for (const double part : {point.set->count, point.set->sum, point.set->min, point.set->max})
      out_.fixed(part);
}

bool PutReader::read(std::string_view payload) const {
  ByteReader in(payload);
  std::vector<DimensionView> dimensions;
  for (std::uint64_t n = in.varint(); n > 0 && in.ok(); --n) {
    const SeriesId id = in.varint();
    SeriesKeyView key;
    key.account = in.text();
    key.region = in.text();
    key.metric_namespace = in.text();
    key.metric_name = in.text();
    dimensions.clear();
    for (std::uint64_t d = in.varint(); d > 0 && in.ok(); --d) {
      const std::string_view name = in.text();
      dimensions.push_back({name, in.text()});
    }
    key.dimensions = dimensions;
    if (!in.ok() || id == 0) return false;
    series(id, key);
  }
  for (std::uint64_t n = in.varint(); n > 0 && in.ok(); --n) {
    const SeriesId id = in.varint();
    const std::string_view document = in.text();
    if (in.ok()) entity(id, document);
  }
  Observation observation;
  std::vector<double> values;
  std::vector<double> counts;
  StatisticSetValue set;
  for (std::uint64_t n = in.varint(); n > 0 && in.ok(); --n) {
    observation.series += static_cast<std::uint64_t>(in.zigzag());
    const auto flags = in.fixed<std::uint8_t>();
    observation.unit = flags & 31;
    observation.high_resolution = (flags & 32) != 0;
    if ((flags & 128) != 0) observation.time_ms += in.zigzag();
    values.clear();
    counts.clear();
    observation.set = nullptr;
    if ((flags & 64) != 0) {
      values.push_back(in.fixed<double>());
    } else {
      const std::uint64_t head = in.varint();
      if (head >> 2 > in.rest().size() / sizeof(double)) return false;
      for (std::uint64_t i = 0; i < head >> 2; ++i) values.push_back(in.fixed<double>());
      if ((head & 2) != 0)
        for (std::uint64_t i = 0; i < head >> 2; ++i) counts.push_back(in.fixed<double>());
      if ((head & 1) != 0) {
        for (double* part : {&set.count, &set.sum, &set.min, &set.max}) *part = in.fixed<double>();
        observation.set = &set;
      }
    }
    if (!in.ok()) return false;
    observation.values = values;
    observation.counts = counts;
    point(observation);
  }
  return in.ok();
}

}  // namespace fog::metrics
