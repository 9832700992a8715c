// FilterPolicy: which messages of a topic a subscription wants.
//
// A policy is a JSON object: all its fields must match, one rule of a field suffices, "$or" holds
// alternatives. It reads either a message's attributes or the leaves of its JSON body. parse()
// checks grammar and limits; the wording of its errors is AWS's. An Error with a position stems
// from the grammar (bytes read up to the offending token); others concern the policy as a whole.
// Immutable after parse(): any number of threads may match.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/result.h"

namespace fog::filter_policy {

enum class Scope { kMessageAttributes, kMessageBody };

// One scalar a message carries under a name.
struct Value {
  enum class Kind { kString, kNumber, kTrue, kFalse, kNull };
  Kind kind = Kind::kString;
  std::string text{};  // of a string
  double number = 0;  // of a number
};

// What a message offers to policies: dotted path or attribute name -> values. Built once a message.
struct Values {
  std::map<std::string, std::vector<Value>, std::less<>> by_name;

  // `type` is the DataType; `value` the StringValue. Binary attributes count as absent.
  void add_attribute(std::string_view name, std::string_view type, std::string_view value);
  // False unless the body is a JSON object; paths of nested members are joined by dots, arrays on
  // the way are transparent.
  bool add_body(std::string_view body);
};

namespace limits {
inline constexpr std::size_t kKeysMax = 5;                 // top level
inline constexpr std::int64_t kCombinationsMax = 150;
inline constexpr std::size_t kWildcardsInPatternMax = 3;
inline constexpr std::int64_t kWildcardPointsMax = 100;
inline constexpr std::size_t kPolicyBytesMax = 256 * 1024;
}  // namespace limits

// One test of a value. A closed set; match.cc switches over it.
struct Rule {
  enum class Kind {
    kEquals, kPrefix, kSuffix, kEqualsIgnoreCase, kWildcard, kCidr, kExists, kNotExists, kNumeric,
    kAnythingBut, kAnythingButPrefix, kAnythingButWildcard,
  };
  Kind kind = Kind::kEquals;
  std::vector<Value> values;       // equals: one; anything-but: the list
  std::vector<std::string> texts;  // prefix, suffix, wildcard ...: the pattern(s)
  // numeric: bounds, either may be absent; "=" sets both to the same value.
  bool has_low = false, has_high = false, low_inclusive = false, high_inclusive = false;
  double low = 0, high = 0;
  // cidr: network in 16 bytes (IPv4 mapped into the last four) and its family.
  std::string network;
  int mask_bits = 0;
};

struct Policy;

struct Field {
  std::string path;  // dotted
  std::size_t depth = 1;
  std::vector<Rule> rules;  // any
};

struct Alternatives {
  std::vector<Policy> branches;  // any
};

struct Policy {
  std::vector<Field> fields;              // all
  std::vector<Alternatives> alternatives;  // all
};

class FilterPolicy {
 public:
  static Result<FilterPolicy> parse(std::string_view json, Scope scope);

  bool empty() const { return root_.fields.empty() && root_.alternatives.empty(); }
  Scope scope() const { return scope_; }
  // Rules times depth, multiplied over fields, added over alternatives.
  std::int64_t combinations() const;
  // In scope MessageBody pass values of a body for which add_body() was true.
  bool matches(const Values& values) const;

 private:
  Policy root_;
  Scope scope_ = Scope::kMessageAttributes;
};

// Shared by parse.cc and match.cc: 4 or 16 bytes of an address, empty if it is none.
std::string parse_ip(std::string_view text);

}  // namespace fog::filter_policy
