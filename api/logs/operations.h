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

}  // namespace fog::logs
