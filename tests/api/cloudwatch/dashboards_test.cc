// Dashboards: names, bodies and what is wrong with them, listing, deleting; tags.
#include "api/cloudwatch/dashboard_body.h"
#include "metrics_fixture.h"

namespace fog::cloudwatch {
namespace {

struct Row {
  const char* body;
  const char* path;     // of the first error; null: there is none
  const char* message;
};

std::string metric_widget(const std::string& properties) {
  return R"({"widgets":[{"type":"metric","properties":)" + properties + "}]}";
}

const Row kBodies[] = {
    {R"({"widgets":[]})", nullptr, nullptr},
    {R"({})", "", "Should have required property 'widgets'"},
    {R"({"widgets":{}})", "/widgets", "Should be array"},
    {R"({"widgets":[{"properties":{}}]})", "/widgets/0", "Should have required property 'type'"},
    {R"({"widgets":[{"type":"planet","properties":{}}]})", "/widgets/0/type", "Should be equal to one of the allowed values"},
    {R"({"widgets":[{"type":"text","properties":{}}]})", "/widgets/0/properties", "Should have required property 'markdown'"},
    {R"({"widgets":[{"type":"text","x":24,"y":0,"properties":{"markdown":"a"}}]})", "/widgets/0/x", "Should be <= 23"},
    {R"({"widgets":[{"type":"text","x":1,"properties":{"markdown":"a"}}]})", "/widgets/0", "Should have required property 'y'"},
    {R"({"widgets":[{"type":"text","width":0,"properties":{"markdown":"a"}}]})", "/widgets/0/width", "Should be >= 1"},
    {R"({"widgets":[{"type":"text","properties":{"markdown":"a"}}],"end":"2026-01-01"})", "", "Should have required property 'start'"},
    {R"({"widgets":[],"start":"-PT8X"})", "/start", "Should match pattern \"^-P(T[0-9]+[HMS]|[0-9]+[DWMY])$\""},
    {R"({"widgets":[],"start":"-PT8H","periodOverride":"auto"})", nullptr, nullptr},
    {R"({"widgets":[{"type":"log","properties":{"region":"r","query":"q","view":"gauge"}}]})", "/widgets/0/properties/view",
     "Should be equal to one of the allowed values"},
    {R"({"widgets":[{"type":"alarm","properties":{"alarms":[]}}]})", "/widgets/0/properties/alarms",
     "Should NOT have fewer than 1 items"},
    {R"({"widgets":[],"variables":[{"type":"pattern","pattern":"a","inputType":"select","id":"v"}]})", "/variables/0",
     "Should have required property 'values'"},
};

TEST(DashboardBody, finds_what_is_wrong) {
  for (const Row& row : kBodies) {
    const BodyVerdict v = check_dashboard_body(row.body);
    ASSERT_TRUE(v.is_object) << row.body;
    if (row.path == nullptr) {
      EXPECT_TRUE(v.errors.empty()) << row.body << v.errors[0].message;
      continue;
    }
    ASSERT_FALSE(v.errors.empty()) << row.body;
    EXPECT_EQ(v.errors[0].data_path, row.path) << row.body;
    EXPECT_EQ(v.errors[0].message, row.message) << row.body;
  }
  for (const char* body : {"", "[]", "5", "{", "null", "\"a\""}) EXPECT_FALSE(check_dashboard_body(body).is_object);
}

TEST(DashboardBody, rows_of_metrics) {
  const auto first = [](const std::string& metrics) {
    const BodyVerdict v = check_dashboard_body(metric_widget(R"({"region":"r","metrics":)" + metrics + "}"));
    return v.errors.empty() ? std::string() : v.errors[0].data_path + " " + v.errors[0].message;
  };
  EXPECT_EQ(first(R"([["N","m"]])"), "");
  EXPECT_EQ(first(R"([["N","m","a","b",{"stat":"p99","yAxis":"left"}]])"), "");
  EXPECT_EQ(first(R"([["N","m","a","b"],["...","c"],[".","n",".","."]])"), "");
  EXPECT_EQ(first(R"([[{"expression":"m1*2","id":"e1"}]])"), "");
  EXPECT_EQ(first(R"([["N","m",5]])"),
            "/widgets/0/properties/metrics/0/2 Invalid metric field type, only \"String\" type is allowed");
  EXPECT_EQ(first(R"([["N","m","a"]])"), "/widgets/0/properties/metrics/0 Should NOT have more than 2 items");
  EXPECT_EQ(first(R"(["N"])"),
            "/widgets/0/properties/metrics/0 Field \"metrics\" has to be an array of array of strings, with an optional "
            "metricRenderer object as last element");
  EXPECT_EQ(first(R"([[{"label":"x"}]])"), "/widgets/0/properties/metrics/0/0 Should match exactly one schema in oneOf");
  EXPECT_EQ(first(R"({})"), "/widgets/0/properties/metrics Should be array");
  std::string many = "[";
  for (int i = 0; i < 501; ++i) many += std::string(i > 0 ? "," : "") + R"(["N","m"])";
  EXPECT_EQ(first(many + "]"), "/widgets/0/properties/metrics Should NOT have more than 500 items");
}

TEST(DashboardBody, unknown_members_of_a_widget_are_warned_about) {
  const BodyVerdict v = check_dashboard_body(R"({"widgets":[{"type":"text","properties":{"markdown":"a"},"colour":1}]})");
  EXPECT_TRUE(v.errors.empty());
  ASSERT_EQ(v.warnings.size(), 1u);
  EXPECT_EQ(v.warnings[0], (BodyMessage{"/widgets/0/colour",
                                        "The \"colour\" property is not expected to be part of a widget definition, will "
                                        "be ignored"}));
}

using Dashboards = CloudWatch;
constexpr const char* kBody = R"({ "widgets" : [ {"type":"text","properties":{"markdown":"hi"}} ] })";

TEST_F(Dashboards, body_comes_back_as_it_was_put) {
  EXPECT_EQ(call("PutDashboard", {{"DashboardName", "a-B_1"}, {"DashboardBody", kBody}}).status, 200);
  const Answer a = call("GetDashboard", {{"DashboardName", "a-B_1"}});
  EXPECT_EQ(a.body["DashboardBody"], kBody);
  EXPECT_EQ(a.body["DashboardArn"], "arn:aws:cloudwatch::000000000000:dashboard/a-B_1");
  const Answer l = call("ListDashboards", json::object());
  EXPECT_EQ(l.body["DashboardEntries"][0]["Size"], std::string(kBody).size());
  EXPECT_EQ(l.body["DashboardEntries"][0]["LastModified"], kNowS);
}

TEST_F(Dashboards, errors) {
  Answer a = call("PutDashboard", {{"DashboardName", "a b"}, {"DashboardBody", kBody}});
  EXPECT_EQ(a.code, "InvalidParameterValue");
  EXPECT_EQ(a.message,
            "The value for field DashboardName contains invalid characters. It can only contain alphanumerics, dash (-) "
            "and underscore (_).\n");
  a = call("PutDashboard", {{"DashboardName", "a"}, {"DashboardBody", "[]"}});
  EXPECT_EQ(a.code, "InvalidParameterInput");
  EXPECT_EQ(a.message, "The field DashboardBody must be a valid JSON object");
  a = call("PutDashboard", {{"DashboardName", "a"}, {"DashboardBody", "{}"}});
  EXPECT_EQ(a.code, "InvalidParameterInput");
  EXPECT_EQ(a.message,
            "The dashboard body is invalid, there are 1 validation errors:\n[\n  {\n    \"dataPath\": \"\",\n    "
            "\"message\": \"Should have required property 'widgets'\"\n  }\n]");
  EXPECT_EQ(a.body["dashboardValidationMessages"],
            json::array({{{"DataPath", ""}, {"Message", "Should have required property 'widgets'"}}}));
  a = call("GetDashboard", {{"DashboardName", "none"}});
  EXPECT_EQ(a.status, 404);
  EXPECT_EQ(a.code, "ResourceNotFound");
  EXPECT_EQ(a.message, "Dashboard none does not exist");
  a = call("DeleteDashboards", {{"DashboardNames", json::array()}});
  EXPECT_EQ(a.code, "InvalidParameterValue");
}

TEST_F(Dashboards, deleting_removes_the_known_and_reports_the_others) {
  call("PutDashboard", {{"DashboardName", "a"}, {"DashboardBody", kBody}});
  const Answer a = call("DeleteDashboards", {{"DashboardNames", {"a", "none"}}});
  EXPECT_EQ(a.status, 404);
  EXPECT_EQ(a.message, "The specified dashboard does not exist. [none]");
  EXPECT_EQ(call("ListDashboards", json::object()).body["DashboardEntries"], json::array());
}

TEST_F(Dashboards, list_by_prefix_in_pages) {
  for (int i = 0; i < 1001; ++i) {
    char name[16];
    std::snprintf(name, sizeof name, "d%04d", i);
    call("PutDashboard", {{"DashboardName", name}, {"DashboardBody", kBody}});
  }
  call("PutDashboard", {{"DashboardName", "x"}, {"DashboardBody", kBody}});
  Answer a = call("ListDashboards", {{"DashboardNamePrefix", "d"}});
  EXPECT_EQ(a.body["DashboardEntries"].size(), 1000u);
  a = call("ListDashboards", {{"DashboardNamePrefix", "d"}, {"NextToken", a.body["NextToken"]}});
  EXPECT_EQ(a.body["DashboardEntries"].size(), 1u);
  EXPECT_FALSE(a.body.contains("NextToken"));
  EXPECT_EQ(call("ListDashboards", {{"NextToken", "x"}}).status, 400);
}

TEST_F(Dashboards, tags_are_set_on_creation_only_and_kept_by_arn) {
  const json tags = {{{"Key", "team"}, {"Value", "a"}}};
  call("PutDashboard", {{"DashboardName", "a"}, {"DashboardBody", kBody}, {"Tags", tags}});
  call("PutDashboard", {{"DashboardName", "a"}, {"DashboardBody", kBody}, {"Tags", {{{"Key", "x"}, {"Value", "y"}}}}});
  const std::string arn = "arn:aws:cloudwatch::000000000000:dashboard/a";
  EXPECT_EQ(call("ListTagsForResource", {{"ResourceARN", arn}}).body["Tags"], tags);
  EXPECT_EQ(call("TagResource", {{"ResourceARN", arn}, {"Tags", {{{"Key", "b"}, {"Value", ""}}}}}).status, 200);
  EXPECT_EQ(call("UntagResource", {{"ResourceARN", arn}, {"TagKeys", {"team"}}}).status, 200);
  EXPECT_EQ(call("ListTagsForResource", {{"ResourceARN", arn}}).body["Tags"],
            json::array({{{"Key", "b"}, {"Value", ""}}}));
  json many = json::array();
  for (int i = 0; i < 50; ++i) many.push_back({{"Key", std::to_string(i)}, {"Value", ""}});
  EXPECT_EQ(call("TagResource", {{"ResourceARN", arn}, {"Tags", many}}).status, 400);
  const Answer a = call("TagResource", {{"ResourceARN", arn + "x"}, {"Tags", tags}});
  EXPECT_EQ(a.status, 404);
  EXPECT_EQ(a.code, "ResourceNotFoundException");
  EXPECT_EQ(a.body["ResourceId"], "ax");
  EXPECT_EQ(call("ListTagsForResource", {{"ResourceARN", "arn:aws:cloudwatch:us-east-1:000000000000:alarm:gone"}}).body["Tags"],
            json::array());
  EXPECT_EQ(call("ListTagsForResource", {{"ResourceARN", "nonsense"}}).status, 400);
  call("DeleteDashboards", {{"DashboardNames", {"a"}}});
  EXPECT_EQ(call("ListTagsForResource", {{"ResourceARN", arn}}).status, 404);
}

}  // namespace
}  // namespace fog::cloudwatch
