// What the operations of several resources share: names and ARNs, tokens, standard errors.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/logs/logs.h"
#include "api/logs/shapes.h"
#include "storage/base/bytes.h"

namespace fog::logs {

// Standard faults.
Error group_missing();
Error stream_missing();
Error invalid_parameter(std::string message);
Error bad_token();

// arn:aws:logs:<region>:<account>:log-group:<name>, without ":*".
std::string group_arn(const Group& group);
std::string stream_arn(const Group& group, std::string_view stream);

// A name, an ARN of this account and region, with or without ":*". Nothing: of somewhere else.
std::optional<std::string> group_name_of(const Call& call, std::string_view identifier);
// The group a call names by exactly one of name and identifier. InvalidParameterException when both
// or neither are given; ResourceNotFoundException.
Result<GroupPtr> group_of(Call& call, const std::optional<std::string>& name, const std::optional<std::string>& identifier);
Result<GroupPtr> group_named(Call& call, std::string_view name);

// Paging tokens of lists: opaque, bound to the operation and its other parameters.
std::string page_token(std::string_view operation, std::string_view parameters, std::string_view last);
std::optional<std::string> read_page_token(std::string_view operation, std::string_view parameters, std::string_view token);

std::string base64url(std::string_view bytes);
std::optional<std::string> from_base64url(std::string_view text);

// A place among the events of a group. Tokens and event ids are 56 digits: '3', time (19), sequence
// number (20), and 16 digits of the stream's id, so that a token of another stream is noticed.
struct Position {
  std::int64_t timestamp_ms = 0;
  LogSequence sequence = 0;
  auto operator<=>(const Position&) const = default;
};
std::string position_digits(Position position, LogStreamId stream);
struct PositionDigits {
  Position position;
  std::uint64_t check = 0;
};
std::optional<PositionDigits> read_position_digits(std::string_view digits);
constexpr std::uint64_t kStreamCheck = 10'000'000'000'000'000ull;

// What an event counts towards batch and page limits.
constexpr std::size_t kEventOverhead = 26;
constexpr std::size_t kPageBytesMax = 1 << 20;

// Days that PutRetentionPolicy takes.
bool is_retention(std::int32_t days);
extern const std::string_view kRetentionDays;  // "1, 3, 5, ..."

}  // namespace fog::logs
