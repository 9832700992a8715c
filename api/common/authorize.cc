#include "api/common/authorize.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/common/fault.h"

namespace fog {
namespace {

using Texts = std::vector<std::string>;

const Member* find_member(const Shape& shape, std::string_view name) {
  const Member* end = shape.members + shape.member_count;
  const Member* found = std::find_if(shape.members, end, [&](const Member& m) { return m.name == name; });
  return found == end ? nullptr : found;
}

// The member's value; null when absent.
const void* value_of(const Member& member, const void* structure) {
  const void* slot = static_cast<const char*>(structure) + member.offset;
  return member.slot == nullptr ? slot : member.slot->peek(*member.shape, slot);
}

// A text, or all texts of a list. Empty: absent, or of another kind.
Texts texts(const Shape& shape, const void* structure, std::string_view name) {
  const Member* member = find_member(shape, name);
  const void* value = member == nullptr ? nullptr : value_of(*member, structure);
  if (value == nullptr) return {};
  const Shape& type = *member->shape;
  Texts out;
  if (type.kind == Kind::kString) {
    const auto& text = *static_cast<const std::string*>(value);
    if (!text.empty()) out.push_back(text);
  } else if (type.kind == Kind::kList && type.element->kind == Kind::kString) {
    for (std::size_t i = 0; i < type.list->size(type, value); ++i) out.push_back(*static_cast<const std::string*>(type.list->at(type, value, i)));
  }
  return out;
}

class Reader {
 public:
  explicit Reader(const Exchange& x) : x_(x), service_(x.service->info->name) {}

  std::vector<iam::Access> read() {
    iam::Access base{.action = fmt::format("{}:{}", service_, x_.operation_name), .context = context()};
    std::vector<Texts> named = service_ == "cloudwatch" ? cloudwatch() : service_ == "logs" ? logs() : service_ == "sns" ? sns() : service_ == "xray" ? xray() : queues();
    if (named.empty()) named.push_back({"*"});
    std::vector<iam::Access> out;
    for (Texts& forms : named) {
      out.push_back(base);
      out.back().resources = std::move(forms);
    }
    return out;
  }

 private:
  Texts get(std::string_view name) const { return x_.input ? texts(x_.input.shape(), x_.input.get(), name) : Texts{}; }
  Texts get_any(std::initializer_list<std::string_view> names) const {
    Texts all;
    for (const std::string_view name : names) {
      for (std::string& text : get(name)) all.push_back(std::move(text));
    }
    return all;
  }
  std::string arn(std::string_view service, std::string_view rest) const {
    return fmt::format("arn:{}:{}:{}:{}:{}", partition_of(x_.call.region), service, x_.call.region, x_.call.account, rest);
  }
  static bool is_arn(const std::string& text) { return text.starts_with("arn:"); }

  std::vector<Texts> cloudwatch() const {
    std::vector<Texts> all;
    for (const std::string& a : get_any({"ResourceARN", "ResourceArn"})) all.push_back({a});
    for (const std::string& name : get_any({"AlarmName", "AlarmNames"})) all.push_back({is_arn(name) ? name : arn("cloudwatch", "alarm:" + name)});
    for (const std::string& name : get_any({"DashboardName", "DashboardNames"}))
      all.push_back({fmt::format("arn:{}:cloudwatch::{}:dashboard/{}", partition_of(x_.call.region), x_.call.account, name)});
    for (const std::string& name : get_any({"RuleName", "RuleNames"})) all.push_back({arn("cloudwatch", "insight-rule/" + name)});
    if (x_.operation_name.find("MetricStream") != std::string::npos)
      for (const std::string& name : get_any({"Name", "Names"})) all.push_back({arn("cloudwatch", "metric-stream/" + name)});
    if (all.empty() && x_.operation_name == "DescribeAlarms") all.push_back({arn("cloudwatch", "alarm:*")});
    return all;
  }

