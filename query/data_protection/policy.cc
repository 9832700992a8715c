#include "query/data_protection/policy.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>

#include "query/data_protection/identifiers.h"
#include "query/transformers/json_tree.h"

namespace fog::data_protection {
namespace {

using Json = transformers::JsonTree;

constexpr std::string_view kArnPrefix = "arn:aws:dataprotection::aws:data-identifier/";
constexpr std::string_view kVersion = "2021-06-01";
constexpr std::size_t kCustomMax = 10;
constexpr std::size_t kCustomRegexMax = 200;

struct Matcher {
  std::string name;
  std::unique_ptr<RE2> regex;
  bool (*check)(std::string_view) = nullptr;
  int group = 0;  // of the expression that is sensitive
};

class ParsedPolicy final : public Policy {
 public:
  std::vector<Finding> find(std::string_view text) const override {
    std::vector<Finding> findings;
    for (const Matcher& matcher : matchers) find_with(matcher, text, findings);
    std::sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) {
      return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    return findings;
  }
  bool mask(std::string& text) const override {
    const std::vector<Finding> findings = find(text);
    if (findings.empty()) return false;
    std::string out;
    std::size_t at = 0;
    for (const Finding& finding : findings) {
      if (finding.end <= at) continue;
      const std::size_t begin = std::max(finding.begin, at);
      out.append(text, at, begin - at);
      for (std::size_t k = begin; k < finding.end; ++k)
        if ((static_cast<unsigned char>(text[k]) & 0xC0) != 0x80) out += '*';
      at = finding.end;
    }
    out.append(text, at);
    text = std::move(out);
    return true;
  }
  const FindingsDestination& destination() const override { return findings_destination; }
  const std::string& name() const override { return policy_name; }

  std::vector<Matcher> matchers;
  FindingsDestination findings_destination;
  std::string policy_name;

