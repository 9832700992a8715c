#include "storage/sqlite/database.h"

#include <sqlite3.h>

#include <string>

#include "storage/base/disk_faults.h"

namespace fog {
namespace {

Error sqlite_error(sqlite3* handle, int code) {
  if (code == SQLITE_IOERR_DATA) return Error::corrupt("SQLite: a page fails its checksum");
  std::string message = "SQLite: ";
  message += handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Error::corrupt(std::move(message));
    case SQLITE_FULL:
    case SQLITE_IOERR:
      ++(code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC ? disk_faults().syncs : disk_faults().writes);
      return Error::busy(std::move(message));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_READONLY:
    case SQLITE_NOMEM:
      return Error::busy(std::move(message));
    default:
      return Error::internal(std::move(message));
  }
}

}  // namespace

void SqliteStatement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

SqliteStatement& SqliteStatement::bind(int position, std::int64_t value) {
  sqlite3_bind_int64(statement_.get(), position, value);
  return *this;
}

SqliteStatement& SqliteStatement::bind(int position, double value) {
  sqlite3_bind_double(statement_.get(), position, value);
  return *this;
}

SqliteStatement& SqliteStatement::bind(int position, std::string_view text) {
  sqlite3_bind_text64(statement_.get(), position, text.data() != nullptr ? text.data() : "",
                      text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  return *this;
}

SqliteStatement& SqliteStatement::bind_blob(int position, std::string_view bytes) {
  sqlite3_bind_blob64(statement_.get(), position, bytes.data() != nullptr ? bytes.data() : "",
                      bytes.size(), SQLITE_TRANSIENT);
  return *this;
}

SqliteStatement& SqliteStatement::bind_null(int position) {
  sqlite3_bind_null(statement_.get(), position);
  return *this;
}

Error SqliteStatement::failure() const {
  sqlite3* handle = sqlite3_db_handle(statement_.get());
  return sqlite_error(handle, sqlite3_extended_errcode(handle));
}

Result<bool> SqliteStatement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    reset();
    return false;
  }
  Error error = failure();
  reset();
  return error;
}

Status SqliteStatement::run() {
  TRY(const bool has_row, step());
  if (has_row) reset();
  return Ok{};
}

void SqliteStatement::reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

std::int64_t SqliteStatement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

double SqliteStatement::real(int column) const {
  return sqlite3_column_double(statement_.get(), column);
}

std::string_view SqliteStatement::text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

bool SqliteStatement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

void Database::Close::operator()(sqlite3* handle) const {
  sqlite3_close_v2(handle);
}

Result<Database> Database::open(const std::filesystem::path& file, Options options) {
  sqlite3* handle = nullptr;
  const int flags =
      SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
      (options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  const std::string name = file.empty() ? ":memory:" : file.string();
  const int code = sqlite3_open_v2(name.c_str(), &handle, flags, checked_pages(options.pages));
  Database db;
  db.handle_.reset(handle);
  if (code != SQLITE_OK) return sqlite_error(handle, code);
  sqlite3_busy_timeout(handle, 5000);
  // For databases that are made now or rewritten; of those that are there the header decides.
  int reserved = kPageCheckBytes;
  if (!options.read_only && options.pages != PageCheck::kNone) sqlite3_file_control(handle, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
  // A stranger's schema in a damaged file must not run functions of its own.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  std::string setup = "PRAGMA temp_store=MEMORY;PRAGMA cache_size=-" +
                      std::to_string(options.cache_bytes / 1024) +
                      ";PRAGMA mmap_size=" + std::to_string(options.mmap_bytes) + ";";
  if (!file.empty() && !options.read_only) {
    if (options.write_ahead) setup += "PRAGMA journal_mode=WAL;";
    setup += options.synchronous_full ? "PRAGMA synchronous=FULL;" : "PRAGMA synchronous=NORMAL;";
  }
  TRYV(db.execute(setup.c_str()));
  return db;
}

Status Database::execute(const char* sql) {
  const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return sqlite_error(handle_.get(), code);
  return Ok{};
}

Result<SqliteStatement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return sqlite_error(handle_.get(), code);
  return SqliteStatement(statement);
}

Status Database::transaction(const std::function<Status()>& body) {
  TRYV(execute("BEGIN IMMEDIATE"));
  if (Status done = body(); !done.ok()) {
    (void)execute("ROLLBACK");
    return done;
  }
  if (Status done = execute("COMMIT"); !done.ok()) {
    (void)execute("ROLLBACK");
    return done;
  }
  return Ok{};
}

Status Database::check() {
  TRY(auto query, prepare("PRAGMA quick_check(1)"));
  TRY(const bool has_row, query.step());
  if (has_row && query.text(0) != "ok") return Error::corrupt(std::string(query.text(0)));
  return Ok{};
}

}  // namespace fog
