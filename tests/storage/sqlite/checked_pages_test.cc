// Checksums of database pages: every flipped bit of every page is found, in whatever way it is read.
#include "storage/sqlite/checked_pages.h"

#include <sqlite3.h>

#include <fstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "storage/sqlite/good_copy.h"
#include "tests/storage/temp_folder.h"

namespace fog {
namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

void write_file(const fs::path& file, const std::string& bytes) { std::ofstream(file, std::ios::binary) << bytes; }

// Small rows, a blob over many pages, and pages that are free again.
void fill(Database& db) {
  ASSERT_TRUE(db.execute("CREATE TABLE t(k INTEGER PRIMARY KEY, v BLOB)").ok());
  auto insert = db.prepare("INSERT INTO t VALUES(?,?)").value();
  for (int k = 0; k < 200; ++k)
    ASSERT_TRUE(insert.bind(1, std::int64_t{k}).bind_blob(2, std::string(k == 77 ? 60'000 : 100, static_cast<char>('a' + k % 26))).run().ok());
  ASSERT_TRUE(db.execute("DELETE FROM t WHERE k BETWEEN 100 AND 150").ok());
}

// All rows, or why not.
Result<std::string> rows_of(const fs::path& file, Database::Options options) {
  TRY(Database db, Database::open(file, options));
  std::string all;
  TRY(auto query, db.prepare("SELECT k, v FROM t ORDER BY k"));
  for (;;) {
    TRY(const bool more, query.step());
    if (!more) return all;
    all += std::to_string(query.integer(0)) + std::string(query.text(1)) + "\n";
  }
}

TEST(CheckedPages, know_their_content_and_their_place) {
  std::vector<unsigned char> page(512, 7);
  seal_page(page, 3);
  EXPECT_TRUE(page_is_sound(page, 3));
  EXPECT_FALSE(page_is_sound(page, 4)) << "another page's place";
  for (std::size_t at = 0; at < page.size(); ++at) {
    page[at] ^= 16;
    EXPECT_FALSE(page_is_sound(page, 3)) << at;
    page[at] ^= 16;
  }
  EXPECT_TRUE(page_is_sound(std::vector<unsigned char>(512), 9)) << "never written";
}

TEST(CheckedPages, each_flipped_bit_is_found_with_and_without_mapped_memory) {
  for (const bool write_ahead : {true, false}) {
    testing::TempFolder folder;
    const fs::path file = folder.path() / "a.db";
    {
      auto db = Database::open(file, {.write_ahead = write_ahead}).value();
      fill(db);
    }
    const std::string whole = read_file(file);
    ASSERT_EQ(whole[20], kPageCheckBytes);
    const std::string rows = rows_of(file, {.read_only = true}).value();
    int found = 0, harmless = 0;
    for (std::size_t at = 0; at < whole.size(); at += 157) {
      for (const std::int64_t mmap_bytes : {std::int64_t{0}, std::int64_t{1} << 30}) {
        std::string damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
        const fs::path there = folder.path() / "b.db";
        write_file(there, damaged);
        const auto read = rows_of(there, {.read_only = true, .mmap_bytes = mmap_bytes});
        if (read.ok()) {
          EXPECT_EQ(*read, rows) << at;  // a page that holds nothing of it
          ++harmless;
        } else {
          // What tells what kind of file it is, is looked at before the pages are.
          EXPECT_TRUE(read.error().kind() == ErrorKind::kCorrupt || at < 100) << at << " " << read.error().message();
          ++found;
        }
        auto db = Database::open(there, {.read_only = true});
        EXPECT_FALSE(db.ok() && db->check().ok() && at >= 100 && read.ok() && *read != rows) << at;
      }
    }
    EXPECT_GT(found, 10 * harmless);
  }
}

TEST(CheckedPages, a_reader_with_checksums_of_its_own_gets_what_is_there) {
  testing::TempFolder folder;
  const fs::path file = folder.path() / "a.db";
  {
    auto db = Database::open(file, {}).value();
    fill(db);
  }
  std::string bytes = read_file(file);
  const std::size_t at = bytes.find(std::string(100, 'c'));  // a row's value
  ASSERT_NE(at, std::string::npos);
  bytes[at + 50] = '#';
  write_file(file, bytes);
  for (const std::int64_t mmap_bytes : {std::int64_t{0}, std::int64_t{1} << 30}) {
    const std::uint64_t before = damaged_pages();
    EXPECT_EQ(rows_of(file, {.read_only = true, .mmap_bytes = mmap_bytes}).error().kind(), ErrorKind::kCorrupt);
    EXPECT_GT(damaged_pages(), before);
    const auto rows = rows_of(file, {.read_only = true, .mmap_bytes = mmap_bytes, .pages = PageCheck::kReport});
    ASSERT_TRUE(rows.ok());
    EXPECT_NE(rows->find(std::string(50, 'c') + "#" + std::string(49, 'c')), std::string::npos);
    EXPECT_GT(damaged_pages(), before + 1);
  }
}

TEST(CheckedPages, a_lost_mark_of_checksums_is_found) {
  testing::TempFolder folder;
  const fs::path file = folder.path() / "a.db";
  {
    auto db = Database::open(file, {}).value();
    fill(db);
  }
  std::string bytes = read_file(file);
  bytes[20] = 0;  // one bit
  write_file(file, bytes);
  const auto opened = open_checked(file, {});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind(), ErrorKind::kCorrupt);
}

TEST(CheckedPages, databases_without_get_them_once) {
  testing::TempFolder folder;
  const fs::path file = folder.path() / "old.db";
  {
    auto db = Database::open(file, {.pages = PageCheck::kNone}).value();
    fill(db);
  }
  ASSERT_EQ(read_file(file)[20], 0);
  const std::string rows = rows_of(file, {.read_only = true}).value();
  {
    auto db = open_checked(file, {}).value();
    ASSERT_TRUE(db.execute("INSERT INTO t VALUES(1000, 'after')").ok());
  }
  std::string bytes = read_file(file);
  ASSERT_EQ(bytes[20], kPageCheckBytes);
  EXPECT_EQ(rows_of(file, {.read_only = true}).value(), rows + "1000after\n");
  for (std::size_t page = 0; page < bytes.size() / 4096; ++page)
    EXPECT_TRUE(page_is_sound(std::span(reinterpret_cast<const unsigned char*>(bytes.data()) + page * 4096, 4096), static_cast<std::uint32_t>(page + 1))) << page;
  // Read and written as any other while it is one without.
  const fs::path other = folder.path() / "still.db";
  {
    auto db = Database::open(other, {.pages = PageCheck::kNone}).value();
    fill(db);
  }
  {
    auto db = Database::open(other, {}).value();
    ASSERT_TRUE(db.execute("UPDATE t SET v='x' WHERE k < 20").ok());
  }
  EXPECT_TRUE(rows_of(other, {.pages = PageCheck::kNone}).ok());
  EXPECT_EQ(read_file(other)[20], 0);
}

TEST(CheckedPages, a_new_database_larger_than_the_cache_has_them_in_each) {
  testing::TempFolder folder;
  const fs::path file = folder.path() / "a.db";
  {
    // Pages leave a cache that is full before the first page, which says that there are checksums, is written.
    auto db = Database::open(file, {.write_ahead = false, .cache_bytes = 32 << 10}).value();
    ASSERT_TRUE(db.transaction([&]() -> Status {
                    TRYV(db.execute("CREATE TABLE t(k INTEGER PRIMARY KEY, v BLOB)"));
                    TRY(auto insert, db.prepare("INSERT INTO t VALUES(?,?)"));
                    for (int k = 0; k < 20'000; ++k) TRYV(insert.bind(1, std::int64_t{k}).bind_blob(2, std::string(100, 'x')).run());
                    return Ok{};
                  }).ok());
  }
  const fs::path copy = folder.path() / "b.db";
  {
    auto db = Database::open(file, {.cache_bytes = 32 << 10}).value();
    auto make = db.prepare("VACUUM INTO ?").value();
    ASSERT_TRUE(make.bind(1, std::string_view(copy.native())).run().ok());
  }
  for (const fs::path& one : {file, copy}) {
    const std::string bytes = read_file(one);
    ASSERT_GT(bytes.size(), 1u << 20);
    for (std::size_t page = 0; page < bytes.size() / 4096; ++page)
      EXPECT_TRUE(page_is_sound(std::span(reinterpret_cast<const unsigned char*>(bytes.data()) + page * 4096, 4096), static_cast<std::uint32_t>(page + 1)))
          << one.filename() << " " << page;
    EXPECT_TRUE(Database::open(one, {.read_only = true}).value().check().ok());
  }
}

TEST(CheckedPages, survive_what_a_crash_leaves_in_the_log) {
  testing::TempFolder folder;
  const fs::path file = folder.path() / "a.db";
  auto db = Database::open(file, {}).value();
  fill(db);
  ASSERT_TRUE(db.execute("PRAGMA wal_checkpoint(TRUNCATE); UPDATE t SET v=zeroblob(5000) WHERE k < 40; PRAGMA wal_checkpoint(PASSIVE);"
                         "UPDATE t SET v='last' WHERE k < 5").ok());
  // As it lies there now, with the log beside it.
  const fs::path copy = folder.path() / "b.db";
  fs::copy_file(file, copy);
  fs::copy_file(file.string() + "-wal", copy.string() + "-wal");
  EXPECT_EQ(rows_of(copy, {}).value(), rows_of(file, {}).value());
  EXPECT_TRUE(Database::open(copy, {}).value().check().ok());
}

}  // namespace
}  // namespace fog
