#include "api/otlp/traces.h"

#include <fmt/format.h>

#include "api/codec/gzip.h"
#include "api/codec/json.h"

namespace fog::otlp {

namespace {

constexpr std::string_view kProtobuf = "application/x-protobuf";
constexpr std::string_view kJson = "application/json";
constexpr std::size_t kDocumentsPerRecord = 500;

void append_varint(std::uint64_t value, std::string& out) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

void append_field(int number, std::string_view bytes, std::string& out) {
  append_varint(static_cast<std::uint64_t>(number) << 3 | 2, out);
  append_varint(bytes.size(), out);
  out += bytes;
}

// ExportTraceServiceResponse: partial_success = 1 {rejected_spans = 1, error_message = 2}.
std::string success_body(bool json, std::size_t rejected, const std::string& message) {
  if (json) {
    if (rejected == 0) return "{}";
    std::string out = fmt::format("{{\"partialSuccess\":{{\"rejectedSpans\":\"{}\",\"errorMessage\":", rejected);
    append_json_string(message, out);
    return out + "}}";
  }
  if (rejected == 0) return {};
  std::string partial, out;
  append_varint(1 << 3, partial);
  append_varint(rejected, partial);
  append_field(2, message, partial);
  append_field(1, partial, out);
  return out;
}

// google.rpc.Status: code = 1, message = 2.
ExportAnswer failure(int status, int code, bool json, const std::string& message) {
  ExportAnswer answer;
  answer.status = status;
  answer.content_type = json ? kJson : kProtobuf;
  if (json) {
    answer.body = fmt::format("{{\"code\":{},\"message\":", code);
    append_json_string(message, answer.body);
    answer.body.push_back('}');
  } else {
    append_varint(1 << 3, answer.body);
    append_varint(static_cast<std::uint64_t>(code), answer.body);
    append_field(2, message, answer.body);
  }
  return answer;
}

}  // namespace

ExportAnswer export_traces(TraceStore& store, const TraceScope& scope, std::string_view content_type,
                           std::string_view content_encoding, std::string_view body,
                           std::size_t body_bytes_max, const SegmentOptions& options) {
  constexpr int kInvalidArgument = 3, kResourceExhausted = 8, kUnavailable = 14;
  const auto type = content_type.substr(0, content_type.find(';'));
  const bool json = type.starts_with(kJson);
  if (!json && !type.starts_with(kProtobuf))
    return failure(415, kInvalidArgument, true, "Content-Type must be application/x-protobuf or application/json");
  std::string inflated;
  if (content_encoding == "gzip") {
    auto plain = gunzip(body, body_bytes_max);
    if (!plain.ok()) {
      const bool large = plain.error().kind() == ErrorKind::kLimit;
      return failure(large ? 413 : 400, large ? kResourceExhausted : kInvalidArgument, json, plain.error().message());
    }
    inflated = std::move(*plain);
    body = inflated;
  } else if (!content_encoding.empty() && content_encoding != "identity") {
    return failure(415, kInvalidArgument, json, "Content-Encoding must be gzip or none");
  }
  if (body.size() > body_bytes_max) return failure(413, kResourceExhausted, json, "the request is too large");
  auto groups = json ? decode_traces_json(body) : decode_traces_protobuf(body);
  if (!groups.ok()) return failure(400, kInvalidArgument, json, groups.error().message());

  ExportAnswer answer;
  answer.content_type = json ? kJson : kProtobuf;
  std::vector<std::string> documents;
  std::vector<std::size_t> span_of;  // which span a document belongs to
  std::size_t spans = 0;
  std::vector<bool> dropped;
  for (const auto& group : *groups) {
    for (const auto& span : group.spans) {
      auto made = segments_of(span, group, options);
      dropped.push_back(made.empty());
      for (auto& document : made) {
        documents.push_back(std::move(document));
        span_of.push_back(spans);
      }
      ++spans;
    }
  }
  std::string message = "spans without a valid trace id or span id were dropped";
  for (std::size_t first = 0; first < documents.size(); first += kDocumentsPerRecord) {
    const std::size_t n = std::min(kDocumentsPerRecord, documents.size() - first);
    const std::vector<std::string_view> views(documents.begin() + static_cast<std::ptrdiff_t>(first),
                                              documents.begin() + static_cast<std::ptrdiff_t>(first + n));
    const auto receipt = store.append(scope, views);
    if (receipt.verdicts.size() != n) return failure(503, kUnavailable, json, "spans can't be stored now");
    for (std::size_t i = 0; i < n; ++i) {
      if (receipt.verdicts[i].fault == traces::DocumentFault::kNone) continue;
      dropped[span_of[first + i]] = true;
      message = receipt.verdicts[i].fault == traces::DocumentFault::kTooLarge ? "a span is too large"
                                                                              : "a span does not make a valid segment";
    }
    answer.lsn = std::max(answer.lsn, receipt.lsn);
  }
  answer.rejected_spans = static_cast<std::size_t>(std::count(dropped.begin(), dropped.end(), true));
  answer.accepted_spans = spans - answer.rejected_spans;
  answer.body = success_body(json, answer.rejected_spans, message);
  return answer;
}

}  // namespace fog::otlp
