#include "api/neighbours/tagging.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

namespace fog::neighbours {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kTarget = "ResourceGroupsTaggingAPI_20170126.";
// Limits of the service.
constexpr int kPerPage = 100;
constexpr std::size_t kArnsMax = 20;
constexpr std::size_t kTagsMax = 50;
constexpr std::size_t kArnListMax = 100;
constexpr std::size_t kFiltersMax = 50;

http::Response json(const Json& body, int status = 200) {
  http::Response response;
  response.status = status;
  response.set("Content-Type", "application/x-amz-json-1.1");
  if (status >= 400) response.set("x-amzn-ErrorType", body["__type"].get<std::string>());
  response.body = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  return response;
}

http::Response refuse(std::string_view message, std::string_view code = "InvalidParameterException") {
  return json({{"__type", code}, {"Message", message}, {"message", message}}, 400);
}

// "arn:aws:logs:us-east-1:123456789012:log-group:x" -> "logs:log-group"; topics and queues do not say what they are.
std::string type_of(const std::string& arn) {
  std::size_t colon = 0;
  std::string parts[6];
  for (std::string& part : parts) {
    const std::size_t end = &part == &parts[5] ? std::string::npos : arn.find(':', colon);
    part = arn.substr(colon, end == std::string::npos ? end : end - colon);
    if (end == std::string::npos) break;
    colon = end + 1;
  }
  if (parts[2] == "sns") return "sns:topic";
  if (parts[2] == "sqs") return "sqs:queue";
  return parts[2] + ":" + parts[5].substr(0, parts[5].find_first_of(":/"));
}

std::vector<std::string> texts(const Json& body, const char* name) {
  std::vector<std::string> out;
  if (!body.contains(name) || !body[name].is_array()) return out;
  for (const Json& item : body[name]) {
    if (item.is_string()) out.push_back(item.get<std::string>());
  }
  return out;
}

Json as_list(const Tags& tags) {
  Json list = Json::array();
  for (const auto& [key, value] : tags) list.push_back({{"Key", key}, {"Value", value}});
  return list;
}

struct Filter {
  std::string key;
  std::vector<std::string> values;  // empty: any
};

bool matches(const TaggedResource& resource, const std::vector<Filter>& filters, const std::vector<std::string>& types) {
  for (const Filter& filter : filters) {
    const auto tag = resource.tags.find(filter.key);
    if (tag == resource.tags.end()) return false;
    if (!filter.values.empty() && std::find(filter.values.begin(), filter.values.end(), tag->second) == filter.values.end()) return false;
  }
  const std::string type = type_of(resource.arn);
  return types.empty() || std::any_of(types.begin(), types.end(), [&](const std::string& wanted) { return type == wanted || type.starts_with(wanted + ":"); });
}

http::Response get_resources(const Json& body, std::vector<TaggedResource> all) {
  std::vector<Filter> filters;
  if (body.contains("TagFilters") && body["TagFilters"].is_array()) {
    for (const Json& filter : body["TagFilters"]) {
      if (!filter.is_object() || !filter.contains("Key") || !filter["Key"].is_string()) return refuse("TagFilters: a filter has no Key.");
      filters.push_back({filter["Key"].get<std::string>(), texts(filter, "Values")});
    }
  }
  if (filters.size() > kFiltersMax) return refuse("TagFilters: at most 50 filters.");
  const std::vector<std::string> types = texts(body, "ResourceTypeFilters");
  const std::vector<std::string> arns = texts(body, "ResourceARNList");
  if (arns.size() > kArnListMax) return refuse("ResourceARNList: at most 100 ARNs.");
  if (!arns.empty() && (!filters.empty() || !types.empty() || body.contains("ResourcesPerPage") || body.contains("TagsPerPage"))) {
    return refuse("ResourceARNList cannot be combined with TagFilters, ResourceTypeFilters, ResourcesPerPage or TagsPerPage.");
  }
  int per_page = kPerPage;
  if (body.contains("ResourcesPerPage") && !body["ResourcesPerPage"].is_null()) {
    if (!body["ResourcesPerPage"].is_number_integer()) return refuse("ResourcesPerPage is not a number.");
    per_page = body["ResourcesPerPage"].get<int>();
    if (per_page < 1 || per_page > kPerPage) return refuse("ResourcesPerPage must be between 1 and 100.");
  }
  std::erase_if(all, [&](const TaggedResource& resource) {
    if (!arns.empty()) return std::find(arns.begin(), arns.end(), resource.arn) == arns.end();
    return !matches(resource, filters, types);
  });
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.arn < b.arn; });
  // The token is the last ARN shown.
  std::string after;
  if (body.contains("PaginationToken") && body["PaginationToken"].is_string()) after = body["PaginationToken"].get<std::string>();
  if (!after.empty() && !after.starts_with("arn:")) return refuse("The pagination token is not one of this service.", "PaginationTokenExpiredException");
  Json list = Json::array();
  std::string token;
  for (const TaggedResource& resource : all) {
    if (!after.empty() && resource.arn <= after) continue;
    if (list.size() == static_cast<std::size_t>(per_page)) {
      token = list.back()["ResourceARN"].get<std::string>();
      break;
    }
    list.push_back({{"ResourceARN", resource.arn}, {"Tags", as_list(resource.tags)}});
  }
  return json({{"PaginationToken", token}, {"ResourceTagMappingList", std::move(list)}});
}

