// `fogwatch check`: reads every byte that a data folder holds and compares it with its checksum.
#include <fmt/format.h>

#include "server/app.h"
#include "server/data_folder.h"
#include "storage/base/bytes.h"
#include "storage/base/hash.h"
#include "storage/log_store.h"
#include "storage/metrics/chunk.h"
#include "storage/metrics/part.h"
#include "storage/sqlite/database.h"
#include "storage/traces/document_pack.h"
#include "storage/traces/facts.h"
#include "storage/wal/check.h"
#include "storage/wal/file.h"

namespace fog {
namespace {

namespace fs = std::filesystem;

using Findings = std::vector<std::string>;

void add(Findings& findings, const fs::path& file, const Error& error) {
  findings.push_back(fmt::format("{}: {}", file.string(), error.message()));
}

std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (at->is_regular_file(error)) files.push_back(at->path());
  std::sort(files.begin(), files.end());
  return files;
}

// Pages of a database, then whatever else is guarded in it.
void check_database(const fs::path& file, Findings& findings, const std::function<Status(Database&)>& contents) {
  auto opened = Database::open(file, {.read_only = true});
  Status sound = opened.ok() ? opened->check() : Status(std::move(opened).error());
  if (sound.ok() && contents) sound = contents(*opened);
  if (!sound.ok()) add(findings, file, sound.error());
}

void check_metrics(const fs::path& folder, Findings& findings) {
  constexpr std::pair<std::string_view, metrics::Tier> kTierNames[] = {
      {"1", metrics::Tier::k1s}, {"60", metrics::Tier::k60s}, {"300", metrics::Tier::k300s}, {"3600", metrics::Tier::k3600s}};
  for (const fs::path& file : files_in(folder)) {
    if (file.extension() != ".db") continue;
    check_database(file, findings, nullptr);
    for (const auto& [name, tier] : kTierNames) {
      if (file.parent_path().filename() != name) continue;
      const auto part = metrics::PartName::parse(tier, file.filename().string());
      if (!part) continue;
      std::uint64_t damaged = 0;
      metrics::SlotBlock block;
      const Status read = metrics::open_part(file.parent_path().parent_path(), *part)->read_all([&](std::uint64_t, std::string_view chunk) {
        damaged += metrics::decode_chunk(chunk, true, block).ok() ? 0u : 1u;
        return true;
      });
      if (!read.ok()) add(findings, file, read.error());
      if (damaged > 0) findings.push_back(fmt::format("{}: {} damaged chunks", file.string(), damaged));
    }
  }
}

// Every blob of a query's first column.
Status each_blob(Database& database, const char* sql, const std::function<Status(std::string_view)>& check) {
  TRY(auto query, database.prepare(sql));
  while (true) {
    TRY(const bool found, query.step());
    if (!found) return Ok{};
    TRYV(check(query.text(0)));
  }
}

Status check_trace_day(Database& database) {
  const auto packed = [](std::string_view blob) -> Status {
    TRYV(traces::unpack_blob(blob));
    return Ok{};
  };
  for (const char* sql : {"SELECT columns FROM run", "SELECT data FROM facts", "SELECT data FROM minute"}) TRYV(each_blob(database, sql, packed));
  return each_blob(database, "SELECT data FROM docs", [](std::string_view block) {
    return traces::unpack_documents(block, [](std::size_t) { return true; }, [](std::size_t, const traces::PackedDocument&) {});
  });
}

// Queues of deliveries: the format stands in storage/spool/spool.h. A torn last record is none.
void check_spools(const fs::path& folder, Findings& findings) {
  for (const fs::path& file : files_in(folder)) {
    if (file.extension() != ".spool") continue;
    const auto mapped = MappedFile::open(file);
    if (!mapped.ok()) {
      add(findings, file, mapped.error());
      continue;
    }
    std::string_view left = mapped->bytes();
    while (left.size() >= 8) {
      ByteReader head(left);
      const auto size = head.fixed<std::uint32_t>();
      const auto sum = head.fixed<std::uint32_t>();
      if (size > left.size() - 8) break;
      if (crc32c(left.substr(8, size)) != sum) {
        findings.push_back(fmt::format("{}: a damaged record at offset {}", file.string(), mapped->bytes().size() - left.size()));
        break;
      }
      left.remove_prefix(8 + size);
    }
  }
}

}  // namespace

Result<std::vector<std::string>> check_data_folder(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_regular_file(folder / "FORMAT", error)) return Error::invalid(folder.string() + " is not a data folder of Fogwatch");
  TRY(auto lock, DataFolder::open(folder));  // nobody writes while this reads
  Findings findings;
  if (fs::is_directory(folder / "logs", error)) {
    TRY(auto report, check_log_folder(folder / "logs"));
    findings = std::move(report.findings);
  }
  if (fs::is_directory(folder / "wal", error)) {
    TRY(auto damaged, check_wal_folder(folder / "wal"));
    findings.insert(findings.end(), damaged.begin(), damaged.end());
  }
  check_metrics(folder / "metrics", findings);
  for (const fs::path& file : files_in(folder / "traces")) {
    if (file.extension() != ".db") continue;
    const bool is_day = file.filename() != "catalogue.db";
    check_database(file, findings, is_day ? check_trace_day : std::function<Status(Database&)>());
  }
  check_spools(folder / "spool", findings);
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.is_regular_file(error) && entry.path().extension() == ".db") check_database(entry.path(), findings, nullptr);
  return findings;
}

}  // namespace fog
