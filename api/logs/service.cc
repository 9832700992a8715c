#include "api/logs/service.h"

#include "api/logs/errors.h"
#include "api/logs/operations.h"
#include "api/logs/shapes.h"
#include "storage/base/log.h"

namespace fog::logs {
namespace {

// Reads hide expired events at once; this only frees their space.
constexpr Millis kRetentionEvery = std::chrono::hours(1);

}  // namespace

Service service() {
  return {.info = &kService,
          .operations = {log_group_operations(), log_stream_operations(), log_tag_operations(), put_log_events_operations(),
                         get_log_events_operations(), filter_log_events_operations(), query_operations(),
                         log_record_operations(), log_field_operations(), pattern_test_operations(),
                         metric_filter_operations(), subscription_filter_operations(), account_policy_operations(), live_tail_operations(),
                         data_protection_operations(), transformer_operations(), index_policy_operations(),
                         destination_operations(), delivery_operations(), integration_operations(), query_definition_operations(),
                         lookup_table_operations(), scheduled_query_operations(), export_operations(), anomaly_operations()},
          .errors = error_rows(),
          .on_invalid = invalid_input};
}

std::optional<Timestamp> LogUpkeep::next_due(Timestamp now) {
  if (!retention_due_ || *retention_due_ > now + kRetentionEvery) retention_due_ = now + kRetentionEvery;
  return retention_due_;
}

void LogUpkeep::tick(Timestamp now) {
  logs_.store().maintain();
  if (retention_due_ && now < *retention_due_) return;
  retention_due_ = now + kRetentionEvery;
  for (const GroupPtr& group : logs_.all()) {
    const std::int64_t oldest = Logs::oldest_visible_ms(*group, now);
    if (oldest == INT64_MIN) continue;
    if (const Status status = logs_.store().delete_before(group->id, oldest); !status.ok())
      LOG_WARN("cannot drop expired events of {}: {}", group->name, status.error().message());
  }
}

}  // namespace fog::logs
