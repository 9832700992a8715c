// PutIndexPolicy, DeleteIndexPolicy, DescribeIndexPolicies, DescribeFieldIndexes: which fields of a
// group have an index, and so may be asked for by filterIndex.
//
// Fields are in the token filter and the columns of every block, named or not; a policy decides what
// filterIndex takes and what DescribeFieldIndexes says.
#include <fmt/format.h>

#include "api/logs/common.h"
#include "api/logs/index_policies.h"
#include "api/logs/masking.h"
#include "api/logs/operations.h"
#include "api/logs/shelf.h"
#include "api/logs/shown_block.h"

namespace fog::logs {
namespace {

constexpr std::int64_t kIndexKeptMs = 30LL * 86'400'000;
constexpr std::size_t kPageMax = 500;

constexpr std::string_view kDefaults[] = {"@logStream",        "@aws.region",  "@aws.account", "@source.log",  "@data_source_name",
                                          "@data_source_type", "@data_format", "traceId",      "severityText", "attributes.session.id"};

Error invalid_policy(const Error& error) { return invalid_parameter("Invalid index policy: " + error.message()); }

Result<PutIndexPolicyResponse> put_index_policy(Call& call, const PutIndexPolicyRequest& in) {
  if (auto fields = read_index_policy(in.policy_document); !fields.ok()) return invalid_policy(fields.error());
  TRY(const GroupPtr group, group_of(call, std::nullopt, in.log_group_identifier));
  if (group->settings.lock_shared()->log_group_class != LogGroupClass::STANDARD)
    return invalid_parameter("Field indexes are only supported for log groups in the Standard log class.");
  Logs& logs = call.service<Logs>();
  TRY(const LogSequence last, logs.last_sequence(*group));
  TRYV(logs.rules().put(*group, EventRules::Kind::kIndex, in.policy_document, last, to_ms(call.now)));
  PutIndexPolicyResponse out;
  IndexPolicy& policy = out.index_policy.emplace();
  policy.log_group_identifier = in.log_group_identifier;
  policy.last_update_time = to_ms(call.now);
  policy.policy_document = in.policy_document;
  policy.source = IndexSource::LOG_GROUP;
  return out;
}

Result<DeleteIndexPolicyResponse> delete_index_policy(Call& call, const DeleteIndexPolicyRequest& in) {
  TRY(const GroupPtr group, group_of(call, std::nullopt, in.log_group_identifier));
  Logs& logs = call.service<Logs>();
  if (!logs.rules().get(*group, EventRules::Kind::kIndex))
    return fault(ResourceNotFoundException{.message = "The specified index policy does not exist."});
  TRY(const LogSequence last, logs.last_sequence(*group));
  TRYV(logs.rules().erase(*group, EventRules::Kind::kIndex, last, to_ms(call.now)));
  return DeleteIndexPolicyResponse{};
}

Result<DescribeIndexPoliciesResponse> describe_index_policies(Call& call, const DescribeIndexPoliciesRequest& in) {
  DescribeIndexPoliciesResponse out;
  auto& policies = out.index_policies.emplace();
  EventRules& rules = call.service<Logs>().rules();
  for (const std::string& identifier : in.log_group_identifiers) {
    TRY(const GroupPtr group, group_of(call, std::nullopt, identifier));
    const auto add = [&](const EventRules::Policy& policy, IndexSource source) {
      IndexPolicy& item = policies.emplace_back();
      item.log_group_identifier = identifier;
      item.last_update_time = policy.updated_ms;
      item.policy_document = policy.document;
      item.source = source;
    };
    // The group's own policy stands in for those of the account.
    if (const auto own = rules.get(*group, EventRules::Kind::kIndex)) add(*own, IndexSource::LOG_GROUP);
    else if (const auto account = rules.account_policies(*group, PolicyType::FIELD_INDEX_POLICY); !account.empty())
      add(account.front(), IndexSource::ACCOUNT);
  }
  return out;
}

// When the events that have a field were, as far as the index reaches.
struct Seen {
  std::optional<std::int64_t> first, last;
};
Result<Seen> seen(Logs& logs, const GroupPtr& group, const std::string& name, std::int64_t since_ms, std::int64_t now_ms) {
  Seen result;
  LogScanSpec spec;
  spec.groups = {group->id};
  spec.from_ms = std::max(now_ms - kIndexKeptMs, Logs::oldest_visible_ms(*group, from_ms(now_ms)));
  const bool system = name.starts_with("@");
  const GroupRulesPtr rules = logs.rules().of(*group);
  if (!system) spec.where = {{LogPredicate{LogPredicate::What::kFieldPresent, name, {}, 0}}};
  if (rules != nullptr) spec.where = shown_where(*rules, std::move(spec.where));
  TRY(LogSnapshot snapshot, logs.store().snapshot(spec));
  for (auto& stored : snapshot.blocks) {
    const std::unique_ptr<LogBlock> block = shown(std::move(stored), group, rules);
    auto rows = block->rows_visible();
    const auto times = block->timestamps_ms();
    const auto ingestions = block->ingestion_times_ms();
    if (!rows.ok() || !times.ok() || !ingestions.ok()) continue;
    if (!system) {
      const auto column = block->column(name);
      if (!column.ok() || *column == nullptr) continue;
      if (!(*column)->all_present) *rows &= (*column)->present;
    }
    rows->visit([&](std::size_t row) {
      if ((*ingestions)[row] < since_ms) return;
      const std::int64_t time = (*times)[row];
      if (!result.first || time < *result.first) result.first = time;
      if (!result.last || time > *result.last) result.last = time;
    });
  }
  return result;
}

Result<DescribeFieldIndexesResponse> describe_field_indexes(Call& call, const DescribeFieldIndexesRequest& in) {
  Logs& logs = call.service<Logs>();
  const auto wanted = [&](IndexCategory category) {
    return !in.index_categories || in.index_categories->empty() ||
           std::find(in.index_categories->begin(), in.index_categories->end(), category) != in.index_categories->end();
  };
  std::vector<std::pair<std::string, FieldIndex>> all;
  for (const std::string& identifier : in.log_group_identifiers) {
    TRY(const GroupPtr group, group_of(call, std::nullopt, identifier));
    const auto add = [&](const std::string& name, IndexCategory category, IndexType type, std::int64_t since_ms) -> Status {
      if (!wanted(category)) return Ok{};
      TRY(const Seen when, seen(logs, group, name, since_ms, to_ms(call.now)));
      if (category == IndexCategory::DEFAULT && !when.last) return Ok{};  // such as traceId, when no event has it
      FieldIndex index;
      index.log_group_identifier = identifier;
      index.field_index_name = name;
      index.last_scan_time = to_ms(call.now);
      index.first_event_time = when.first;
      index.last_event_time = when.last;
      index.type = type;
      index.index_category = category;
      all.emplace_back(fmt::format("{}\n{}", identifier, name), std::move(index));
      return Ok{};
    };
    const auto fields = indexed_fields(logs.rules(), *group);
    for (const IndexedSince& field : fields) TRYV(add(field.field.name, IndexCategory::CUSTOM, field.field.type, field.since_ms));
    for (const std::string_view name : kDefaults) {
      const bool custom = std::any_of(fields.begin(), fields.end(), [&](const IndexedSince& field) { return field.field.name == name; });
      if (!custom) TRYV(add(std::string(name), IndexCategory::DEFAULT, IndexType::FIELD_INDEX, INT64_MIN));
    }
  }
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string parameters;
  for (const std::string& identifier : in.log_group_identifiers) parameters += identifier + "|";
  DescribeFieldIndexesResponse out;
  TRY(out.next_token, cut_page("DescribeFieldIndexes", parameters, all, in.next_token, kPageMax,
                               [](const auto& item) -> const std::string& { return item.first; }));
  auto& items = out.field_indexes.emplace();
  for (auto& item : all) items.push_back(std::move(item.second));
  return out;
}

constexpr Operation kOperations[] = {
    heavy(bind<put_index_policy>()),
    heavy(bind<delete_index_policy>()),
    bind<describe_index_policies>(),
    heavy(bind<describe_field_indexes>()),
};

}  // namespace

std::vector<IndexedSince> indexed_fields(const EventRules& rules, const Group& group) {
  std::vector<IndexedSince> fields;
  const auto add = [&](const EventRules::Policy& policy) {
    const auto read = read_index_policy(policy.document);
    if (!read.ok()) return;
    for (const IndexedField& field : *read) fields.push_back({field, policy.updated_ms});
  };
  if (const auto own = rules.get(group, EventRules::Kind::kIndex)) add(*own);
  else if (const auto account = rules.account_policies(group, PolicyType::FIELD_INDEX_POLICY); !account.empty()) add(account.front());
  return fields;
}

std::span<const Operation> index_policy_operations() { return kOperations; }

}  // namespace fog::logs
