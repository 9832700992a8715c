#include "api/common/registry.h"

#include "api/common/http_message.h"

namespace fog {
namespace {

// The end of `path` from its last slash, without one trailing slash.
std::string_view last_segment(std::string_view path) {
  if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(slash);
}

}  // namespace

void Registry::add(Service service) {
  auto& kept = services_.emplace_back(std::make_unique<Service>(std::move(service)));
  auto& entries = entries_[kept.get()];
  for (const OperationInfo* info : kept->info->operations) {
    auto entry = std::make_unique<Entry>();
    entry->info = info;
    entry->service = kept.get();
    entries.emplace(info->name, std::move(entry));
  }
  for (const auto& table : kept->operations) {
    for (const Operation& operation : table) {
      const auto found = entries.find(operation.info->name);
      FOG_ASSERT(found != entries.end(), "a handler is registered with another service");
      FOG_ASSERT(found->second->operation == nullptr, "two handlers for one operation");
      found->second->operation = &operation;
    }
  }
}

const Registry::Entry* Registry::find(const Service& service, std::string_view operation) const {
  const auto entries = entries_.find(&service);
  if (entries == entries_.end()) return nullptr;
  const auto found = entries->second.find(operation);
  return found == entries->second.end() ? nullptr : found->second.get();
}

const Service* Registry::by_signing_name(std::string_view name) const {
  for (const auto& service : services_)
    if (service->info->signing_name == name) return service.get();
  return nullptr;
}

const Service* Registry::by_target_prefix(std::string_view prefix) const {
  if (prefix.empty()) return nullptr;
  for (const auto& service : services_)
    if (service->info->target_prefix == prefix) return service.get();
  return nullptr;
}

const Service* Registry::by_version(std::string_view version) const {
  if (version.empty()) return nullptr;
  for (const auto& service : services_)
    if (!service->info->xml_namespace.empty() && service->info->version == version) return service.get();
  return nullptr;
}

const Service* Registry::by_operation(std::string_view operation) const {
  const Service* only = nullptr;
  for (const auto& service : services_) {
    if (service->info->xml_namespace.empty() || find(*service, operation) == nullptr) continue;
    if (only != nullptr) return nullptr;
    only = service.get();
  }
  return only;
}

const Registry::Entry* Registry::by_path(std::string_view path) const {
  const std::string_view segment = last_segment(path);
  if (segment.size() < 2) return nullptr;
  const Entry* loose = nullptr;
  for (const auto& [service, entries] : entries_) {
    for (const auto& [name, entry] : entries) {
      if (entry->info->path == segment) return entry.get();
      if (loose == nullptr && http::equal_ignoring_case(entry->info->path, segment)) loose = entry.get();
    }
  }
  return loose;
}

std::vector<const Registry::Entry*> Registry::entries(const Service& service) const {
  std::vector<const Entry*> out;
  if (const auto entries = entries_.find(&service); entries != entries_.end())
    for (const auto& [name, entry] : entries->second) out.push_back(entry.get());
  return out;
}

}  // namespace fog
