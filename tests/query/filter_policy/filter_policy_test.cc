#include "query/filter_policy/filter_policy.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>

namespace fog::filter_policy {
namespace {

using Json = nlohmann::ordered_json;

Scope scope_of(const Json& c) {
  return c.at("scope") == "MessageBody" ? Scope::kMessageBody : Scope::kMessageAttributes;
}

bool body_matches(const FilterPolicy& policy, std::string_view body) {
  Values values;
  if (!values.add_body(body)) return policy.empty();
  return policy.matches(values);
}

TEST(FilterPolicy, gives_the_published_and_recorded_answers) {
  std::ifstream file(FOG_SOURCE_DIR "/tests/query/filter_policy/cases.json");
  const Json document = Json::parse(file);
  int n = 0;
  for (const auto& c : document.at("cases")) {
    SCOPED_TRACE(c.dump());
    ++n;
    const auto policy = FilterPolicy::parse(c.at("policy").dump(), scope_of(c));
    if (c.value("error", false)) {
      ASSERT_FALSE(policy.ok());
      EXPECT_NE(policy.error().message().find(c.at("message_contains").get<std::string>()),
                std::string::npos)
          << policy.error().message();
      continue;
    }
    ASSERT_TRUE(policy.ok()) << policy.error().message();
    bool match = false;
    if (scope_of(c) == Scope::kMessageBody) {
      const Json& body = c.at("body");
      match = body_matches(*policy, body.is_string() ? body.get<std::string>() : body.dump());
    } else {
      Values values;
      for (const auto& [name, attribute] : c.at("attributes").items())
        values.add_attribute(name, attribute.at("Type").get<std::string>(),
                             attribute.at("Value").get<std::string>());
      match = policy->matches(values);
    }
    EXPECT_EQ(match, c.at("match").get<bool>());
  }
  EXPECT_EQ(n, 100);
}

struct ErrorRow {
  const char* policy;
  const char* message;
};

TEST(FilterPolicy, refuses_with_the_service_s_words) {
  const ErrorRow rows[] = {
      {R"({"k":[]})", "Empty arrays are not allowed"},
      {R"({"k":"v"})", "\"k\" must be an object or an array"},
      {R"({"k":[["v"]]})", "Match value must be String, number, true, false, or null"},
      {R"({"k":[{"prefix":"a","suffix":"b"}]})", "Only one key allowed in match expression"},
      {R"({"k":[{"between":1}]})", "Unrecognized match type between"},
      {R"({"k":[{"prefix":1}]})", "prefix match pattern must be a string"},
      {R"({"k":[{"suffix":true}]})", "suffix match pattern must be a string"},
      {R"({"k":[{"equals-ignore-case":[]}]})", "equals-ignore-case match pattern must be a string"},
      {R"({"k":[{"wildcard":null}]})", "wildcard match pattern must be a string"},
      {R"({"k":[{"cidr":1}]})", "prefix match pattern must be a string"},
      {R"({"k":[{"exists":"yes"}]})", "exists match pattern must be either true or false."},
      {R"({"k":[{"anything-but":{"suffix":"a"}}]})", "Unsupported anything-but pattern: suffix"},
      {R"({"k":[{"cidr":"bad"}]})", "Malformed CIDR, one '/' required"},
      {R"({"k":[{"cidr":"10.0.0.0/24/2"}]})", "Malformed CIDR, one '/' required"},
      {R"({"k":[{"cidr":"10.0.0.0/x"}]})", "Malformed CIDR, mask bits must be an integer"},
      {R"({"k":[{"cidr":"10.0.0.256/24"}]})", "Nonstandard IP address: 10.0.0.256"},
      {R"({"k":[{"numeric":[]}]})", "Invalid member in numeric match: ]"},
      {R"({"k":[{"numeric":[5]}]})", "Invalid member in numeric match: 5"},
      {R"({"k":[{"numeric":["!=",5]}]})", "Unrecognized numeric range operator: !="},
      {R"({"k":[{"numeric":["=","a"]}]})", "Value of equals must be numeric"},
      {R"({"k":[{"numeric":["<","a"]}]})", "Value of < must be numeric"},
      {R"({"k":[{"numeric":[">=",1,"<","a"]}]})", "Value of < must be numeric"},
      {R"({"k":[{"numeric":["=",1,"<",2]}]})", "Too many elements in numeric expression"},
      {R"({"k":[{"numeric":["<",100,">",10]}]})", "Too many elements in numeric expression"},
      {R"({"k":[{"numeric":[">",1,2]}]})", "Bad value in numeric range: 2"},
      {R"({"k":[{"numeric":[">",1,">",2]}]})", "Bad numeric range operator: >"},
      {R"({"k":[{"numeric":[">",3,"<",1]}]})", "Bottom must be less than top"},
      {R"({"k":[{"numeric":[">",1,"<",3,"<",4]}]})", "Too many terms in numeric range expression"},
      {R"({"k":[)", "failed to parse JSON."},
      {R"({"k":["v"]} x)", "failed to parse JSON."},
      {R"({"a":["1"],"b":["1"],"c":["1"],"d":["1"],"e":["1"],"f":["1"]})",
       "Filter policy can not have more than 5 keys"},
      {R"({"a":{"b":["1"]}})",
       "Filter policy scope MessageAttributes does not support nested filter policy"},
      {R"({"k":[{"wildcard":"*a*b*c*"}]})", "Filter policy is too complex"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.policy);
    const auto policy = FilterPolicy::parse(row.policy, Scope::kMessageAttributes);
    ASSERT_FALSE(policy.ok());
    EXPECT_EQ(policy.error().message(), row.message);
  }
}

TEST(FilterPolicy, points_after_the_token_that_broke_the_grammar) {
  const auto policy = FilterPolicy::parse(R"({"key":[["value"]]})", Scope::kMessageAttributes);
  ASSERT_FALSE(policy.ok());
  EXPECT_EQ(policy.error().position(), 9u);
}

struct CombinationRow {
  const char* policy;
  std::int64_t combinations;
};

TEST(FilterPolicy, counts_combinations_as_documented) {
  const CombinationRow rows[] = {
      {R"({"a":["1","2","3"],"b":["1"],"c":["1","2"]})", 6},
      {R"({"a":{"b":{"c":["1","2","3","4"]}},"d":{"e":["1","2","3"]}})", 72},
      {R"({"s":["1","2"],"$or":[{"m":["1"]},{"t":["1","2"]}]})", 6},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.policy);
    const auto policy = FilterPolicy::parse(row.policy, Scope::kMessageBody);
    ASSERT_TRUE(policy.ok()) << policy.error().message();
    EXPECT_EQ(policy->combinations(), row.combinations);
  }
  // 4*6 + 4*4*4 + 4*4*4 = 152
  const auto refused = FilterPolicy::parse(
      R"({"s":[1,2,3,4],"$or":[{"m":[1,2,3,4,5,6]},{"t":[1,2,3,4],"$or":[{"i":[1,2,3,4]},{"p":[1,2,3,4]}]}]})",
      Scope::kMessageBody);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message(), "Filter policy is too complex");
}

