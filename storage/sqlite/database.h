// Database: SQLite behind Result, prepared statements and scopes.
//
//   TRY(auto db, Database::open(file, {}));
//   TRYV(db.execute("CREATE TABLE IF NOT EXISTS t(k TEXT PRIMARY KEY, v BLOB) WITHOUT ROWID"));
//   TRY(auto insert, db.prepare("INSERT INTO t VALUES(?,?)"));
//   TRYV(insert.bind(1, key).bind_blob(2, value).run());
//
// A Database and its statements belong to one thread at a time: the owner locks. SQL text is a
// constant of the program; values are bound, never pasted in.
#pragma once

#include "storage/base/result.h"
#include "storage/sqlite/checked_pages.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace fog {

class SqliteStatement {
 public:
  SqliteStatement() = default;

  // Positions count from 1. Text and blobs are copied.
  SqliteStatement& bind(int position, std::int64_t value);
  SqliteStatement& bind(int position, double value);
  SqliteStatement& bind(int position, std::string_view text);
  SqliteStatement& bind_blob(int position, std::string_view bytes);
  SqliteStatement& bind_null(int position);

  // For statements without rows: runs and resets.
  Status run();
  // For queries: true while a row is there; call reset() when leaving early.
  Result<bool> step();
  void reset();

  // Columns count from 0; views live until the next step or reset.
  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string_view text(int column) const;  // also blobs
  bool is_null(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit SqliteStatement(sqlite3_stmt* statement) : statement_(statement) {}
  Error failure() const;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class Database {
 public:
  struct Options {
    bool synchronous_full = true;  // FULL: a commit survives power loss; else NORMAL
    bool read_only = false;
    bool write_ahead = true;  // journal_mode=WAL
    std::int64_t cache_bytes = 2 << 20;
    std::int64_t mmap_bytes = 0;
    PageCheck pages = PageCheck::kFail;
  };

  Database() = default;
  // An empty path opens a private database in memory.
  static Result<Database> open(const std::filesystem::path& file, Options options);

  Status execute(const char* sql);  // one or more constant statements
  Result<SqliteStatement> prepare(std::string_view sql);
  // Runs `body` between BEGIN IMMEDIATE and COMMIT; rolls back when it fails.
  Status transaction(const std::function<Status()>& body);
  // PRAGMA quick_check: an Error (corrupt) that names the first fault.
  Status check();
  bool is_open() const { return handle_ != nullptr; }

 private:
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  std::unique_ptr<sqlite3, Close> handle_;
};

}  // namespace fog
