#include "server/pipeline.h"

#include <ctime>

#include "api/common/authorize.h"
#include "api/common/fault.h"
#include "api/common/trace_header.h"
#include "api/common/waiting.h"
#include "api/control/json_page.h"
#include "api/neighbours/request.h"
#include "server/console.h"
#include "storage/base/log.h"
#include "storage/base/log_context.h"

namespace fog {
namespace {

// PutMetricData's own limit on the body as received.
constexpr std::size_t kPutMetricDataBytesMax = 1'000'000;

std::int64_t steady_ns() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

std::int64_t wall_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

http::Response plain(int status, std::string_view code, std::string_view message) {
  http::Response response;
  response.status = status;
  response.set("Content-Type", "application/json");
  response.set("x-amzn-ErrorType", std::string(code));
  response.body = fmt::format(R"({{"__type":"{}","message":"{}"}})", code, message);
  return response;
}

Error too_large(std::size_t limit) {
  return wire_fault({.code = "RequestEntityTooLargeException",
                     .query_code = "RequestEntityTooLarge",
                     .status = 413,
                     .message = fmt::format("Request size exceeded the limit of {} bytes.", limit)});
}

constexpr const char* kTooBusy = "Rate exceeded: more queries are waiting than can be answered in good time; try again.";
constexpr const char* kNoMemory = "Rate exceeded: the server's memory is used up for the moment; try again.";

// Links that mails carry; every other call by GET must be presigned (protocols.md 1.8).
bool is_open_link(std::string_view operation) { return operation == "ConfirmSubscription" || operation == "Unsubscribe"; }

// What an X-Ray daemon passes on for SDKs, who sign nothing there.
bool is_for_daemon(std::string_view operation) {
  return operation == "GetSamplingRules" || operation == "GetSamplingTargets" || operation == "PutTraceSegments" || operation == "PutTelemetryRecords";
}

// A browser that opens the bare address means the console.
bool shows_console(const http::Request& request) {
  return request.method == "GET" && path_of(request.target) == "/" && !console_assets().empty() &&
         request.header("accept").find("text/html") != std::string_view::npos;
}

http::Response to_console() {
  http::Response response;
  response.status = 302;
  response.set("Location", "/console/");
  return response;
}

void add_retry_after(http::Response& response) {
  for (const auto& header : response.headers)
    if (http::equal_ignoring_case(header.first, "retry-after")) return;
  response.set("Retry-After", "1");
}

std::string_view name_of(Protocol protocol) {
  switch (protocol) {
    case Protocol::kNone: return "";
    case Protocol::kQuery: return "query";
    case Protocol::kJson: return "json";
    case Protocol::kRestJson: return "rest-json";
    case Protocol::kCbor: return "cbor";
  }
  return "";
}

// Around what an io thread does for a turn.
class RoundOfRecords {
 public:
  explicit RoundOfRecords(http::Turn& turn) : turn_(turn) {}
  ~RoundOfRecords() {
    if (gathering_.has_put_off()) turn_.call_at_round_end();
  }
  RoundOfRecords(const RoundOfRecords&) = delete;
  RoundOfRecords& operator=(const RoundOfRecords&) = delete;

 private:
  http::Turn& turn_;
  const wal::Gathering gathering_;
};

}  // namespace

// What is known about the request a connection is working on.
struct Pipeline::Work final : http::HandlerState {
  http::Turn* turn = nullptr;
  std::optional<Exchange> x;  // once it is a call of a service
  std::string request_id;     // before there is an Exchange
  std::string error;          // code, for the note
  Status status = Ok{};
  http::Response made;  // while the log is waited for
  bool durable = true;
  bool is_browser = false;
  bool is_inside = true;  // counted by the turnstile
  std::string cors_origin;
  std::int64_t began_ns = 0;
  std::int64_t run_began_ns = 0;  // of a heavy call, on the pool
  std::int64_t wall_ms = 0;
  std::size_t body_bytes = 0;
  std::string own_name;  // path of an own page, or a neighbour's name
  std::shared_ptr<const AccessKey> identity;  // whose policies decide; null: nobody's

  http::Request& request() { return x ? x->request : turn->request; }
  std::string_view id() const { return request_id.empty() && x ? x->call.request_id : request_id; }
};

// Turns of this thread that wait for the log, until their round has ended.
struct Pipeline::Round {
  Lsn last = 0;
  std::vector<Work*> works;
  std::vector<http::Resume> turns;

