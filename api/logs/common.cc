#include "api/logs/common.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "storage/base/bytes.h"
#include "storage/base/hash.h"

namespace fog::logs {

Error group_missing() { return fault(ResourceNotFoundException{.message = "The specified log group does not exist."}); }
Error stream_missing() { return fault(ResourceNotFoundException{.message = "The specified log stream does not exist."}); }
Error invalid_parameter(std::string message) { return fault(InvalidParameterException{.message = std::move(message)}); }
Error bad_token() { return invalid_parameter("The specified nextToken is invalid."); }

std::string group_arn(const Group& group) {
  return fmt::format("arn:{}:logs:{}:{}:log-group:{}", partition_of(group.region), group.region, group.account, group.name);
}

std::string stream_arn(const Group& group, std::string_view stream) {
  return fmt::format("{}:log-stream:{}", group_arn(group), stream);
}

std::optional<std::string> group_name_of(const Call& call, std::string_view identifier) {
  if (!identifier.starts_with("arn:")) return std::string(identifier);
  // arn:partition:logs:region:account:log-group:name[:*]
  std::array<std::string_view, 6> parts;
  std::string_view rest = identifier;
  for (std::string_view& part : parts) {
    const std::size_t colon = rest.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    part = rest.substr(0, colon);
    rest.remove_prefix(colon + 1);
  }
  if (parts[2] != "logs" || parts[3] != call.region || parts[4] != call.account || parts[5] != "log-group") return std::nullopt;
  if (rest.ends_with(":*")) rest.remove_suffix(2);
  return std::string(rest);
}

Result<GroupPtr> group_named(Call& call, std::string_view name) {
  GroupPtr group = call.service<Logs>().find(call.account, call.region, name);
  if (group == nullptr) return group_missing();
  return group;
}

Result<GroupPtr> group_of(Call& call, const std::optional<std::string>& name, const std::optional<std::string>& identifier) {
  if (name && identifier) return invalid_parameter("LogGroup name and LogGroup ARN are mutually exclusive parameters.");
  if (!name && !identifier) return invalid_parameter("Either logGroupName or logGroupIdentifier must be given.");
  if (name) return group_named(call, *name);
  const std::optional<std::string> from_arn = group_name_of(call, *identifier);
  if (!from_arn) return group_missing();
  return group_named(call, *from_arn);
}

// ---- tokens -----------------------------------------------------------------------------------------

namespace {
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
}

std::string base64url(std::string_view bytes) {
  std::string out;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    held += 8;
    while (held >= 6) {
      held -= 6;
      out.push_back(kAlphabet[bits >> held & 63]);
    }
  }
  if (held > 0) out.push_back(kAlphabet[bits << (6 - held) & 63]);
  return out;
}

std::optional<std::string> from_base64url(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const std::size_t digit = kAlphabet.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    held += 6;
    if (held >= 8) {
      held -= 8;
      out.push_back(static_cast<char>(bits >> held & 255));
    }
  }
  return out;
}

std::string page_token(std::string_view operation, std::string_view parameters, std::string_view last) {
  std::string raw;
  ByteWriter to(raw);
  to.fixed<std::uint8_t>(1);
  to.fixed(hash64(parameters, hash64(operation)));
  to.raw(last);
  return base64url(raw);
}

std::optional<std::string> read_page_token(std::string_view operation, std::string_view parameters, std::string_view token) {
  const std::optional<std::string> raw = from_base64url(token);
  if (!raw) return std::nullopt;
  ByteReader in(*raw);
  const auto version = in.fixed<std::uint8_t>();
  const auto hash = in.fixed<std::uint64_t>();
  if (!in.ok() || version != 1 || hash != hash64(parameters, hash64(operation))) return std::nullopt;
  return std::string(in.rest());
}

std::string position_digits(Position position, LogStreamId stream) {
  return fmt::format("3{:019}{:020}{:016}", std::max<std::int64_t>(position.timestamp_ms, 0), position.sequence, stream % kStreamCheck);
}

std::optional<PositionDigits> read_position_digits(std::string_view digits) {
  if (digits.size() != 56 || digits[0] != '3') return std::nullopt;
  PositionDigits result;
  const auto read = [&](std::size_t at, std::size_t n, auto& to) {
    const char* begin = digits.data() + at;
    const auto parsed = std::from_chars(begin, begin + n, to);
    return *begin != '-' && parsed.ec == std::errc() && parsed.ptr == begin + n;
  };
  if (!read(1, 19, result.position.timestamp_ms) || !read(20, 20, result.position.sequence) || !read(40, 16, result.check))
    return std::nullopt;
  return result;
}

const std::string_view kRetentionDays =
    "1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653";

bool is_retention(std::int32_t days) {
  static constexpr std::int32_t kDays[] = {1,   3,   5,   7,   14,   30,   60,   90,   120,  150,  180,
                                           365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653};
  return std::find(std::begin(kDays), std::end(kDays), days) != std::end(kDays);
}

}  // namespace fog::logs
