#include "tests/fuzz/mutate/run.h"

#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "api/cloudwatch/shapes.h"
#include "api/logs/shapes.h"
#include "api/sns/shapes.h"
#include "api/sqs/shapes.h"
#include "api/xray/shapes.h"
#include "storage/base/log.h"

namespace fog::fuzz {
namespace {

using Ticks = std::chrono::steady_clock;

std::int64_t system_ms() {
  return std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// The last request of a connection, in a file of its own: what to look at when the process dies of it.
void leave_note(int thread, std::string_view bytes) {
  static const std::string folder = std::getenv("FOGWATCH_MUTATE_NOTES") != nullptr ? std::getenv("FOGWATCH_MUTATE_NOTES") : "";
  if (folder.empty()) return;
  std::ofstream(fmt::format("{}/last.{}", folder, thread), std::ios::binary) << bytes;
}

thread_local int thread_number = 0;

// Does a line end in a sound name of an HTTP version that is neither 1.0 nor 1.1?
bool names_another_version(std::string_view bytes) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  for (std::size_t at = 0; (at = bytes.find(" HTTP/", at)) != std::string_view::npos; ++at) {
    const std::string_view version = bytes.substr(at + 6, 5);
    if (version.size() == 5 && is_digit(version[0]) && version[1] == '.' && is_digit(version[2]) && version.ends_with("\r\n") &&
        version.substr(0, 3) != "1.0" && version.substr(0, 3) != "1.1")
      return true;
  }
  return false;
}

std::string shown(std::string_view bytes) { return std::string(bytes.substr(0, 4000)); }

// Doors that are no AWS calls, with a body each.
struct Door {
  const char* target;
  const char* type;
  const char* body;
};
constexpr Door kDoors[] = {
    {"/v1/traces", "application/json", R"({"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]},"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"x","kind":2,"startTimeUnixNano":"1760000000000000000","endTimeUnixNano":"1760000001000000000","status":{"code":2}}]}]}]})"},
    {"/v1/metrics", "application/json", R"({"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","unit":"ms","histogram":{"aggregationTemporality":1,"dataPoints":[{"timeUnixNano":"1760000000000000000","count":"2","sum":3,"bucketCounts":["1","1"],"explicitBounds":[1],"min":1,"max":2}]}}]}]}]})"},
    {"/v1/logs", "application/json", R"({"resourceLogs":[{"resource":{"attributes":[]},"scopeLogs":[{"logRecords":[{"timeUnixNano":"1760000000000000000","severityNumber":9,"body":{"stringValue":"hi"},"attributes":[{"key":"a","value":{"intValue":"1"}}]}]}]}]})"},
    {"/v1/traces", "application/x-protobuf", "\x0a\x10\x0a\x02\x0a\x00\x12\x0a\x12\x08\x0a\x01\x61\x12\x01\x62"},
    {"/v1/metrics", "application/x-protobuf", "\x0a\x10\x12\x0e\x12\x0c\x0a\x01m\x2a\x07\x0a\x05\x11\x01\x02\x03"},
    {"/v1/logs", "application/x-protobuf", "\x0a\x0a\x12\x08\x12\x06\x2a\x04\x0a\x02hi"},
    {"/api/v1/write", "application/x-protobuf", "\x1c\x6c\x0a\x1a\x0a\x0d\x0a\x08__name__\x12\x01x\x12\x09\x09"},
    {"/services/collector/event?logGroup=/fuzz/a&logStream=s", "application/json", R"({"time":1760000000,"event":{"a":1}}{"event":"x"})"},
    {"/ingest/bulk?logGroup=/fuzz/a&logStream=s", "application/x-ndjson", "{\"a\":1}\n{\"b\":2}\n"},
    {"/ingest/json?logGroup=/fuzz/a&logStream=s", "application/json", R"([{"a":1},{"b":2}])"},
    {"/?Action=GetCallerIdentity&Version=2011-06-15", "application/x-www-form-urlencoded", "Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::000000000000:role/x&RoleSessionName=y"},
    {"/?Action=DescribeInstances&Version=2016-11-15", "application/x-www-form-urlencoded", ""},
};

}  // namespace

std::vector<const OperationInfo*> all_operations() {
  std::vector<const OperationInfo*> out;
  for (const ServiceInfo* service : {&cloudwatch::kService, &logs::kService, &sns::kService, &sqs::kService, &xray::kService})
    out.insert(out.end(), service->operations.begin(), service->operations.end());
  return out;
}

MutationRun::MutationRun() {
  std::signal(SIGPIPE, SIG_IGN);
  log::set_level(log::Level::kOff);
  Config config;
  config.listen.port = 0;
  config.xray_listen.reset();
  config.otlp_listen.reset();
  config.emf_listen.reset();
  config.ephemeral = true;
  config.durability = Durability::kEphemeral;
  config.outbound_private = false;  // nothing is delivered anywhere
  config.log_level = log::Level::kOff;
  auto app = App::start(config);
  if (!app.ok()) throw std::runtime_error(app.error().message());
  app_ = std::move(*app);
}