  static Round& of_this_thread() {
    thread_local Round round;
    return round;
  }
};

Pipeline::Pipeline(Parts parts) : parts_(std::move(parts)), gatherer_(dynamic_cast<wal::Gatherer*>(&parts_.wal)) {}

// Records of requests that are ready together reach the disk together.
void Pipeline::handle(http::Turn& turn) {
  const RoundOfRecords records(turn);
  handle_one(turn);
}

// One call to the log and one wake-up for all turns of the round, so that the requests that follow their answers are
// ready together as well.
void Pipeline::round_ended() {
  if (gatherer_ != nullptr) gatherer_->write_gathered();
  Round round = std::exchange(Round::of_this_thread(), {});
  if (round.turns.empty()) return;
  parts_.wal.when_durable(round.last, [works = std::move(round.works), turns = std::move(round.turns)](bool ok) mutable {
    for (Work* work : works) work->durable = ok;
    http::Resume::all(std::move(turns));
  });
}

void Pipeline::handle_one(http::Turn& turn) {
  Work& work = begin(turn);
  try {
    if (guard(work) || own_page(work) || neighbour(work) || receiver(work)) return;
    work.x.emplace(std::move(turn.request));
    Exchange& x = *work.x;
    auto ours = parts_.api.route(x);
    if (!ours.ok()) return answer(work, std::move(ours).error());
    if (!*ours) {
      return unrouted(work);
    }
    if (parts_.faults.any() && inject(work)) return;
    serve(work);
  } catch (const std::exception& e) {
    const log::RequestScope scope(work.id());
    LOG_ERROR("request {}: {}", path_of(work.request().target), e.what());
    answer(work, Error::internal("The request could not be carried out."));
  }
}

// A call of a service, known by name.
void Pipeline::serve(Work& work) {
  if (auto ready = prepare(work); !ready.ok()) return answer(work, std::move(ready).error());
  call(work);
}

// True: a rule of the tester's has answered this call, or will when its latency is over.
bool Pipeline::inject(Work& work) {
  const Exchange& x = *work.x;
  auto fault = parts_.faults.decide({.service = x.service != nullptr ? x.service->info->name : std::string_view(x.service_name),
                                     .operation = x.operation_name,
                                     .account = x.call.account,
                                     .region = x.call.region,
                                     .access_key = x.signature.access_key});
  if (!fault) return false;
  const auto strike = [this, &work, fault = *fault] {
    if (fault.drops) {
      work.error = "(dropped)";
      work.turn->cut = true;
      return finish(work, plain(503, "ServiceUnavailable", "The connection is cut here."));
    }
    if (fault.error) return answer(work, wire_fault(*fault.error));
    serve(work);
  };
  if (fault->latency == Millis(0)) {
    strike();
    return true;
  }
  work.turn->hold(
      [this, latency = fault->latency](http::Resume resume) { parts_.delays.after(latency, [resume] { resume(); }); },
      [this, &work, strike] {
        try {
          strike();
        } catch (const std::exception& e) {
          LOG_ERROR("request {}: {}", path_of(work.request().target), e.what());
          answer(work, Error::internal("The request could not be carried out."));
        }
      });
  return true;
}

// Neither one of our services nor one of our pages.
void Pipeline::unrouted(Work& work) {
  const http::Request& request = work.x->request;
  work.own_name = path_of(request.target);
  if (shows_console(request)) return finish(work, to_console());
  if (work.own_name == "/") return finish(work, parts_.control.answer(request));
  if ((request.method == "GET" || request.method == "HEAD" || request.method == "PUT") && parts_.link_page) {
    if (auto page = parts_.link_page(request)) return finish(work, std::move(*page));
  }
  finish(work, plain(404, "UnknownOperationException", "There is nothing at this path."));
}

Pipeline::Work& Pipeline::begin(http::Turn& turn) {
  if (!turn.state) turn.state = std::make_unique<Work>();
  Work& work = static_cast<Work&>(*turn.state);
  work.turn = &turn;
  work.x.reset();
  work.request_id.clear();
  work.error.clear();
  work.own_name.clear();
  work.identity.reset();
  work.status = Ok{};
  work.durable = true;
  work.is_inside = true;
  work.began_ns = steady_ns();
  work.wall_ms = wall_ms();
  work.body_bytes = turn.request.body.size();
  return work;
}

bool Pipeline::guard(Work& work) {
  const GuardVerdict verdict = judge(work.turn->request, parts_.guard);
  work.is_browser = verdict.is_browser;
  work.cors_origin = verdict.cors_origin;
  if (verdict.refused.empty() && !verdict.is_preflight) return false;
  work.own_name = path_of(work.turn->request.target);
  if (verdict.is_preflight) {
    work.cors_origin.clear();  // the preflight's own answer says it
    finish(work, preflight_answer(work.turn->request, verdict.cors_origin));
  } else {
    work.error = "Forbidden";
    finish(work, plain(403, "Forbidden", verdict.refused));
  }
  return true;
}

namespace {

// A neighbour's clients read a refusal in their service's own form.
http::Response refusal_for_neighbour(const Gate::Refusal& refusal, const http::Request& request, std::string_view name, const std::string& request_id) {
  const bool is_form = request.header("content-type").starts_with("application/x-www-form-urlencoded") || request.target.find("Action=") != std::string_view::npos;
  if (!is_form) return plain(refusal.status, refusal.code, refusal.message);
  const bool is_ec2 = name == "ec2";
  const std::string_view code = refusal.code == "AccessDeniedException" ? (is_ec2 ? "UnauthorizedOperation" : "AccessDenied") : "SignatureDoesNotMatch";
  http::Response response;
  response.status = refusal.status;
  response.set("Content-Type", "text/xml");
  const std::string message = neighbours::escape_xml(refusal.message);
  response.body = is_ec2 ? fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{}</Code><Message>{}</Message></Error></Errors>"
                                       "<RequestID>{}</RequestID></Response>", code, message, request_id)
                         : fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ErrorResponse><Error><Type>Sender</Type><Code>{}</Code><Message>{}</Message></Error>"
                                       "<RequestId>{}</RequestId></ErrorResponse>", code, message, request_id);
  return response;
}

}  // namespace

