// auth: what it costs to know the caller and to ask the policies, in process.
//
//   bench_auth [tests/captures]
//
// Requests are captures of SDKs (tests/captures), routed and decoded outside the timing; the policies
// are the wafer monitor's. Goal: 25 microseconds a request for signature and policies together.
#include <fmt/format.h>
#include <sys/resource.h>

#include <cstdlib>

#include "api/auth/sigv4.h"
#include "api/cloudwatch/service.h"
#include "api/codec/text.h"
#include "api/common/authorize.h"
#include "api/common/protocol.h"
#include "api/common/services.h"
#include "api/logs/service.h"
#include "api/sns/service.h"
#include "api/xray/service.h"
#include "tests/api/common/raw_http.h"

namespace fog {
namespace {

constexpr const char* kPolicy = R"({"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*", "Condition": {"StringEquals": {"cloudwatch:namespace": "WaferMonitor"}}},
  {"Effect": "Allow", "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "arn:aws:logs:*:*:log-group:/wafer-monitor/*"},
  {"Effect": "Allow", "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "Resource": "*"},
  {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringLike": {"aws:RequestedRegion": "us-*"}, "IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "127.0.0.0/8"]}}}]})";

constexpr int kRounds = 20'000;

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Microseconds of CPU a request; negative: it did not pass.
double measure(const Api& api, const std::string& file, std::size_t& body_bytes) {
  test::RawRequest raw = test::parse_request(test::read_file(file));
  raw.request.peer = "10.1.2.3";
  body_bytes = raw.request.body.size();
  std::string iso = sigv4::parse(raw.request).time;
  if (iso.size() < 16) return -1;
  iso = iso.substr(0, 4) + '-' + iso.substr(4, 2) + '-' + iso.substr(6, 5) + ':' + iso.substr(11, 2) + ':' + iso.substr(13);
  const Timestamp now = parse_timestamp(iso).value();
  AccessKey key{.name = "monitor", .access_key = "AKIAIOSFODNN7EXAMPLE", .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", .account = "123456789012", .policies = {}};
  key.policies.push_back(std::move(*iam::parse_policy(kPolicy)));
  Keys keys;
  Keys::Table table;
  table.emplace(key.access_key, key);
  keys.replace(std::move(table));
  sigv4::Options options;
  options.secrets_of = [&](const sigv4::Signature& signature) -> std::optional<sigv4::Secrets> {
    const auto found = keys.find(signature.access_key);
    if (!found) return std::nullopt;
    return sigv4::Secrets{found->secret_key, ""};
  };
  Exchange x(raw.request);
  const auto ours = api.route(x);
  if (!ours.ok() || !*ours || !api.decompress(x).ok() || !api.decode(x).ok()) return -1;
  const double began = cpu_seconds();
  for (int i = 0; i < kRounds; ++i) {
    if (!sigv4::verify(raw.request, now, options).ok() || !authorize(x, *keys.find("AKIAIOSFODNN7EXAMPLE")).ok()) return -1;
  }
  return (cpu_seconds() - began) * 1e6 / kRounds;
}

int run(const std::string& folder) {
  Registry registry;
  registry.add(cloudwatch::service());
  registry.add(logs::service());
  registry.add(xray::service());
  registry.add(sns::service());
  Services services;
  VirtualClock clock;
  SeededRandom random(1);
  const Api api(registry, services, clock, random, Api::Options{});
  bool all = true;
  for (const char* file : {"boto3-1.26--cloudwatch-PutMetricData.http", "boto3-1.43--cloudwatch-PutMetricData.http", "js-v3-cbor--cloudwatch-PutMetricData.http",
                           "js-v3--logs-PutLogEvents.http", "boto3-1.43--xray-PutTraceSegments.http", "boto3-1.43--sns-Publish.http"}) {
    std::size_t body_bytes = 0;
    const double us = measure(api, folder + '/' + file, body_bytes);
    all = all && us >= 0;
    fmt::print("{:<50} {:>5} byte body  {}\n", file, body_bytes, us < 0 ? "did not pass" : fmt::format("{:.1f} us", us));
  }
  return all ? 0 : 1;
}

}  // namespace
}  // namespace fog

int main(int count, char** values) { return fog::run(count > 1 ? values[1] : "tests/captures"); }
