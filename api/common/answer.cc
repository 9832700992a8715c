// Answers and faults in each protocol: status, headers, body.
#include <algorithm>

#include "api/codec/cbor.h"
#include "api/codec/json.h"
#include "api/codec/query.h"
#include "api/common/protocol.h"

namespace fog {
namespace {

// Where errors live that no service models.
constexpr std::string_view kCoral = "com.amazon.coral.service#";

bool is_message(const Member& member) { return member.name == "message" || member.name == "Message"; }

struct Fault {
  const WireFault& wire;
  const FaultDetail* detail;  // null, or without a shape: not modelled
  const Service* service;

  int status(Protocol protocol) const {
    const int own = protocol == Protocol::kQuery      ? wire.query_status
                    : protocol == Protocol::kRestJson ? wire.rest_status
                    : protocol == Protocol::kCbor     ? wire.cbor_status
                                                      : 0;
    return own != 0 ? own : wire.status;
  }
  bool is_sender() const {
    return detail != nullptr && detail->shape != nullptr ? detail->shape->is_sender_fault : wire.status < 500;
  }
  // Without a namespace.
  std::string_view name() const {
    const auto hash = wire.code.find('#');
    return std::string_view(wire.code).substr(hash == std::string::npos ? 0 : hash + 1);
  }
  std::string_view query_code() const { return wire.query_code.empty() ? name() : std::string_view(wire.query_code); }
  std::string query_error() const { return std::string(query_code()) + (is_sender() ? ";Sender" : ";Receiver"); }
  // CloudWatch names its errors absolutely, the others by their bare name.
  std::string type() const {
    if (service == nullptr || !service->info->is_query_compatible) return std::string(name());
    if (wire.code.find('#') != std::string::npos) return wire.code;
    if (detail != nullptr && detail->shape != nullptr)
      return std::string(service->info->shape_namespace) + '#' + wire.code;
    return std::string(kCoral) + wire.code;
  }
  std::string_view message_name(Protocol protocol) const {
    if (detail != nullptr && detail->shape != nullptr)
      for (std::size_t i = 0; i < detail->shape->member_count; ++i)
        if (is_message(detail->shape->members[i])) return detail->shape->members[i].name;
    return protocol == Protocol::kRestJson ? "Message" : "message";
  }
  // Members of a modelled error beside its message.
  template <typename Visit>
  void each_detail(Visit&& visit) const {
    if (detail == nullptr || detail->shape == nullptr) return;
    for (std::size_t i = 0; i < detail->shape->member_count; ++i) {
      const Member& member = detail->shape->members[i];
      if (is_message(member)) continue;
      if (const void* value = peek(member, detail->value.get())) visit(member, value);
    }
  }
};

std::string json_fault(const Fault& fault, Protocol protocol) {
  std::string out = "{\"__type\":";
  append_json_string(fault.type(), out);
  if (!fault.wire.message.empty()) {
    out += ",\"";
    out += fault.message_name(protocol);
    out += "\":";
    append_json_string(fault.wire.message, out);
  }
  fault.each_detail([&](const Member& member, const void* value) {
    out += ",\"";
    out += member.name;
    out += "\":";
    encode_json(*member.shape, value, out);
  });
  return out + '}';
}

std::string cbor_fault(const Fault& fault) {
  std::size_t pairs = fault.wire.message.empty() ? 1 : 2;
  fault.each_detail([&](const Member&, const void*) { ++pairs; });
  std::string out;
  append_cbor_map(pairs, out);
  append_cbor_text("__type", out);
  append_cbor_text(fault.type(), out);
  if (!fault.wire.message.empty()) {
    append_cbor_text(fault.message_name(Protocol::kCbor), out);
    append_cbor_text(fault.wire.message, out);
  }
  fault.each_detail([&](const Member& member, const void* value) {
    append_cbor_text(member.name, out);
    encode_cbor(*member.shape, value, out);
  });
  return out;
}

std::string xml_fault(const Fault& fault, std::string_view request_id) {
  std::string out = "<ErrorResponse";
  if (fault.service != nullptr && !fault.service->info->xml_namespace.empty()) {
    out += " xmlns=\"";
    append_xml_text(fault.service->info->xml_namespace, out);
    out += '"';
  }
  out += "><Error><Type>";
  out += fault.is_sender() ? "Sender" : "Receiver";
  out += "</Type><Code>";
  append_xml_text(fault.query_code(), out);
  out += "</Code>";
  if (!fault.wire.message.empty()) {
    out += "<Message>";
    append_xml_text(fault.wire.message, out);
    out += "</Message>";
  }
  fault.each_detail([&](const Member& member, const void* value) { encode_xml_member(member, value, out); });
  out += "</Error><RequestId>";
  out += request_id;
  return out + "</RequestId></ErrorResponse>";
}

void write_fault(const Exchange& x, const Error& error, http::Response& out) {
  WireFault scratch;
  const std::span<const ErrorRow> rows = x.service == nullptr ? std::span<const ErrorRow>() : x.service->errors;
  const WireFault& wire = wire_of(error, rows, scratch);
  const Fault fault{wire, dynamic_cast<const FaultDetail*>(error.detail()), x.service};
  out.status = fault.status(x.protocol);
  const bool is_compatible = x.service != nullptr && x.service->info->is_query_compatible;
  switch (x.protocol) {
    case Protocol::kQuery:
      out.set("Content-Type", "text/xml");
      out.body = xml_fault(fault, x.call.request_id);
      break;
    case Protocol::kCbor:
      out.set("Content-Type", "application/cbor");
      out.set("smithy-protocol", "rpc-v2-cbor");
      if (is_compatible) out.set("x-amzn-query-error", fault.query_error());
      out.body = cbor_fault(fault);
      break;
    case Protocol::kJson:
    case Protocol::kRestJson:
      out.set("Content-Type", std::string(x.content_type));
      if (is_compatible) {
        out.set("x-amzn-query-error", fault.query_error());
      } else {
        out.set("x-amzn-ErrorType", std::string(fault.name()));
      }
      out.body = json_fault(fault, x.protocol);
      break;
    case Protocol::kNone:
      out.set("Content-Type", "application/json");
      out.body = json_fault(fault, x.protocol);
      break;
  }
}

void write_output(const Exchange& x, http::Response& out) {
  const OperationInfo& info = *x.entry->info;
  switch (x.protocol) {
    case Protocol::kQuery:
      out.set("Content-Type", "text/xml");
      out.body = encode_xml_response(info, info.output == nullptr ? nullptr : x.output.get(), x.call.request_id);
      break;
    case Protocol::kCbor:
      out.set("Content-Type", "application/cbor");
      out.set("smithy-protocol", "rpc-v2-cbor");
      encode_cbor(x.output.shape(), x.output.get(), out.body);
      break;
    case Protocol::kJson:
    case Protocol::kRestJson:
      out.set("Content-Type", std::string(x.content_type));
      // Logs answers operations without output with no body at all, CloudWatch with {}.
      if (info.output != nullptr || x.content_type != "application/x-amz-json-1.1")
        encode_json(x.output.shape(), x.output.get(), out.body);
      break;
    case Protocol::kNone: break;
  }
}

}  // namespace

namespace {

// A handler that names a Content-Type of its own answers with nothing but the bytes of its output's first member:
// pictures as image/png. The query protocol alone has this form; others get the usual one.
bool write_raw(Exchange& x, http::Response& out) {
  auto& headers = x.call.response_headers;
  const auto type = std::find_if(headers.begin(), headers.end(), [](const auto& h) { return h.first == "Content-Type"; });
  if (type == headers.end()) return false;
  const Member* blob = x.output.shape().member_count == 0 ? nullptr : &x.output.shape().members[0];
  if (x.protocol != Protocol::kQuery || blob == nullptr || blob->shape->kind != Kind::kBlob) {
    headers.erase(type);
    return false;
  }
  const void* at = static_cast<const char*>(static_cast<const void*>(x.output.get())) + blob->offset;
  if (blob->slot != nullptr) at = blob->slot->peek(*blob->shape, at);
  if (at != nullptr) out.body = *static_cast<const std::string*>(at);
  return true;  // the header itself is copied with the others
}

}  // namespace

http::Response Api::encode(Exchange& x, const Status& status) const {
  http::Response out;
  out.set("x-amzn-RequestId", x.call.request_id);
  if (!status.ok()) {
    write_fault(x, status.error(), out);
  } else if (is_streaming(x)) {
    out.set("Content-Type", "application/vnd.amazon.eventstream");
    out.is_stream = true;
  } else if (!write_raw(x, out)) {
    write_output(x, out);
  }
  for (auto& [name, value] : x.call.response_headers) out.set(std::move(name), std::move(value));
  x.call.response_headers.clear();
  return out;
}

}  // namespace fog