// True, and answered: the gate has refused this one.
bool Pipeline::refused(Work& work, const Gate::Visitor& visitor) {
  if (visitor.identity) return false;
  const http::Request& request = work.turn->request;
  const std::string_view path = path_of(request.target);
  work.own_name = path;
  work.error = visitor.refusal.code;
  finish(work, ControlPlane::owns(path) || KeyPages::owns(path)
                   ? page::error(visitor.refusal.status, visitor.refusal.code, visitor.refusal.message)
                   : plain(visitor.refusal.status, visitor.refusal.code, visitor.refusal.message));
  return true;
}

bool Pipeline::own_page(Work& work) {
  http::Turn& turn = *work.turn;
  const std::string_view path = path_of(turn.request.target);
  if (is_console_path(path)) {
    work.own_name = path;
    finish(work, answer_console(turn.request));
    return true;
  }
  const bool is_sign_in = SignIn::owns(path);
  const bool is_keys = KeyPages::owns(path);
  if (!is_sign_in && !is_keys && !ControlPlane::owns(path)) return false;
  if (parts_.gate != nullptr && !is_open_page(turn.request) &&
      refused(work, parts_.gate->admit(turn.request, {"fogwatch"}, control_action(turn.request.method, path)))) {
    return true;
  }
  work.own_name = path;
  if (turn.body_too_large || turn.shed) {
    finish(work, turn.shed ? plain(503, "ServiceUnavailable", kNoMemory) : plain(413, "RequestEntityTooLarge", "The request body is too large."));
    return true;
  }
  if (snapshot_page(work)) return true;
  const auto make = [this, is_sign_in, is_keys](const http::Request& request) {
    if (is_sign_in) return parts_.sign_in.answer(request, std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now().time_since_epoch()));
    return is_keys ? parts_.key_pages.answer(request) : parts_.control.answer(request);
  };
  if (is_sign_in || is_keys ? turn.request.method == "GET" : !ControlPlane::is_slow(turn.request)) {
    finish(work, make(turn.request));
  } else {
    run_on_pool(work, [&work, make] { work.made = make(work.turn->request); },
                [this, &work] {
                  if (work.status.ok()) finish(work, std::move(work.made));
                  else finish(work, plain(503, "ServiceUnavailable", work.status.error().message()));
                });
  }
  return true;
}

