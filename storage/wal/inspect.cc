// A log's files for those who look at them or copy them.
#include <algorithm>
#include <map>

#include "storage/wal/check.h"
#include "storage/wal/file.h"
#include "storage/wal/format.h"
#include "storage/wal/tail.h"

namespace fog {

namespace fs = std::filesystem;
using namespace wal;  // NOLINT: the format's own words

Result<std::vector<std::string>> check_wal_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::map<Lsn, fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (const auto first = lsn_of_name(entry.path())) files.emplace(*first, entry.path());
  if (error) return Error::not_found(folder.string() + ": " + error.message());
  std::vector<std::string> findings;
  Lsn expected = 1;
  for (const auto& [first, path] : files) {
    expected = std::max(expected, first);
    TRY(const MappedFile mapped, MappedFile::open(path));
    const std::string_view all = mapped.bytes();
    const bool is_last = path == files.rbegin()->second;
    const auto found = [&, name = path.string()](const std::string& what) { findings.push_back(name + ": " + what); };
    if (all.substr(0, kFileHeaderBytes) != file_header(first)) {
      if (is_last && all.size() < kFileHeaderBytes && file_header(first).starts_with(all)) continue;  // a crash at its birth
      found("the header is damaged");
    }
    const std::size_t written = zeros_at_end(all);
    std::size_t damaged = 0;
    std::size_t at = std::min(kFileHeaderBytes, all.size());
    while (at < all.size()) {
      const auto record = parse_record(all.substr(at), expected);
      if (!record) {
        if (at >= written) break;
        ++at;
        ++damaged;
        continue;
      }
      if (damaged > 0) found(std::to_string(damaged) + " damaged bytes before offset " + std::to_string(at));
      // Where a process began to write, numbers were passed over.
      if (record->lsn != expected && damaged == 0 && at > kFileHeaderBytes) found("records are missing before offset " + std::to_string(at));
      damaged = 0;
      expected = record->lsn + 1;
      at += kRecordHeaderBytes + record->payload.size();
    }
    if (damaged == 0) continue;
    // A record that is not there to its end is what a crash leaves; it was never acknowledged.
    const std::string_view tail = all.substr(at - damaged);
    const bool torn = is_last && (tail.size() < kRecordHeaderBytes || read_header(tail).length > tail.size() - kRecordHeaderBytes);
    if (!torn) found(std::to_string(damaged) + " damaged bytes at the end");
  }
  return findings;
}

Result<WalTail> wal_tail(const std::filesystem::path& file) {
  TRY(const MappedFile mapped, MappedFile::open(file));
  const std::string_view all = mapped.bytes();
  const Lsn first = lsn_of_name(file).value_or(1);
  WalTail tail{.sound_bytes = std::min(kFileHeaderBytes, all.size()), .next = first};
  const std::size_t written = zeros_at_end(all);
  for (std::size_t at = kFileHeaderBytes; at < all.size();) {
    const auto record = parse_record(all.substr(at), tail.next);
    if (!record && at >= written) break;
    if (!record) {  // damage in the middle stays in the copy, where recovery steps over it
      ++at;
      continue;
    }
    at += kRecordHeaderBytes + record->payload.size();
    tail = {.sound_bytes = at, .next = record->lsn + 1};
  }
  return tail;
}

Status write_empty_wal_file(const std::filesystem::path& folder, Lsn first) {
  return write_whole(folder / file_name(first), file_header(first));
}

}  // namespace fog