TEST(FilterPolicy, accepts_exactly_150_combinations) {
  const auto rules = [](int n) {
    Json list = Json::array();
    for (int i = 0; i < n; ++i) list.push_back(i);
    return list;
  };
  EXPECT_TRUE(FilterPolicy::parse(Json{{"k", rules(150)}}.dump(), Scope::kMessageBody).ok());
  EXPECT_FALSE(FilterPolicy::parse(Json{{"k", rules(151)}}.dump(), Scope::kMessageBody).ok());
}

struct WildcardRow {
  const char* pattern;
  const char* text;
  bool match;
};

TEST(FilterPolicy, wildcards_escape_with_a_backslash) {
  const WildcardRow rows[] = {
      {"*", "", true},        {"a*", "a", true},         {"a\\*c", "a*c", true},
      {"a\\*c", "abc", false}, {"a\\\\c", "a\\c", true}, {"*a*a", "baa", true},
      {"*ab", "aab", true},   {"a", "A", false},         {"a*b*c", "a-b-b-c", true},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.pattern);
    const auto policy = FilterPolicy::parse(
        Json{{"k", Json::array({Json{{"wildcard", row.pattern}}})}}.dump(), Scope::kMessageAttributes);
    ASSERT_TRUE(policy.ok());
    Values values;
    values.add_attribute("k", "String", row.text);
    EXPECT_EQ(policy->matches(values), row.match);
  }
}