// Snapshots are made on the pool. A return to one waits for all turns to end, so its own does not count.
bool Pipeline::snapshot_page(Work& work) {
  Snapshots* const snapshots = parts_.snapshots;
  if (snapshots == nullptr) return false;
  if (work.own_name == "/_fogwatch/snapshot") {
    run_on_pool(work, [snapshots, &work] { work.made = snapshots->answer(work.turn->request); },
                [this, &work] {
                  if (work.status.ok()) finish(work, std::move(work.made));
                  else finish(work, plain(503, "ServiceUnavailable", work.status.error().message()));
                });
    return true;
  }
  if (work.own_name != "/_fogwatch/restore") return false;
  Turnstile* const turnstile = parts_.turnstile;
  const auto answered = [this, turnstile, &work](auto&& again) -> void {
    work.is_inside = turnstile->enter();
    if (work.is_inside) return finish(work, std::move(work.made));
    work.turn->hold([turnstile](http::Resume resume) { turnstile->when_open([resume] { resume(); }); }, [again] { again(again); });
  };
  work.is_inside = false;
  work.turn->hold(
      [turnstile, snapshots, &work](http::Resume resume) {
        turnstile->leave();
        snapshots->restore(work.turn->request, [&work, resume](http::Response made) {
          work.made = std::move(made);
          resume();
        });
      },
      [answered] { answered(answered); });
  return true;
}

bool Pipeline::neighbour(Work& work) {
  const http::Request& request = work.turn->request;
  const std::string_view name = neighbours::Neighbours::claims(request);
  if (name.empty()) return false;
  // Who one is, one may always ask (as at AWS); the rest takes a policy.
  if (parts_.gate != nullptr) {
    std::string operation = neighbours::parameter(request, "Action");
    if (operation.empty()) {  // JSON and REST name it in a header or in the path
      const std::string_view target = request.header("x-amz-target");
      const std::string_view path = path_of(request.target);
      operation = !target.empty() ? target.substr(target.rfind('.') + 1) : path.substr(path.rfind('/') + 1);
    }
    const bool needs_leave = name != "sts" || (operation != "GetCallerIdentity" && operation != "GetSessionToken");
    std::string resource = name == "sts" && operation.starts_with("AssumeRole") ? neighbours::parameter(request, "RoleArn") : std::string();
    if (resource.empty()) resource = "*";
    auto visitor = needs_leave ? parts_.gate->admit(request, {}, fmt::format("{}:{}", name, operation), std::move(resource))
                               : parts_.gate->visitor(request, {});
    if (!visitor.identity) {
      work.own_name = name;
      work.error = visitor.refusal.code;
      work.request_id = parts_.request_ids.uuid();
      finish(work, refusal_for_neighbour(visitor.refusal, request, name, work.request_id));
      return true;
    }
    work.identity = std::move(visitor.identity);
  }
  work.own_name = name;
  work.request_id = parts_.request_ids.uuid();
  finish(work, parts_.neighbours.answer(request, work.request_id, work.identity.get()));
  return true;
}

// Everything between knowing the operation and running it.
Status Pipeline::prepare(Work& work) {
  Exchange& x = *work.x;
  const http::Turn& turn = *work.turn;
  if (turn.body_too_large) return too_large(10u << 20);
  if (turn.shed) return throttled(x, kNoMemory);
  if (x.operation_name == "PutMetricData" && x.request.body.size() > kPutMetricDataBytesMax) return too_large(kPutMetricDataBytesMax);
  TRYV(identify(work));
  if (x.request.method == "GET" && !x.call.is_signed && !is_open_link(x.operation_name)) {
    return wire_fault({.code = "MissingAuthenticationTokenException",
                       .query_code = "MissingAuthenticationToken",
                       .status = 403,
                       .message = "Request is missing Authentication Token"});
  }
  if (turn.body_began_ns != 0) {
    bodies_.fetch_add(1, std::memory_order_relaxed);
    body_bytes_.fetch_add(work.body_bytes, std::memory_order_relaxed);
    body_ns_.fetch_add(static_cast<std::uint64_t>(steady_ns() - turn.body_began_ns), std::memory_order_relaxed);
  }
  TRYV(parts_.api.decompress(x));
  TRYV(parts_.api.decode(x));
  return work.identity ? authorize(x, *work.identity) : Status(Ok{});
}

