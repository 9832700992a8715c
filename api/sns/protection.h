// Data protection policies of topics: what may not be published, and what is masked on the way in.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <optional>
#include <string>
#include <vector>

#include "api/sns/sns.h"

namespace fog::sns {

struct Finding {
  std::size_t begin = 0;
  std::size_t end = 0;
};
// Where `text` holds what the identifier names (EmailAddress, IpAddress, CreditCardNumber, Ssn-US,
// PhoneNumber-*, AwsSecretKey); unknown identifiers find nothing.
std::vector<Finding> find_identifier(std::string_view identifier, std::string_view text);

// What an audit statement found in one message.
struct AuditFinding {
  struct Identifier {
    std::string name{};
    std::vector<Finding> detections{};
  };
  std::string log_group{};  // of the findings' destination; empty: none is named
  std::vector<Identifier> identifiers{};  // empty: nothing was found
  std::string event(std::string_view message_id, std::string_view principal, std::string_view topic_arn, Timestamp now) const;
};

// A data protection policy at work. Statements count for the principals they name ("*": everybody).
class Protection {
 public:
  // De-identifies the texts, then refuses with AuthorizationError where a statement denies them.
  Status apply_inbound(Checked& checked, std::string_view principal) const;
  // `dice`: 0 to 99; a statement that samples looks at a message whose dice is below its rate.
  std::vector<AuditFinding> audit(const Checked& checked, std::string_view principal, std::uint64_t dice) const;
  bool denies_outbound(std::string_view text, std::string_view principal) const;
  const std::string& name() const { return name_; }

 private:
  friend std::optional<Protection> protection_of(const TopicEntry& topic);
  enum class Operation { kDeny, kAudit, kDeidentify };
  struct Statement {
    bool inbound = true;
    Operation operation = Operation::kDeny;
    std::vector<std::string> principals{};
    std::vector<std::string> identifiers{};
    std::optional<std::string> mask{};  // kDeidentify; nothing: redact
    int sample_rate = 99;
    std::string findings_group{}, no_findings_group{};
    bool applies_to(std::string_view principal) const;
  };
  std::string name_{};
  std::vector<Statement> statements_{};
};
// Nothing: the topic has no policy.
std::optional<Protection> protection_of(const TopicEntry& topic);

}  // namespace fog::sns
