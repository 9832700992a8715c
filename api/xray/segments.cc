// Segments in: PutTraceSegments, PutTelemetryRecords, and documents from the other doors.
#include "api/xray/model.h"
#include "api/xray/service.h"
#include "storage/base/log.h"

namespace fog::xray {

namespace {

std::string_view code_of(traces::DocumentFault fault) {
  using traces::DocumentFault;
  switch (fault) {
    case DocumentFault::kNone: return "";
    case DocumentFault::kParseError: return "ParseError";
    case DocumentFault::kMissingId: return "MissingId";
    case DocumentFault::kInvalidId: return "InvalidId";
    case DocumentFault::kMissingTraceId: return "MissingTraceId";
    case DocumentFault::kInvalidTraceId: return "InvalidTraceId";
    case DocumentFault::kMissingName: return "MissingName";
    case DocumentFault::kInvalidName: return "InvalidName";
    case DocumentFault::kMissingStartTime: return "MissingStartTime";
    case DocumentFault::kInvalidStartTime: return "InvalidStartTime";
    case DocumentFault::kMissingEndTime: return "MissingEndTime";
    case DocumentFault::kInvalidEndTime: return "InvalidEndTime";
    case DocumentFault::kMissingParentId: return "MissingParentId";
    case DocumentFault::kTooLarge: return "SegmentTooLarge";
  }
  return "";
}

std::string message_of(const traces::DocumentVerdict& verdict) {
  const std::string code(code_of(verdict.fault));
  if (verdict.in_subsegment) return "Invalid subsegment. ErrorCode: " + code + ", Cause: null";
  return "Invalid segment. ErrorCode: " + code;
}

Result<PutTraceSegmentsResult> put_trace_segments(Call& call, const PutTraceSegmentsRequest& in) {
  std::vector<std::string_view> documents(in.trace_segment_documents.begin(),
                                          in.trace_segment_documents.end());
  PutTraceSegmentsResult out;
  out.unprocessed_trace_segments.emplace();
  if (documents.empty()) return out;
  const auto receipt = xray_of(call).traces().append(scope_of(call), documents);
  if (receipt.verdicts.size() != documents.size())
    return fault(ThrottledException{.message = "Segments can't be stored now. Try again."});
  for (const auto& verdict : receipt.verdicts) {
    if (verdict.fault == traces::DocumentFault::kNone) continue;
    UnprocessedTraceSegment failed;
    if (!verdict.id.empty()) failed.id = verdict.id;
    failed.error_code = std::string(code_of(verdict.fault));
    failed.message = message_of(verdict);
    out.unprocessed_trace_segments->push_back(std::move(failed));
  }
  if (receipt.lsn != 0) call.durable_after(receipt.lsn);
  return out;
}

// Empty ids are normal; the host is whichever of the three is filled.
Result<PutTelemetryRecordsResult> put_telemetry_records(Call& call,
                                                        const PutTelemetryRecordsRequest& in) {
  std::string host;
  for (const auto* each : {&in.hostname, &in.ec2_instance_id, &in.resource_arn})
    if (host.empty() && each->has_value()) host = each->value();
  const TelemetryRecord* newest = nullptr;
  for (const auto& record : in.telemetry_records)
    if (newest == nullptr || newest->timestamp < record.timestamp) newest = &record;
  if (newest != nullptr) xray_of(call).note_telemetry(scope_of(call), host, *newest);
  return PutTelemetryRecordsResult{};
}

constexpr Operation kOperations[] = {bind<put_trace_segments>(), bind<put_telemetry_records>()};

}  // namespace

std::span<const Operation> segment_operations() { return kOperations; }

Taken take_documents(XRay& xray, const TraceScope& scope, std::span<const std::string_view> documents) {
  Taken taken;
  if (documents.empty()) return taken;
  const auto receipt = xray.traces().append(scope, documents);
  if (receipt.verdicts.size() != documents.size()) {
    taken.busy = true;
    return taken;
  }
  taken.lsn = receipt.lsn;
  for (const auto& verdict : receipt.verdicts) {
    if (verdict.fault == traces::DocumentFault::kNone) {
      ++taken.accepted;
      continue;
    }
    ++taken.rejected;
    LOG_DEBUG("x-ray: document refused: {} (id {})", message_of(verdict), verdict.id);
  }
  return taken;
}

std::unique_ptr<TraceSink> make_trace_sink(TraceStore& traces) {
  class Sink final : public TraceSink {
   public:
    explicit Sink(TraceStore& to) : traces_(to) {}
    void put_segment(std::string_view account, std::string_view region, std::string_view document) override {
      const auto receipt = traces_.append({.account = std::string(account), .region = std::string(region)}, {&document, 1});
      if (receipt.verdicts.empty()) LOG_WARN("x-ray: a topic's segment was not stored: {}", document);
      else if (receipt.verdicts[0].fault != traces::DocumentFault::kNone)
        LOG_WARN("x-ray: a topic's segment was refused: {} ({})", message_of(receipt.verdicts[0]), document);
    }

   private:
    TraceStore& traces_;
  };
  return std::make_unique<Sink>(traces);
}

}  // namespace fog::xray
