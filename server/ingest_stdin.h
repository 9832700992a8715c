// `fogwatch ingest-stdin`: sends the lines of standard input to a log stream of a running server, as
// PutLogEvents, until the input ends. The group and the stream are made when they are missing.
#pragma once

#include <string>

#include "storage/base/clock.h"
#include "storage/base/result.h"

namespace fog {

struct IngestOptions {
  std::string url = "http://127.0.0.1:4566";
  std::string group;
  std::string stream;   // empty: one of this run
  std::string account = "000000000000";
  std::string region = "us-east-1";
  bool emf = false;     // lines are embedded metric format
  bool lambda = false;  // the group is a function's: /aws/lambda/GROUP
  bool echo = false;    // lines also go to standard output
};

// Reads from the descriptor until its end. Errors: what kept lines from being stored; lines wait for a
// server that is away for up to half a minute.
Status ingest_lines(int descriptor, IngestOptions options);

}  // namespace fog
