// An Api over all four models whose every operation has a handler that answers an empty output, so
// that routing, decoding and encoding can be tested without a service.
#pragma once

#include <deque>

#include "api/cloudwatch/shapes.h"
#include "api/common/protocol.h"
#include "api/logs/shapes.h"
#include "api/sns/shapes.h"
#include "api/xray/shapes.h"

namespace fog::test {

class StubApi {
 public:
  explicit StubApi(Api::Options options = {}) : clock(from_ms(1767225720000)), random(7) {
    for (const ServiceInfo* info : {&cloudwatch::kService, &logs::kService, &xray::kService, &sns::kService}) {
      auto& table = tables_.emplace_back();
      for (const OperationInfo* operation : info->operations) {
        // One operation stays without a handler.
        if (operation->name == "CreateExportTask" || operation->name == "CancelTraceRetrieval" || operation->name == "ListMetricStreams") continue;
        Operation stub;
        stub.info = operation;
        stub.invoke = [](Call&, const void*, void*) -> Status { return Ok{}; };
        table.push_back(stub);
      }
      Service service;
      service.info = info;
      service.operations = {std::span<const Operation>(table)};
      registry.add(std::move(service));
    }
    api = std::make_unique<Api>(registry, services, clock, random, std::move(options));
  }

  Registry registry;
  Services services;
  ManualClock clock;
  SeededRandom random;
  std::unique_ptr<Api> api;

 private:
  std::deque<std::vector<Operation>> tables_;
};

}  // namespace fog::test
