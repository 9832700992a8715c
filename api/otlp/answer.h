// What the OTLP doors of metrics and logs share: opening a body, and the answers of OTLP/HTTP.
#pragma once

#include <string>
#include <string_view>

#include "api/otlp/traces.h"
#include "storage/base/result.h"

namespace fog::otlp {

inline constexpr std::size_t kBodyBytesMax = 40u << 20;

// google.rpc.Code
inline constexpr int kInvalidArgument = 3;
inline constexpr int kResourceExhausted = 8;
inline constexpr int kUnavailable = 14;

// A request's body, inflated, and which encoding it speaks.
struct OpenedBody {
  bool is_json = false;
  std::string inflated;   // owns the bytes of `body` where they were packed
  std::string_view body;
};
// Error: an answer with 400, 413 or 415, ready to be sent.
struct Refusal {
  int status = 400;
  int code = kInvalidArgument;
  bool is_json = true;
  std::string message;
};
std::optional<Refusal> open_body(std::string_view content_type, std::string_view content_encoding, std::string_view body,
                                 OpenedBody& out, std::size_t bytes_max = kBodyBytesMax);

// A google.rpc.Status.
ExportAnswer refuse(const Refusal& refusal);
// An Export...ServiceResponse; `rejected_name` is the JSON name of the count ("rejectedDataPoints").
ExportAnswer accept(bool is_json, std::string_view rejected_name, std::size_t rejected, std::string_view message);

}  // namespace fog::otlp
