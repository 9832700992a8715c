// ControlPlane: the server's own pages: /_fogwatch/ (clock, reset, outbox, requests, operations),
// health, metrics, and the paths that test suites written for LocalStack ask for.
//
// Answers are JSON; errors are 4xx {"error": {"code", "message"}}. Any thread. What may take long
// (advancing the clock runs everything that falls due; reset deletes) is_slow() and belongs on a
// worker thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/common/http_message.h"
#include "api/common/outbox.h"
#include "api/common/registry.h"
#include "api/common/resettable.h"
#include "api/control/clock_keeper.h"
#include "api/control/faults.h"
#include "api/control/prometheus.h"
#include "api/control/request_log.h"

namespace fog {

// Something that can be unwell. The text says what is wrong; empty: all is well.
struct HealthCheck {
  std::string name;
  std::function<std::string()> problem;
};

class ControlPlane {
 public:
  struct Parts {
    ClockKeeper& clock;
    const Registry& registry;
    Outbox& outbox;
    RequestLog& requests;
    Faults& faults;
    std::vector<Resettable*> resettables;  // in the order in which they forget
    // Moves virtual time and runs what falls due; false: some of it is still under way.
    std::function<bool(Millis)> advance;
    std::vector<HealthCheck> checks;
    std::vector<std::function<void(PrometheusText&)>> metrics;
    std::vector<std::string> neighbours;  // names of further services answered here: "sts"
    std::function<std::vector<std::string>()> addresses;  // "api http://127.0.0.1:4566", for GET /
    // Further pages, by path; one that ends in '*' has everything below.
    std::vector<std::pair<std::string, std::function<http::Response(const http::Request&)>>> pages;
    std::string default_account;
    std::string default_region;
    Timestamp started;
  };

  explicit ControlPlane(Parts parts) : parts_(std::move(parts)) {}

  // Does this path belong to the server itself? `path` without the query.
  static bool owns(std::string_view path);
  static bool is_slow(const http::Request& request);
  http::Response answer(const http::Request& request);

 private:
  struct Page;
  static const Page kPages[];
  static const Page* find_page(std::string_view path);

  http::Response clock_page(const http::Request& request);
  http::Response advance_page(const http::Request& request);
  http::Response reset_page(const http::Request& request);
  http::Response outbox_page(const http::Request& request);
  http::Response requests_page(const http::Request& request);
  http::Response operations_page(const http::Request& request);
  http::Response faults_page(const http::Request& request);
  http::Response later_page(const http::Request& request);
  http::Response health_page(const http::Request& request);
  http::Response detailed_health_page(const http::Request& request);
  http::Response metrics_page(const http::Request& request);
  http::Response localstack_health_page(const http::Request& request);
  http::Response localstack_reset_page(const http::Request& request);
  http::Response localstack_info_page(const http::Request& request);
  http::Response localstack_init_page(const http::Request& request);
  http::Response moto_reset_page(const http::Request& request);
  http::Response sms_page(const http::Request& request);
  http::Response push_page(const http::Request& request);
  http::Response token_page(const http::Request& request);
  http::Response root_page(const http::Request& request);

  http::Response reset(const std::string& account, const std::string& region);
  http::Response clock_state() const;
  double uptime_seconds() const;  // in real time

  Parts parts_;
};

}  // namespace fog
