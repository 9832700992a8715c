// Where the encryption key of query results is kept; AssociateKmsKey names it, GetQueryResults shows it.
#pragma once

#include "api/common/call.h"
#include "storage/resource_store.h"

namespace fog::logs {

inline ResourceKey query_result_key(const Call& call) { return {"log-query-result-key", call.account, call.region, "key"}; }

}  // namespace fog::logs