 private:
  static void find_with(const Matcher& matcher, std::string_view text, std::vector<Finding>& findings) {
    std::size_t at = 0;
    while (at <= text.size()) {
      re2::StringPiece found[2];
      if (!matcher.regex->Match(re2::StringPiece(text.data(), text.size()), at, text.size(), RE2::UNANCHORED, found, matcher.group + 1)) return;
      const re2::StringPiece& sensitive = found[matcher.group];
      const auto begin = static_cast<std::size_t>(sensitive.data() - text.data());
      const std::size_t end = begin + sensitive.size();
      if (sensitive.empty()) {
        at = static_cast<std::size_t>(found[0].data() - text.data()) + found[0].size() + 1;
        continue;
      }
      const bool good = matcher.check == nullptr || matcher.check(std::string_view(sensitive.data(), sensitive.size()));
      if (good) findings.push_back({matcher.name, begin, end});
      at = good ? end : begin + 1;
    }
  }
};

Error bad(std::string why) { return Error::invalid(std::move(why)); }

// The DataIdentifier list of a statement, in order and without doubles.
Result<std::vector<std::string>> identifiers_of(const Json& statement) {
  const Json* list = statement.find("DataIdentifier");
  if (list == nullptr || !list->is_array() || list->items.empty())
    return bad("Invalid data protection policy: each statement must have a non-empty DataIdentifier list.");
  std::vector<std::string> names;
  for (const Json& item : list->items) {
    if (!item.is_string()) return bad("Invalid data protection policy: DataIdentifier must be a list of strings.");
    names.push_back(item.text);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

Result<std::string> member_text(const Json& from, std::string_view name) {
  const Json* found = from.find(name);
  if (found == nullptr || !found->is_string() || found->text.empty())
    return bad(fmt::format("Invalid data protection policy: {} must be a string.", name));
  return found->text;
}

Status read_destination(const Json& audit, FindingsDestination& out) {
  const Json* destination = audit.find("FindingsDestination");
  if (destination == nullptr || !destination->is_object())
    return bad("Invalid data protection policy: the Audit operation must have a FindingsDestination.");
  for (const auto& [kind, value] : destination->members) {
    if (kind == "CloudWatchLogs") {
      TRY(out.log_group, member_text(value, "LogGroup"));
    } else if (kind == "Firehose") {
      TRY(out.delivery_stream, member_text(value, "DeliveryStream"));
    } else if (kind == "S3") {
      TRY(out.bucket, member_text(value, "Bucket"));
    } else {
      return bad(fmt::format("Invalid data protection policy: unknown findings destination {}.", kind));
    }
  }
  return Ok{};
}

Result<std::unique_ptr<RE2>> compile(std::string_view pattern) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(4 << 20);
  auto regex = std::make_unique<RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (!regex->ok()) return bad(fmt::format("Invalid data protection policy: regex {} is not valid: {}", pattern, regex->error()));
  return regex;
}

Result<std::map<std::string, std::string>> custom_of(const Json& policy) {
  std::map<std::string, std::string> custom;
  const Json* configuration = policy.find("Configuration");
  if (configuration == nullptr) return custom;
  const Json* list = configuration->find("CustomDataIdentifier");
  if (list == nullptr) return custom;
  if (!list->is_array()) return bad("Invalid data protection policy: CustomDataIdentifier must be a list.");
  if (list->items.size() > kCustomMax)
    return bad(fmt::format("Invalid data protection policy: at most {} custom data identifiers are supported.", kCustomMax));
  for (const Json& item : list->items) {
    TRY(std::string name, member_text(item, "Name"));
    TRY(std::string regex, member_text(item, "Regex"));
    if (regex.size() > kCustomRegexMax)
      return bad(fmt::format("Invalid data protection policy: the regex of {} is longer than {} characters.", name, kCustomRegexMax));
    if (!custom.emplace(name, std::move(regex)).second)
      return bad(fmt::format("Invalid data protection policy: custom data identifier {} is defined twice.", name));
  }
  return custom;
}

}  // namespace

Result<std::shared_ptr<const Policy>> parse(std::string_view document) {
  const std::optional<Json> read = transformers::parse_json(document);
  if (!read || !read->is_object()) return bad("Invalid data protection policy: the policy document is not a JSON object.");
  auto policy = std::make_shared<ParsedPolicy>();
  TRY(policy->policy_name, member_text(*read, "Name"));
  TRY(const std::string version, member_text(*read, "Version"));
  if (version != kVersion) return bad(fmt::format("Invalid data protection policy: Version must be {}.", kVersion));
  const Json* statements = read->find("Statement");
  if (statements == nullptr || !statements->is_array() || statements->items.size() != 2)
    return bad("Invalid data protection policy: Statement must have two entries, one with an Audit and one with a Deidentify operation.");
  TRY(const auto custom, custom_of(*read));

  std::optional<std::vector<std::string>> audited, masked;
  for (const Json& statement : statements->items) {
    const Json* operation = statement.find("Operation");
    if (operation == nullptr || !operation->is_object() || operation->members.size() != 1)
      return bad("Invalid data protection policy: each statement must have exactly one Operation.");
    TRY(auto names, identifiers_of(statement));
    if (const Json* audit = operation->find("Audit")) {
      if (audited) return bad("Invalid data protection policy: there must be exactly one Audit operation.");
      TRYV(read_destination(*audit, policy->findings_destination));
      audited = std::move(names);
    } else if (const Json* deidentify = operation->find("Deidentify")) {
      if (masked) return bad("Invalid data protection policy: there must be exactly one Deidentify operation.");
      const Json* config = deidentify->find("MaskConfig");
      if (config == nullptr || !config->is_object() || !config->members.empty())
        return bad("Invalid data protection policy: the Deidentify operation must have an empty MaskConfig object.");
      masked = std::move(names);
    } else {
      return bad(fmt::format("Invalid data protection policy: unknown operation {}.", operation->members[0].first));
    }
  }
  if (*audited != *masked)
    return bad("Invalid data protection policy: the DataIdentifier lists of the Audit and the Deidentify statement must be equal.");

  for (const std::string& identifier : *masked) {
    Matcher matcher;
    if (const auto own = custom.find(identifier); own != custom.end()) {
      matcher.name = identifier;
      TRY(matcher.regex, compile("(?:" + own->second + ")"));
    } else {
      const std::size_t slash = identifier.rfind('/');
      const std::string name = slash == std::string::npos ? std::string() : identifier.substr(slash + 1);
      const bool arn = identifier.starts_with(kArnPrefix) ||
                       (identifier.starts_with("arn:aws") && identifier.find(":dataprotection::aws:data-identifier/") != std::string::npos);
      if (!arn || !is_known_identifier(name))
        return bad(fmt::format("Invalid data protection policy: data identifier {} is not supported.", identifier));
      const Identifier* known = find_identifier(name);
      if (known == nullptr) continue;
      matcher.name = name;
      matcher.check = known->check;
      TRY(matcher.regex, compile(known->pattern));
      matcher.group = std::min(matcher.regex->NumberOfCapturingGroups(), 1);
    }
    policy->matchers.push_back(std::move(matcher));
  }
  return std::shared_ptr<const Policy>(std::move(policy));
}

}  // namespace fog::data_protection
