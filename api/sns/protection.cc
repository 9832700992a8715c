#include "api/sns/protection.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/sns/common.h"
#include "api/sns/operations.h"
#include "re2/re2.h"

namespace fog::sns {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kPolicyCharsMax = 30'720;

// Digits of a card number whose check digit fits.
bool luhn(std::string_view text) {
  int sum = 0, n = 0;
  for (auto c = text.rbegin(); c != text.rend(); ++c) {
    if (*c < '0' || *c > '9') continue;
    int digit = *c - '0';
    if (n++ % 2 == 1) {
      digit *= 2;
      if (digit > 9) digit -= 9;
    }
    sum += digit;
  }
  return n >= 13 && n <= 19 && sum % 10 == 0;
}

const RE2* pattern_of(std::string_view identifier) {
  static const RE2 email(R"(([A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,255}\.[A-Za-z]{2,24}))");
  static const RE2 ip(R"(\b((?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3})\b)");
  static const RE2 card(R"(\b(\d(?:[ -]?\d){12,18})\b)");
  static const RE2 ssn(R"(\b(\d{3}-\d{2}-\d{4})\b)");
  static const RE2 phone(R"((\+?\d{0,3}[ .-]?\(?\d{3}\)?[ .-]?\d{3}[ .-]?\d{4})\b)");
  static const RE2 secret(R"((?:^|[^A-Za-z0-9/+=])([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|$))");
  if (identifier == "EmailAddress") return &email;
  if (identifier == "IpAddress") return &ip;
  if (identifier == "CreditCardNumber") return &card;
  if (identifier == "Ssn-US") return &ssn;
  if (identifier.starts_with("PhoneNumber")) return &phone;
  if (identifier == "AwsSecretKey") return &secret;
  return nullptr;
}

// "arn:aws:dataprotection::aws:data-identifier/EmailAddress" -> "EmailAddress".
std::vector<std::string> identifiers_of(const Json& statement) {
  std::vector<std::string> out;
  const auto list = statement.find("DataIdentifier");
  if (list == statement.end() || !list->is_array()) return out;
  for (const auto& arn : *list) {
    if (!arn.is_string()) continue;
    const auto text = arn.get<std::string>();
    out.push_back(text.substr(text.rfind('/') + 1));
  }
  return out;
}

const Json& member(const Json& object, const char* name) {
  static const Json none;
  if (!object.is_object()) return none;
  const auto found = object.find(name);
  return found == object.end() ? none : *found;
}

void deidentify(std::string& text, const std::vector<Finding>& findings, const std::optional<std::string>& mask) {
  for (auto f = findings.rbegin(); f != findings.rend(); ++f) {
    std::string replacement;
    if (mask) {
      for (std::size_t i = f->begin; i < f->end; ++i) replacement += *mask;
    }
    text.replace(f->begin, f->end - f->begin, replacement);
  }
}

bool has_finding(const std::vector<std::string>& identifiers, std::string_view text) {
  return std::any_of(identifiers.begin(), identifiers.end(),
                     [&](const auto& identifier) { return !find_identifier(identifier, text).empty(); });
}

}  // namespace

std::vector<Finding> find_identifier(std::string_view identifier, std::string_view text) {
  std::vector<Finding> out;
  const RE2* pattern = pattern_of(identifier);
  if (pattern == nullptr) return out;
  re2::StringPiece rest(text.data(), text.size());
  re2::StringPiece found;
  while (RE2::FindAndConsume(&rest, *pattern, &found)) {
    const auto begin = static_cast<std::size_t>(found.data() - text.data());
    const std::size_t end = begin + found.size();
    if (found.empty()) break;
    if (identifier == "CreditCardNumber" && !luhn(text.substr(begin, end - begin))) continue;
    out.push_back({begin, end});
  }
  return out;
}

