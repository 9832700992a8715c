// DateFormat: dates by the patterns of Java's DateTimeFormatter, the subset that logs need.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "query/alarm_rules/time_zone.h"
#include "storage/base/result.h"

namespace fog::transformers {

class DateFormat {
 public:
  // Letters y u M d D H h k K m s S n a E z V Z X x, quoted text, and literals; "epoch": seconds
  // since 1970. Error: invalid.
  static Result<DateFormat> parse(std::string_view pattern);

  // Epoch ms; texts without a zone are in `zone`. The year of texts without one is that of `now_ms`.
  std::optional<std::int64_t> read(std::string_view text, std::int64_t now_ms,
                                   const alarm_rules::TimeZone& zone = alarm_rules::TimeZone::utc()) const;
  std::string write(std::int64_t ms, const alarm_rules::TimeZone& zone) const;

 private:
  struct Token {
    char letter = 0;  // 0: literal
    int count = 0;
    std::string literal{};
  };
  std::vector<Token> tokens_;
  bool epoch_ = false;
};

std::string iso_time(std::int64_t ms);  // 2024-01-02T03:04:05.006Z
std::optional<std::int64_t> read_iso_time(std::string_view text);

}  // namespace fog::transformers
