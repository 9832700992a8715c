// Embedded metric format: one row a rule. A datum is shown as ns/name/unit[/1s]{dims}=values.
#include "query/emf/emf.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace fog::emf {
namespace {

std::string shown(const Extraction& found) {
  std::string out;
  for (const Datum& datum : found.data) {
    if (!out.empty()) out += " ";
    out += fmt::format("{}/{}/{}{}{{", datum.metric_namespace, datum.metric_name, datum.unit, datum.high_resolution ? "/1s" : "");
    for (const auto& [name, value] : datum.dimensions) out += name + ":" + value + ",";
    out += "}=";
    for (const double value : datum.values) out += fmt::format("{},", value);
  }
  return out;
}

// A document around one directive and further members of the root.
std::string document(const std::string& directives, const std::string& members) {
  return R"({"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[)" + directives + "]}," + members + "}";
}
std::string directive(const std::string& dimensions, const std::string& metrics, const std::string& ns = R"("N")") {
  return R"({"Namespace":)" + ns + R"(,"Dimensions":)" + dimensions + R"(,"Metrics":)" + metrics + "}";
}
std::string numbers(std::size_t n) {
  std::string out = "[1";
  for (std::size_t i = 1; i < n; ++i) out += ",1";
  return out + "]";
}
std::string definitions(std::size_t n) {
  std::string out = R"([{"Name":"m"})";
  for (std::size_t i = 1; i < n; ++i) out += R"(,{"Name":"m"})";
  return out + "]";
}

struct Row {
  std::string name;
  std::string message;
  std::string data;
  std::size_t parsing = 0;
  std::size_t validation = 0;
  bool is_document = true;
};

