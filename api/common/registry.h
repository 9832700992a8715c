// Registry: which operations exist, which of them have a handler, and how often each was called.
//
// main adds one Service per AWS service; the tables of the model supply the operations without a
// handler, so that coverage is known and they are answered honestly.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "api/common/fault.h"
#include "api/common/operation.h"

namespace fog {

// What api/<service>/service.cc hands to main.
struct Service {
  const ServiceInfo* info = nullptr;
  std::vector<std::span<const Operation>> operations;  // one table per resource file
  std::span<const ErrorRow> errors;                    // kinds to wire codes
  InvalidHook on_invalid = nullptr;                    // null: the general ValidationException
};

class Registry {
 public:
  struct Entry {
    const OperationInfo* info = nullptr;
    const Service* service = nullptr;
    const Operation* operation = nullptr;  // null: not implemented
    mutable std::atomic<std::uint64_t> calls{0};
  };

  void add(Service service);

  // Operations are found by exact name.
  const Entry* find(const Service& service, std::string_view operation) const;
  const Service* by_signing_name(std::string_view name) const;
  const Service* by_target_prefix(std::string_view prefix) const;
  const Service* by_version(std::string_view version) const;
  // The only service that has an operation of this name; null: none or several.
  const Service* by_operation(std::string_view operation) const;
  // A REST path such as "/TraceSegments", the end of `path`; exact case first, then any case.
  const Entry* by_path(std::string_view path) const;

  const std::vector<std::unique_ptr<Service>>& services() const { return services_; }
  // All operations of a service by name, for the coverage page.
  std::vector<const Entry*> entries(const Service& service) const;

 private:
  std::vector<std::unique_ptr<Service>> services_;
  std::map<const Service*, std::map<std::string_view, std::unique_ptr<Entry>>> entries_;
};

}  // namespace fog
