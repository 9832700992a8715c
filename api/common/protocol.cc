// The steps after routing: authenticate, decompress, decode, call.
#include "api/common/protocol.h"

#include <mutex>

#include "api/codec/cbor.h"
#include "api/codec/event_stream.h"
#include "api/codec/gzip.h"
#include "api/codec/json.h"
#include "api/codec/text.h"
#include "api/common/violations.h"

namespace fog {
namespace {

Error too_large(std::string message) {
  return wire_fault({.code = "RequestEntityTooLargeException",
                     .query_code = "RequestEntityTooLarge",
                     .status = 413,
                     .message = std::move(message)});
}

Error not_implemented(const Exchange& x) {
  const std::string service = x.service == nullptr ? x.service_name : std::string(x.service->info->name);
  std::string what = service.empty() ? x.operation_name : service + ':' + x.operation_name;
  if (!is_utf8(what)) what = to_utf8(what);
  return wire_fault({.code = "UnknownOperationException",
                     .query_code = "InvalidAction",
                     .status = 400,
                     .rest_status = 404,
                     .cbor_status = 404,
                     .message = "Fogwatch does not implement " + what.substr(0, 300) + '.'});
}

// A link in a notification or mail; opened by people, never signed.
bool is_link(const Exchange& x) {
  return x.call.is_get && (x.operation_name == "ConfirmSubscription" || x.operation_name == "Unsubscribe");
}

std::string_view next_token(std::string_view& list) {
  const auto comma = list.find(',');
  std::string_view token = list.substr(0, comma);
  list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  while (!token.empty() && token.front() == ' ') token.remove_prefix(1);
  while (!token.empty() && token.back() == ' ') token.remove_suffix(1);
  return token;
}

// Carries frames from a handler's Sink to the connection.
class EventSink final : public Sink {
 public:
  explicit EventSink(std::shared_ptr<http::ByteSink> bytes) : bytes_(std::move(bytes)) {}

  bool send(const Shape& stream, const void* event) override { return bytes_->write(event_frame(stream, event)); }
  void finish() override { bytes_->close(); }
  void fail(const Error& error) override {
    WireFault scratch;
    const WireFault& wire = wire_of(error, {}, scratch);
    bytes_->write(error_frame(wire.code, wire.message));
    bytes_->close();
  }
  bool is_open() const override { return bytes_->is_open(); }

 private:
  std::shared_ptr<http::ByteSink> bytes_;
};

// Holds frames back until the handler has accepted the call, so that a refusal is still an ordinary
// answer and the initial response is the first frame.
class GatedSink final : public http::ByteSink {
 public:
  explicit GatedSink(std::shared_ptr<http::ByteSink> bytes) : bytes_(std::move(bytes)) {}

  bool write(std::string frame) override {
    const std::lock_guard lock(mutex_);
    if (is_open_) return bytes_->write(std::move(frame));
    held_.push_back(std::move(frame));
    return true;
  }
  void close() override {
    const std::lock_guard lock(mutex_);
    if (is_open_) {
      bytes_->close();
    } else {
      is_closed_ = true;
    }
  }
  bool is_open() const override { return bytes_->is_open(); }

  void open() {
    const std::lock_guard lock(mutex_);
    is_open_ = true;
    bytes_->write(initial_response_frame());
    for (std::string& frame : held_) bytes_->write(std::move(frame));
    held_.clear();
    if (is_closed_) bytes_->close();
  }

