// Who is turned away when there is too much: heavy calls by time, bodies by memory; and in which words.
#include "server/admission.h"

#include <gtest/gtest.h>

#include "api/common/fault.h"
#include "server/config.h"
#include "server/pressure.h"

namespace fog {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;

int admitted(Admission& admission, int tries) {
  int count = 0;
  for (int i = 0; i < tries; ++i) count += admission.enter() ? 1 : 0;
  return count;
}

void teach(Admission& admission, std::int64_t took_ns) {
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(admission.enter());
    admission.leave(took_ns);
  }
}

TEST(Admission, a_few_heavy_calls_are_always_admitted) {
  Admission admission(2);
  teach(admission, 100 * kSecondNs);
  EXPECT_EQ(admitted(admission, 100), 16);
  EXPECT_EQ(admission.refused(), 84u);
  EXPECT_EQ(admission.waiting(), 16u);
}

TEST(Admission, the_quicker_they_are_the_more_may_wait) {
  for (const auto& [took_ms, expected] : {std::pair(100, 100), std::pair(20, 500), std::pair(1, 2048)}) {
    Admission admission(2);
    teach(admission, took_ms * kSecondNs / 1000);
    EXPECT_NEAR(admitted(admission, 5000), expected, 4) << took_ms;  // five seconds' worth for two threads
  }
}

TEST(Admission, room_is_made_by_who_leaves) {
  Admission admission(1);
  teach(admission, 100 * kSecondNs);
  EXPECT_EQ(admitted(admission, 50), 8);
  admission.leave(kSecondNs);
  EXPECT_EQ(admitted(admission, 50), 1);
}

TEST(Admission, each_service_says_it_in_its_own_words) {
  struct Row {
    const char* service;
    const char* code;
    const char* query_code;
    int status;
    int query_status;
  };
  for (const Row& row : {Row{"cloudwatch", "ThrottlingException", "Throttling", 400, 0}, Row{"logs", "ThrottlingException", "Throttling", 400, 0},
                         Row{"xray", "ThrottledException", "", 429, 0}, Row{"sns", "Throttled", "", 429, 0}, Row{"sqs", "RequestThrottled", "", 400, 403}}) {
    ServiceInfo info;
    info.name = row.service;
    Service service;
    service.info = &info;
    Exchange exchange{http::Request()};
    exchange.service = &service;
    const Error error = throttled(exchange, "why");
    WireFault scratch;
    const WireFault& wire = wire_of(error, {}, scratch);
    EXPECT_EQ(wire.code, row.code);
    EXPECT_EQ(wire.query_code, row.query_code) << row.service;
    EXPECT_EQ(wire.status, row.status) << row.service;
    EXPECT_EQ(wire.query_status, row.query_status) << row.service;
    EXPECT_EQ(wire.message, "why");
  }
}

TEST(Pressure, bodies_together_take_a_quarter_of_the_limit) {
  Pressure pressure(std::uint64_t{1} << 40);
  EXPECT_TRUE(pressure.admits_body());
  pressure.count_body(300 << 20);
  EXPECT_TRUE(pressure.admits_body());
  EXPECT_TRUE(pressure.is_tight());
  pressure.count_body(300 << 20);
  EXPECT_FALSE(pressure.admits_body());
  pressure.count_body(-(300 << 20));
  EXPECT_TRUE(pressure.admits_body());
  Pressure small(200 << 20);
  small.count_body(49 << 20);
  EXPECT_TRUE(small.admits_body());
  small.count_body(2 << 20);
  EXPECT_FALSE(small.admits_body());
}

TEST(Pressure, a_process_above_its_limit_is_short_of_memory) {
  Pressure above(1 << 20);  // no process is that small
  EXPECT_FALSE(above.memory_is_short());
  above.tick(Timestamp{});
  EXPECT_TRUE(above.memory_is_short());
  EXPECT_FALSE(above.admits_body());
  EXPECT_GT(above.resident_bytes(), 1u << 20);
  Pressure below(std::uint64_t{1} << 40);
  below.tick(Timestamp{});
  EXPECT_FALSE(below.memory_is_short());
  Pressure none(0);
  none.tick(Timestamp{});
  EXPECT_FALSE(none.memory_is_short());
}

TEST(Config, sizes_of_memory_and_files_of_tls) {
  const auto parse = [](const std::string& option, const std::string& value) {
    return parse_command_line({"serve", option, value}, {{"HOME", "/home/ann"}});
  };
  for (const auto& [text, bytes] : {std::pair("64M", 64ull << 20), std::pair("2G", 2ull << 30), std::pair("512MiB", 512ull << 20), std::pair("100000K", 100000ull << 10),
                                    std::pair("1073741824", 1ull << 30), std::pair("0", 0ull)}) {
    const auto line = parse("--memory-limit", text);
    ASSERT_TRUE(line.ok()) << text << ": " << line.error().message();
    EXPECT_EQ(line->config.memory_limit, bytes) << text;
  }
  for (const char* bad : {"", "M", "-1", "1T", "2 G", "2Gx", "63M", "99999999999999999999", "18446744073709551615G"}) EXPECT_FALSE(parse("--memory-limit", bad).ok()) << bad;
  EXPECT_NE(parse("--tls-cert", "a").error().message().find("tls-key"), std::string::npos);
  EXPECT_NE(parse("--tls-key", "a").error().message().find("tls-cert"), std::string::npos);
}

}  // namespace
}  // namespace fog
