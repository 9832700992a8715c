// Call: everything a handler gets beside its input: who calls, where, when, and the stores.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "api/common/fault.h"
#include "api/common/operation.h"
#include "api/common/services.h"
#include "api/common/shape.h"
#include "storage/base/clock.h"
#include "storage/wal/wal.h"

namespace fog {

struct Call {
  std::string account = "000000000000";
  std::string region = "us-east-1";
  std::string request_id;
  Timestamp now{};  // virtual time of this call
  // The caller.
  std::string access_key;  // empty: unsigned
  std::string principal;   // ARN of the caller
  std::string user_agent;
  std::string source_ip;
  std::string base_url = "http://127.0.0.1:4566";  // of this server as the caller addresses it
  bool is_signed = false;
  bool is_console = false;
  bool is_get = false;  // a link from a notification, opened in a browser

  const OperationInfo* operation = nullptr;
  const Services* services = nullptr;
  // Extra headers of the answer, such as X-Amzn-Failure-Message.
  std::vector<std::pair<std::string, std::string>> response_headers;
  // The answer is held back until this record of the log is durable; 0: at once.
  Lsn durable_lsn = 0;

  template <typename T>
  T& service() const {
    return services->get<T>();
  }
  void durable_after(Lsn lsn) { durable_lsn = std::max(durable_lsn, lsn); }
};

// "aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b": the partition of a region, for ARNs.
std::string_view partition_of(std::string_view region);

}  // namespace fog
