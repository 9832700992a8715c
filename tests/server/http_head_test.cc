// The strict reader of heads and chunked bodies, by rows; and against Beast's parser as a second opinion.
#include "server/http_head.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/beast/http.hpp>

#include <random>
#include <sstream>

#include "tests/server/rows.h"

namespace fog::http {
namespace {

std::string show(const std::optional<Fault>& fault) { return fault ? fmt::format("{} {}", fault->status, fault->why) : "ok"; }

// Feeds the text in pieces of `step` bytes, as a slow client would.
std::string take(const std::string& text, std::size_t step, Head& head) {
  HeadEnd end;
  for (std::size_t size = std::min(step, text.size());; size = std::min(size + step, text.size())) {
    end = find_head_end(std::string_view(text).substr(0, size), end.seen);
    if (end.fault) return show(end.fault);
    if (end.end > 0) break;
    if (size == text.size()) return "more";
  }
  return show(parse_head(std::string_view(text).substr(0, end.end), head));
}

std::string member(const Head& head, const std::string& name) {
  const auto header = [&](std::string_view wanted) {
    for (const Header& h : head.headers) {
      if (equal_ignoring_case(h.name, wanted)) return std::string(h.value);
    }
    return std::string("(none)");
  };
  if (name == "method") return std::string(head.method);
  if (name == "target") return std::string(head.target);
  if (name == "authority") return std::string(head.authority);
  if (name == "value") return header("x-test");
  if (name == "length") return std::to_string(head.content_length);
  if (name == "keep") return head.keep_alive ? "1" : "0";
  if (name == "chunked") return head.chunked ? "1" : "0";
  if (name == "continue") return head.expects_continue ? "1" : "0";
  if (name == "minor") return std::to_string(head.version_minor);
  ADD_FAILURE() << "unknown member " << name;
  return "";
}

TEST(HttpHead, rows) {
  for (const auto& row : test::read_rows("http_head.rows")) {
    for (const std::size_t step : {row.text.size(), std::size_t{1}, std::size_t{3}}) {
      Head head;
      const std::string got = take(row.text, step, head);
      SCOPED_TRACE(fmt::format("line {} step {}", row.line, step));
      if (!row.verdict.starts_with("ok")) {
        const std::size_t space = row.verdict.find(' ');
        EXPECT_TRUE(got.starts_with(row.verdict.substr(0, space))) << got;
        if (space != std::string::npos) {
          EXPECT_NE(got.find(row.verdict.substr(space + 1)), std::string::npos) << got;
        }
        continue;
      }
      EXPECT_EQ(got, "ok");
      std::istringstream words(row.verdict.substr(2));
      for (std::string word; words >> word;) {
        const std::size_t equal = word.find('=');
        EXPECT_EQ(member(head, word.substr(0, equal)), test::unescape(word.substr(equal + 1))) << word;
      }
    }
  }
}

TEST(HttpHead, a_head_past_its_limit_is_refused_before_it_ends) {
  const std::string text = "GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(kHeadBytesMax, 'a');
  EXPECT_EQ(find_head_end(text, 0).fault->status, 431);
}

TEST(HttpHead, more_headers_than_the_limit_are_refused) {
  std::string text = "GET / HTTP/1.1\r\nHost: h\r\n";
  for (std::size_t i = 1; i < kHeadersMax; ++i) text += "X: y\r\n";
  Head head;
  EXPECT_FALSE(parse_head(text + "\r\n", head));
  EXPECT_EQ(parse_head(text + "X: y\r\n\r\n", head)->status, 431);
}

TEST(ChunkedReader, rows) {
  for (const auto& row : test::read_rows("chunked.rows")) {
    for (const std::size_t step : {row.text.size(), std::size_t{1}, std::size_t{2}}) {
      ChunkedReader reader(20);
      std::string body;
      std::string_view rest = row.text;
      while (!rest.empty() && !reader.done() && !reader.fault()) {
        const std::size_t taken = reader.take(rest.substr(0, step), body);
        rest.remove_prefix(taken);
      }
      std::string got = "more";
      if (reader.fault()) got = show(reader.fault());
      const auto dash = [](std::string_view text) { return text.empty() ? std::string("-") : std::string(text); };
      if (reader.done()) got = fmt::format("ok {} {}", dash(body), dash(rest));
      SCOPED_TRACE(fmt::format("line {} step {}", row.line, step));
      if (row.verdict.starts_with("ok") || row.verdict == "more") {
        EXPECT_EQ(got, row.verdict);
      } else {
        EXPECT_TRUE(got.starts_with(row.verdict.substr(0, 3))) << got;
        if (row.verdict.size() > 4) {
          EXPECT_NE(got.find(row.verdict.substr(4)), std::string::npos) << got;
        }
      }
    }
  }
}

// Two readers, one meaning: whatever this one accepts, Beast's accepts with the same framing.
TEST(HttpHead, what_is_accepted_means_the_same_to_another_parser) {
  namespace beast = boost::beast::http;
  std::mt19937 random(20240917);
  std::vector<std::string> seeds;
  for (const auto& row : test::read_rows("http_head.rows")) {
    if (row.verdict.starts_with("ok")) seeds.push_back(row.text);
  }
  const std::string alphabet("\r\n\t :,;=/aZ09%\"\0\x7f\xff", 21);
  int accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text = seeds[random() % seeds.size()];
    for (unsigned changes = random() % 4; changes > 0; --changes) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0: text[at] = alphabet[random() % alphabet.size()]; break;
        case 1: text.insert(at, 1, alphabet[random() % alphabet.size()]); break;
        default: text.erase(at, 1);
      }
    }
    const HeadEnd end = find_head_end(text, 0);
    Head head;
    if (end.fault || end.end == 0 || parse_head(std::string_view(text).substr(0, end.end), head)) continue;
    ++accepted;
    beast::request_parser<beast::empty_body> parser;
    parser.skip(true);
    boost::system::error_code error;
    const std::size_t used = parser.put(boost::asio::buffer(text.data(), end.end), error);
    SCOPED_TRACE(text);
    ASSERT_FALSE(error) << error.message();
    ASSERT_EQ(used, end.end);
    ASSERT_TRUE(parser.is_header_done());
    EXPECT_EQ(parser.chunked(), head.chunked);
    EXPECT_EQ(parser.content_length().value_or(0), head.content_length);
    // "keep-alive, close" in HTTP/1.0 is closed here; the careful side is the right one.
    if (head.keep_alive) {
      EXPECT_TRUE(parser.get().keep_alive());
    }
    EXPECT_EQ(std::string_view(parser.get().method_string()), head.method);
  }
  EXPECT_GT(accepted, 1000);
}

TEST(HttpHead, every_byte_at_every_place_of_a_value_is_judged_alike) {
  for (int c = 0; c < 256; ++c) {
    if (c == '\n' || c == '\r') continue;  // these end the line
    const bool is_allowed = c == '\t' || (c >= 0x20 && c != 0x7f);
    for (const std::size_t size : {3u, 8u, 17u}) {
      for (std::size_t place = 1; place + 1 < size; ++place) {
        std::string value(size, 'v');
        value[place] = static_cast<char>(c);
        Head head;
        const std::string text = "GET / HTTP/1.1\r\nHost: h\r\nX-A: " + value + "\r\n\r\n";
        ASSERT_EQ(!parse_head(text, head).has_value(), is_allowed) << c << " at " << place << " of " << size;
      }
    }
  }
}

}  // namespace
}  // namespace fog::http
