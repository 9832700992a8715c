// Prices of AWS, as a table that users may edit: what a unit of each kind of use costs.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "api/common/meters.h"
#include "storage/base/result.h"

namespace fog {

struct PriceRow {
  Meter meter = Meter::kMeters;
  std::string_view service;
  std::string_view operation;  // the operation, or what is paid for where it is no operation
  std::string_view unit;
  double raw_per_unit = 1;   // of the meter's own units
  double price = 0;          // of a unit
  double free = 0;           // units that cost nothing, a month
  bool is_standing = false;  // costs by time, whether it is used or not
};

class PriceTable {
 public:
  PriceTable();  // us-east-1, on-demand, without free tiers

  // {"currency", "as_of", "prices": [{"service", "operation", "unit", "price", "free"}]}
  std::string json() const;
  // The same form; what it does not name stays as it is. Errors name the row; nothing is changed then.
  Status change(std::string_view json);

  const std::array<PriceRow, kMeterCount>& rows() const { return rows_; }
  const std::string& currency() const { return currency_; }
  const std::string& as_of() const { return as_of_; }

 private:
  std::array<PriceRow, kMeterCount> rows_;
  std::string currency_ = "USD";
  std::string as_of_;
};

}  // namespace fog
