// What records of the log say to the stores: appends of log events, puts of metrics.
#include "storage/segments/log_record.h"

#include "storage/metrics/record.h"
#include "tests/fuzz/target.h"

namespace fog::fuzz {

FOG_FUZZ(log_record) {
  LogBatch batch;
  LogSequence first = 0;
  std::vector<LogEventIn> events;
  (void)read_append_record(input, batch, first, events);
  metrics::PutReader reader;
  reader.series = [](SeriesId, const SeriesKeyView&) {};
  reader.entity = [](SeriesId, std::string_view) {};
  reader.point = [](const metrics::Observation&) {};
  (void)reader.read(input);
}

FOG_FUZZ_SEEDS(log_record) {
  std::string points;
  metrics::PointWriter writer(points);
  const double values[] = {1, 2.5};
  writer.add({.series = 3, .time_ms = 1'700'000'000'000, .unit = 2, .values = values, .counts = values});
  const StatisticSetValue set{.count = 2, .sum = 3, .min = 1, .max = 2};
  writer.add({.series = 4, .time_ms = 1'700'000'000'500, .set = &set});
  std::string put;
  ByteWriter out(put);
  out.varint(1);
  out.varint(3);
  for (const char* text : {"1", "r", "ns", "name"}) out.text(text);
  out.varint(1);
  out.text("d");
  out.text("v");
  out.varint(1);
  out.varint(3);
  out.text("{}");
  out.varint(2);
  return {put + points};
}

}  // namespace fog::fuzz
