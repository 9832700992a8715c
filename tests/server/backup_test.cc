// Backups as files: folder and tar, round trips, every kind of damage, paths that lead out.
#include "server/backup/backup.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include <fmt/format.h>
#include <sys/stat.h>

#include "server/app.h"
#include "server/backup/tar.h"
#include "storage/backup/copy.h"
#include "tests/storage/power/world.h"
#include "tests/storage/temp_folder.h"

namespace fog::backup {
namespace {

namespace fs = std::filesystem;
using testing::TempFolder;
using testing::World;

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const fs::path& file, std::string_view text) { std::ofstream(file, std::ios::binary) << text; }

std::map<std::string, std::string> tree_of(const fs::path& root) {
  std::map<std::string, std::string> all;
  for (const auto& entry : fs::recursive_directory_iterator(root))
    if (entry.is_regular_file()) all[entry.path().lexically_relative(root)] = text_of(entry.path());
  return all;
}

// A stopped data folder with logs sealed and unsealed, metrics in parts, traces, resources.
void fill(const fs::path& data) {
  fs::create_directories(data);
  write(data / "FORMAT", "fogwatch data 1\n");
  World world;
  ASSERT_TRUE(world.open(data, Durability::kRelaxed).ok());
  for (int n = 0; n < 60; ++n) {
    std::vector<std::string> messages;
    std::vector<LogEventIn> events;
    for (int i = 0; i < 20; ++i) messages.push_back(fmt::format("line {} of batch {}", i * 7919, n));
    for (const std::string& message : messages) events.push_back({1'787'184'000'000 + n, message});
    ASSERT_TRUE(world.logs->append({1, 1, 1'787'184'000'000, events, {}}).ok());
    const double value = n;
    MetricPoint point;
    point.metric_namespace = "App";
    point.metric_name = "m";
    point.time = from_ms(1'787'184'000'000 + n * 60'000);
    point.values = std::span(&value, 1);
    ASSERT_TRUE(world.metrics->put({"1", "r", std::span(&point, 1)}).ok());
    if (n == 30) {
      ASSERT_TRUE(world.logs->flush().ok() && world.metrics->flush().ok());
    }
  }
  const std::string document = R"({"trace_id":"1-6a85bd80-000000000000000000000001","id":"0000000000000001","name":"s","start_time":1787184000.5,"end_time":1787184000.75})";
  const std::string_view view = document;
  ASSERT_NE(world.traces->append({"1", "r"}, std::span(&view, 1)).lsn, 0u);
  ASSERT_TRUE(world.traces->seal_all().ok());
  ASSERT_TRUE(world.resources->put({"thing", "1", "r", "x"}, "document").ok());
  ASSERT_TRUE(world.wal->wait_durable(world.wal->last_lsn()).ok());
}

class Backup : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    fill(data);
    const auto made = make_backup(data, copy);
    ASSERT_TRUE(made.ok()) << made.error().message();
    EXPECT_GT(made->files, 5u);
  }
  // The error of restoring; nothing may have been made.
  Error refusal(const fs::path& from) {
    const auto restored = restore_backup(from, folder.path() / "new");
    EXPECT_FALSE(restored.ok());
    EXPECT_FALSE(fs::exists(folder.path() / "new"));
    for (const auto& entry : fs::directory_iterator(folder.path())) EXPECT_EQ(entry.path().string().find("restoring"), std::string::npos);
    return restored.ok() ? Error::internal("none") : restored.error();
  }

  TempFolder folder;
  fs::path data = folder.path() / "data";
  fs::path copy = folder.path() / GetParam();
};

INSTANTIATE_TEST_SUITE_P(Forms, Backup, ::testing::Values("copy", "copy.tar"));

