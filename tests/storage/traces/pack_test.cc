// The stored form of documents: the same bytes come back, whatever they are; damage is noticed.
#include <gtest/gtest.h>

#include <random>

#include "storage/traces/document_pack.h"

namespace fog::traces {
namespace {

constexpr TraceId kId{0x5759e988bd862e3f, 0xe1be46a994272793};

std::vector<std::string> round_trip(const std::vector<std::string>& texts, std::size_t per_trace = 2) {
  DocumentPacker packer;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i % per_trace == 0) packer.begin_trace({kId.hi, kId.lo + i / per_trace}, std::min(per_trace, texts.size() - i));
    packer.add({static_cast<std::int64_t>(1'000 - i), 7 + i % 3, texts[i]});
  }
  const auto block = packer.finish();
  std::vector<std::string> back;
  const auto done = unpack_documents(block, [](std::size_t) { return true; }, [&](std::size_t, const PackedDocument& document) {
    EXPECT_EQ(document.received_ms, static_cast<std::int64_t>(1'000 - back.size()));
    EXPECT_EQ(document.lsn, 7 + back.size() % 3);
    back.emplace_back(document.text);
  });
  EXPECT_TRUE(done.ok());
  return back;
}

TEST(DocumentPack, every_text_comes_back_byte_for_byte) {
  const std::vector<std::string> rows = {
      "{}", "[]", "0", "-0", "-0.0", "0.0", "0.5", "-0.5", "1e9", "1.478293361271E9", "-1.5e-7", "123456789012345678", "1234567890123456789", "-999999999999999999",
      "1700000000.123456", "1700000000.12345", "1700000000.1234567", "1700000000.12345678", "19999999999.9999999", "20000000000.5", "1.0", "10.10", "0.0000001", "-12.050",
      R"("")", R"("\"")", R"("\\")", R"("a\"b:c")", R"({"a\"b" : "c" , "d":"\\\\"})", "{\"a\"\n:\t1}", R"({"":""})", R"({"x":{"y":[1,2,[3,"4",true,false,null]]}})",
      R"({"trace_id":"1-5759e988-bd862e3fe1be46a994272793"})", R"({"trace_id":"1-5759E988-bd862e3fe1be46a994272793"})",
      R"(["0123456789abcdef","0123456789ABCDEF","0123456789abcdefg","0123456789abcdef0123456789abcdef","0123456789abcde"])",
      "[\"\xe2\x9c\x93 \xf0\x9f\x99\x82\", \"\\u0001\"]", "  {  }  ", R"([1,-1,1.5,1.25,1.125])", "[01]", "[-]", "[1.]", "[00.5]"};
  EXPECT_EQ(round_trip(rows), rows);
  EXPECT_EQ(round_trip(rows, 1), rows);
  EXPECT_EQ(round_trip(rows, 100), rows);
}

// Random JSON, weighted towards what documents hold.
std::string make(std::mt19937_64& random, int depth) {
  const auto pick = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  const auto blank = [&] { return std::string(pick(4) == 0 ? " \n" : ""); };
  const auto digits = [&](std::size_t most) {
    std::string out;
    for (std::size_t n = 1 + pick(most); n > 0; --n) out.push_back(static_cast<char>('0' + pick(10)));
    return out;
  };
  const auto text = [&] {
    constexpr const char* kParts[] = {"a", "\\\"", "\\\\", ":", "{", "1", "\\u0007", "\xc3\xa4", "0123456789abcdef", ",", " "};
    std::string out = "\"";
    for (auto n = pick(5); n > 0; --n) out += kParts[pick(std::size(kParts))];
    return out + "\"";
  };
  switch (depth > 4 ? pick(5) : pick(7)) {
    case 0: return (pick(2) != 0 ? "-" : "") + (pick(3) == 0 ? "0" : std::to_string(1 + pick(9)) + digits(20));
    case 1: return (pick(3) == 0 ? "-" : "") + std::to_string(pick(30'000'000'000)) + "." + digits(9);
    case 2: return (pick(2) != 0 ? "1" : "-0") + std::string(pick(2) != 0 ? ".5" : "") + (pick(2) != 0 ? "e" : "E") + (pick(2) != 0 ? "-" : "+") + digits(2);
    case 3: return text();
    case 4: return pick(2) != 0 ? "true" : "null";
    case 5: {
      std::string out = "[" + blank();
      for (auto n = pick(5); n > 0; --n) out += make(random, depth + 1) + blank() + (n > 1 ? "," : "");
      return out + "]";
    }
    default: {
      std::string out = "{" + blank();
      for (auto n = pick(5); n > 0; --n) out += text() + blank() + ":" + blank() + make(random, depth + 1) + (n > 1 ? "," : "");
      return out + "}";
    }
  }
}

TEST(DocumentPack, random_json_comes_back) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> texts;
    for (int i = 0; i < 30; ++i) texts.push_back(make(random, 0));
    ASSERT_EQ(round_trip(texts, 1 + static_cast<std::size_t>(round % 7)), texts) << round;
  }
}

TEST(DocumentPack, any_changed_byte_is_noticed) {
  DocumentPacker packer;
  packer.begin_trace(kId, 2);
  packer.add({1, 2, R"({"id":"0123456789abcdef","name":"front","start_time":1700000000.5})"});
  packer.add({3, 4, R"({"id":"fedcba9876543210","name":"back","start_time":1700000000.75})"});
  const auto block = packer.finish();
  const auto read = [](std::string_view bytes) {
    return unpack_documents(bytes, [](std::size_t) { return true; }, [](std::size_t, const PackedDocument&) {}).ok();
  };
  ASSERT_TRUE(read(block));
  for (std::size_t i = 0; i < block.size(); ++i) {
    auto damaged = block;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x20);
    EXPECT_FALSE(read(damaged)) << i;
    EXPECT_FALSE(read(std::string_view(block).substr(0, i))) << i;
  }
}

}  // namespace
}  // namespace fog::traces
