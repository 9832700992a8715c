#include "api/otlp/answer.h"

#include <fmt/format.h>

#include <protozero/pbf_writer.hpp>

#include "api/codec/gzip.h"
#include "api/codec/json.h"

namespace fog::otlp {

namespace {

constexpr std::string_view kProtobuf = "application/x-protobuf";
constexpr std::string_view kJson = "application/json";

}  // namespace

std::optional<Refusal> open_body(std::string_view content_type, std::string_view content_encoding, std::string_view body,
                                 OpenedBody& out, std::size_t bytes_max) {
  const auto type = content_type.substr(0, content_type.find(';'));
  out.is_json = type.starts_with(kJson);
  if (!out.is_json && !type.starts_with(kProtobuf))
    return Refusal{415, kInvalidArgument, true, "Content-Type must be application/x-protobuf or application/json"};
  out.body = body;
  if (content_encoding == "gzip") {
    auto plain = gunzip(body, bytes_max);
    if (!plain.ok()) {
      const bool large = plain.error().kind() == ErrorKind::kLimit;
      return Refusal{large ? 413 : 400, large ? kResourceExhausted : kInvalidArgument, out.is_json, plain.error().message()};
    }
    out.inflated = std::move(*plain);
    out.body = out.inflated;
  } else if (!content_encoding.empty() && content_encoding != "identity") {
    return Refusal{415, kInvalidArgument, out.is_json, "Content-Encoding must be gzip or none"};
  }
  if (out.body.size() > bytes_max) return Refusal{413, kResourceExhausted, out.is_json, "the request is too large"};
  return std::nullopt;
}

ExportAnswer refuse(const Refusal& refusal) {
  ExportAnswer answer;
  answer.status = refusal.status;
  answer.content_type = refusal.is_json ? kJson : kProtobuf;
  if (refusal.is_json) {
    answer.body = fmt::format("{{\"code\":{},\"message\":", refusal.code);
    append_json_string(refusal.message, answer.body);
    answer.body.push_back('}');
    return answer;
  }
  protozero::pbf_writer status(answer.body);
  status.add_int32(1, refusal.code);
  status.add_string(2, refusal.message);
  return answer;
}

ExportAnswer accept(bool is_json, std::string_view rejected_name, std::size_t rejected, std::string_view message) {
  ExportAnswer answer;
  answer.content_type = is_json ? kJson : kProtobuf;
  if (is_json) {
    answer.body = "{}";
    if (rejected == 0) return answer;
    answer.body = fmt::format("{{\"partialSuccess\":{{\"{}\":\"{}\",\"errorMessage\":", rejected_name, rejected);
    append_json_string(message, answer.body);
    answer.body += "}}";
    return answer;
  }
  if (rejected == 0) return answer;
  protozero::pbf_writer response(answer.body);
  protozero::pbf_writer partial(response, 1);
  partial.add_int64(1, static_cast<std::int64_t>(rejected));
  partial.add_string(2, message.data(), message.size());
  return answer;
}

}  // namespace fog::otlp
