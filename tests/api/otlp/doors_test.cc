// Prometheus remote write with its snappy, and StatsD lines.
#include <gtest/gtest.h>

#include <cmath>
#include <protozero/pbf_writer.hpp>
#include <random>
#include <sstream>

#include "api/otlp/remote_write.h"
#include "api/otlp/snappy.h"
#include "api/otlp/statsd.h"

namespace fog::otlp {
namespace {

constexpr std::int64_t kNowMs = 1'767'614'400'000;

std::string text_of(const SinkDatum& d) {
  std::ostringstream out;
  out << d.metric_namespace << '/' << d.metric_name << '{';
  for (std::size_t i = 0; i < d.dimensions.size(); ++i) out << (i > 0 ? "," : "") << d.dimensions[i].first << '=' << d.dimensions[i].second;
  out << '}';
  if (d.unit != kUnitNone) out << ' ' << kMetricUnits[d.unit];
  for (std::size_t i = 0; i < d.values.size(); ++i) {
    out << ' ' << d.values[i];
    if (!d.counts.empty()) out << 'x' << d.counts[i];
  }
  if (d.time != from_ms(kNowMs)) out << " at " << (to_ms(d.time) - kNowMs) / 1000;
  return out.str();
}

// --- snappy -----------------------------------------------------------------------------------------

struct SnappyRow {
  const char* what;
  std::string packed;
  std::string plain;  // "!": refused
};

TEST(Snappy, every_kind_of_element) {
  const std::string long_literal(100, 'q');
  const SnappyRow rows[] = {
      {"nothing", std::string("\x00", 1), ""},
      {"a literal", std::string("\x03\x08", 2) + "abc", "abc"},
      {"a literal with its length in a byte of its own", std::string("\x64\xf0\x63", 3) + long_literal, long_literal},
      {"a literal with its length in two bytes", std::string("\x64\xf4\x63\x00", 4) + long_literal, long_literal},
      {"a near copy", std::string("\x08\x0c", 2) + "abcd" + std::string("\x01\x04", 2), "abcdabcd"},
      {"a copy into what it writes", std::string("\x0a\x04", 2) + "ab" + std::string("\x11\x02", 2), "ababababab"},
      {"a copy with an offset of two bytes", std::string("\x06\x08", 2) + "abc" + std::string("\x0a\x03\x00", 3), "abcabc"},
      {"a copy with an offset of four bytes", std::string("\x06\x08", 2) + "abc" + std::string("\x0b\x03\x00\x00\x00", 5), "abcabc"},
      {"no length", "", "!"},
      {"less than it says", std::string("\x04\x08", 2) + "abc", "!"},
      {"more than it says", std::string("\x02\x08", 2) + "abc", "!"},
      {"a literal cut short", std::string("\x03\x08", 2) + "ab", "!"},
      {"a copy from before the beginning", std::string("\x08\x0c", 2) + "abcd" + std::string("\x01\x05", 2), "!"},
      {"a copy from nowhere", std::string("\x08\x0c", 2) + "abcd" + std::string("\x01\x00", 2), "!"},
  };
  for (const SnappyRow& row : rows) {
    const auto plain = unsnappy(row.packed, 1000);
    EXPECT_EQ(plain.ok() ? *plain : "!", row.plain) << row.what;
  }
  const auto bomb = unsnappy(std::string("\xff\xff\xff\xff\x07", 5), 1 << 20);
  ASSERT_FALSE(bomb.ok());
  EXPECT_EQ(bomb.error().kind(), ErrorKind::kLimit);
}

TEST(Snappy, rubbish_does_no_harm) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(random() % 40, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    (void)unsnappy(bytes, 1 << 16);
  }
}

// --- remote write -------------------------------------------------------------------------------------

class RecordingSink final : public MetricSink {
 public:
  Result<Outcome> put_metrics(std::string_view, std::string_view, std::span<const SinkDatum> datums) override {
    if (is_full) return Error::busy("no");
    Outcome outcome{.lsn = 9, .rejected = 0};
    for (const SinkDatum& d : datums)
      if (std::isfinite(d.values.at(0))) got.push_back(text_of(d));
      else ++outcome.rejected;
    return outcome;
  }
  std::vector<std::string> got;
  bool is_full = false;
};

using Labels = std::vector<std::pair<std::string, std::string>>;
using Samples = std::vector<std::pair<double, std::int64_t>>;

std::string write_request(const std::vector<std::pair<Labels, Samples>>& series) {
  std::string plain;
  protozero::pbf_writer request(plain);
  for (const auto& [labels, samples] : series) {
    protozero::pbf_writer one(request, 1);
    for (const auto& [name, value] : labels) {
      protozero::pbf_writer label(one, 1);
      label.add_string(1, name);
      label.add_string(2, value);
    }
    for (const auto& [value, time] : samples) {
      protozero::pbf_writer sample(one, 2);
      sample.add_double(1, value);
      sample.add_int64(2, time);
    }
  }
  return plain;
}

// As a literal: what a sender may do that does not want to search for repetition.
std::string snappy(const std::string& plain) {
  std::string out;
  std::size_t n = plain.size();
  for (; n >= 0x80; n >>= 7) out.push_back(static_cast<char>(n | 0x80));
  out.push_back(static_cast<char>(n));
  for (std::size_t at = 0; at < plain.size(); at += 60) {
    const std::size_t length = std::min<std::size_t>(60, plain.size() - at);
    out.push_back(static_cast<char>((length - 1) << 2));
    out += plain.substr(at, length);
  }
  return out;
}

WriteAnswer write(RecordingSink& sink, const std::string& body, std::string_view encoding = "snappy",
                  std::string_view type = "application/x-protobuf") {
  return remote_write(sink, {"000000000000", "us-east-1"}, "Prometheus", type, encoding, body);
}

TEST(RemoteWrite, samples_become_values) {
  RecordingSink sink;
  const WriteAnswer answer = write(
      sink, snappy(write_request({{{{"__name__", "up"}, {"instance", "a:9100"}, {"job", "node"}, {"empty", ""}}, {{1, kNowMs}, {0, kNowMs + 15'000}}},
                                  {{{"__name__", "http_requests_total"}, {"code", "200"}}, {{1027, kNowMs}, {NAN, kNowMs + 15'000}}}})));
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer.lsn, 9u);
  EXPECT_EQ(answer.accepted, 3u);
  EXPECT_EQ(sink.got, (std::vector<std::string>{"Prometheus/up{instance=a:9100,job=node} 1", "Prometheus/up{instance=a:9100,job=node} 0 at 15",
                                                "Prometheus/http_requests_total{code=200} 1027"}));
}

TEST(RemoteWrite, refusals) {
  RecordingSink sink;
  const std::string good = snappy(write_request({{{{"__name__", "up"}}, {{1, kNowMs}}}}));
  EXPECT_EQ(write(sink, good, "").status, 415);
  EXPECT_EQ(write(sink, good, "gzip").status, 415);
  EXPECT_EQ(write(sink, good, "snappy", "application/x-protobuf;proto=io.prometheus.write.v2.Request").status, 415);
  EXPECT_EQ(write(sink, "rubbish").status, 400);
  EXPECT_EQ(write(sink, snappy("\x0a\xff\xff\xff\xff\x0f")).status, 400);
  EXPECT_EQ(write(sink, std::string("\xff\xff\xff\xff\x07", 5)).status, 413);
  EXPECT_EQ(write(sink, snappy("")).status, 204);
  EXPECT_TRUE(sink.got.empty());
  const WriteAnswer mixed = write(sink, snappy(write_request({{{{"__name__", "up"}}, {{INFINITY, kNowMs}, {1, kNowMs}}}})));
  EXPECT_EQ(mixed.status, 400);
  EXPECT_EQ(mixed.message, "1 samples have labels, values or times that CloudWatch does not take; 1 were stored");
  EXPECT_EQ(mixed.lsn, 9u);
  sink.is_full = true;
  EXPECT_EQ(write(sink, good).status, 503);
}

// --- StatsD -------------------------------------------------------------------------------------------

struct StatsdRow {
  const char* datagram;
  std::vector<std::string> expected;
  std::size_t bad = 0;
};

TEST(Statsd, lines) {
  const StatsdRow rows[] = {
      {"hits:1|c", {"CWAgent/hits{metric_type=counter} 1"}},
      {"hits:3|c|@0.1", {"CWAgent/hits{metric_type=counter} 30"}},
      {"hits:1|c|#env:prod,az", {"CWAgent/hits{env=prod,az=true,metric_type=counter} 1"}},
      {"hits:2|c|@0.5|#env:prod|c:container|T1700000000", {"CWAgent/hits{env=prod,metric_type=counter} 4"}},
      {"load:0.5|g", {"CWAgent/load{metric_type=gauge} 0.5"}},
      {"load:+2|g\nload:-0.25|g", {"CWAgent/load{metric_type=gauge} 2.5", "CWAgent/load{metric_type=gauge} 2.25"}},
      {"took:320|ms|@0.1", {"CWAgent/took{metric_type=timing} Milliseconds 320x10"}},
      {"took:1:2:3|ms", {"CWAgent/took{metric_type=timing} Milliseconds 1 2 3"}},
      {"size:5|h\nsize:6|d", {"CWAgent/size{metric_type=histogram} 5", "CWAgent/size{metric_type=distribution} 6"}},
      {"a:1|c\r\n\nb:2|c\n", {"CWAgent/a{metric_type=counter} 1", "CWAgent/b{metric_type=counter} 2"}},
      {"hits|c", {}, 1},
      {"hits:|c", {}, 1},
      {":1|c", {}, 1},
      {"hits:x|c", {}, 1},
      {"hits:1e999|c", {}, 1},
      {"hits:nan|g", {}, 1},
      {"hits:1|q", {}, 1},
      {"hits:1", {}, 1},
      {"hits:1|c|@0", {}, 1},
      {"hits:1|c|@7", {}, 1},
      {"good:1|c\nbad\ngood:2|c", {"CWAgent/good{metric_type=counter} 1", "CWAgent/good{metric_type=counter} 2"}, 1},
  };
  Statsd statsd("CWAgent");
  for (const StatsdRow& row : rows) {
    std::vector<SinkDatum> out;
    EXPECT_EQ(statsd.take(row.datagram, from_ms(kNowMs), out), row.bad) << row.datagram;
    std::vector<std::string> texts;
    for (const SinkDatum& d : out) texts.push_back(text_of(d));
    EXPECT_EQ(texts, row.expected) << row.datagram;
  }
}

TEST(Statsd, a_set_counts_different_values_of_a_minute) {
  Statsd statsd("CWAgent");
  std::vector<SinkDatum> out;
  EXPECT_EQ(statsd.take("users:ann|s\nusers:bob|s\nusers:ann|s|#t:1\nusers:ann|s", from_ms(kNowMs), out), 0u);
  statsd.close(from_ms(kNowMs + 59'999), out);
  EXPECT_TRUE(out.empty());
  statsd.close(from_ms(kNowMs + 60'000), out);
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(text_of(out[0]), "CWAgent/users{metric_type=set} 2");
  EXPECT_EQ(text_of(out[1]), "CWAgent/users{t=1,metric_type=set} 1");
}

}  // namespace
}  // namespace fog::otlp
