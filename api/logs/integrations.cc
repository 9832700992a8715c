// What reaches out to other services, kept as records without data flow: OpenSearch integrations,
// sources of S3 tables, imports from CloudTrail Lake, syslog configurations, storage tier; and
// bearer tokens for HTTP ingestion.
#include <fmt/format.h>

#include "api/logs/masking.h"
#include "api/logs/operations.h"
#include "api/logs/resource_tags.h"
#include "api/logs/shelf.h"
#include "api/logs/stored.h"
#include "storage/base/random.h"

namespace fog::logs {
namespace {

constexpr Shelf<GetIntegrationResponse> kIntegrations("log-integration");
constexpr Shelf<StoredTableSource> kTableSources("log-s3-table-source");
constexpr Shelf<Import> kImports("log-import");
constexpr Shelf<SyslogConfiguration> kSyslog(kGroupPartKind);
constexpr Shelf<GetStorageTierPolicyResponse> kStorageTier("log-storage-tier");

Error not_found(std::string message) { return fault(ResourceNotFoundException{.message = std::move(message)}); }
Error validation(std::string message) { return fault(ValidationException{.message = std::move(message)}); }
Error invalid_operation(std::string message) { return fault(InvalidOperationException{.message = std::move(message)}); }

const auto kFirst = [](const auto& item) -> const std::string& { return item.first; };

// ---- OpenSearch -------------------------------------------------------------------------------------

Result<PutIntegrationResponse> put_integration(Call& call, const PutIntegrationRequest& in) {
  if (!in.resource_config.open_search_resource_config) return invalid_parameter("resourceConfig must hold openSearchResourceConfig.");
  if (!kIntegrations.has(call, in.integration_name) && kIntegrations.count(call) > 0)
    return fault(LimitExceededException{.message = "Resource limit exceeded."});
  GetIntegrationResponse integration;
  integration.integration_name = in.integration_name;
  integration.integration_type = in.integration_type;
  integration.integration_status = IntegrationStatus::ACTIVE;
  OpenSearchIntegrationDetails& details = integration.integration_details.emplace().open_search_integration_details.emplace();
  if (const auto& application = in.resource_config.open_search_resource_config->application_arn) {
    details.application.emplace().application_arn = *application;
    details.application->status.emplace().status = OpenSearchResourceStatusType::ACTIVE;
  }
  TRYV(kIntegrations.put(call, in.integration_name, integration));
  PutIntegrationResponse out;
  out.integration_name = in.integration_name;
  out.integration_status = integration.integration_status;
  return out;
}

Result<GetIntegrationResponse> get_integration(Call& call, const GetIntegrationRequest& in) {
  auto integration = kIntegrations.get(call, in.integration_name);
  if (!integration) return not_found("The specified integration does not exist.");
  return std::move(*integration);
}

Result<ListIntegrationsResponse> list_integrations(Call& call, const ListIntegrationsRequest& in) {
  ListIntegrationsResponse out;
  auto& items = out.integration_summaries.emplace();
  for (const auto& [name, integration] : kIntegrations.list(call, in.integration_name_prefix.value_or(""))) {
    if (in.integration_type && integration.integration_type != in.integration_type) continue;
    if (in.integration_status && integration.integration_status != in.integration_status) continue;
    IntegrationSummary& item = items.emplace_back();
    item.integration_name = name;
    item.integration_type = integration.integration_type;
    item.integration_status = integration.integration_status;
  }
  return out;
}

Result<DeleteIntegrationResponse> delete_integration(Call& call, const DeleteIntegrationRequest& in) {
  if (!kIntegrations.has(call, in.integration_name)) return not_found("The specified integration does not exist.");
  TRYV(kIntegrations.erase(call, in.integration_name));
  return DeleteIntegrationResponse{};
}

// ---- S3 tables --------------------------------------------------------------------------------------

Result<AssociateSourceToS3TableIntegrationResponse> associate_source(Call& call, const AssociateSourceToS3TableIntegrationRequest& in) {
  if (!in.integration_arn.starts_with("arn:")) return validation("The specified integrationArn is not a valid ARN.");
  for (const auto& [id, stored] : kTableSources.list(call)) {
    const DataSource& source = *stored.source.data_source;
    if (stored.integration_arn == in.integration_arn && source.name == in.data_source.name && source.type == in.data_source.type)
      return validation("The data source is already associated with the S3 table integration.");
  }
  StoredTableSource stored;
  stored.integration_arn = in.integration_arn;
  stored.source.identifier = call.service<Random>().uuid();
  stored.source.data_source = in.data_source;
  stored.source.status = S3TableIntegrationSourceStatus::ACTIVE;
  stored.source.created_time_stamp = to_ms(call.now);
  TRYV(kTableSources.put(call, *stored.source.identifier, stored));
  AssociateSourceToS3TableIntegrationResponse out;
  out.identifier = stored.source.identifier;
  return out;
}

Result<DisassociateSourceFromS3TableIntegrationResponse> disassociate_source(Call& call,
                                                                             const DisassociateSourceFromS3TableIntegrationRequest& in) {
  if (!kTableSources.has(call, in.identifier)) return not_found("The specified S3 table integration source does not exist.");
  TRYV(kTableSources.erase(call, in.identifier));
  DisassociateSourceFromS3TableIntegrationResponse out;
  out.identifier = in.identifier;
  return out;
}

Result<ListSourcesForS3TableIntegrationResponse> list_sources(Call& call, const ListSourcesForS3TableIntegrationRequest& in) {
  auto all = kTableSources.list(call);
  std::erase_if(all, [&](const auto& item) { return item.second.integration_arn != in.integration_arn; });
  ListSourcesForS3TableIntegrationResponse out;
  auto cut = cut_page("ListSourcesForS3TableIntegration", in.integration_arn, all, in.next_token,
                      static_cast<std::size_t>(in.max_results.value_or(100)), kFirst);
  if (!cut.ok()) return validation("The specified nextToken is invalid.");
  out.next_token = std::move(cut).value();
  auto& items = out.sources.emplace();
  for (auto& item : all) items.push_back(std::move(item.second.source));
  return out;
}

// ---- storage tier -----------------------------------------------------------------------------------

Result<PutStorageTierPolicyResponse> put_storage_tier_policy(Call& call, const PutStorageTierPolicyRequest& in) {
  GetStorageTierPolicyResponse stored;
  stored.storage_tier = in.storage_tier;
  stored.last_updated_time = to_ms(call.now);
  TRYV(kStorageTier.put(call, "policy", stored));
  PutStorageTierPolicyResponse out;
  out.storage_tier = in.storage_tier;
  out.last_updated_time = stored.last_updated_time;
  return out;
}

Result<GetStorageTierPolicyResponse> get_storage_tier_policy(Call& call, const GetStorageTierPolicyRequest&) {
  if (auto stored = kStorageTier.get(call, "policy")) return std::move(*stored);
  GetStorageTierPolicyResponse out;
  out.storage_tier = StorageTier::STANDARD;
  return out;
}

// ---- imports ----------------------------------------------------------------------------------------

Error import_missing() { return not_found("The specified import task does not exist."); }

// Event data stores of CloudTrail Lake are the only source, and there is none here: the task fails.
Result<CreateImportTaskResponse> create_import_task(Call& call, const CreateImportTaskRequest& in) {
  if (in.import_source_arn.find(":cloudtrail:") == std::string::npos || in.import_source_arn.find(":eventdatastore/") == std::string::npos)
    return validation("importSourceArn must be the ARN of a CloudTrail Lake event data store.");
  if (in.import_filter && in.import_filter->start_event_time && in.import_filter->end_event_time &&
      *in.import_filter->start_event_time > *in.import_filter->end_event_time)
    return validation("startEventTime must not be after endEventTime.");
  Import task;
  task.import_id = call.service<Random>().uuid();
  task.import_source_arn = in.import_source_arn;
  task.import_status = ImportStatus::FAILED;
  const std::size_t slash = in.import_source_arn.rfind('/');
  task.import_destination_arn = resource_arn(call, "log-group", "aws/cloudtrail/" + in.import_source_arn.substr(slash + 1));
  task.import_statistics.emplace().bytes_imported = 0;
  task.import_filter = in.import_filter;
  task.creation_time = to_ms(call.now);
  task.last_updated_time = to_ms(call.now);
  task.error_message = "The event data store cannot be reached.";
  TRYV(kImports.put(call, *task.import_id, task));
  CreateImportTaskResponse out;
  out.import_id = task.import_id;
  out.import_destination_arn = task.import_destination_arn;
  out.creation_time = task.creation_time;
  return out;
}

Result<CancelImportTaskResponse> cancel_import_task(Call& call, const CancelImportTaskRequest& in) {
  const auto task = kImports.get(call, in.import_id);
  if (!task) return import_missing();
  return invalid_operation(fmt::format("The import task is in status {} and cannot be cancelled.", to_string(*task->import_status)));
}

Result<DescribeImportTasksResponse> describe_import_tasks(Call& call, const DescribeImportTasksRequest& in) {
  auto all = kImports.list(call, in.import_id.value_or(""));
  std::erase_if(all, [&](const auto& item) {
    return (in.import_id && item.first != *in.import_id) || (in.import_status && item.second.import_status != in.import_status) ||
           (in.import_source_arn && item.second.import_source_arn != in.import_source_arn);
  });
  DescribeImportTasksResponse out;
  TRY(out.next_token, cut_page("DescribeImportTasks", "", all, in.next_token, static_cast<std::size_t>(in.limit.value_or(50)), kFirst));
  auto& items = out.imports.emplace();
  for (auto& item : all) items.push_back(std::move(item.second));
  return out;
}

Result<DescribeImportTaskBatchesResponse> describe_import_task_batches(Call& call, const DescribeImportTaskBatchesRequest& in) {
  const auto task = kImports.get(call, in.import_id);
  if (!task) return import_missing();
  DescribeImportTaskBatchesResponse out;
  out.import_id = task->import_id;
  out.import_source_arn = task->import_source_arn;
  out.import_batches.emplace();
  return out;
}

// ---- syslog -----------------------------------------------------------------------------------------

constexpr std::string_view kAnyEndpoint = "-";

std::string syslog_name(const Group& group, const std::optional<std::string>& endpoint) {
  return group_part(group.id, fmt::format("syslog:{}", endpoint.value_or(std::string(kAnyEndpoint))));
}

Result<Empty> put_syslog_configuration(Call& call, const PutSyslogConfigurationRequest& in) {
  TRY(const GroupPtr group, group_of(call, std::nullopt, in.log_group_identifier));
  SyslogConfiguration configuration;
  configuration.log_group_arn = group_arn(*group);
  configuration.source_type = SyslogSourceType::VPCE;
  configuration.vpc_endpoint_id = in.vpc_endpoint_id;
  configuration.created_at = to_ms(call.now);
  const std::string name = syslog_name(*group, in.vpc_endpoint_id);
  if (const auto old = kSyslog.get(call, name)) configuration.created_at = old->created_at;
  TRYV(kSyslog.put(call, name, configuration));
  return Empty{};
}

Result<ListSyslogConfigurationsResponse> list_syslog_configurations(Call& call, const ListSyslogConfigurationsRequest& in) {
  std::vector<std::pair<std::string, SyslogConfiguration>> all;
  std::vector<GroupPtr> groups;
  if (in.log_group_identifier) {
    TRY(GroupPtr group, group_of(call, std::nullopt, *in.log_group_identifier));
    groups.push_back(std::move(group));
  } else {
    groups = call.service<Logs>().list(call.account, call.region);
  }
  for (const GroupPtr& group : groups)
    for (auto& item : kSyslog.list(call, group_part(group->id, "syslog:")))
      if (!in.vpc_endpoint_id || item.second.vpc_endpoint_id == in.vpc_endpoint_id) all.push_back(std::move(item));
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  ListSyslogConfigurationsResponse out;
  const auto limit = static_cast<std::size_t>(in.max_results.value_or(50));
  TRY(out.next_token, cut_page("ListSyslogConfigurations", in.vpc_endpoint_id.value_or(""), all, in.next_token,
                               limit == 0 ? 50 : limit, kFirst));
  auto& items = out.syslog_configurations.emplace();
  for (auto& item : all) items.push_back(std::move(item.second));
  return out;
}

Result<Empty> delete_syslog_configuration(Call& call, const DeleteSyslogConfigurationRequest& in) {
  TRY(const GroupPtr group, group_of(call, std::nullopt, in.log_group_identifier));
  const std::string name = syslog_name(*group, in.vpc_endpoint_id);
  if (!kSyslog.has(call, name)) return not_found("The specified syslog configuration does not exist.");
  TRYV(kSyslog.erase(call, name));
  return Empty{};
}

// ---- bearer tokens ----------------------------------------------------------------------------------

Result<Empty> put_bearer_token_authentication(Call& call, const PutBearerTokenAuthenticationRequest& in) {
  TRY(const GroupPtr group, group_of(call, std::nullopt, in.log_group_identifier));
  TRYV(call.service<Logs>().change(group, [&](StoredLogGroup& settings) -> Status {
    settings.bearer_token_authentication_enabled = in.bearer_token_authentication_enabled;
    return Ok{};
  }));
  return Empty{};
}

constexpr Operation kOperations[] = {
    bind<put_integration>(),          bind<get_integration>(),
    bind<list_integrations>(),        bind<delete_integration>(),
    bind<associate_source>(),         bind<disassociate_source>(),
    bind<list_sources>(),             bind<put_storage_tier_policy>(),
    bind<get_storage_tier_policy>(),  bind<create_import_task>(),
    bind<cancel_import_task>(),       bind<describe_import_tasks>(),
    bind<describe_import_task_batches>(), bind<put_syslog_configuration>(),
    bind<list_syslog_configurations>(), bind<delete_syslog_configuration>(),
    bind<put_bearer_token_authentication>(),
};

}  // namespace

std::span<const Operation> integration_operations() { return kOperations; }

}  // namespace fog::logs
