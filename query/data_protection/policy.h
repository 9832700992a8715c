// Data protection policies: which parts of a log event are sensitive.
//
//   TRY(const auto policy, data_protection::parse(document));
//   policy->mask(text);   // every finding becomes asterisks, as many as it has bytes
//
// Threads: a policy is immutable.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/result.h"

namespace fog::data_protection {

// Where the Audit statement sends its findings.
struct FindingsDestination {
  std::string log_group;
  std::string delivery_stream;
  std::string bucket;
};

class Policy {
 public:
  struct Finding {
    std::string_view identifier;  // the name behind the last slash, or of a custom identifier
    std::size_t begin = 0;        // bytes
    std::size_t end = 0;
  };
  virtual ~Policy() = default;
  // In order of place; findings may overlap.
  virtual std::vector<Finding> find(std::string_view text) const = 0;
  // False: nothing was found. Characters beyond ASCII count one asterisk.
  virtual bool mask(std::string& text) const = 0;
  virtual const FindingsDestination& destination() const = 0;
  virtual const std::string& name() const = 0;
};

// Errors: invalid, with a sentence for the user. Regular expressions of the RE2 kind.
Result<std::shared_ptr<const Policy>> parse(std::string_view document);

// The managed identifiers that are known, whether or not they are detected here.
bool is_known_identifier(std::string_view name);
bool is_detected_identifier(std::string_view name);

}  // namespace fog::data_protection