struct BodyRow {
  const char* policy;
  const char* body;
  bool match;
};

TEST(FilterPolicy, reads_bodies) {
  const BodyRow rows[] = {
      {R"({"a":[{"exists":true}]})", R"({"a":null})", false},
      {R"({"a":[{"exists":true}]})", R"({"a":""})", false},
      {R"({"a":[{"exists":false}]})", R"({"b":1})", true},
      {R"({"a":[{"exists":false}]})", R"({})", true},
      {R"({"a":[{"numeric":["=",0.3]}]})", R"({"a":0.30000000000000004})", true},
      {R"({"a":[{"numeric":["=",1.00001]}]})", R"({"a":1.00002})", false},
      {R"({"a":[1]})", R"({"a":"1"})", false},
      {R"({"a":[1]})", R"({"a":123456789012345678901234567890,"b":1})", false},
      {R"({"a":["é"]})", R"({"a":"\u00e9"})", true},
      {R"({"a":[{"equals-ignore-case":"É"}]})", R"({"a":"é"})", true},
      {R"({"a":["x"]})", R"([{"a":"x"}])", false},
      {R"({"a":["x"]})", R"({"a":"x"} trailing)", false},
      {R"({"a":{"b":["x"]}})", R"({"a":[[{"b":"y"}],{"b":"x"}]})", true},
      {R"({"b":["x"]})", R"({"a":{"c":[1,2,{"d":3}]},"b":"x"})", true},
      {R"({"a":{"c":[1]}})", R"({"a":[{"b":5},{"c":1}]})", true},
      {R"({"a":[{"cidr":"10.0.0.0/24"}]})", R"({"a":"10.0.0.7"})", true},
      {R"({"a":[{"cidr":"10.0.0.128/25"}]})", R"({"a":"10.0.0.7"})", false},
      {R"({"a":[{"anything-but":{"wildcard":["x*","y*"]}}]})", R"({"a":"yes"})", false},
      {R"({"$or":["x"]})", R"({"$or":"x"})", true},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(std::string(row.policy) + " on " + row.body);
    const auto policy = FilterPolicy::parse(row.policy, Scope::kMessageBody);
    ASSERT_TRUE(policy.ok()) << policy.error().message();
    EXPECT_EQ(body_matches(*policy, row.body), row.match);
  }
}

TEST(FilterPolicy, survives_text_cut_anywhere) {
  const std::string whole =
      R"({"a":[{"numeric":[">",0,"<=",150]},{"anything-but":["x",1]}],"$or":[{"b":["\u00e9"]},{"c":[{"cidr":"10.0.0.0/8"}]}]})";
  ASSERT_TRUE(FilterPolicy::parse(whole, Scope::kMessageBody).ok());
  for (std::size_t n = 0; n < whole.size(); ++n)
    EXPECT_FALSE(FilterPolicy::parse(whole.substr(0, n), Scope::kMessageBody).ok()) << n;
  EXPECT_FALSE(FilterPolicy::parse(std::string(10000, '['), Scope::kMessageBody).ok());
  std::string deep;
  for (int i = 0; i < 10000; ++i) deep += "{\"a\":";
  EXPECT_FALSE(FilterPolicy::parse(deep, Scope::kMessageBody).ok());
  Values values;
  EXPECT_FALSE(values.add_body(deep));
}

}  // namespace
}  // namespace fog::filter_policy