TEST(Emf, Rows) {
  const std::string m = R"([{"Name":"m"}])";
  const std::vector<Row> rows = {
      {"one number", document(directive("[[]]", m), R"("m":1.5)"), "N/m/None{}=1.5,"},
      {"unit and resolution", document(directive("[[]]", R"([{"Name":"m","Unit":"Milliseconds","StorageResolution":1}])"), R"("m":1)"),
       "N/m/Milliseconds/1s{}=1,"},
      {"resolution 60", document(directive("[[]]", R"([{"Name":"m","StorageResolution":60}])"), R"("m":1)"), "N/m/None{}=1,"},
      {"an array", document(directive("[[]]", m), R"("m":[1,2,2.5])"), "N/m/None{}=1,2,2.5,"},
      {"every set gives a metric", document(directive(R"([["a"],["a","b"],[]])", m), R"("a":"x","b":"y","m":1)"),
       "N/m/None{a:x,}=1, N/m/None{a:x,b:y,}=1, N/m/None{}=1,"},
      {"two directives", document(directive("[[]]", m) + "," + directive("[[]]", m, R"("O")"), R"("m":1)"),
       "N/m/None{}=1, O/m/None{}=1,"},
      {"a bad directive leaves the others", document("7," + directive("[[]]", m), R"("m":1)"), "N/m/None{}=1,", 0, 1},
      {"blanks around", "  \n" + document(directive("[[]]", m), R"("m":1)") + " ", "N/m/None{}=1,"},
      {"unknown members", document(R"({"x":1,"Namespace":"N","Dimensions":[[]],"Metrics":[{"Name":"m","y":[]}]})", R"("m":1,"z":{})"), "N/m/None{}=1,"},
      {"names are literal", document(directive("[[]]", R"([{"Name":"A.a"}])"), R"("A":{"a":1})"), "", 0, 1},
      {"a name with a dot", document(directive("[[]]", R"([{"Name":"A.a"}])"), R"("A.a":3)"), "N/A.a/None{}=3,"},
      {"no target", document(directive("[[]]", m), R"("n":1)"), "", 0, 1},
      {"text as target", document(directive("[[]]", m), R"("m":"1")"), "", 0, 1},
      {"truth as target", document(directive("[[]]", m), R"("m":true)"), "", 0, 1},
      {"text among numbers", document(directive("[[]]", m), R"("m":[1,"2"])"), "", 0, 1},
      {"no values", document(directive("[[]]", m), R"("m":[])"), "", 0, 1},
      {"100 values", document(directive("[[]]", m), R"("m":)" + numbers(100)), "N/m/None{}=" + [] { std::string s; for (int i = 0; i < 100; ++i) s += "1,"; return s; }()},
      {"101 values", document(directive("[[]]", m), R"("m":)" + numbers(101)), "", 0, 1},
      {"101 metrics", document(directive("[[]]", definitions(101)), R"("m":1)"), "", 0, 1},
      {"one bad metric of two", document(directive("[[]]", R"([{"Name":"n"},{"Name":"m"}])"), R"("m":1)"), "N/m/None{}=1,", 0, 1},
      {"unknown unit", document(directive("[[]]", R"([{"Name":"m","Unit":"Furlongs"}])"), R"("m":1)"), "", 0, 1},
      {"other resolution", document(directive("[[]]", R"([{"Name":"m","StorageResolution":5}])"), R"("m":1)"), "", 0, 1},
      {"a set without target leaves the others", document(directive(R"([["a"],["b"]])", m), R"("b":"y","m":1)"), "N/m/None{b:y,}=1,", 0, 1},
      {"a number as dimension", document(directive(R"([["a"]])", m), R"("a":7,"m":1)"), "", 0, 1},
      {"an empty dimension", document(directive(R"([["a"]])", m), R"("a":"","m":1)"), "", 0, 1},
      {"a name twice in a set", document(directive(R"([["a","a"]])", m), R"("a":"x","m":1)"), "N/m/None{a:x,}=1,"},
      {"no sets", document(directive("[]", m), R"("m":1)"), "", 0, 1},
      {"dimensions are no list", document(directive(R"("a")", m), R"("a":"x","m":1)"), "", 0, 1},
      {"no namespace", document(R"({"Dimensions":[[]],"Metrics":[{"Name":"m"}]})", R"("m":1)"), "", 0, 1},
      {"empty namespace", document(directive("[[]]", m, R"("")"), R"("m":1)"), "", 0, 1},
      {"namespace too long", document(directive("[[]]", m, "\"" + std::string(256, 'n') + "\""), R"("m":1)"), "", 0, 1},
      {"metrics are no list", document(directive("[[]]", "{}"), R"("m":1)"), "", 0, 1},
      {"no directives", R"({"_aws":{"Timestamp":1,"CloudWatchMetrics":[]},"m":1})", ""},
      {"directives are no list", R"({"_aws":{"CloudWatchMetrics":{}},"m":1})", "", 1, 0},
      {"_aws is no object", R"({"_aws":7,"m":1})", "", 1, 0},
      {"timestamp is text", R"({"_aws":{"Timestamp":"now","CloudWatchMetrics":[]}})", "", 0, 1},
      {"broken JSON", R"({"_aws":{"CloudWatchMetrics":[{"Namespace":"N")", "", 1, 0},
      {"not about metrics", R"({"_aws":{"x":1},"m":1})", "", 0, 0, false},
      {"broken and not about metrics", R"({"_aws":)", "", 0, 0, false},
      {"plain JSON", R"({"m":1})", "", 0, 0, false},
      {"a list", R"([{"_aws":{"CloudWatchMetrics":[]}}])", "", 0, 0, false},
      {"text", R"(see "_aws" and "CloudWatchMetrics")", "", 0, 0, false},
      {"nothing", "", "", 0, 0, false},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const Extraction found = extract(row.message);
    EXPECT_EQ(found.is_document, row.is_document);
    EXPECT_EQ(shown(found), row.data);
    EXPECT_EQ(found.parsing_errors, row.parsing);
    EXPECT_EQ(found.validation_errors, row.validation);
    EXPECT_EQ(found.first_error.empty(), row.parsing + row.validation == 0);
  }
}

TEST(Emf, TimestampIsOptional) {
  EXPECT_EQ(extract(document("", R"("m":1)")).timestamp_ms, 1700000000000);
  EXPECT_EQ(extract(R"({"_aws":{"CloudWatchMetrics":[]},"m":1})").timestamp_ms, std::nullopt);
}

TEST(Emf, ThirtyDimensionsAtMost) {
  for (const std::size_t n : {30u, 31u}) {
    std::string names, members;
    for (std::size_t i = 0; i < n; ++i) {
      names += fmt::format("{}\"d{}\"", i == 0 ? "" : ",", i);
      members += fmt::format("\"d{}\":\"v\",", i);
    }
    const Extraction found = extract(document(directive("[[" + names + "]]", R"([{"Name":"m"}])"), members + R"("m":1)"));
    EXPECT_EQ(found.data.size(), n == 30 ? 1u : 0u);
    EXPECT_EQ(found.validation_errors, n == 30 ? 0u : 1u);
  }
}

}  // namespace
}  // namespace fog::emf
