// Api: from an HTTP request to an AWS operation and back, in steps that server/pipeline.cc lists.
//
//   Exchange x(request);
//   TRY(bool ours, api.route(x));      // which service, protocol, operation; account and region
//   TRYV(api.authenticate(x));         // parse or verify the signature
//   TRYV(api.decompress(x));           // Content-Encoding: gzip
//   TRYV(api.decode(x));               // body -> typed input, checked against the model
//   TRYV(api.call(x));                 // the handler
//   response = api.encode(x, status);  // output or fault, in the caller's protocol
//
// Every step may fail with an Error; encode() answers any Error in the protocol that route() found.
// All methods are safe to call from any thread; an Exchange belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/auth/sigv4.h"
#include "api/codec/query.h"
#include "api/common/call.h"
#include "api/common/http_message.h"
#include "api/common/registry.h"
#include "api/common/sink.h"
#include "storage/base/random.h"

namespace fog {

enum class Protocol : std::uint8_t { kNone, kQuery, kJson, kRestJson, kCbor };

struct Exchange {
  explicit Exchange(http::Request r) : request(std::move(r)) {}

  http::Request request;
  std::string_view path;   // without the query; a view into request.target
  std::string_view query;  // without '?'

  // Found by route().
  Protocol protocol = Protocol::kNone;
  const Service* service = nullptr;
  const Registry::Entry* entry = nullptr;  // null: unknown operation
  std::string service_name;                // as the caller wrote it, where we do not know it
  std::string operation_name;              // as the caller wrote it
  std::string_view content_type;           // of a JSON answer
  int refused_status = 0;                  // not 0: wrong method or content type; answered by decode()
  sigv4::Signature signature;              // access_key empty: unsigned
  Form form;                               // query protocol: URL, then body
  std::string inflated;                    // the body without its Content-Encoding
  bool is_inflated = false;

  Call call;
  Value input;
  Value output;
};

enum class AuthMode : std::uint8_t {
  kParse,    // a signature names account and region, nothing is checked
  kVerify,   // bad signatures are refused, unsigned calls are let in
  kEnforce,  // every call must be signed, links in notifications excepted
};

// Largest body after Content-Encoding: gzip.
inline constexpr std::size_t kInflatedBytesMax = 40u << 20;

class Api {
 public:
  struct Options {
    std::string account = "000000000000";
    std::string region = "us-east-1";
    std::string external_url;  // in links; empty: from the request's Host
    AuthMode auth = AuthMode::kParse;
    // Of whoever signed; nothing: unknown. Used by kVerify and kEnforce.
    std::function<std::optional<sigv4::Secrets>(const sigv4::Signature&)> secrets_of;
    bool explains_signatures = false;  // a mismatch shows the canonical request
    // Account of an access key beyond the 12-digit rule; empty: the rule.
    std::function<std::string(std::string_view access_key)> account_of;
  };

  Api(const Registry& registry, const Services& services, const Clock& clock, Random& random,
      Options options)
      : registry_(registry), services_(services), clock_(clock), random_(random),
        options_(std::move(options)) {}

  // False: not a call of an AWS service (own pages, OTLP, ...); nothing else is changed then.
  Result<bool> route(Exchange& x) const;
  Status authenticate(Exchange& x) const;
  Status decompress(Exchange& x) const;
  Status decode(Exchange& x) const;
  // True while the operation answers with an event stream: then call_stream() instead of call().
  static bool is_streaming(const Exchange& x);
  Status call(Exchange& x) const;
  // Runs the handler; on Ok the answer's head is `encode(x, Ok)` with is_stream set, and the frames
  // go to `bytes`, the first of them already written.
  Status call_stream(Exchange& x, std::shared_ptr<http::ByteSink> bytes) const;
  http::Response encode(Exchange& x, const Status& status) const;

  // All of it, for callers that need no step of their own.
  http::Response answer(http::Request request) const;

  const Registry& registry() const { return registry_; }
  const Options& options() const { return options_; }

 private:
  void locate(Exchange& x) const;

  const Registry& registry_;
  const Services& services_;
  const Clock& clock_;
  Random& random_;
  Options options_;
};

}  // namespace fog
