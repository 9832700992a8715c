// The operation tables of alarms, and what main does with the engine behind them:
//
//   AlarmBook book(resources);  book.load();
//   AlarmEngine engine({.book = book, ...}, options);  engine.start(clock.now());
//   services.add<AlarmEngine>(engine);  workers.add(engine);
#pragma once

#include <span>
#include <string>

#include "api/cloudwatch/alarm_engine.h"
#include "api/common/call.h"
#include "api/common/operation.h"

namespace fog::cloudwatch {

std::span<const Operation> alarm_put_operations();
std::span<const Operation> alarm_describe_operations();
std::span<const Operation> alarm_mute_operations();

// Shared by the Put operations.
using ActionList = std::optional<std::vector<std::string>>;
Status check_actions(const Call& call, std::initializer_list<const ActionList*> lists);
AlarmKey alarm_key(const Call& call, const std::string& name);

}  // namespace fog::cloudwatch
