// The tables of the service's operations, one a resource file.
#pragma once

#include <span>

#include "api/common/operation.h"

namespace fog::logs {

std::span<const Operation> log_group_operations();
std::span<const Operation> log_stream_operations();
std::span<const Operation> log_tag_operations();
std::span<const Operation> put_log_events_operations();
std::span<const Operation> get_log_events_operations();
std::span<const Operation> filter_log_events_operations();
std::span<const Operation> query_operations();
std::span<const Operation> log_record_operations();
std::span<const Operation> log_field_operations();
std::span<const Operation> pattern_test_operations();
std::span<const Operation> data_protection_operations();
std::span<const Operation> transformer_operations();
std::span<const Operation> index_policy_operations();
std::span<const Operation> destination_operations();
std::span<const Operation> delivery_operations();
std::span<const Operation> integration_operations();
std::span<const Operation> query_definition_operations();
std::span<const Operation> lookup_table_operations();
std::span<const Operation> scheduled_query_operations();
std::span<const Operation> export_operations();
std::span<const Operation> anomaly_operations();
std::span<const Operation> metric_filter_operations();
std::span<const Operation> subscription_filter_operations();
std::span<const Operation> account_policy_operations();
std::span<const Operation> live_tail_operations();

}  // namespace fog::logs
