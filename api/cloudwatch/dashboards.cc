// Dashboards: global documents, checked when they are put and returned as they were put.
//
// Document of kind "cw-dashboard" (region empty): i64 last modified in ms, then the body.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/cloudwatch/dashboard_body.h"
#include "api/cloudwatch/model.h"
#include "api/cloudwatch/service.h"
#include "storage/base/bytes.h"
#include "storage/base/hash.h"

namespace fog::cloudwatch {
namespace {

constexpr std::size_t kPage = 1000;
constexpr std::size_t kDeleteMax = 100;
constexpr std::size_t kNameMax = 255;

struct Stored {
  Timestamp modified;
  std::string body;
};

ResourceKey key_of(const Call& call, std::string_view name) {
  return {std::string(kDashboardKind), call.account, "", std::string(name)};
}

Stored decode(std::string_view document) {
  ByteReader in(document);
  const auto ms = in.fixed<std::int64_t>();
  return {from_ms(ms), std::string(in.rest())};
}

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameMax && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

Error invalid_body(const std::vector<BodyMessage>& errors) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  DashboardInvalidInputError e;
  auto& messages = e.dashboard_validation_messages.emplace();
  for (const BodyMessage& m : errors) {
    list.push_back({{"dataPath", m.data_path}, {"message", m.message}});
    messages.push_back({.data_path = m.data_path, .message = m.message});
  }
  e.message = fmt::format("The dashboard body is invalid, there are {} validation errors:\n{}", errors.size(),
                          list.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  return fault(std::move(e));
}

Result<PutDashboardOutput> put_dashboard(Call& call, const PutDashboardInput& in) {
  if (!is_name(in.dashboard_name))
    return invalid_value(
        "The value for field DashboardName contains invalid characters. It can only contain "
        "alphanumerics, dash (-) and underscore (_).\n");
  const BodyVerdict verdict = check_dashboard_body(in.dashboard_body);
  if (!verdict.is_object)
    return fault(DashboardInvalidInputError{.message = "The field DashboardBody must be a valid JSON object"});
  if (!verdict.errors.empty()) return invalid_body(verdict.errors);

  auto& store = call.service<ResourceStore>();
  const ResourceKey key = key_of(call, in.dashboard_name);
  const bool is_new = !store.get(key);
  std::string document;
  ByteWriter out(document);
  out.fixed(to_ms(call.now));
  out.raw(in.dashboard_body);
  if (is_new && in.tags && in.tags->size() > kTagsMax)
    return invalid_value("The number of tags exceeds the limit of 50 tags per resource.");
  TRYV(store.put(key, std::move(document)));
  if (is_new) TRYV(add_tags(call, dashboard_arn(call, in.dashboard_name), in.tags));
  PutDashboardOutput output;
  auto& messages = output.dashboard_validation_messages.emplace();
  for (const BodyMessage& m : verdict.warnings)
    messages.push_back({.data_path = m.data_path, .message = m.message});
  return output;
}

Result<GetDashboardOutput> get_dashboard(Call& call, const GetDashboardInput& in) {
  const auto document = call.service<ResourceStore>().get(key_of(call, in.dashboard_name));
  if (!document)
    return fault(DashboardNotFoundError{.message = "Dashboard " + in.dashboard_name + " does not exist"});
  GetDashboardOutput out;
  out.dashboard_arn = dashboard_arn(call, in.dashboard_name);
  out.dashboard_body = decode(*document).body;
  out.dashboard_name = in.dashboard_name;
  return out;
}

Result<ListDashboardsOutput> list_dashboards(Call& call, const ListDashboardsInput& in) {
  const std::string prefix = in.dashboard_name_prefix.value_or("");
  ResourceStore::ListSpec spec;
  spec.kind = kDashboardKind;
  spec.account = call.account;
  spec.name_prefix = prefix;
  spec.limit = kPage + 1;
  if (in.next_token) {
    spec.after = page_key("ListDashboards", hash64(prefix), *in.next_token);
    if (!spec.after) return invalid_value("Request parameter NextToken is invalid");
  }
  auto rows = call.service<ResourceStore>().list(spec);
  ListDashboardsOutput out;
  auto& entries = out.dashboard_entries.emplace();
  if (rows.size() > kPage) {
    rows.pop_back();
    out.next_token = page_token("ListDashboards", hash64(prefix), rows.back().key.name);
  }
  for (const Resource& row : rows) {
    const Stored stored = decode(row.document);
    DashboardEntry& entry = entries.emplace_back();
    entry.dashboard_name = row.key.name;
    entry.dashboard_arn = dashboard_arn(call, row.key.name);
    entry.last_modified = stored.modified;
    entry.size = static_cast<std::int64_t>(stored.body.size());
  }
  return out;
}

Result<DeleteDashboardsOutput> delete_dashboards(Call& call, const DeleteDashboardsInput& in) {
  if (in.dashboard_names.empty())
    return invalid_value("The parameter DashboardNames must contain at least one dashboard name.");
  if (in.dashboard_names.size() > kDeleteMax)
    return invalid_value(
        fmt::format("The collection DashboardNames must not have a size greater than {}.", kDeleteMax));
  auto& store = call.service<ResourceStore>();
  std::vector<ResourceStore::Change> gone;
  std::string unknown;
  for (const std::string& name : in.dashboard_names) {
    if (store.get(key_of(call, name))) {
      gone.push_back({key_of(call, name), std::nullopt});
      const std::string arn = dashboard_arn(call, name);
      gone.push_back({{std::string(kTagKind), call.account, arn_region(arn), arn}, std::nullopt});
    } else {
      unknown += (unknown.empty() ? "" : ", ") + name;
    }
  }
  if (!gone.empty()) TRYV(store.apply(std::move(gone)));
  if (!unknown.empty())
    return fault(DashboardNotFoundError{.message = "The specified dashboard does not exist. [" + unknown + "]"});
  return DeleteDashboardsOutput{};
}

constexpr Operation kOperations[] = {bind<delete_dashboards>(), bind<get_dashboard>(), bind<list_dashboards>(),
                                     bind<put_dashboard>()};

}  // namespace

std::span<const Operation> dashboard_operations() { return kOperations; }

}  // namespace fog::cloudwatch
