// CreateExportTask, DescribeExportTasks, CancelExportTask.
#include <fmt/format.h>

#include "api/logs/exports.h"
#include "api/logs/operations.h"
#include "api/logs/shelf.h"
#include "storage/base/random.h"

namespace fog::logs {
namespace {

constexpr Shelf<StoredExportTask> kTasks(kExportKind);
constexpr std::size_t kDescribeDefault = 50;

bool is_active(const StoredExportTask& stored) {
  const auto code = stored.task.status->code;
  return code == ExportTaskStatusCode::PENDING || code == ExportTaskStatusCode::RUNNING || code == ExportTaskStatusCode::PENDING_CANCEL;
}

Result<CreateExportTaskResponse> create_export_task(Call& call, const CreateExportTaskRequest& in) {
  if (in.from > in.to) return invalid_parameter("The specified from time must not be after the to time.");
  TRY(const GroupPtr group, group_named(call, in.log_group_name));
  Exports& exports = call.service<Exports>();
  if (!exports.objects().has(in.destination))
    return invalid_parameter("The given bucket does not exist. Please make sure the bucket is valid.");
  if (group->settings.lock_shared()->log_group_class == LogGroupClass::DELIVERY)
    return invalid_parameter("Log groups in the Delivery log class cannot be exported.");
  for (const auto& [id, other] : kTasks.list(call))
    if (is_active(other)) return fault(LimitExceededException{.message = "Resource limit exceeded."});
  StoredExportTask stored;
  stored.group_id = static_cast<std::int64_t>(group->id);
  stored.log_stream_name_prefix = in.log_stream_name_prefix;
  ExportTask& task = stored.task;
  task.task_id = call.service<Random>().uuid();
  task.task_name = in.task_name;
  task.log_group_name = in.log_group_name;
  task.from = in.from;
  task.to = in.to;
  task.destination = in.destination;
  task.destination_prefix = in.destination_prefix.value_or("exportedlogs");
  task.status.emplace().code = ExportTaskStatusCode::PENDING;
  task.execution_info.emplace().creation_time = to_ms(call.now);
  TRYV(kTasks.put(call, *task.task_id, stored));
  exports.tick(call.now);
  CreateExportTaskResponse out;
  out.task_id = task.task_id;
  return out;
}

Result<DescribeExportTasksResponse> describe_export_tasks(Call& call, const DescribeExportTasksRequest& in) {
  std::vector<std::pair<std::string, StoredExportTask>> all;
  for (auto& item : kTasks.list(call)) {
    if (in.task_id && item.first != *in.task_id) continue;
    if (in.status_code && item.second.task.status->code != in.status_code) continue;
    // Newest first.
    const std::int64_t created = item.second.task.execution_info->creation_time.value_or(0);
    all.emplace_back(fmt::format("{:020}{}", INT64_MAX - created, item.first), std::move(item.second));
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  DescribeExportTasksResponse out;
  TRY(out.next_token, cut_page("DescribeExportTasks", in.status_code ? to_string(*in.status_code) : "", all, in.next_token,
                               static_cast<std::size_t>(in.limit.value_or(static_cast<std::int32_t>(kDescribeDefault))),
                               [](const auto& item) -> const std::string& { return item.first; }));
  auto& items = out.export_tasks.emplace();
  for (auto& item : all) items.push_back(std::move(item.second.task));
  return out;
}

Result<Empty> cancel_export_task(Call& call, const CancelExportTaskRequest& in) {
  auto stored = kTasks.get(call, in.task_id);
  if (!stored) return fault(ResourceNotFoundException{.message = "The specified export task does not exist."});
  if (!is_active(*stored))
    return fault(InvalidOperationException{.message = "The specified export task has already completed"});
  stored->task.status->code = ExportTaskStatusCode::PENDING_CANCEL;
  TRYV(kTasks.put(call, in.task_id, *stored));
  call.service<Exports>().tick(call.now);
  return Empty{};
}

constexpr Operation kOperations[] = {
    bind<create_export_task>(),
    bind<describe_export_tasks>(),
    bind<cancel_export_task>(),
};

}  // namespace

std::span<const Operation> export_operations() { return kOperations; }

}  // namespace fog::logs