MutationRun::~MutationRun() {
  if (!app_->stop(Millis(4000))) (void)app_.release();  // still busy: leave it to the process's end
}

void MutationRun::report(Finding finding) {
  const std::lock_guard lock(mutex_);
  findings_.push_back(std::move(finding));
}

std::vector<Finding> MutationRun::findings() const {
  const std::lock_guard lock(mutex_);
  return findings_;
}

void MutationRun::furnish(Connection& connection, Generator& generator) {
  struct Thing {
    const ServiceInfo* service;
    const char* operation;
    Tree input;
  };
  const auto map = [](std::initializer_list<std::pair<std::string, Tree>> members) {
    Tree out = Tree::map();
    out.members.assign(members.begin(), members.end());
    return out;
  };
  std::vector<Thing> things;
  for (const char* group : {"/fuzz/a", "/fuzz/b", "/fuzz/c"}) {
    things.push_back({&logs::kService, "CreateLogGroup", map({{"logGroupName", Tree::of(group)}})});
    for (const char* stream : {"s", "t"})
      things.push_back({&logs::kService, "CreateLogStream", map({{"logGroupName", Tree::of(group)}, {"logStreamName", Tree::of(stream)}})});
  }
  for (const char* topic : {"fuzz", "fuzz2"}) things.push_back({&sns::kService, "CreateTopic", map({{"Name", Tree::of(topic)}})});
  things.push_back({&sqs::kService, "CreateQueue", map({{"QueueName", Tree::of("fuzz")}})});
  for (const char* alarm : {"fuzz", "fuzz2"})
    things.push_back({&cloudwatch::kService, "PutMetricAlarm",
                      map({{"AlarmName", Tree::of(alarm)}, {"MetricName", Tree::of("Latency")}, {"Namespace", Tree::of("App")}, {"Statistic", Tree::of("Average")},
                           {"Period", Tree::of(std::int64_t{60})}, {"EvaluationPeriods", Tree::of(std::int64_t{1})}, {"Threshold", Tree::real(1)},
                           {"ComparisonOperator", Tree::of("GreaterThanThreshold")}})});
  things.push_back({&xray::kService, "CreateGroup", map({{"GroupName", Tree::of("fuzz")}})});
  for (const Thing& thing : things) {
    for (const OperationInfo* operation : thing.service->operations)
      if (operation->name == thing.operation)
        keep_for_later(connection.ask(bytes_of(parts_of(*operation, speeches_of(*thing.service).back(), thing.input))), generator);
  }
  // Two events and a datum, so that queries have something to look at.
  for (const OperationInfo* operation : all_operations()) {
    if (operation->name != "PutLogEvents" && operation->name != "PutMetricData" && operation->name != "PutTraceSegments") continue;
    for (int i = 0; i < 10; ++i) (void)connection.ask(bytes_of(parts_of(*operation, speeches_of(*operation->service).front(), generator.input(*operation, 70))));
  }
}

// "name":"value" of JSON, <Name>value</Name> of XML.
void MutationRun::keep_for_later(const Answer& answer, Generator& generator) {
  std::string_view text = answer.body;
  if (text.size() > 20'000) text = text.substr(0, 20'000);
  for (std::size_t at = 0; (at = text.find("\":\"", at)) != std::string_view::npos; at += 3) {
    const std::size_t begin = at == 0 ? std::string_view::npos : text.rfind('"', at - 1);
    const std::size_t end = text.find('"', at + 3);
    if (begin == std::string_view::npos || end == std::string_view::npos) continue;
    generator.learn(text.substr(begin + 1, at - begin - 1), std::string(text.substr(at + 3, end - at - 3)));
  }
  for (std::size_t at = 0; (at = text.find("</", at)) != std::string_view::npos; at += 2) {
    const std::size_t end = text.find('>', at);
    const std::size_t begin = text.rfind('>', at);
    if (end == std::string_view::npos || begin == std::string_view::npos || begin + 1 >= at) continue;
    generator.learn(text.substr(at + 2, end - at - 2), std::string(text.substr(begin + 1, at - begin - 1)));
  }
}

