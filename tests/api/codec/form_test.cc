// Form parameters against a plain reading of the same text: splitting at '&' and the first '=',
// undoing escapes one byte at a time, comparing keys one byte at a time.
#include "api/codec/query.h"

#include <gtest/gtest.h>

#include <cctype>
#include <random>

namespace fog {
namespace {

struct Plain {
  std::string key;
  std::string value;
  bool operator==(const Plain&) const = default;
};

std::string undo(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto hex = [&](std::size_t at) { return at < text.size() && std::isxdigit(static_cast<unsigned char>(text[at])) != 0; };
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] == '%' && hex(i + 1) && hex(i + 2)) {
      out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::vector<Plain> read_plainly(std::string_view text) {
  std::vector<Plain> out;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    out.push_back({undo(pair.substr(0, equals)), equals == std::string_view::npos ? "" : undo(pair.substr(equals + 1))});
  }
  return out;
}

void expect_same(const Form& form, const std::vector<Plain>& expected, const std::string& text) {
  std::vector<Plain> read;
  std::string_view previous;
  for (const auto& parameter : form.parameters()) {
    read.push_back({std::string(parameter.key), std::string(parameter.value)});
    std::size_t shared = 0;
    while (shared < previous.size() && shared < parameter.key.size() && previous[shared] == parameter.key[shared]) ++shared;
    EXPECT_EQ(parameter.shared, shared) << parameter.key << " after " << previous << " in " << text;
    previous = parameter.key;
  }
  EXPECT_EQ(read, expected) << text;
}

TEST(Form, reads_what_a_plain_reading_does) {
  const std::string_view pieces[] = {"&", "=", "%", "+", "%2", "%41", "%26", "%3D", "%zz", "a", "b", ".", "1", "member.",
                                     "Dimensions.member.", "MetricData.member.1.", "a long value of the kind", "\xc3\xa9", "&&", "=="};
  std::mt19937 random(7);  // NOLINT: the same texts every time
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (auto n = random() % 24; n > 0; --n) text += pieces[random() % std::size(pieces)];
    Form form;
    ASSERT_TRUE(form.add(text));
    expect_same(form, read_plainly(text), text);
  }
}

TEST(Form, adds_the_body_behind_the_query) {
  Form form;
  ASSERT_TRUE(form.add("Action=X&Key.a=1"));
  ASSERT_TRUE(form.add("Key.ab=%32&Key.ab=3"));
  expect_same(form, {{"Action", "X"}, {"Key.a", "1"}, {"Key.ab", "2"}, {"Key.ab", "3"}}, "two texts");
  EXPECT_EQ(form.get("Key.ab"), "3");
  EXPECT_TRUE(form.has("Action"));
  EXPECT_FALSE(form.has("Key"));
}

}  // namespace
}  // namespace fog
