// apply(): makes what a template describes, or takes it away again.
//
// Each resource is read first and written only if it differs, so a second run changes nothing. Resources are made
// one by one in the order of their references. What Fogwatch has no service for is skipped; references to it get
// the name or ARN that it would have, so that an alarm on a function's metric works without the function. A
// resource that fails is reported, and what refers to it is skipped; the others go on.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "api/apply/client.h"
#include "api/apply/template.h"

namespace fog::apply {

struct Row {
  enum class What { kCreated, kUpdated, kUnchanged, kDeleted, kAbsent, kKept, kSkipped, kFailed };
  What what = What::kSkipped;
  std::string id;
  std::string type;
  std::string note;  // the resource's name or ARN, or why not
  std::vector<std::string> ignored;  // properties that were not applied
};
std::string_view word_of(Row::What what);

struct Outcome {
  std::vector<Row> rows;
  std::vector<std::pair<std::string, std::string>> outputs;
  bool has_failed() const;
};

enum class Direction { kApply, kDelete };

// `seen` is called with each row when it is known.
Outcome apply(const Template& source, const Client& client, Direction direction, const std::function<void(const Row&)>& seen);

}  // namespace fog::apply
