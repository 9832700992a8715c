// Pipeline: the path of every request, as a visible list of steps.
//
//   guard -> own pages, neighbours, telemetry (each past the gate) -> route -> injected faults -> authenticate -> decompress
//   -> decode -> authorize -> call
//   -> wait for the log -> encode -> note; the server around it reads and writes.
//
// Runs on the io thread of the connection; what is marked heavy runs on the worker pool meanwhile.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>

#include "api/auth/keys.h"
#include "api/common/protocol.h"
#include "api/control/control.h"
#include "api/control/faults.h"
#include "api/control/key_pages.h"
#include "api/control/request_log.h"
#include "api/control/sign_in.h"
#include "api/neighbours/neighbours.h"
#include "server/admission.h"
#include "server/gate.h"
#include "server/guard.h"
#include "server/http.h"
#include "server/snapshots.h"
#include "server/networks.h"
#include "server/pressure.h"
#include "storage/base/worker_pool.h"
#include "storage/wal/gather.h"
#include "storage/wal/wal.h"

namespace fog {

// Whose telemetry it is.
struct TelemetryScope {
  std::string account;
  std::string region;
};

// What a receiver of telemetry (OTLP) makes of a request.
struct Received {
  http::Response response;
  Lsn lsn = 0;  // the answer waits until this record is durable; 0: it does not wait
};

class Pipeline final : public http::Handler {
 public:
  struct Parts {
    const Api& api;
    ControlPlane& control;
    neighbours::Neighbours& neighbours;
    SignIn& sign_in;
    KeyPages& key_pages;
    const Gate* gate = nullptr;
    int daemon_door = -1;     // calls to the X-Ray daemon carry no signature
    int telemetry_door = -1;  // nor need exporters of OpenTelemetry, from `senders`
    Networks senders;         // who may use doors that check no signatures, beside this machine
    TelemetryScope home;      // of telemetry that names none

    Wal& wal;
    WorkerPool& pool;
    Admission& admission;
    const Pressure& pressure;
    RequestLog& requests;
    Faults& faults;
    Delays& delays;
    Random& request_ids;
    Snapshots* snapshots = nullptr;
    Turnstile* turnstile = nullptr;  // entered by whoever calls handle(); left with the answer
    GuardRules guard;
    // Pages and files that links in notifications lead to; nothing: not one of them.
    std::function<std::optional<http::Response>(const http::Request&)> link_page;
    // Telemetry that is no AWS call: POST /v1/traces and the like. Nothing: not of this kind.
    std::function<std::optional<Received>(const http::Request&, const TelemetryScope&)> receive;
  };
  // How fast large bodies arrive: from the first byte of the body to decode(), bodies >= 256 KiB.
  struct BodyStats {
    std::uint64_t bodies = 0;
    std::uint64_t bytes = 0;
    std::uint64_t nanoseconds = 0;
  };

  explicit Pipeline(Parts parts);

  void handle(http::Turn& turn) override;
  // The log writes what the requests of a round have put off.
  void round_ended() override;
  void refuse(const http::Fault& fault, std::string_view peer, http::Response& response) override;
  BodyStats body_stats() const;

 private:
  struct Work;
  struct Round;

  void handle_one(http::Turn& turn);
  Work& begin(http::Turn& turn);
  bool guard(Work& work);
  bool own_page(Work& work);
  bool refused(Work& work, const Gate::Visitor& visitor);
  bool snapshot_page(Work& work);
  bool neighbour(Work& work);
  bool receiver(Work& work);
  void unrouted(Work& work);
  void serve(Work& work);
  bool inject(Work& work);
  Status prepare(Work& work);
  Status identify(Work& work);
  void call(Work& work);
  void call_heavy(Work& work);
  void after_call(Work& work);
  // The answer waits until the record is durable; `then` runs with work.durable said.
  void hold_until_durable(Work& work, Lsn lsn, std::function<void()> then);
  void answer(Work& work, Status status);
  void finish(Work& work, http::Response response);
  void run_on_pool(Work& work, std::function<void()> task, std::function<void()> then);

  Parts parts_;
  wal::Gatherer* const gatherer_;  // null: a log that writes each record at once
  std::atomic<std::uint64_t> bodies_{0};
  std::atomic<std::uint64_t> body_bytes_{0};
  std::atomic<std::uint64_t> body_ns_{0};
};

}  // namespace fog
