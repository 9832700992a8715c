// The body of a dashboard: what is wrong with it and what will be ignored. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fog::cloudwatch {

struct BodyMessage {
  std::string data_path;  // JSON pointer
  std::string message;
  bool operator==(const BodyMessage&) const = default;
};

struct BodyVerdict {
  bool is_object = false;
  std::vector<BodyMessage> errors;
  std::vector<BodyMessage> warnings;
};

BodyVerdict check_dashboard_body(std::string_view body);

}  // namespace fog::cloudwatch
