#include "storage/metrics/series_file.h"

#include <cstring>

#include "storage/base/bytes.h"

namespace fog::metrics {

Result<SeriesFile> SeriesFile::open(const std::filesystem::path& file) {
  SeriesFile result;
  bool restored = false;
  TRY(result.database_, open_or_restore(file, {}, restored));
  TRYV(result.database_.execute(
      "CREATE TABLE IF NOT EXISTS series(id INTEGER PRIMARY KEY, account TEXT, region TEXT, data BLOB);"
      "CREATE TABLE IF NOT EXISTS entity(id INTEGER PRIMARY KEY, document BLOB);"
      "CREATE TABLE IF NOT EXISTS activity(block INTEGER PRIMARY KEY, newest BLOB);"
      "CREATE TABLE IF NOT EXISTS mark(name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;"));
  // Series made since the copy have lost their names; their ids must not become other series'.
  if (restored) TRYV(result.database_.execute("UPDATE mark SET value=value+1048576 WHERE name='next_id'"));
  result.copy_ = GoodCopy(file);
  return result;
}

Status SeriesFile::load(Catalogue& catalogue, Marks& marks) {
  {
    TRY(auto query, database_.prepare("SELECT name, value FROM mark"));
    for (;;) {
      TRY(const bool more, query.step());
      if (!more) break;
      const auto value = static_cast<std::uint64_t>(query.integer(1));
      const std::string_view name = query.text(0);
      if (name == "series_lsn") marks.series_lsn = value;
      if (name == "applied_lsn") marks.applied_lsn = value;
      if (name == "next_id") marks.next_id = value;
      if (name == "next_part") marks.next_part = value;
    }
  }
  {
    TRY(auto query, database_.prepare("SELECT id, account, region, data FROM series ORDER BY id"));
    std::vector<DimensionView> dimensions;
    for (;;) {
      TRY(const bool more, query.step());
      if (!more) break;
      const auto id = static_cast<SeriesId>(query.integer(0));
      ByteReader in(query.text(3));
      const std::string_view ns = in.text();
      const std::string_view name = in.text();
      dimensions.clear();
      for (std::uint64_t n = in.varint(); n > 0 && in.ok(); --n) {
        const std::string_view key = in.text();
        dimensions.push_back({key, in.text()});
      }
      if (!in.ok()) return Error::corrupt("metric series " + std::to_string(id) + " is damaged");
      if (catalogue.size() == 0) catalogue.reserve_ids(id);
      catalogue.add(catalogue.scope(query.text(1), query.text(2)), ns, name, dimensions, id);
    }
  }
  {
    TRY(auto query, database_.prepare("SELECT id, document FROM entity"));
    for (;;) {
      TRY(const bool more, query.step());
      if (!more) break;
      const auto id = static_cast<SeriesId>(query.integer(0));
      if (catalogue.contains(id)) catalogue.set_entity(id, query.text(1));
    }
  }
  {
    TRY(auto query, database_.prepare("SELECT block, newest FROM activity"));
    for (;;) {
      TRY(const bool more, query.step());
      if (!more) break;
      const std::uint64_t first = static_cast<std::uint64_t>(query.integer(0)) * kActivityBlock;
      const std::string_view bytes = query.text(1);
      for (std::uint64_t i = 0; i < kActivityBlock && (i + 1) * 8 <= bytes.size(); ++i)
        if (catalogue.contains(first + i))
          std::memcpy(&catalogue.at(first + i).newest_ms, bytes.data() + i * 8, 8);
    }
  }
  catalogue.reserve_ids(marks.next_id);
  return Ok{};
}

Status SeriesFile::write_marks(const Marks& marks) {
  TRY(auto put, database_.prepare("INSERT OR REPLACE INTO mark VALUES(?,?)"));
  const std::pair<std::string_view, std::uint64_t> all[] = {{"series_lsn", marks.series_lsn},
                                                            {"applied_lsn", marks.applied_lsn},
                                                            {"next_id", marks.next_id},
                                                            {"next_part", marks.next_part}};
  for (const auto& [name, value] : all)
    TRYV(put.bind(1, name).bind(2, static_cast<std::int64_t>(value)).run());
  return Ok{};
}

Status SeriesFile::set_marks(const Marks& marks) {
  return database_.transaction([&]() -> Status { return write_marks(marks); });
}

Status SeriesFile::apply(const Changes& changes, const Marks& marks) {
  Status written = database_.transaction([&]() -> Status {
    TRY(auto add, database_.prepare("INSERT OR REPLACE INTO series VALUES(?,?,?,?)"));
    std::string data;
    for (const SeriesInfo& info : changes.added) {
      data.clear();
      ByteWriter out(data);
      out.text(info.metric_namespace);
      out.text(info.metric_name);
      out.varint(info.dimensions.size());
      for (const auto& [name, value] : info.dimensions) {
        out.text(name);
        out.text(value);
      }
      TRYV(add.bind(1, static_cast<std::int64_t>(info.id))
               .bind(2, info.account)
               .bind(3, info.region)
               .bind_blob(4, data)
               .run());
    }
    TRY(auto entity, database_.prepare("INSERT OR REPLACE INTO entity VALUES(?,?)"));
    for (const auto& [id, document] : changes.entities)
      TRYV(entity.bind(1, static_cast<std::int64_t>(id)).bind_blob(2, document).run());
    TRY(auto remove, database_.prepare("DELETE FROM series WHERE id=?"));
    TRY(auto remove_entity, database_.prepare("DELETE FROM entity WHERE id=?"));
    for (const SeriesId id : changes.removed) {
      TRYV(remove.bind(1, static_cast<std::int64_t>(id)).run());
      TRYV(remove_entity.bind(1, static_cast<std::int64_t>(id)).run());
    }
    TRY(auto activity, database_.prepare("INSERT OR REPLACE INTO activity VALUES(?,?)"));
    for (const auto& [block, bytes] : changes.activity)
      TRYV(activity.bind(1, static_cast<std::int64_t>(block)).bind_blob(2, bytes).run());
    return write_marks(marks);
  });
  if (written.ok()) copy_.changed(database_);
  return written;
}

}  // namespace fog::metrics