  std::vector<Texts> logs() const {
    std::vector<Texts> all;
    const Texts streams = get("logStreamName");
    for (std::string name : get_any({"logGroupName", "logGroupNames", "logGroupIdentifier", "logGroupIdentifiers", "resourceIdentifier", "resourceArn"})) {
      // An ARN, with or without the ":*" at its end, or a name.
      if (name.ends_with(":*")) name.resize(name.size() - 2);
      const std::string group = is_arn(name) ? name : arn("logs", "log-group:" + name);
      if (!streams.empty()) all.push_back({group + ":log-stream:" + streams.front()});
      else all.push_back({group, group + ":log-stream:"});
    }
    if (all.empty()) all.push_back({arn("logs", "log-group::log-stream:")});
    return all;
  }

  std::vector<Texts> sns() const {
    std::vector<Texts> all;
    for (const std::string& a : get_any({"TopicArn", "TargetArn", "ResourceArn", "PlatformApplicationArn", "EndpointArn"})) all.push_back({a});
    for (const std::string& a : get("SubscriptionArn")) all.push_back({a.substr(0, std::count(a.begin(), a.end(), ':') > 5 ? a.rfind(':') : a.size())});
    if (x_.operation_name == "CreateTopic")
      for (const std::string& name : get("Name")) all.push_back({arn("sns", name)});
    return all;
  }

  std::vector<Texts> xray() const {
    std::vector<Texts> all;
    for (const std::string& a : get_any({"ResourceARN", "GroupARN", "RuleARN"})) all.push_back({a});
    if (!all.empty()) return all;
    for (const std::string& name : get("GroupName")) all.push_back({arn("xray", "group/" + name), arn("xray", "group/" + name + "/")});
    for (const std::string& name : get("RuleName")) all.push_back({arn("xray", "sampling-rule/" + name)});
    return all;
  }

  std::vector<Texts> queues() const {
    std::vector<Texts> all;
    for (const std::string& url : get("QueueUrl")) all.push_back({arn("sqs", url.substr(url.rfind('/') + 1))});
    for (const std::string& name : get("QueueName")) all.push_back({arn("sqs", name)});
    return all;
  }

  std::map<std::string, Texts> context() const {
    const Call& call = x_.call;
    std::map<std::string, Texts> keys{{"aws:sourceip", {call.source_ip}},
                                      {"aws:requestedregion", {call.region}},
                                      {"aws:principalaccount", {call.account}},
                                      {"aws:principalarn", {call.principal}},
                                      {"aws:username", {call.principal.substr(call.principal.rfind('/') + 1)}},
                                      {"aws:securetransport", {"false"}}};
    const auto put = [&](const char* key, Texts values) {
      if (!values.empty()) keys[key] = std::move(values);
    };
    if (service_ == "cloudwatch") {
      put("cloudwatch:namespace", get("Namespace"));
      put("cloudwatch:alarmactions", get("AlarmActions"));
    } else if (service_ == "sns") {
      put("sns:endpoint", get_any({"Endpoint", "NotificationEndpoint"}));
      put("sns:protocol", get("Protocol"));
    }
    return keys;
  }

  const Exchange& x_;
  std::string_view service_;
};

}  // namespace

std::vector<iam::Access> accesses_of(const Exchange& x) { return Reader(x).read(); }

Status authorize(Exchange& x, const AccessKey& key) {
  x.call.principal = arn_of(key, partition_of(x.call.region));
  for (const iam::Access& access : accesses_of(x)) {
    const std::string why = why_not(key, access);
    if (why.empty()) continue;
    return wire_fault({.code = "AccessDeniedException",
                       .query_code = x.service->info->name == "sns" ? "AuthorizationError" : "AccessDenied",
                       .status = 400,
                       .query_status = 403,
                       .rest_status = 403,
                       .message = fmt::format("User: {} is not authorized to perform: {} on resource: {} {}", x.call.principal, access.action,
                                              access.resources.back(), why)});
  }
  return Ok{};
}

}  // namespace fog
