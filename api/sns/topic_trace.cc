#include "api/sns/topic_trace.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/sns/common.h"

namespace fog::sns {
namespace {

double seconds_of(Timestamp t) { return static_cast<double>(to_ms(t)) / 1000.0; }

// What a subscriber is called in the trace: the service behind it, or the host that was called.
std::string name_of(const DeliveryReport& report) {
  constexpr std::pair<std::string_view, std::string_view> kServices[] = {
      {"sqs", "SQS"}, {"lambda", "Lambda"}, {"firehose", "Firehose"}, {"email", "SES"}, {"email-json", "SES"}, {"sms", "SMS"}, {"application", "MobilePush"}};
  for (const auto& [protocol, name] : kServices)
    if (protocol == report.protocol) return std::string(name);
  std::string_view host = report.destination;
  if (const auto scheme = host.find("://"); scheme != std::string_view::npos) host.remove_prefix(scheme + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  if (const auto user = host.rfind('@'); user != std::string_view::npos) host.remove_prefix(user + 1);
  return std::string(host);
}

bool is_web(const DeliveryReport& report) { return report.protocol == "http" || report.protocol == "https"; }

}  // namespace

std::optional<TracePlace> sampled_place(std::string_view header) {
  TracePlace place;
  bool sampled = false;
  while (!header.empty()) {
    const auto end = std::min(header.find(';'), header.size());
    std::string_view part = header.substr(0, end);
    header.remove_prefix(std::min(end + 1, header.size()));
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    if (part.starts_with("Root=")) place.trace_id = part.substr(5);
    else if (part.starts_with("Parent=")) place.parent_id = part.substr(7);
    else if (part == "Sampled=1") sampled = true;
  }
  if (!sampled || place.trace_id.empty()) return std::nullopt;
  return place;
}

std::string header_below(const TracePlace& place, std::string_view parent_id) {
  return fmt::format("Root={};Parent={};Sampled=1", place.trace_id, parent_id);
}

std::string topic_segment(const TracePlace& place, std::string_view id, std::string_view topic_arn, Timestamp start, Timestamp end) {
  const std::string_view name = topic_arn.substr(topic_arn.rfind(':') + 1);
  const std::string parent = place.parent_id.empty() ? "" : fmt::format(R"("parent_id":{},)", json_string(place.parent_id));
  return fmt::format(
      R"({{"name":{},"id":"{}","trace_id":{},{}"start_time":{:.3f},"end_time":{:.3f},"origin":"AWS::SNS::Topic",)"
      R"("resource_arn":{},"aws":{{"operation":"Publish","topic_arn":{}}}}})",
      json_string(name), id, json_string(place.trace_id), parent, seconds_of(start), seconds_of(end), json_string(topic_arn), json_string(topic_arn));
}

std::string delivery_subsegment(const TracePlace& place, std::string_view id, const DeliveryReport& report) {
  const bool failed = report.event != DeliveryReport::Event::kDelivered && report.event != DeliveryReport::Event::kRedriven;
  std::string out = fmt::format(
      R"({{"type":"subsegment","name":{},"id":"{}","trace_id":{},"parent_id":{},"start_time":{:.3f},"end_time":{:.3f},"namespace":"aws",)"
      R"("aws":{{"operation":"Publish","topic_arn":{},"retries":{}{}}})",
      json_string(name_of(report)), id, json_string(place.trace_id), json_string(place.parent_id), seconds_of(report.now - report.dwell),
      seconds_of(report.now), json_string(report.message->topic_arn), std::max(0, report.attempts - 1),
      report.protocol == "sqs" ? fmt::format(R"(,"resource_names":[{}])", json_string(report.destination)) : "");
  if (is_web(report) && report.status_code != 0)
    out += fmt::format(R"(,"http":{{"request":{{"method":"POST","url":{}}},"response":{{"status":{}}}}})", json_string(report.destination), report.status_code);
  if (failed) {
    out += report.status_code >= 400 && report.status_code < 500 ? R"(,"error":true)" : R"(,"fault":true)";
    out += fmt::format(R"(,"cause":{{"exceptions":[{{"id":"{}","message":{}}}]}})", id, json_string(report.provider_response));
  }
  return out + "}";
}

}  // namespace fog::sns
