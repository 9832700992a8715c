// copy_data_folder: a copy of a data folder, taken from outside the engines, while a server may be
// writing to it. What the server had acknowledged before the call began is in the copy; of what came
// during it each record is there whole or not at all.
//
// No engine is stopped and no lock of ours is held. The copy is what recovery after a crash could find:
//   1. the write-ahead log's files are linked, so that no record that some mark below needs can go;
//   2. each unit of the stores is copied whole, with its mark of what it has applied: a day of traces and
//      the resource store through SQLite, a log group as the manifest and the segments it names, metrics
//      as the series file first and then the parts. A unit that changed meanwhile is copied again;
//   3. the log's files since, cut behind the last whole record;
//   4. the resources, after the log, so that no record names an id that may be given out again;
//   5. an empty log file whose LSNs begin far beyond all marks: a mark may run ahead of the cut.
// Opening the copy replays the log over the units, as after any crash.
//
// Files that never change are hard links in `links`; all others are new files in `copies`.
// Threads: any; also another process than the server's, which must be of the same user (or root).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

#include "storage/base/result.h"

namespace fog {

struct CopyPlaces {
  std::filesystem::path data;
  std::filesystem::path links;   // on the filesystem of `data`; made when absent
  std::filesystem::path copies;  // may be the same folder
};

enum class CopyScope {
  kStores,  // what clients put: logs, metrics, traces, resources, queues, the clock
  kAll,     // also all else that lies in the folder: FORMAT, keys, users
};

struct CopyReport {
  std::uint64_t linked = 0;
  std::uint64_t copied = 0;
  std::uint64_t copied_bytes = 0;
  std::uint64_t retries = 0;  // units that changed while they were copied
};

// Errors: busy (a unit changed every time), internal (the disk). Both places may then hold a part.
Result<CopyReport> copy_data_folder(const CopyPlaces& places, CopyScope scope);

// The top-level names of a data folder that CopyScope::kStores speaks of.
bool is_store_name(std::string_view name);
// Names that belong to the running server or to work in progress: in no copy.
bool is_passing_name(std::string_view name);

// Puts the tree `from` (a copy, on the same filesystem) at `to`: links for what never changes, copies else.
Status clone_copy(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace fog
