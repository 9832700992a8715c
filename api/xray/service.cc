#include "api/xray/service.h"

#include "api/xray/errors.h"
#include "api/xray/model.h"

namespace fog::xray {

fog::Service service() {
  return {.info = &kService,
          .operations = {segment_operations(), trace_operations(), summary_operations(), graph_operations(),
                         group_operations(), sampling_rule_operations(), sampling_operations(), tag_operations(),
                         setting_operations(), policy_operations(), retrieval_operations(), insight_operations()},
          .errors = error_rows(),
          .on_invalid = on_invalid};
}

}  // namespace fog::xray
