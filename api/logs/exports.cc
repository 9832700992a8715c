#include "api/logs/exports.h"

#include <fmt/format.h>

#include "api/codec/gzip_write.h"
#include "api/codec/json.h"
#include "api/logs/common.h"
#include "api/logs/event_page.h"
#include "api/logs/masking.h"
#include "query/transformers/date_format.h"
#include "storage/base/log.h"

namespace fog::logs {
namespace {

constexpr std::size_t kObjectBytesMax = 64u << 20;  // before packing
constexpr int kGzipLevel = 6;

bool is_waiting(const StoredExportTask& stored) {
  const ExportTaskStatusCode code = stored.task.status->code.value_or(ExportTaskStatusCode::FAILED);
  return code == ExportTaskStatusCode::PENDING || code == ExportTaskStatusCode::RUNNING || code == ExportTaskStatusCode::PENDING_CANCEL;
}

}  // namespace

std::optional<StoredExportTask> Exports::read(const ResourceKey& key) const {
  const auto document = deps_.logs.resources().get(key);
  if (!document) return std::nullopt;
  auto stored = decode_json<StoredExportTask>(*document);
  return stored.ok() ? std::optional(std::move(stored).value()) : std::nullopt;
}

std::optional<Timestamp> Exports::next_due(Timestamp now) {
  bool any = false;
  deps_.logs.resources().for_each(kExportKind, [&](const Resource& resource) {
    const auto stored = decode_json<StoredExportTask>(resource.document);
    any = any || (stored.ok() && is_waiting(*stored));
  });
  return any ? std::optional(now) : std::nullopt;
}

void Exports::tick(Timestamp) {
  std::vector<ResourceKey> waiting;
  deps_.logs.resources().for_each(kExportKind, [&](const Resource& resource) {
    const auto stored = decode_json<StoredExportTask>(resource.document);
    if (stored.ok() && is_waiting(*stored)) waiting.push_back(resource.key);
  });
  for (const ResourceKey& key : waiting) jobs_.start(key.name, [this, key] { run(key); });
}

void Exports::finish(const ResourceKey& key, ExportTaskStatusCode code, std::string message) {
  auto stored = read(key);
  if (!stored) return;
  ExportTaskStatus& status = stored->task.status.emplace();
  status.code = code;
  status.message = std::move(message);
  if (code != ExportTaskStatusCode::RUNNING) stored->task.execution_info->completion_time = to_ms(deps_.clock.now());
  if (auto written = deps_.logs.resources().put(key, encode_json(*stored)); !written.ok())
    LOG_ERROR("export task {}: {}", key.name, written.error().message());
}

void Exports::run(const ResourceKey& key) {
  const auto stored = read(key);
  if (!stored || !is_waiting(*stored)) return;
  if (stored->task.status->code == ExportTaskStatusCode::PENDING_CANCEL)
    return finish(key, ExportTaskStatusCode::CANCELLED, "Cancelled");
  finish(key, ExportTaskStatusCode::RUNNING, "Started successfully");
  bool cancelled = false;
  const Status written = write_streams(key, *stored, cancelled);
  if (jobs_.stopping()) return;  // begins again at the next start
  if (cancelled) return finish(key, ExportTaskStatusCode::CANCELLED, "Cancelled");
  if (!written.ok()) {
    LOG_WARN("export task {} failed: {}", key.name, written.error().message());
    return finish(key, ExportTaskStatusCode::FAILED, written.error().message());
  }
  finish(key, ExportTaskStatusCode::COMPLETED, "Completed successfully");
}

Status Exports::write_streams(const ResourceKey& key, const StoredExportTask& stored, bool& cancelled) {
  const ExportTask& task = stored.task;
  const std::string prefix = task.destination_prefix.value_or("exportedlogs");
  const auto given_up = [this] { return jobs_.stopping(); };
  TRYV(deps_.objects.put(*task.destination, prefix + "/aws-logs-write-test", "Permission Check Successful", given_up));
  const GroupPtr group = deps_.logs.by_id(static_cast<LogGroupId>(stored.group_id));
  if (group == nullptr) return Error::not_found("The specified log group does not exist.");
  const std::vector<std::pair<std::string, StreamEntry>> streams = [&] {
    const auto all = group->streams.lock_shared();
    std::vector<std::pair<std::string, StreamEntry>> wanted;
    for (const auto& entry : all->by_name)
      if (entry.first.starts_with(stored.log_stream_name_prefix.value_or(""))) wanted.push_back(entry);
    return wanted;
  }();
  const auto ended = [&] {
    const auto now = read(key);
    cancelled = !now || now->task.status->code == ExportTaskStatusCode::PENDING_CANCEL;
    return cancelled || jobs_.stopping();
  };
  for (const auto& [name, entry] : streams) {
    std::string folder = name;
    std::replace(folder.begin(), folder.end(), '/', '-');
    PageSpec spec;
    spec.group = group->id;
    spec.streams = std::vector<LogStreamId>{entry.id};
    spec.from_ms = std::max(*task.from, Logs::oldest_visible_ms(*group, deps_.clock.now()));
    spec.to_ms = *task.to;
    std::string text;
    int number = 0;
    const auto write = [&]() -> Status {
      TRYV(deps_.objects.put(*task.destination, fmt::format("{}/{}/{}/{:06}.gz", prefix, key.name, folder, number++), gzip(text, kGzipLevel),
                             given_up));
      text.clear();
      return Ok{};
    };
    for (bool more = true; more;) {
      if (ended()) return Ok{};
      TRY(EventPage page, read_page(deps_.logs.store(), spec));
      more = page.more && !page.events.empty();
      if (more) spec.beyond = Position{page.events.back().timestamp_ms, page.events.back().sequence};
      const GroupRulesPtr rules = deps_.logs.rules().of(*group);
      for (::fog::LogEvent& event : page.events) {
        if (rules != nullptr) rules->mask(event.ingestion_ms, event.sequence, event.message);
        text += transformers::iso_time(event.timestamp_ms);
        text += ' ';
        text += event.message;
        text += '\n';
      }
      if (text.size() >= kObjectBytesMax) TRYV(write());
    }
    if (!text.empty()) TRYV(write());
  }
  ended();  // a cancellation during the last object counts
  return Ok{};
}

}  // namespace fog::logs
