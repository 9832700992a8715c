// Prometheus remote write and StatsD: what becomes of a body or a datagram is put into a sink that checks it.
#include "api/otlp/remote_write.h"

#include <cmath>

#include "api/otlp/statsd.h"
#include "tests/fuzz/target.h"

namespace fog::fuzz {

class CheckingSink final : public MetricSink {
 public:
  Result<Outcome> put_metrics(std::string_view, std::string_view, std::span<const SinkDatum> datums) override {
    for (const SinkDatum& datum : datums) must(datum.counts.empty() || datum.counts.size() == datum.values.size(), "a count for each value");
    return Outcome{};
  }
};

static std::string snappy_literal(std::string_view body) {
  std::string out;
  for (std::size_t n = body.size();; n >>= 7) {
    out += static_cast<char>(n > 127 ? (n & 127) | 128 : n);
    if (n <= 127) break;
  }
  if (body.empty()) return out;
  const std::size_t n = body.size() - 1;
  out += static_cast<char>(0xf4);
  out += static_cast<char>(n & 255);
  out += static_cast<char>(n >> 8);
  return out += body;
}

FOG_FUZZ(remote_write) {
  CheckingSink sink;
  const auto write = [&](std::string_view body) { return otlp::remote_write(sink, {"1", "r"}, "Prometheus", "application/x-protobuf", "snappy", body).status; };
  (void)write(input);
  (void)write(snappy_literal(input));
  otlp::Statsd statsd("CWAgent");
  std::vector<SinkDatum> datums;
  (void)statsd.take(input, from_ms(1'767'225'720'000), datums);
  (void)statsd.take("a:1|g\na:+2|g", from_ms(1'767'225'721'000), datums);
  statsd.close(from_ms(1'767'225'999'000), datums);
  (void)sink.put_metrics("", "", datums);
}

FOG_FUZZ_SEEDS(remote_write) {
  return {std::string("\x0a\x29\x0a\x0d\x0a\x08__name__\x12\x01x\x0a\x06\x0a\x01\x61\x12\x01\x62\x12\x10\x09\x00\x00\x00\x00\x00\x00\xf0\x3f\x10\x80\xb0\xc2\xc8\x8f\x33", 43),
          "hits:3|c|@0.1|#env:prod,flag\nlat:12.5:13|ms\nusers:alice|s|#a:b\ntemp:-3|g\ntemp:+1|g\nx:1|h\ny:1|d"};
}

}  // namespace fog::fuzz