// By session (the console), by signature (everybody else), or not at all (the X-Ray daemon's door).
Status Pipeline::identify(Work& work) {
  Exchange& x = *work.x;
  // What a daemon is told comes from programs that it knows, and is what SDKs ask a daemon.
  if (work.turn->door == parts_.daemon_door && !x.call.is_signed && x.service != nullptr && x.service->info->name == "xray" &&
      (parts_.gate == nullptr || (is_for_daemon(x.operation_name) && parts_.senders.contains(x.request.peer)))) {
    return Ok{};
  }
  if (parts_.gate == nullptr) return parts_.api.authenticate(x);
  if (Gate::speaks_for_session(x.request) || SignIn::is_from_console(x.request)) {
    work.identity = parts_.gate->session(x.request, false);
    if (!work.identity) return wire_fault({.code = "SignInRequired", .status = 401, .message = "The session is over, or there was none: sign in."});
    x.call.account = work.identity->account;
    x.call.access_key.clear();
    x.call.is_console = true;
    x.call.is_signed = true;
    return Ok{};
  }
  if (x.request.method == "GET" && is_open_link(x.operation_name)) {
    // A link needs no signature; one that it bears counts only if it is right.
    work.identity = parts_.gate->visitor(x.request, {"sns"}).identity;
    if (!work.identity) x.call.is_signed = false, x.call.access_key.clear();
    return Ok{};
  }
  TRYV(parts_.api.authenticate(x));
  if (!x.call.is_signed) return wire_fault({.code = "MissingAuthenticationTokenException", .query_code = "MissingAuthenticationToken", .status = 403, .message = "Missing Authentication Token"});
  work.identity = parts_.gate->holder(x.signature);
  if (!work.identity) return Error::internal("The key has just been revoked.");
  x.call.account = work.identity->account;
  return Ok{};
}

void Pipeline::call(Work& work) {
  Exchange& x = *work.x;
  if (Api::is_streaming(x)) {
    auto stream = work.turn->open_stream();
    return answer(work, parts_.api.call_stream(x, std::move(stream)));
  }
  if (x.entry != nullptr && x.entry->operation != nullptr && x.entry->operation->is_heavy) return call_heavy(work);
  {
    const TraceHeader trace(x.request.header("x-amzn-trace-id"));
    const log::RequestScope scope(x.call.request_id);
    work.status = parts_.api.call(x);
  }
  if (const auto* waiting = work.status.ok() ? nullptr : dynamic_cast<const Waiting*>(work.status.error().detail())) {
    return work.turn->hold([when = waiting->when](http::Resume resume) { when(std::move(resume)); }, [this, &work] { call(work); });
  }
  after_call(work);
}

void Pipeline::call_heavy(Work& work) {
  if (parts_.pressure.memory_is_short()) return answer(work, throttled(*work.x, kNoMemory));
  if (!parts_.admission.enter()) return answer(work, throttled(*work.x, kTooBusy));
  work.run_began_ns = 0;
  const auto run = [this, &work] {
    work.run_began_ns = steady_ns();
    work.status = parts_.api.call(*work.x);
  };
  run_on_pool(work, run, [this, &work] {
    parts_.admission.leave(work.run_began_ns == 0 ? 0 : steady_ns() - work.run_began_ns);
    after_call(work);
  });
}

// What was stored must be on disk before anybody hears that it was: the answer is made, and waits.
bool Pipeline::receiver(Work& work) {
  const http::Request& request = work.turn->request;
  if (!parts_.receive || request.method != "POST") return false;
  TelemetryScope scope = parts_.home;
  if (parts_.gate != nullptr) {
    const auto needed = telemetry_action(request);
    if (!needed) return false;
    // Exporters of the listed networks need no signature at the door that is theirs.
    const bool is_listed = work.turn->door == parts_.telemetry_door && !parts_.senders.empty() && parts_.senders.contains(request.peer);
    if (!is_listed) {
      const auto visitor = parts_.gate->admit(request, {needed->service}, needed->action, needed->resource);
      if (refused(work, visitor)) return true;
      scope.account = visitor.identity->account;
      if (!visitor.region.empty()) scope.region = visitor.region;
    }
  }
  auto received = parts_.receive(request, scope);
  if (!received) return false;
  work.own_name = path_of(request.target);
  if (work.turn->body_too_large || work.turn->shed) {
    finish(work, work.turn->shed ? plain(503, "ServiceUnavailable", kNoMemory)
                                 : plain(413, "RequestEntityTooLarge", "The request body is too large."));
    return true;
  }
  if (received->lsn == 0) {
    finish(work, std::move(received->response));
    return true;
  }
  work.made = std::move(received->response);
  hold_until_durable(work, received->lsn, [this, &work] {
    if (work.durable) finish(work, std::move(work.made));
    else finish(work, plain(503, "ServiceUnavailable", "The write could not be made durable; try again."));
  });
  return true;
}

void Pipeline::after_call(Work& work) {
  const Lsn lsn = work.x->call.durable_lsn;
  if (!work.status.ok() || lsn == 0) return answer(work, std::move(work.status));
  work.made = parts_.api.encode(*work.x, Ok{});
  hold_until_durable(work, lsn, [this, &work] {
    if (work.durable) finish(work, std::move(work.made));
    else answer(work, Error::busy("The write could not be made durable; try again."));
  });
}

