// What a Query holds, and how rows become a table. Inside this room only.
#pragma once

#include <string>

#include "query/insights/command.h"
#include "query/insights/query.h"

namespace fog::insights {

struct QueryBody {
  std::string text;
  Pipeline pipeline;
  Program program;
};

Table make_table(Run& run, Batch& batch);

}  // namespace fog::insights
