#include "api/cloudwatch/service.h"
namespace fog::cloudwatch {
std::span<const Operation> metric_data_operations() { return {}; }
}