void MutationRun::mutate_one(Connection& connection, Generator& generator, const std::vector<const OperationInfo*>& operations,
                     std::map<std::string, Tally>& tally) {
  Dice& dice = generator.dice;
  const OperationInfo& operation = *operations[below(dice, operations.size())];
  const auto speeches = speeches_of(*operation.service);
  const Speech speech = speeches[below(dice, speeches.size())];
  const std::size_t way = below(dice, 100);
  Tree input = generator.input(operation, chance(dice, 30) ? 0 : 5 + static_cast<int>(below(dice, 60)));
  if (way >= 25 && way < 55)
    for (std::size_t times = 1 + below(dice, 3); times > 0; --times) distort(input, dice);
  Parts parts = parts_of(operation, speech, input);
  bool is_whole = true;
  std::string bytes;
  if (way >= 55 && way < 82) {
    parts.body = damage(std::move(parts.body), R"({"a":[1,null,true,"x"],"b":{}}&A.member.1=2.entry.3.key)", dice);
  } else if (way >= 82 && way < 92) {
    const Door& door = kDoors[below(dice, std::size(kDoors))];
    parts.target = door.target;
    parts.body = door.body;
    parts.headers = {{"Host", "127.0.0.1"}, {"Content-Type", door.type}};
    if (chance(dice, 80)) parts.body = damage(std::move(parts.body), R"({"a":[1,null]})", dice);
    if (chance(dice, 5)) parts.headers.emplace_back("Content-Encoding", "gzip");
  } else if (way >= 92 && way < 96) {
    auto& header = parts.headers[below(dice, parts.headers.size())];
    header.second = damage(header.second, "application/json; charset=gzip, deflate", dice);
    std::erase_if(header.second, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
    if (chance(dice, 30)) parts.headers.emplace_back("Content-Encoding", chance(dice, 50) ? "gzip" : "deflate");
    if (chance(dice, 20)) parts.method = "GET";
  }
  bytes = bytes_of(parts);
  if (way >= 96) {
    bytes = damage(std::move(bytes), "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", dice);
    is_whole = false;
  }
  leave_note(thread_number, bytes);
  const auto begun = Ticks::now();
  const Answer answer = connection.ask(bytes, is_whole);
  const double seconds = std::chrono::duration<double>(Ticks::now() - begun).count();
  if (answer.status == 0 && is_whole) {
    report({.what = fmt::format("no answer within {:.0f} s: {}", seconds, operation.name), .request = bytes, .answer = {}});
    connection.close();
  }
  // One 5xx is true, and what AWS's load balancers say too: a damaged head may ask for another version of HTTP.
  if (answer.status >= 500 && (is_whole || answer.status != 505 || !names_another_version(bytes)))
    report({.what = fmt::format("{} of {} {}", answer.status, operation.service->name, operation.name), .request = bytes, .answer = answer.head + answer.body});
  auto& mine = tally[std::string(operation.service->name)];
  ++mine.sent;
  if (answer.status / 100 == 2) {
    ++mine.accepted;
    if (chance(dice, 20)) keep_for_later(answer, generator);
  }
  const std::lock_guard lock(mutex_);
  ++statuses_[answer.status];
  auto& slowest = slowest_[std::string(operation.name)];
  if (seconds > slowest.first) slowest = {seconds, shown(bytes)};
}

void MutationRun::mutate(std::uint64_t count, int threads, std::uint64_t seed) {
  const auto operations = all_operations();
  std::vector<std::thread> running;
  for (int t = 0; t < threads; ++t)
    running.emplace_back([this, t, count, seed, &operations] {
      thread_number = t;
      Connection connection(port());
      Generator generator(seed + static_cast<std::uint64_t>(t));
      std::map<std::string, Tally> tally;
      for (std::uint64_t i = 0; i < count; ++i) {
        generator.now_ms = system_ms();
        if (i % 5000 == 0) furnish(connection, generator);  // what was deleted comes back
        mutate_one(connection, generator, operations, tally);
      }
      const std::lock_guard lock(mutex_);
      for (const auto& [name, mine] : tally) {
        tally_[name].sent += mine.sent;
        tally_[name].accepted += mine.accepted;
      }
    });
  for (auto& thread : running) thread.join();
}

std::string MutationRun::table() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& [name, tally] : tally_) out += fmt::format("  {:<12}{:>9} requests {:>9} accepted\n", name, tally.sent, tally.accepted);
  out += "  statuses:";
  for (const auto& [status, n] : statuses_) out += fmt::format(" {}: {}", status, n);
  out += "\n  slowest:\n";
  std::vector<std::pair<double, std::string>> slow;
  for (const auto& [name, one] : slowest_) slow.emplace_back(one.first, name);
  std::sort(slow.rbegin(), slow.rend());
  for (std::size_t i = 0; i < std::min<std::size_t>(slow.size(), 8); ++i) {
    out += fmt::format("    {:>8.3f} s  {}\n", slow[i].first, slow[i].second);
    if (slow[i].first > 1) out += "      " + slowest_.at(slow[i].second).second.substr(0, 1500) + '\n';
  }
  return out;
}

}  // namespace fog::fuzz
