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

std::string AuditFinding::event(std::string_view message_id, std::string_view principal, std::string_view topic_arn, Timestamp now) const {
  Json found = Json::array();
  for (const auto& identifier : identifiers) {
    Json detections = Json::array();
    for (const auto& [begin, end] : identifier.detections) detections.push_back({{"start", begin}, {"end", end}});
    found.push_back({{"name", identifier.name}, {"count", identifier.detections.size()}, {"detections", std::move(detections)}});
  }
  return Json{{"messageId", message_id}, {"auditTimestamp", iso_time(now)}, {"callerPrincipal", principal}, {"resourceArn", topic_arn},
              {"dataIdentifiers", std::move(found)}}
      .dump();
}

bool Protection::Statement::applies_to(std::string_view principal) const {
  return std::any_of(principals.begin(), principals.end(), [&](const std::string& p) { return p == "*" || p == principal; });
}

std::optional<Protection> protection_of(const TopicEntry& topic) {
  if (!topic.document.data_protection_policy) return std::nullopt;
  const Json policy = Json::parse(*topic.document.data_protection_policy, nullptr, false);
  const auto text = [](const Json& json) { return json.is_string() ? json.get<std::string>() : std::string(); };
  Protection out;
  out.name_ = text(member(policy, "Name"));
  const Json& statements = member(policy, "Statement");
  if (!statements.is_array()) return out;
  for (const auto& statement : statements) {
    Protection::Statement one;
    one.inbound = member(statement, "DataDirection") != "Outbound";
    one.identifiers = identifiers_of(statement);
    for (const auto& principal : member(statement, "Principal")) one.principals.push_back(text(principal));
    const Json& operation = member(statement, "Operation");
    if (const Json& audit = member(operation, "Audit"); audit.is_object()) {
      one.operation = Protection::Operation::kAudit;
      const Json& rate = member(audit, "SampleRate");
      if (rate.is_number_integer()) one.sample_rate = rate.get<int>();
      if (rate.is_string()) one.sample_rate = std::atoi(rate.get<std::string>().c_str());
      one.findings_group = text(member(member(member(audit, "FindingsDestination"), "CloudWatchLogs"), "LogGroup"));
      one.no_findings_group = text(member(member(member(audit, "NoFindingsDestination"), "CloudWatchLogs"), "LogGroup"));
    } else if (const Json& config = member(operation, "Deidentify"); config.is_object()) {
      one.operation = Protection::Operation::kDeidentify;
      if (const Json& masked = member(config, "MaskConfig"); masked.is_object()) {
        const Json& character = member(masked, "MaskWithCharacter");
        one.mask = character.is_string() ? character.get<std::string>() : std::string("*");
      }
    }
    out.statements_.push_back(std::move(one));
  }
  return out;
}

Status Protection::apply_inbound(Checked& checked, std::string_view principal) const {
  std::vector<std::string*> texts{&checked.message};
  for (auto& [protocol, body] : checked.bodies) texts.push_back(&body);
  for (const Statement& statement : statements_) {
    if (!statement.inbound || statement.operation != Operation::kDeidentify || !statement.applies_to(principal)) continue;
    for (const auto& identifier : statement.identifiers) {
      for (auto* text : texts) deidentify(*text, find_identifier(identifier, *text), statement.mask);
    }
  }
  for (const Statement& statement : statements_) {
    if (!statement.inbound || statement.operation != Operation::kDeny || !statement.applies_to(principal)) continue;
    for (const auto* text : texts) {
      if (has_finding(statement.identifiers, *text))
        return fault(AuthorizationErrorException{
            .message = fmt::format("The message contains data denied by the data protection policy {}", name_)});
    }
  }
  return Ok{};
}

std::vector<AuditFinding> Protection::audit(const Checked& checked, std::string_view principal, std::uint64_t dice) const {
  std::vector<AuditFinding> out;
  for (const Statement& statement : statements_) {
    if (statement.operation != Operation::kAudit || !statement.applies_to(principal)) continue;
    if (dice >= static_cast<std::uint64_t>(statement.sample_rate)) continue;
    AuditFinding& finding = out.emplace_back();
    for (const auto& identifier : statement.identifiers) {
      auto found = find_identifier(identifier, checked.message);
      if (!found.empty()) finding.identifiers.push_back({identifier, std::move(found)});
    }
    finding.log_group = finding.identifiers.empty() ? statement.no_findings_group : statement.findings_group;
  }
  return out;
}

bool Protection::denies_outbound(std::string_view text, std::string_view principal) const {
  return std::any_of(statements_.begin(), statements_.end(), [&](const Statement& statement) {
    return !statement.inbound && statement.operation == Operation::kDeny && statement.applies_to(principal) &&
           has_finding(statement.identifiers, text);
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
