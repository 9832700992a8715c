// Embedded metric format: metrics inside a log line.
#include "query/emf/emf.h"

#include "tests/fuzz/target.h"

namespace fog::fuzz {

FOG_FUZZ(emf) {
  const bool may_be = emf::may_be_document(input);
  const auto found = emf::extract(input);
  must(may_be || !found.is_document, "nothing is found where nothing may be");
  for (const emf::Datum& datum : found.data) {
    must(datum.dimensions.size() <= emf::kDimensionsMax, "at most 30 dimensions");
    must(datum.values.size() <= emf::kValuesMax, "at most 100 values");
  }
}

FOG_FUZZ_SEEDS(emf) {
  return {R"({"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"shop","Dimensions":[["service"],[]],"Metrics":[{"Name":"latency","Unit":"Milliseconds","StorageResolution":1}]}]},"service":"cart","latency":[12,15.5]})",
          R"({"_aws":{"LogGroupName":"g","CloudWatchMetrics":[{"Namespace":"n","Metrics":[{"Name":"a"},{"Name":"b.c"}]}]},"a":1,"b":{"c":2}})"};
}

}  // namespace fog::fuzz