// Tags or untags each ARN; those that fail are named with the reason.
template <typename Change>
http::Response change_each(const Json& body, const Change& change) {
  const std::vector<std::string> arns = texts(body, "ResourceARNList");
  if (arns.empty() || arns.size() > kArnsMax) return refuse("ResourceARNList must have between 1 and 20 ARNs.");
  Json failed = Json::object();
  for (const std::string& arn : arns) {
    const Status done = change(arn);
    if (done.ok()) continue;
    const bool is_ours = done.error().kind() == ErrorKind::kInternal || done.error().kind() == ErrorKind::kBusy;
    failed[arn] = {{"StatusCode", is_ours ? 500 : 400}, {"ErrorCode", is_ours ? "InternalServiceException" : "InvalidParameterException"}, {"ErrorMessage", done.error().message()}};
  }
  return json({{"FailedResourcesMap", std::move(failed)}});
}

}  // namespace

http::Response answer_tagging(const http::Request& request, const std::string& account, const std::string& region, TagDirectory& directory) {
  std::string_view operation = request.header("x-amz-target");
  if (operation.starts_with(kTarget)) operation.remove_prefix(kTarget.size());
  const Json body = Json::parse(request.body.empty() ? std::string("{}") : request.body, nullptr, false);
  if (!body.is_object()) return refuse("The request body is not a JSON object.", "SerializationException");
  if (operation == "GetResources") return get_resources(body, directory.tagged(account, region));
  if (operation == "TagResources") {
    Tags tags;
    if (!body.contains("Tags") || !body["Tags"].is_object() || body["Tags"].empty() || body["Tags"].size() > kTagsMax) return refuse("Tags must be a map of 1 to 50 tags.");
    for (const auto& [key, value] : body["Tags"].items()) {
      if (!value.is_string()) return refuse(fmt::format("The value of the tag {} is not a text.", key));
      tags[key] = value.get<std::string>();
    }
    return change_each(body, [&](const std::string& arn) { return directory.tag(account, region, arn, tags); });
  }
  if (operation == "UntagResources") {
    const std::vector<std::string> keys = texts(body, "TagKeys");
    if (keys.empty() || keys.size() > kTagsMax) return refuse("TagKeys must have between 1 and 50 keys.");
    return change_each(body, [&](const std::string& arn) { return directory.untag(account, region, arn, keys); });
  }
  if (operation == "GetTagKeys" || operation == "GetTagValues") {
    std::string key;
    if (operation == "GetTagValues") {
      if (!body.contains("Key") || !body["Key"].is_string()) return refuse("Key is required.");
      key = body["Key"].get<std::string>();
    }
    std::set<std::string> found;
    for (const TaggedResource& resource : directory.tagged(account, region)) {
      for (const auto& [name, value] : resource.tags) {
        if (key.empty()) found.insert(name);
        else if (name == key) found.insert(value);
      }
    }
    return json({{"PaginationToken", ""}, {key.empty() ? "TagKeys" : "TagValues", found}});
  }
  return refuse(fmt::format("Fogwatch does not implement tagging:{}.", operation), "UnknownOperationException");
}

}  // namespace fog::neighbours
