// Lookup tables: CSV under a name, which `lookup` joins to query results.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "api/logs/stored.h"
#include "query/insights/query.h"
#include "storage/base/guarded.h"
#include "storage/base/result.h"
#include "storage/resource_store.h"

namespace fog::logs {

constexpr std::string_view kLookupTableKind = "log-lookup-table";

// CSV with a header row (RFC 4180). Errors: invalid, a sentence for the user.
Result<insights::LookupTable> read_csv(std::string_view text);
std::string write_csv(const insights::Table& table);

// A stored table as queries use it; nothing when there is none of that name. Parsed once a change.
class LookupTableCache {
 public:
  explicit LookupTableCache(ResourceStore& resources) : resources_(resources) {}
  std::shared_ptr<const insights::LookupTable> find(const std::string& account, const std::string& region, std::string_view name);

 private:
  struct Cached {
    std::string body;
    std::shared_ptr<const insights::LookupTable> table;
  };
  ResourceStore& resources_;
  Guarded<std::map<std::string, Cached>> cache_;
};

// Makes or replaces a table: what scheduled queries and the operations do. Errors: invalid, limit.
Result<StoredLookupTable> put_lookup_table(ResourceStore& resources, const std::string& account, const std::string& region,
                                           LookupTable settings, std::string body, std::int64_t now_ms);

}  // namespace fog::logs