 private:
  std::shared_ptr<http::ByteSink> bytes_;
  std::mutex mutex_;
  std::vector<std::string> held_;
  bool is_open_ = false;
  bool is_closed_ = false;
};

}  // namespace

Status Api::authenticate(Exchange& x) const {
  if (is_link(x)) return Ok{};
  if (x.call.is_get && !x.call.is_signed)
    return wire_fault({.code = "MissingAuthenticationTokenException",
                       .query_code = "MissingAuthenticationToken",
                       .query_status = 403,
                       .rest_status = 403,
                       .message = "Missing Authentication Token"});
  if (options_.auth == AuthMode::kParse) return Ok{};
  if (options_.auth == AuthMode::kVerify && !x.signature.is_present()) return Ok{};
  sigv4::Options options;
  options.secrets_of = options_.secrets_of;
  options.explains = options_.explains_signatures;
  if (x.service != nullptr) options.service = x.service->info->signing_name;
  return sigv4::verify(x.request, clock_.real_now(), options);
}

Status Api::decompress(Exchange& x) const {
  if (x.is_inflated) return Ok{};
  if (x.entry != nullptr && x.entry->info->body_bytes_max > 0 && x.request.body.size() > x.entry->info->body_bytes_max)
    return too_large("The request body exceeds " + std::to_string(x.entry->info->body_bytes_max) + " bytes");
  if (x.request.header("x-amz-content-sha256").starts_with("STREAMING-"))
    return wire_fault({.code = "InvalidRequestException", .message = "Chunked payload signing is not supported"});
  std::string_view encodings = x.request.header("content-encoding");
  while (!encodings.empty()) {
    const std::string_view token = next_token(encodings);
    if (token.empty() || http::equal_ignoring_case(token, "identity")) continue;
    if (!http::equal_ignoring_case(token, "gzip") && !http::equal_ignoring_case(token, "x-gzip") &&
        !http::equal_ignoring_case(token, "deflate"))
      return wire_fault({.code = "UnsupportedMediaTypeException",
                         .status = http::equal_ignoring_case(token, "aws-chunked") ? 400 : 415,
                         .message = "Unsupported Content-Encoding"});
    // No client packs twice; who does wants a small body to become a large one twice over.
    if (x.is_inflated) return wire_fault({.code = "UnsupportedMediaTypeException", .status = 415, .message = "More than one Content-Encoding"});
    const Packing packing = http::equal_ignoring_case(token, "deflate") ? Packing::kDeflate : Packing::kGzip;
    auto inflated = gunzip(x.request.body, kInflatedBytesMax, packing);
    if (!inflated.ok()) {
      if (inflated.error().kind() == ErrorKind::kLimit) return too_large("The inflated request body is too large");
      return wire_fault({.code = "MalformedHttpRequestException", .message = inflated.error().message()});
    }
    x.inflated = std::move(inflated).value();
    x.is_inflated = true;
  }
  return Ok{};
}

Status Api::decode(Exchange& x) const {
  if (x.refused_status != 0) {
    const bool is_type = x.refused_status == 415;
    return wire_fault({.code = is_type ? "UnsupportedMediaTypeException" : "UnknownOperationException",
                       .status = x.refused_status,
                       .message = is_type ? "Unsupported Content-Type" : "The request is not of this protocol"});
  }
  if (x.protocol == Protocol::kQuery && x.operation_name.empty())
    return wire_fault({.code = "MissingAction", .message = "The request must contain the parameter Action"});
  if (x.entry == nullptr || x.entry->operation == nullptr) return not_implemented(x);
  // The query protocol learns its operation, and so its limit, from the body.
  const OperationInfo& info = *x.entry->info;
  if (info.body_bytes_max > 0 && x.request.body.size() > info.body_bytes_max)
    return too_large("The request body exceeds " + std::to_string(info.body_bytes_max) + " bytes");

  std::vector<Violation> violations;
  Decoding decoding;
  decoding.violations = &violations;
  x.input = Value(*info.input);
  std::string& body = x.is_inflated ? x.inflated : x.request.body;
  switch (x.protocol) {
    case Protocol::kQuery: TRYV(decode_form(x.form, *info.input, x.input.get(), decoding)); break;
    case Protocol::kCbor: TRYV(decode_cbor(body, *info.input, x.input.get(), decoding)); break;
    case Protocol::kJson:
    case Protocol::kRestJson: TRYV(decode_json(body, *info.input, x.input.get(), decoding)); break;
    case Protocol::kNone: return Error::internal("decode() without route()");
  }
  if (violations.empty()) return Ok{};
  if (x.entry->operation->on_invalid != nullptr) return x.entry->operation->on_invalid(info, violations);
  if (x.service->on_invalid != nullptr) return x.service->on_invalid(info, violations);
  return validation_error(info, violations);
}

bool Api::is_streaming(const Exchange& x) {
  return x.entry != nullptr && x.entry->operation != nullptr && x.entry->operation->stream != nullptr;
}

Status Api::call(Exchange& x) const {
  x.entry->calls.fetch_add(1, std::memory_order_relaxed);
  const OperationInfo& info = *x.entry->info;
  x.call.now = clock_.now();
  x.output = Value(info.output == nullptr ? Empty::kShape : *info.output);
  return x.entry->operation->invoke(x.call, x.input.get(), x.output.get());
}

Status Api::call_stream(Exchange& x, std::shared_ptr<http::ByteSink> bytes) const {
  x.entry->calls.fetch_add(1, std::memory_order_relaxed);
  x.call.now = clock_.now();
  auto gate = std::make_shared<GatedSink>(std::move(bytes));
  const auto sink = std::make_shared<EventSink>(gate);
  TRYV(x.entry->operation->stream(x.call, x.input.get(), *sink));
  gate->open();
  return Ok{};
}

http::Response Api::answer(http::Request request) const {
  Exchange x(std::move(request));
  const auto run = [&]() -> Status {
    TRY(const bool ours, route(x));
    if (!ours) return wire_fault({.code = "UnknownOperationException", .status = 404, .message = "Not found"});
    TRYV(authenticate(x));
    TRYV(decompress(x));
    TRYV(decode(x));
    if (is_streaming(x)) return Error::internal("a streaming operation needs a connection");
    return call(x);
  };
  const Status status = run();
  return encode(x, status);
}

}  // namespace fog
