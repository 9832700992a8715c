#include "api/neighbours/neighbours.h"

#include <fmt/format.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "api/neighbours/request.h"

namespace fog::neighbours {
namespace {

constexpr std::string_view kIam = "https://iam.amazonaws.com/doc/2010-05-08/";
constexpr std::string_view kEc2 = "http://ec2.amazonaws.com/doc/2016-11-15/";
constexpr std::string_view kCloudFormation = "http://cloudformation.amazonaws.com/doc/2010-05-15/";

// Regions that every account has without asking for them (AWS General Reference, "Service endpoints").
constexpr std::string_view kRegions[] = {
    "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2",
    "ca-central-1",   "eu-central-1",   "eu-north-1",     "eu-west-1",  "eu-west-2",      "eu-west-3",
    "sa-east-1",      "us-east-1",      "us-east-2",      "us-west-1",  "us-west-2"};

http::Response xml(std::string body, int status = 200) {
  http::Response response;
  response.status = status;
  response.set("Content-Type", "text/xml");
  response.body = std::move(body);
  return response;
}

http::Response json(const nlohmann::json& body, int status = 200) {
  http::Response response;
  response.status = status;
  response.set("Content-Type", "application/json");
  if (status >= 400) response.set("x-amzn-ErrorType", body["__type"].get<std::string>());
  response.body = body.dump();
  return response;
}

http::Response query_error(std::string_view ns, std::string_view code, std::string_view message, std::string_view request_id) {
  return xml(fmt::format("<ErrorResponse xmlns=\"{}\"><Error><Type>Sender</Type><Code>{}</Code><Message>{}</Message></Error>"
                         "<RequestId>{}</RequestId></ErrorResponse>",
                         ns, code, message, request_id),
             400);
}

http::Response ec2_error(std::string_view code, std::string_view message, std::string_view request_id) {
  return xml(fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Errors><Error><Code>{}</Code><Message>{}</Message></Error></Errors>"
                         "<RequestID>{}</RequestID></Response>",
                         code, message, request_id),
             400);
}

}  // namespace

std::string_view Neighbours::claims(const http::Request& request) { return name_of(neighbour_of(request)); }

http::Response Neighbours::answer(const http::Request& request, const std::string& request_id, const AccessKey* caller) {
  switch (neighbour_of(request)) {
    case Neighbour::kSts: return sts_.answer(request, request_id, caller);
    case Neighbour::kIam: return iam(request, request_id, caller);
    case Neighbour::kEc2: return ec2(request, request_id);
    case Neighbour::kOam: return oam(request);
    case Neighbour::kTagging:
      if (tags_ != nullptr) return answer_tagging(request, account_of(request), region_of(request), *tags_);
      return json({{"__type", "UnknownOperationException"}, {"message", "Fogwatch does not implement the Resource Groups Tagging API."}}, 400);
    case Neighbour::kCloudFormation:
      return query_error(kCloudFormation, "ValidationError",
                         "Fogwatch has no CloudFormation and keeps no stacks. `fogwatch apply TEMPLATE` makes the alarms, log groups, topics, queues and "
                         "rules of a template, or of what cdk synth wrote.", request_id);
    case Neighbour::kNone: break;
  }
  return json({{"__type", "UnknownOperationException"}, {"message", "There is no such service here."}}, 404);
}

std::string Neighbours::account_of(const http::Request& request) const {
  const Scope scope = scope_of(request);
  if (is_account(scope.access_key)) return scope.access_key;
  const std::string own = place_.account_of ? place_.account_of(scope.access_key) : std::string();
  return own.empty() ? place_.account : own;
}

std::string Neighbours::region_of(const http::Request& request) const {
  const Scope scope = scope_of(request);
  return scope.region.empty() ? place_.region : scope.region;
}

