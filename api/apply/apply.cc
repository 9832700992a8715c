#include "api/apply/apply.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/apply/resource_type.h"
#include "api/apply/stand_in.h"
#include "api/apply/text.h"

namespace fog::apply {
namespace {

// One run over a template.
class Run {
 public:
  Run(const Template& source, const Client& client, const std::function<void(const Row&)>& seen) : source_(source), client_(client), seen_(seen) {}

  Outcome make() {
    for (const Resource& resource : source_.order()) say(make_one(resource));
    for (const auto& [name, output] : source_.outputs().items()) {
      if (output.is_object() && output.contains("Value") && is_wanted(output)) {
        if (auto value = source_.evaluate(output["Value"], lookup()); value.ok()) outcome_.outputs.emplace_back(name, text_of(*value));
      }
    }
    return std::move(outcome_);
  }

  // Finds everything first, since names depend on each other, then removes from the end.
  Outcome unmake() {
    std::vector<Found> found;
    for (const Resource& resource : source_.order()) found.push_back(find_one(resource));
    for (auto one = found.rbegin(); one != found.rend(); ++one) say(remove_one(*one));
    return std::move(outcome_);
  }

 private:
  struct Found {
    const Resource* resource = nullptr;
    const ResourceType* type = nullptr;
    Row row;  // says skipped or failed already, if so
    Json desired;
    std::optional<Json> current;
    bool is_settled = false;  // `row` is the last word
  };

  void say(Row row) {
    seen_(row);
    outcome_.rows.push_back(std::move(row));
  }

  bool is_wanted(const Json& output) const {
    if (!output.contains("Condition")) return true;
    const auto holds = source_.condition(text_of(output["Condition"]));
    return holds.ok() && *holds;
  }

  Context context(const Resource& resource, Row& row) const {
    const Settings& settings = source_.settings();
    return {.client = client_, .id = resource.id, .stack = settings.stack, .account = settings.account, .region = settings.region,
            .partition = std::string(partition_of_region(settings.region)), .ignored = &row.ignored};
  }

  Template::Lookup lookup() const {
    return [this](const std::string& id, const std::string& attribute) -> Result<Json> {
      const auto found = known_.find(id);
      if (found == known_.end()) return Error::invalid(fmt::format("{} was not made", id));
      if (attribute.empty()) {
        if (found->second.ref.is_null()) return Error::invalid(fmt::format("{} has no Ref yet", id));
        return found->second.ref;
      }
      const auto value = found->second.attributes.find(attribute);
      if (value == found->second.attributes.end() || value->second.is_null()) return Error::invalid(fmt::format("{} has no attribute {} here", id, attribute));
      return value->second;
    };
  }

  // What is wanted and what is there.
  Found find_one(const Resource& resource) {
    Found found{.resource = &resource, .row = {.id = resource.id, .type = resource.type}};
    const auto settle = [&](Row::What what, std::string note) {
      found.row.what = what;
      found.row.note = std::move(note);
      found.is_settled = true;
    };
    if (!resource.condition.empty()) {
      const auto holds = source_.condition(resource.condition);
      if (!holds.ok()) return settle(Row::What::kFailed, holds.error().message()), found;
      if (!*holds) return settle(Row::What::kSkipped, fmt::format("its condition {} is false", resource.condition)), found;
    }
    found.type = find_type(resource.type);
    if (found.type == nullptr) {
      const Json name = stand_in_name(resource.type, resource.properties);
      auto evaluated = source_.evaluate(name, lookup());
      known_[resource.id] = stand_in(context(resource, found.row), resource.type, evaluated.ok() && evaluated->is_string() ? text_of(*evaluated) : "");
      return settle(Row::What::kSkipped, reason_to_skip(resource.type)), found;
    }
    auto properties = source_.evaluate(resource.properties, lookup());
    if (!properties.ok()) return settle(Row::What::kFailed, properties.error().message()), found;
    const Context here = context(resource, found.row);
    auto desired = found.type->want(here, std::move(*properties));
    if (!desired.ok()) return settle(Row::What::kFailed, desired.error().message()), found;
    found.desired = std::move(*desired);
    auto current = found.type->read(here, found.desired);
    if (!current.ok()) return settle(Row::What::kFailed, current.error().message()), found;
    found.current = std::move(*current);
    known_[resource.id] = found.type->identity(here, found.desired, found.current ? &*found.current : nullptr);
    return found;
  }

  Row make_one(const Resource& resource) {
    Found found = find_one(resource);
    if (found.is_settled) return std::move(found.row);
    Row& row = found.row;
    const auto fail = [&](std::string note) {
      known_.erase(resource.id);
      row.what = Row::What::kFailed;
      row.note = std::move(note);
      return row;
    };
    row.note = text_of(known_[resource.id].ref);
    if (found.current && found.type->is_same(found.desired, *found.current)) {
      row.what = Row::What::kUnchanged;
      return row;
    }
    const Context here = context(resource, row);
    const Status written = found.type->write(here, found.desired, found.current ? &*found.current : nullptr);
    if (!written.ok()) return fail(written.error().message());
    row.what = found.current ? Row::What::kUpdated : Row::What::kCreated;
    auto current = found.type->read(here, found.desired);
    if (!current.ok()) return fail(current.error().message());
    known_[resource.id] = found.type->identity(here, found.desired, *current ? &**current : nullptr);
    row.note = text_of(known_[resource.id].ref);
    return row;
  }

  Row remove_one(Found& found) {
    if (found.is_settled) return std::move(found.row);
    Row& row = found.row;
    row.note = text_of(known_[row.id].ref);
    if (!found.current) {
      row.what = Row::What::kAbsent;
    } else if (found.resource->deletion_policy == "Retain") {
      row.what = Row::What::kKept;
    } else if (const Status removed = found.type->remove(context(*found.resource, row), found.desired, *found.current); removed.ok()) {
      row.what = Row::What::kDeleted;
    } else {
      row.what = Row::What::kFailed;
      row.note = removed.error().message();
    }
    row.ignored.clear();
    return std::move(row);
  }

  const Template& source_;
  const Client& client_;
  const std::function<void(const Row&)>& seen_;
  std::map<std::string, Identity> known_;
  Outcome outcome_;
};

}  // namespace

std::string_view word_of(Row::What what) {
  switch (what) {
    case Row::What::kCreated: return "created";
    case Row::What::kUpdated: return "updated";
    case Row::What::kUnchanged: return "unchanged";
    case Row::What::kDeleted: return "deleted";
    case Row::What::kAbsent: return "absent";
    case Row::What::kKept: return "kept";
    case Row::What::kSkipped: return "skipped";
    case Row::What::kFailed: return "failed";
  }
  return "";
}

bool Outcome::has_failed() const {
  return std::any_of(rows.begin(), rows.end(), [](const Row& row) { return row.what == Row::What::kFailed; });
}

Outcome apply(const Template& source, const Client& client, Direction direction, const std::function<void(const Row&)>& seen) {
  Run run(source, client, seen);
  return direction == Direction::kApply ? run.make() : run.unmake();
}

std::vector<std::string_view> all_types() {
  std::vector<std::string_view> names;
  for (const auto& types : {cloudwatch_types(), logs_types(), messaging_types(), xray_types()}) {
    for (const ResourceType* type : types) names.push_back(type->type());
  }
  return names;
}

const ResourceType* find_type(std::string_view name) {
  for (const auto& types : {cloudwatch_types(), logs_types(), messaging_types(), xray_types()}) {
    for (const ResourceType* type : types) {
      if (type->type() == name) return type;
    }
  }
  return nullptr;
}

}  // namespace fog::apply