TEST_P(Backup, comes_back_byte_for_byte_and_opens) {
  ASSERT_TRUE(verify_backup(copy).ok());
  const fs::path back = folder.path() / "back";
  ASSERT_TRUE(restore_backup(copy, back).ok());
  const auto findings = check_data_folder(back);
  ASSERT_TRUE(findings.ok());
  EXPECT_TRUE(findings->empty()) << findings->front();
  World world;
  ASSERT_TRUE(world.open(back, Durability::kRelaxed).ok());
  LogScanSpec spec;
  spec.groups = {1};
  std::size_t events = 0;
  auto snapshot = world.logs->snapshot(spec);
  ASSERT_TRUE(snapshot.ok());
  for (auto& block : snapshot->blocks) events += block->rows();
  EXPECT_EQ(events, 1200u);
  EXPECT_EQ(world.resources->get({"thing", "1", "r", "x"}), "document");
}

TEST_P(Backup, leaves_nothing_behind_and_shows_nobody_its_keys) {
  for (const auto& entry : fs::directory_iterator(data)) EXPECT_FALSE(entry.path().filename().string().starts_with(".")) << entry.path();
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder.path())) names.insert(entry.path().filename());
  EXPECT_EQ(names, (std::set<std::string>{"data", GetParam()}));
  EXPECT_EQ(static_cast<int>(fs::status(copy).permissions()) & 077, 0);
}

TEST_P(Backup, overwrites_nothing) {
  EXPECT_EQ(make_backup(data, copy).error().kind(), ErrorKind::kInvalid);
  EXPECT_EQ(restore_backup(copy, data).error().kind(), ErrorKind::kInvalid);
  EXPECT_EQ(make_backup(folder.path() / "nowhere", folder.path() / "x").error().kind(), ErrorKind::kInvalid);
}

TEST_P(Backup, a_flipped_bit_anywhere_is_found) {
  const bool is_tar = copy.extension() == ".tar";
  std::vector<fs::path> files{copy};
  if (!is_tar) {
    files.clear();
    for (const auto& [name, text] : tree_of(copy))
      if (!text.empty()) files.push_back(copy / name);
  }
  int tried = 0;
  for (const fs::path& file : files) {
    const std::string before = text_of(file);
    for (std::size_t k = 0; k < (is_tar ? 400u : 3u); ++k) {
      const std::size_t at = before.size() * k / (is_tar ? 400 : 3);
      if (is_tar && before[at] == '\0') continue;  // padding between files is of no file
      std::string hurt = before;
      hurt[at] = static_cast<char>(hurt[at] ^ 4);
      write(file, hurt);
      EXPECT_FALSE(verify_backup(copy).ok()) << file << " at " << at;
      ++tried;
    }
    write(file, before);
  }
  EXPECT_GT(tried, 15);
  EXPECT_TRUE(verify_backup(copy).ok());
}

TEST_P(Backup, one_that_was_cut_off_is_refused) {
  if (copy.extension() == ".tar") {
    const std::string whole = text_of(copy);
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{511}, std::size_t{512}, whole.size() / 3, whole.size() - 1024, whole.size() - 1536}) {
      write(copy, whole.substr(0, size));
      EXPECT_FALSE(refusal(copy).message().empty());
    }
  } else {
    for (const char* name : {"BACKUP", "SHA256SUMS", "resources.db"}) {
      const std::string before = text_of(copy / name);
      fs::remove(copy / name);
      EXPECT_FALSE(refusal(copy).message().empty());
      write(copy / name, before);
    }
    write(copy / "stranger", "x");
    EXPECT_NE(refusal(copy).message().find("stranger"), std::string::npos);
  }
}

TEST_P(Backup, of_a_newer_program_is_refused) {
  if (copy.extension() == ".tar") GTEST_SKIP() << "the folder shows it";
  std::string seal = text_of(copy / "BACKUP");
  seal.replace(seal.find("backup 1"), 8, "backup 2");
  write(copy / "BACKUP", seal);
  EXPECT_NE(refusal(copy).message().find("newer"), std::string::npos);
}