http::Response Neighbours::iam(const http::Request& request, const std::string& request_id, const AccessKey* caller) const {
  const std::string action = parameter(request, "Action");
  std::string result;
  if (action == "ListAccountAliases") {
    result = "<IsTruncated>false</IsTruncated><AccountAliases/>";
  } else if (action == "GetUser") {
    if (const std::string name = parameter(request, "UserName"); !name.empty()) {
      return xml(fmt::format("<ErrorResponse xmlns=\"{}\"><Error><Type>Sender</Type><Code>NoSuchEntity</Code>"
                             "<Message>The user with name {} cannot be found.</Message></Error><RequestId>{}</RequestId></ErrorResponse>",
                             kIam, escape_xml(name), request_id),
                 404);
    }
    const std::string account = caller == nullptr ? account_of(request) : caller->account;
    const std::string_view partition = partition_of_region(region_of(request));
    if (caller != nullptr && !caller->is_temporary()) {
      result = fmt::format("<User><Path>/</Path><UserName>{}</UserName><UserId>{}</UserId><Arn>{}</Arn><CreateDate>2015-01-01T00:00:00Z</CreateDate></User>",
                           escape_xml(caller->name), user_id_of(*caller), escape_xml(arn_of(*caller, partition)));
    } else {
      result = fmt::format("<User><Path>/</Path><UserId>{0}</UserId><Arn>arn:{1}:iam::{0}:root</Arn>"
                           "<CreateDate>2015-01-01T00:00:00Z</CreateDate></User>",
                           account, partition);
    }
  } else {
    return query_error(kIam, "InvalidAction", fmt::format("Fogwatch does not implement iam:{}.", escape_xml(action)), request_id);
  }
  return xml(fmt::format("<{0}Response xmlns=\"{1}\"><{0}Result>{2}</{0}Result><ResponseMetadata><RequestId>{3}</RequestId></ResponseMetadata></{0}Response>",
                         action, kIam, result, request_id));
}

http::Response Neighbours::ec2(const http::Request& request, const std::string& request_id) const {
  const std::string action = parameter(request, "Action");
  std::string result;
  if (action == "DescribeRegions") {
    std::vector<std::string> wanted;
    for (int i = 1;; ++i) {
      std::string name = parameter(request, fmt::format("RegionName.{}", i));
      if (name.empty()) break;
      if (std::find(std::begin(kRegions), std::end(kRegions), name) == std::end(kRegions)) {
        return ec2_error("InvalidParameterValue", fmt::format("Invalid region names: [{}]", escape_xml(name)), request_id);
      }
      wanted.push_back(std::move(name));
    }
    result = "<regionInfo>";
    for (const std::string_view region : kRegions) {
      if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), region) == wanted.end()) continue;
      result += fmt::format("<item><regionName>{0}</regionName><regionEndpoint>ec2.{0}.amazonaws.com</regionEndpoint>"
                            "<optInStatus>opt-in-not-required</optInStatus></item>",
                            region);
    }
    result += "</regionInfo>";
  } else if (action == "DescribeInstances") {
    if (const std::string id = parameter(request, "InstanceId.1"); !id.empty()) {
      return ec2_error("InvalidInstanceID.NotFound", fmt::format("The instance ID '{}' does not exist", escape_xml(id)), request_id);
    }
    result = "<reservationSet/>";
  } else if (action == "DescribeTags") {
    result = "<tagSet/>";
  } else {
    return ec2_error("InvalidAction", fmt::format("Fogwatch does not implement ec2:{}.", escape_xml(action)), request_id);
  }
  return xml(fmt::format("<{0}Response xmlns=\"{1}\"><requestId>{2}</requestId>{3}</{0}Response>", action, kEc2, request_id, result));
}

http::Response Neighbours::oam(const http::Request& request) const {
  const std::string_view target = request.target;
  const std::string_view path = target.substr(0, target.find('?'));
  const auto body = nlohmann::json::parse(request.body.empty() ? "{}" : request.body, nullptr, false);
  if (!body.is_object()) return json({{"__type", "SerializationException"}, {"message", "The request body is not a JSON object."}}, 400);
  if (path == "/ListSinks" || path == "/ListLinks") return json({{"Items", nlohmann::json::array()}});
  if (path == "/ListAttachedLinks") {
    if (!body.contains("SinkIdentifier")) {
      return json({{"__type", "ValidationException"},
                   {"message", "1 validation error detected: Value null at 'sinkIdentifier' failed to satisfy constraint: Member must not be null"}},
                  400);
    }
    return json({{"__type", "ResourceNotFoundException"}, {"message", "The requested sink does not exist."}}, 404);
  }
  return json({{"__type", "UnknownOperationException"}, {"message", fmt::format("Fogwatch does not implement oam:{}.", path.substr(std::min<std::size_t>(1, path.size())))}}, 404);
}

}  // namespace fog::neighbours
