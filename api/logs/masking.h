// EventRules: what policies do to the events of a group on their way out: data protection hides
// parts of them, a transformer makes JSON of them.
//
// A rule is in force for events that came in while its policy stood, also after the policy has been
// replaced or deleted; events from before are never touched. Everything that shows events to users
// asks of():
//
//   if (const GroupRulesPtr rules = logs.rules().of(*group)) rules->mask(event.ingestion_ms, event.sequence, event.message);
//
// Threads: any. of() is cheap: a look-up in memory.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "api/logs/shapes.h"
#include "query/data_protection/policy.h"
#include "query/transformers/transformer.h"
#include "storage/base/guarded.h"
#include "storage/log_block.h"
#include "storage/resource_store.h"

namespace fog::logs {

struct Group;

// The rules of one group. Immutable.
class GroupRules {
 public:
  bool has_masks() const { return !masks_.empty(); }
  bool has_transformers() const { return !transformers_.empty(); }

  // Replaces what is sensitive by asterisks; false: nothing was.
  bool mask(std::int64_t ingestion_ms, LogSequence sequence, std::string& text) const;
  // The same where `text` is what fields are made of: values inside JSON are masked as text, so that it
  // stays JSON.
  bool mask_fields(std::int64_t ingestion_ms, LogSequence sequence, std::string& text) const;
  bool concerns(std::int64_t ingestion_ms, LogSequence sequence) const;
  // Sensitive parts of an event, by identifier; what audits report.
  std::vector<data_protection::Policy::Finding> findings(std::int64_t ingestion_ms, LogSequence sequence, std::string_view text) const;
  // The policies that look at an event.
  std::vector<const data_protection::Policy*> policies(std::int64_t ingestion_ms, LogSequence sequence) const;
  // The event as its transformer makes it, a JSON object; nothing: it stays as it is.
  std::optional<std::string> transform(std::int64_t ingestion_ms, LogSequence sequence, std::string_view message,
                                       std::string_view stream) const;

 private:
  friend class EventRules;
  struct Span {
    LogSequence after = 0;
    LogSequence until = ~LogSequence{0};  // inclusive
    std::int64_t since_ms = INT64_MIN;
    std::int64_t ended_ms = INT64_MAX;  // exclusive
    bool covers(std::int64_t ingestion_ms, LogSequence sequence) const {
      return sequence > after && sequence <= until && ingestion_ms >= since_ms && ingestion_ms < ended_ms;
    }
  };
  struct Mask {
    Span span;
    std::shared_ptr<const data_protection::Policy> policy;
  };
  struct Transform {
    Span span;
    std::shared_ptr<const transformers::Transformer> transformer;
  };
  std::vector<Mask> masks_;
  std::vector<Transform> transformers_;  // the first that covers an event is its own
  std::string account_, region_, group_;
};
using GroupRulesPtr = std::shared_ptr<const GroupRules>;  // null: the group has no rules

class EventRules {
 public:
  explicit EventRules(ResourceStore& resources) : resources_(resources) {}

  GroupRulesPtr of(const Group& group) const;

  enum class Kind { kDataProtection, kTransformer, kIndex };
  struct Policy {
    std::string document;
    std::int64_t creation_ms = 0;
    std::int64_t updated_ms = 0;
  };
  // The policy of a group itself; `last` is the sequence number of the last event before the change.
  std::optional<Policy> get(const Group& group, Kind kind) const;
  bool had(const Group& group, Kind kind) const;  // has one now or had one
  Status put(const Group& group, Kind kind, std::string document, LogSequence last, std::int64_t now_ms);
  Status erase(const Group& group, Kind kind, LogSequence last, std::int64_t now_ms);

  // Called by PutAccountPolicy and DeleteAccountPolicy (no document) for DATA_PROTECTION_POLICY,
  // TRANSFORMER_POLICY and FIELD_INDEX_POLICY; other types are none of its business and Ok.
  Status account_policy_changed(std::string_view account, std::string_view region, PolicyType type, std::string_view name,
                                const std::optional<std::string>& document, const std::optional<std::string>& selection_criteria,
                                std::int64_t now_ms);
  // Is the document one of that type? Error: invalid, a sentence for InvalidParameterException.
  static Status check_account_document(PolicyType type, const std::string& document, const std::optional<std::string>& selection_criteria);
  // An account policy's present documents that concern the group, newest first.
  std::vector<Policy> account_policies(const Group& group, PolicyType type) const;

  // After resources were erased behind its back.
  void forget() { ++revision_; }

 private:
  struct Cached {
    std::uint64_t revision = 0;
    GroupRulesPtr rules;
  };
  GroupRulesPtr build(const Group& group) const;

  ResourceStore& resources_;
  std::atomic<std::uint64_t> revision_{1};
  mutable Guarded<std::unordered_map<LogGroupId, Cached>> cache_;
};

// Resources that live and die with a group: kind kGroupPartKind, name group_part(id, what).
inline constexpr std::string_view kGroupPartKind = "log-group-part";
std::string group_part(LogGroupId group, std::string_view what);

// The N of `LogGroupNamePrefix = "N"`, which account policies select groups by. Error: invalid.
Result<std::string> selected_prefix(const std::optional<std::string>& selection_criteria);

// {"Fields": [...], "FieldsV2": {...}} of an index policy: names and types. Error: invalid.
struct IndexedField {
  std::string name;
  IndexType type = IndexType::FIELD_INDEX;
};
Result<std::vector<IndexedField>> read_index_policy(std::string_view document);

}  // namespace fog::logs
