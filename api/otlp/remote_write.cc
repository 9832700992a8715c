// WriteRequest: timeseries = 1 { labels = 1 {name = 1, value = 2}, samples = 2 {value = 1, timestamp = 2} }
#include "api/otlp/remote_write.h"

#include <fmt/format.h>

#include <cmath>

#include "api/otlp/protobuf.h"
#include "api/otlp/snappy.h"

namespace fog::otlp {

namespace {

constexpr std::size_t kDatumsPerRecord = 2000;

struct Sample {
  double value = 0;
  std::int64_t time_ms = 0;
};

Sample read_sample(pbf_reader reader) {
  Sample sample;
  while (reader.next()) {
    if (field(reader) == fixed64(1)) sample.value = reader.get_double();
    else if (field(reader) == varint(2)) sample.time_ms = reader.get_int64();
    else reader.skip();
  }
  return sample;
}

void read_label(pbf_reader reader, SinkDatum& series) {
  std::string_view name;
  std::string_view value;
  while (reader.next()) {
    if (field(reader) == bytes(1)) name = view_of(reader);
    else if (field(reader) == bytes(2)) value = view_of(reader);
    else reader.skip();
  }
  if (name == "__name__") series.metric_name = value;
  else if (!value.empty()) series.dimensions.emplace_back(name, value);
}

}  // namespace

WriteAnswer remote_write(MetricSink& sink, const MetricReceiver::Scope& scope, std::string_view metric_namespace,
                         std::string_view content_type, std::string_view content_encoding, std::string_view body,
                         std::size_t body_bytes_max) {
  const auto fail = [](int status, std::string message) {
    WriteAnswer answer;
    answer.status = status;
    answer.message = std::move(message);
    return answer;
  };
  if (content_encoding != "snappy") return fail(415, "Content-Encoding must be snappy");
  if (content_type.find("io.prometheus.write.v2") != std::string_view::npos)
    return fail(415, "remote write 2.0 is not supported, use 1.0 (prometheus.WriteRequest)");
  auto plain = unsnappy(body, body_bytes_max);
  if (!plain.ok()) return fail(plain.error().kind() == ErrorKind::kLimit ? 413 : 400, plain.error().message());

  WriteAnswer answer;
  std::vector<SinkDatum> datums;
  const auto put = [&]() -> Status {
    if (datums.empty()) return Ok{};
    TRY(const auto outcome, sink.put_metrics(scope.account, scope.region, datums));
    answer.rejected += outcome.rejected;
    answer.accepted += datums.size() - outcome.rejected;
    answer.lsn = std::max(answer.lsn, outcome.lsn);
    datums.clear();
    return Ok{};
  };
  try {
    pbf_reader request(plain->data(), plain->size());
    while (request.next()) {
      if (field(request) != bytes(1)) {
        request.skip();
        continue;
      }
      SinkDatum series;
      series.metric_namespace = metric_namespace;
      std::vector<Sample> samples;
      auto reader = request.get_message();
      while (reader.next()) {
        if (field(reader) == bytes(1)) read_label(reader.get_message(), series);
        else if (field(reader) == bytes(2)) samples.push_back(read_sample(reader.get_message()));
        else reader.skip();
      }
      for (std::size_t i = 0; i < samples.size(); ++i) {
        if (std::isnan(samples[i].value)) continue;
        SinkDatum& datum = i + 1 == samples.size() ? datums.emplace_back(std::move(series)) : datums.emplace_back(series);
        datum.time = from_ms(samples[i].time_ms);
        datum.values = {samples[i].value};
      }
      if (datums.size() >= kDatumsPerRecord)
        if (!put().ok()) return fail(503, "metrics can't be stored now");
    }
  } catch (const protozero::exception& broken) {
    return fail(400, std::string("not a WriteRequest: ") + broken.what());
  }
  if (!put().ok()) return fail(503, "metrics can't be stored now");
  if (answer.rejected > 0) {
    answer.status = 400;
    answer.message = fmt::format("{} samples have labels, values or times that CloudWatch does not take; {} were stored",
                                 answer.rejected, answer.accepted);
  }
  return answer;
}

}  // namespace fog::otlp
