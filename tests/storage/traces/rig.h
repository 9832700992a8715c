// A trace store with its log, which can be closed and opened again, and documents to put into it.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <thread>

#include <fmt/format.h>

#include "storage/base/bytes.h"
#include "storage/base/clock.h"
#include "storage/trace_store.h"
#include "storage/traces/bucket.h"
#include "storage/traces/terms.h"

namespace fog {
namespace {  // each test file has its own

namespace fs = std::filesystem;
using namespace traces;

constexpr std::int64_t kNow = 1'700'000'000;

class TempFolder {
 public:
  TempFolder() {
    std::string name = (fs::temp_directory_path() / "fog-traces-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TempFolder() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// A store with its log, which can be closed and opened again.
struct Rig {
  explicit Rig(fs::path where = {}) : folder(std::move(where)) { open(); }
  void open() {
    Wal::Options wal_options;
    wal_options.folder = folder / "wal";
    wal_options.durability = folder.empty() ? Durability::kEphemeral : Durability::kRelaxed;
    auto opened_wal = Wal::open(wal_options);
    ASSERT_TRUE(opened_wal.ok()) << opened_wal.error().message();
    wal = std::move(*opened_wal);
    options.folder = folder.empty() ? fs::path() : folder / "traces";
    options.strict = false;
    auto opened = TraceStore::open(options, *wal, clock);
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    store = std::move(*opened);
    ASSERT_TRUE(wal->replay([&](const Wal::Record& record) { store->apply_record(record); }).ok());
  }
  void reopen() {
    store.reset();
    wal.reset();
    open();
  }
  TraceStore::Receipt put(std::vector<std::string> documents) {
    const std::vector<std::string_view> views(documents.begin(), documents.end());
    return store->append(scope, views);
  }
  std::vector<std::string> scan(TraceScan spec) {
    if (spec.to_ms == 0) spec.to_ms = std::numeric_limits<std::int64_t>::max() / 4;
    std::vector<std::string> ids;
    auto done = store->scan(scope, spec, [&](const auto& trace) {
      ids.push_back(to_string(trace->id));
      return true;
    });
    EXPECT_TRUE(done.ok());
    return ids;
  }

  fs::path folder;
  ManualClock clock{from_ms(kNow * 1000)};
  TraceStore::Options options;
  std::unique_ptr<Wal> wal;
  std::unique_ptr<TraceStore> store;
  TraceScope scope{"000000000000", "us-east-1"};
};

[[maybe_unused]] std::string trace_id(std::uint32_t n, std::int64_t epoch = kNow) { return fmt::format("1-{:08x}-{:024x}", epoch, n); }

[[maybe_unused]] std::string segment(const std::string& trace, std::uint64_t id, double start, double end, const std::string& more = "") {
  return fmt::format(R"({{"trace_id":"{}","id":"{:016x}","name":"svc","start_time":{:.3f},"end_time":{:.3f}{}}})", trace, id,
                     start, end, more);
}

[[maybe_unused]] double t(double offset) { return static_cast<double>(kNow) + offset; }

}  // namespace
}  // namespace fog
