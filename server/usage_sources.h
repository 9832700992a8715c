// Where the numbers of a bill come from: what the stores, services and the registry know (api/control/usage).
#pragma once

#include "api/cloudwatch/alarm_book.h"
#include "api/common/registry.h"
#include "api/control/usage.h"
#include "api/logs/event_pipeline.h"
#include "api/logs/logs.h"
#include "api/logs/queries.h"
#include "api/sns/sns.h"
#include "storage/metric_store.h"
#include "storage/resource_store.h"
#include "storage/trace_store.h"

namespace fog {

struct UsageParts {
  const Registry& registry;
  const MetricStore& metrics;
  LogStore& log_store;
  const TraceStore& traces;
  const ResourceStore& resources;
  const cloudwatch::AlarmBook& alarms;
  const logs::Logs& logs;
  const logs::Queries& queries;
  logs::EventPipeline& log_pipeline;
  sns::Sns& sns;
};

// All of them outlive what is returned.
Usage::Sources usage_sources(const UsageParts& parts);

}  // namespace fog