void Pipeline::hold_until_durable(Work& work, Lsn lsn, std::function<void()> then) {
  work.turn->call_at_round_end();
  work.turn->hold(
      [&work, lsn](http::Resume resume) {
        Round& round = Round::of_this_thread();
        round.last = std::max(round.last, lsn);
        round.works.push_back(&work);
        round.turns.push_back(resume);
      },
      std::move(then));
}

void Pipeline::run_on_pool(Work& work, std::function<void()> task, std::function<void()> then) {
  work.turn->hold(
      [this, &work, run = std::move(task)](http::Resume resume) {
        const bool taken = parts_.pool.submit([&work, run, resume] {
          const log::RequestScope scope(work.id());
          try {
            run();
          } catch (const std::exception& e) {
            LOG_ERROR("request {}: {}", path_of(work.request().target), e.what());
            work.status = Error::internal("The request could not be carried out.");
          }
          resume();
        });
        if (taken) return;
        work.status = work.x ? throttled(*work.x, kTooBusy) : Error::busy(kTooBusy);
        resume();
      },
      std::move(then));
}

void Pipeline::answer(Work& work, Status status) {
  if (!work.x) return finish(work, plain(500, "InternalFailure", "The request could not be carried out."));
  if (!status.ok()) {
    WireFault scratch;
    const auto rows = work.x->service != nullptr ? work.x->service->errors : std::span<const ErrorRow>();
    work.error = wire_of(status.error(), rows, scratch).code;
  }
  finish(work, parts_.api.encode(*work.x, status));
}

void Pipeline::finish(Work& work, http::Response response) {
  http::Turn& turn = *work.turn;
  if (work.x) {
    if (work.request_id.empty()) work.request_id = work.x->call.request_id;
    turn.request = std::move(work.x->request);
  }
  const auto named = [](const auto& header) { return http::equal_ignoring_case(header.first, "x-amzn-requestid"); };
  if (std::none_of(response.headers.begin(), response.headers.end(), named)) {
    if (work.request_id.empty()) work.request_id = parts_.request_ids.uuid();
    response.set("x-amzn-RequestId", work.request_id);
  }
  if (work.is_browser) harden(response, turn.request.is_tls);
  if (!work.cors_origin.empty()) add_cors_headers(work.cors_origin, response);
  if (response.status == 503) add_retry_after(response);
  turn.response = std::move(response);

  RequestNote note{.client = turn.request.peer,
                   .user_agent = turn.request.header("user-agent"),
                   .request_id = work.request_id,
                   .error = work.error,
                   .status = turn.response.status,
                   .time_ms = work.wall_ms,
                   .took_us = (steady_ns() - work.began_ns) / 1000,
                   .bytes_in = work.body_bytes,
                   .bytes_out = turn.response.body.size()};
  if (work.x && work.x->protocol != Protocol::kNone) {
    note.service = work.x->service != nullptr ? work.x->service->info->name : std::string_view();
    note.operation = work.x->operation_name;
    note.protocol = name_of(work.x->protocol);
    note.account = work.x->call.account;
    note.region = work.x->call.region;
  } else {
    note.operation = work.own_name;
  }
  parts_.requests.add(note);
  if (log::wants_access(note.status)) {
    log::write_access({.request_id = note.request_id,
                       .client = note.client,
                       .account = note.account,
                       .region = note.region,
                       .service = note.service,
                       .operation = note.operation,
                       .error = note.error,
                       .status = note.status,
                       .took_us = note.took_us,
                       .bytes_in = note.bytes_in,
                       .bytes_out = note.bytes_out});
  }
  // Nothing of this object may be touched behind it: who waits for everybody to leave replaces it.
  if (parts_.turnstile != nullptr && work.is_inside) parts_.turnstile->leave();
}

void Pipeline::refuse(const http::Fault& fault, std::string_view peer, http::Response& response) {
  response = plain(fault.status, "MalformedHttpRequestException", fault.why);
  const std::string id = parts_.request_ids.uuid();
  response.set("x-amzn-RequestId", id);
  parts_.requests.add({.operation = "(malformed)",
                       .client = peer,
                       .request_id = id,
                       .error = fault.why,
                       .status = fault.status,
                       .time_ms = wall_ms()});
}

Pipeline::BodyStats Pipeline::body_stats() const { return {bodies_, body_bytes_, body_ns_}; }

}  // namespace fog
