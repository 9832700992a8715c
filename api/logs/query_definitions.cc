// PutQueryDefinition, DescribeQueryDefinitions, DeleteQueryDefinition: saved queries.
#include <fmt/format.h>

#include <set>

#include "api/logs/operations.h"
#include "api/logs/shelf.h"
#include "storage/base/random.h"

namespace fog::logs {
namespace {

constexpr Shelf<QueryDefinition> kDefinitions("log-query-definition");
constexpr Shelf<QueryDefinition> kTokens("log-query-definition-token");  // by clientToken: what it made
constexpr std::size_t kDefinitionsMax = 1000;

Error definition_missing() { return fault(ResourceNotFoundException{.message = "The specified query definition does not exist."}); }

// The names between {{ and }}.
std::set<std::string> placeholders(std::string_view text) {
  std::set<std::string> names;
  for (std::size_t at = text.find("{{"); at != std::string_view::npos; at = text.find("{{", at)) {
    const std::size_t end = text.find("}}", at);
    if (end == std::string_view::npos) break;
    std::string_view name = text.substr(at + 2, end - at - 2);
    while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
    while (!name.empty() && name.back() == ' ') name.remove_suffix(1);
    names.emplace(name);
    at = end;
  }
  return names;
}

Status check_parameters(const PutQueryDefinitionRequest& in) {
  const QueryLanguage language = in.query_language.value_or(QueryLanguage::CWLI);
  std::set<std::string> declared;
  if (in.parameters) {
    if (language != QueryLanguage::CWLI && !in.parameters->empty())
      return invalid_parameter("Query parameters are supported only for Logs Insights QL queries.");
    for (const QueryParameter& parameter : *in.parameters)
      if (!declared.insert(parameter.name).second)
        return invalid_parameter(fmt::format("Query parameter {} is defined more than once.", parameter.name));
  }
  const std::set<std::string> used = placeholders(in.query_string);
  for (const std::string& name : declared)
    if (!used.contains(name)) return invalid_parameter(fmt::format("Query parameter {} is not used in the query string.", name));
  if (in.parameters)
    for (const std::string& name : used)
      if (!declared.contains(name)) return invalid_parameter(fmt::format("Query parameter {} is not defined.", name));
  return Ok{};
}

Result<PutQueryDefinitionResponse> put_query_definition(Call& call, const PutQueryDefinitionRequest& in) {
  TRYV(check_parameters(in));
  PutQueryDefinitionResponse out;
  if (in.query_definition_id) {
    if (!kDefinitions.has(call, *in.query_definition_id)) return definition_missing();
  } else if (in.client_token) {
    if (const auto made = kTokens.get(call, *in.client_token); made && kDefinitions.has(call, made->query_definition_id.value_or(""))) {
      out.query_definition_id = made->query_definition_id;  // the same request again
      return out;
    }
  }
  if (!in.query_definition_id && kDefinitions.count(call) >= kDefinitionsMax)
    return fault(LimitExceededException{.message = "Resource limit exceeded."});
  QueryDefinition definition;
  definition.query_definition_id = in.query_definition_id ? *in.query_definition_id : call.service<Random>().uuid();
  definition.query_language = in.query_language.value_or(QueryLanguage::CWLI);
  definition.name = in.name;
  definition.query_string = in.query_string;
  definition.last_modified = to_ms(call.now);
  definition.log_group_names = in.log_group_names.value_or(std::vector<std::string>{});
  definition.parameters = in.parameters;
  TRYV(kDefinitions.put(call, *definition.query_definition_id, definition));
  if (in.client_token && !in.query_definition_id) TRYV(kTokens.put(call, *in.client_token, definition));
  out.query_definition_id = definition.query_definition_id;
  return out;
}

Result<DescribeQueryDefinitionsResponse> describe_query_definitions(Call& call, const DescribeQueryDefinitionsRequest& in) {
  std::vector<std::pair<std::string, QueryDefinition>> all;
  for (auto& item : kDefinitions.list(call)) {
    QueryDefinition& definition = item.second;
    const std::string name = definition.name.value_or("");
    if (in.query_definition_name_prefix && !name.starts_with(*in.query_definition_name_prefix)) continue;
    if (in.query_language && definition.query_language != in.query_language) continue;
    all.emplace_back(fmt::format("{}\n{}", name, item.first), std::move(definition));
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  DescribeQueryDefinitionsResponse out;
  TRY(out.next_token, cut_page("DescribeQueryDefinitions", in.query_definition_name_prefix.value_or(""), all, in.next_token,
                               static_cast<std::size_t>(in.max_results.value_or(1000)),
                               [](const auto& item) -> const std::string& { return item.first; }));
  auto& items = out.query_definitions.emplace();
  for (auto& item : all) items.push_back(std::move(item.second));
  return out;
}

Result<DeleteQueryDefinitionResponse> delete_query_definition(Call& call, const DeleteQueryDefinitionRequest& in) {
  if (!kDefinitions.has(call, in.query_definition_id)) return definition_missing();
  TRYV(kDefinitions.erase(call, in.query_definition_id));
  DeleteQueryDefinitionResponse out;
  out.success = true;
  return out;
}

constexpr Operation kOperations[] = {
    bind<put_query_definition>(),
    bind<describe_query_definitions>(),
    bind<delete_query_definition>(),
};

}  // namespace

std::span<const Operation> query_definition_operations() { return kOperations; }

}  // namespace fog::logs