Status apply_inbound_protection(const std::string& policy_text, Checked& checked) {
  const Json policy = Json::parse(policy_text, nullptr, false);
  const Json& statements = member(policy, "Statement");
  if (!statements.is_array()) return Ok{};
  std::vector<std::string*> texts{&checked.message};
  for (auto& [protocol, body] : checked.bodies) texts.push_back(&body);
  for (const auto& statement : statements) {
    if (member(statement, "DataDirection") != "Inbound") continue;
    const Json& config = member(member(statement, "Operation"), "Deidentify");
    if (!config.is_object()) continue;
    std::optional<std::string> mask;
    if (const Json& masked = member(config, "MaskConfig"); masked.is_object()) {
      const Json& character = member(masked, "MaskWithCharacter");
      mask = character.is_string() ? character.get<std::string>() : std::string("*");
    }
    for (const auto& identifier : identifiers_of(statement)) {
      for (auto* text : texts) deidentify(*text, find_identifier(identifier, *text), mask);
    }
  }
  for (const auto& statement : statements) {
    if (member(statement, "DataDirection") != "Inbound" || !member(member(statement, "Operation"), "Deny").is_object())
      continue;
    const auto identifiers = identifiers_of(statement);
    for (const auto* text : texts) {
      if (has_finding(identifiers, *text))
        return fault(AuthorizationErrorException{
            .message = fmt::format("The message contains data denied by the data protection policy {}",
                                   member(policy, "Name").is_string() ? member(policy, "Name").get<std::string>() : "")});
    }
  }
  return Ok{};
}

bool outbound_denied(const std::string& policy_text, std::string_view text) {
  const Json policy = Json::parse(policy_text, nullptr, false);
  const Json& statements = member(policy, "Statement");
  if (!statements.is_array()) return false;
  return std::any_of(statements.begin(), statements.end(), [&](const Json& statement) {
    return member(statement, "DataDirection") == "Outbound" &&
           member(member(statement, "Operation"), "Deny").is_object() && has_finding(identifiers_of(statement), text);
  });
}

Status check_data_protection_policy(std::string_view text) {
  const auto wrong = [](std::string_view why) {
    return invalid(fmt::format("DataProtectionPolicy Reason: {}", why));
  };
  if (text.size() > kPolicyCharsMax) return wrong("policy is longer than 30720 characters");
  const Json policy = Json::parse(text, nullptr, false);
  if (!policy.is_object()) return wrong("policy is not valid JSON");
  if (!member(policy, "Name").is_string()) return wrong("Name is required");
  if (member(policy, "Version") != "2021-06-01") return wrong("Version must be 2021-06-01");
  const Json& statements = member(policy, "Statement");
  if (!statements.is_array() || statements.empty()) return wrong("Statement is required");
  int audits = 0;
  for (const auto& statement : statements) {
    const Json& direction = member(statement, "DataDirection");
    if (direction != "Inbound" && direction != "Outbound") return wrong("DataDirection must be Inbound or Outbound");
    if (!member(statement, "Principal").is_array()) return wrong("Principal is required");
    if (!member(statement, "DataIdentifier").is_array() || member(statement, "DataIdentifier").empty())
      return wrong("DataIdentifier is required");
    const Json& operation = member(statement, "Operation");
    if (!operation.is_object() || operation.size() != 1) return wrong("Operation must be one of Audit, Deidentify, Deny");
    const std::string name = operation.begin().key();
    if (name == "Audit") {
      ++audits;
      const Json& rate = member(operation.begin().value(), "SampleRate");
      if (!rate.is_null()) {
        const int value = rate.is_number_integer() ? rate.get<int>() : rate.is_string() ? std::atoi(rate.get<std::string>().c_str()) : -1;
        if (value < 0 || value > 99) return wrong("SampleRate must be 0 to 99");
      }
    } else if (name == "Deidentify") {
      if (direction != "Inbound") return wrong("Deidentify is supported for Inbound only");
    } else if (name != "Deny") {
      return wrong("Operation must be one of Audit, Deidentify, Deny");
    }
  }
  if (audits > 1) return wrong("only one Audit statement is allowed");
  return Ok{};
}

}  // namespace fog::sns