// Every byte of every database, whatever row or index or empty room it lies in.
TEST(CheckDataFolder, finds_a_flipped_bit_anywhere_in_a_database) {
  TempFolder folder;
  const fs::path data = folder.path() / "data";
  fill(data);
  ASSERT_TRUE(check_data_folder(data).value().empty());
  int databases = 0;
  for (const auto& [name, before] : tree_of(data)) {
    if (!name.ends_with(".db")) continue;
    ++databases;
    for (std::size_t at = 0; at < before.size(); at += before.size() / 40 + 1) {
      std::string hurt = before;
      hurt[at] = static_cast<char>(hurt[at] ^ (1 << at % 8));
      write(data / name, hurt);
      const auto findings = check_data_folder(data);
      ASSERT_TRUE(findings.ok());
      EXPECT_FALSE(findings->empty()) << name << " at " << at;
    }
    write(data / name, before);
  }
  EXPECT_GE(databases, 5);
  EXPECT_TRUE(check_data_folder(data).value().empty());
}

TEST(Tar, keeps_paths_and_sizes_of_every_length) {
  TempFolder folder;
  std::vector<std::pair<std::string, std::string>> files;
  for (const std::size_t length : {1u, 50u, 99u, 100u, 101u, 150u, 200u})
    files.emplace_back(fmt::format("{}/{}", std::string(length / 2 + 1, 'a'), std::string(length - length / 2, 'b')), std::string(length * 37, 'x'));
  for (const std::size_t size : {0u, 1u, 511u, 512u, 513u, 100'000u}) files.emplace_back(fmt::format("s{}", size), std::string(size, 'y'));
  auto writer = TarWriter::create(folder.path() / "a.tar");
  ASSERT_TRUE(writer.ok());
  for (const auto& [path, text] : files) ASSERT_TRUE(writer->begin(path, text.size(), 1'700'000'000).ok() && writer->write(text).ok());
  ASSERT_TRUE(writer->finish().ok());
  auto reader = TarReader::open(folder.path() / "a.tar");
  ASSERT_TRUE(reader.ok());
  for (const auto& [path, text] : files) {
    auto entry = reader->next();
    ASSERT_TRUE(entry.ok() && *entry);
    EXPECT_EQ((*entry)->path, path);
    std::string read;
    if (path.size() % 2 == 0) continue;  // left unread: the next one is found all the same
    ASSERT_TRUE(reader->read([&](std::string_view piece) -> Status { read += piece; return Ok{}; }).ok());
    EXPECT_EQ(read, text);
  }
  auto end = reader->next();
  EXPECT_TRUE(end.ok() && !*end);
  EXPECT_FALSE(writer->begin(std::string(300, 'z'), 1, 0).ok());
}

TEST(Tar, a_size_beyond_eight_gibibytes_is_written_in_binary) {
  TempFolder folder;
  constexpr std::uint64_t kLarge = (std::uint64_t{9} << 30) + 5;
  auto writer = TarWriter::create(folder.path() / "a.tar");
  ASSERT_TRUE(writer.ok() && writer->begin("large", kLarge, 0).ok() && writer->finish().ok());
  auto reader = TarReader::open(folder.path() / "a.tar");
  auto entry = reader->next();
  ASSERT_TRUE(entry.ok() && *entry);
  EXPECT_EQ((*entry)->size, kLarge);
}

TEST(BackupOfStrangers, a_path_that_leads_out_is_refused) {
  for (const char* path : {"../outside", "/etc/outside", "a/../../outside", "."}) {
    TempFolder folder;
    auto writer = TarWriter::create(folder.path() / "a.tar");
    ASSERT_TRUE(writer.ok() && writer->begin(path, 1, 0).ok() && writer->write("x").ok() && writer->finish().ok());
    const auto restored = restore_backup(folder.path() / "a.tar", folder.path() / "new");
    ASSERT_FALSE(restored.ok());
    EXPECT_NE(restored.error().message().find("leads out"), std::string::npos) << restored.error().message();
    EXPECT_FALSE(fs::exists(folder.path() / "outside"));
  }
}

}  // namespace
}  // namespace fog::backup
