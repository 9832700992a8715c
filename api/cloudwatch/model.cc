#include "api/cloudwatch/model.h"

#include <array>

#include "api/common/fault.h"
#include "storage/base/bytes.h"
#include "storage/base/hash.h"
#include "storage/metric_units.h"

namespace fog::cloudwatch {

Error invalid_value(std::string message) {
  return fault(InvalidParameterValueException{.message = std::move(message)});
}
Error invalid_combination(std::string message) {
  return fault(InvalidParameterCombinationException{.message = std::move(message)});
}
Error missing(std::string message) {
  return fault(MissingRequiredParameterException{.message = std::move(message)});
}
Error validation(std::string message) {
  return wire_fault({.code = "com.amazon.coral.validate#ValidationException",
                     .query_code = "ValidationError",
                     .message = std::move(message)});
}
Error limit_exceeded(std::string message) {
  return fault(LimitExceededException{.message = std::move(message)});
}
Error not_found(std::string_view type, std::string_view id, std::string message) {
  ResourceNotFoundException e;
  e.message = std::move(message);
  e.resource_type = std::string(type);
  e.resource_id = std::string(id);
  return fault(std::move(e));
}

// --- ARNs -----------------------------------------------------------------------------------------

namespace {

std::string arn(const Call& call, bool regional, std::string_view rest) {
  std::string out = "arn:";
  out += partition_of(call.region);
  out += ":cloudwatch:";
  if (regional) out += call.region;
  out += ':';
  out += call.account;
  out += ':';
  return out.append(rest);
}

}  // namespace

std::string alarm_arn(const Call& call, std::string_view name) {
  return arn(call, true, "alarm:" + std::string(name));
}
std::string dashboard_arn(const Call& call, std::string_view name) {
  return arn(call, false, "dashboard/" + std::string(name));
}
std::string insight_rule_arn(const Call& call, std::string_view name) {
  return arn(call, true, "insight-rule/" + std::string(name));
}
std::string metric_stream_arn(const Call& call, std::string_view name) {
  return arn(call, true, "metric-stream/" + std::string(name));
}
std::string dataset_arn(const Call& call) { return arn(call, true, "dataset/default"); }

// --- units and dimensions -------------------------------------------------------------------------

namespace {

struct UnitMaps {
  std::array<UnitCode, kMetricUnits.size()> code{};       // by StandardUnit
  std::array<StandardUnit, kMetricUnits.size()> unit{};  // by code
};

UnitMaps make_unit_maps() {
  UnitMaps maps;
  for (std::size_t i = 0; i < kMetricUnits.size(); ++i) {
    StandardUnit unit{};
    FOG_ASSERT(from_string(kMetricUnits[i], unit), "units of the store and the model agree");
    maps.unit[i] = unit;
    maps.code[static_cast<std::size_t>(unit)] = static_cast<UnitCode>(i);
  }
  return maps;
}

const UnitMaps& unit_maps() {
  static const UnitMaps maps = make_unit_maps();
  return maps;
}

}  // namespace

UnitCode to_code(StandardUnit unit) { return unit_maps().code[static_cast<std::size_t>(unit)]; }
StandardUnit to_unit(UnitCode code) {
  return code < kMetricUnits.size() ? unit_maps().unit[code] : StandardUnit::None;
}

std::vector<DimensionView> dimension_views(const std::optional<std::vector<Dimension>>& dimensions) {
  std::vector<DimensionView> views;
  if (dimensions)
    for (const Dimension& d : *dimensions) views.push_back({d.name, d.value});
  return views;
}

bool is_period(std::int64_t seconds) {
  return seconds == 1 || seconds == 5 || seconds == 10 || seconds == 20 || seconds == 30 ||
         (seconds > 0 && seconds % 60 == 0);
}

// --- paging ---------------------------------------------------------------------------------------

namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::uint8_t kTokenVersion = 1;

std::string to_base64url(std::string_view bytes) {
  std::string out;
  std::uint32_t pending = 0;
  int bits = 0;
  for (const char c : bytes) {
    pending = pending << 8 | static_cast<unsigned char>(c);
    for (bits += 8; bits >= 6; bits -= 6) out += kAlphabet[(pending >> (bits - 6)) & 63];
  }
  if (bits > 0) out += kAlphabet[(pending << (6 - bits)) & 63];
  return out;
}

std::optional<std::string> from_base64url(std::string_view text) {
  std::string out;
  std::uint32_t pending = 0;
  int bits = 0;
  for (const char c : text) {
    const std::size_t digit = kAlphabet.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    pending = pending << 6 | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += static_cast<char>(pending >> bits);
    }
  }
  return out;
}

}  // namespace

std::string page_token(std::string_view operation, std::uint64_t parameters,
                       std::string_view last_key) {
  std::string bytes;
  ByteWriter out(bytes);
  out.fixed(kTokenVersion);
  out.fixed(static_cast<std::uint32_t>(hash64(operation)));
  out.fixed(parameters);
  out.raw(last_key);
  out.fixed(crc32c(bytes));
  return to_base64url(bytes);
}

std::optional<std::string> page_key(std::string_view operation, std::uint64_t parameters,
                                    std::string_view token) {
  const auto bytes = from_base64url(token);
  if (!bytes || bytes->size() < 17) return std::nullopt;
  const std::string_view body = std::string_view(*bytes).substr(0, bytes->size() - 4);
  ByteReader tail(std::string_view(*bytes).substr(body.size()));
  if (tail.fixed<std::uint32_t>() != crc32c(body)) return std::nullopt;
  ByteReader in(body);
  if (in.fixed<std::uint8_t>() != kTokenVersion ||
      in.fixed<std::uint32_t>() != static_cast<std::uint32_t>(hash64(operation)) ||
      in.fixed<std::uint64_t>() != parameters)
    return std::nullopt;
  return std::string(in.rest());
}

}  // namespace fog::cloudwatch
