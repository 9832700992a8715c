// CreateLookupTable, UpdateLookupTable, GetLookupTable, DescribeLookupTables, DeleteLookupTable.
#include "api/logs/lookup_tables.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/logs/operations.h"
#include "api/logs/queries.h"
#include "api/logs/resource_tags.h"
#include "api/logs/shelf.h"

namespace fog::logs {
namespace {

constexpr Shelf<StoredLookupTable> kTables(kLookupTableKind);
constexpr std::size_t kTablesMax = 100;
constexpr std::size_t kBodyMax = 10u << 20;
constexpr std::size_t kDescribeDefault = 50;
constexpr std::size_t kCachedMax = 64;

Error validation(std::string message) { return fault(ValidationException{.message = std::move(message)}); }
Error table_missing() { return fault(ResourceNotFoundException{.message = "The specified lookup table does not exist."}); }

Result<std::string> table_name(Call& call, const std::string& arn) {
  const auto name = name_in_arn(call, "lookup-table", arn);
  if (!name || !kTables.has(call, *name)) return table_missing();
  return *name;
}

// The CSV that a request gives or that a query found.
Result<std::string> body_of(Call& call, const std::optional<std::string>& body, const std::optional<std::string>& query_id) {
  if (body.has_value() == query_id.has_value())
    return invalid_parameter("You must specify either tableBody or queryId, but not both.");
  if (body) return *body;
  const QueryRunPtr run = call.service<Queries>().find(call.account, call.region, *query_id);
  if (run == nullptr) return fault(ResourceNotFoundException{.message = "The specified query does not exist."});
  const auto state = run->state.lock_shared();
  if (state->status != QueryStatus::Complete && state->status != QueryStatus::Cancelled)
    return invalid_parameter(fmt::format("Query {} is not in Complete or Cancelled status.", *query_id));
  if (state->table == nullptr || state->table->columns.empty()) return validation("The query has no results.");
  return write_csv(*state->table);
}

LookupTable shown(const StoredLookupTable& stored) { return stored.table; }

Result<CreateLookupTableResponse> create_lookup_table(Call& call, const CreateLookupTableRequest& in) {
  TRY(std::string body, body_of(call, in.table_body, in.query_id));
  if (kTables.has(call, in.lookup_table_name))
    return fault(ResourceAlreadyExistsException{.message = "The specified lookup table already exists."});
  if (kTables.count(call) >= kTablesMax) return fault(LimitExceededException{.message = "Resource limit exceeded."});
  LookupTable settings;
  settings.lookup_table_arn = resource_arn(call, "lookup-table", in.lookup_table_name);
  settings.lookup_table_name = in.lookup_table_name;
  settings.description = in.description;
  settings.kms_key_id = in.kms_key_id;
  auto made = put_lookup_table(call.service<ResourceStore>(), call.account, call.region, settings, std::move(body), to_ms(call.now));
  if (!made.ok()) return made.error().kind() == ErrorKind::kInvalid ? validation(made.error().message()) : made.error();
  if (in.tags) TRYV(put_resource_tags(call, *settings.lookup_table_arn, *in.tags));
  CreateLookupTableResponse out;
  out.lookup_table_arn = settings.lookup_table_arn;
  out.created_at = to_ms(call.now);
  return out;
}

Result<UpdateLookupTableResponse> update_lookup_table(Call& call, const UpdateLookupTableRequest& in) {
  TRY(const std::string name, table_name(call, in.lookup_table_arn));
  TRY(std::string body, body_of(call, in.table_body, in.query_id));
  LookupTable settings;
  settings.lookup_table_arn = in.lookup_table_arn;
  settings.lookup_table_name = name;
  settings.description = in.description;
  settings.kms_key_id = in.kms_key_id;
  auto made = put_lookup_table(call.service<ResourceStore>(), call.account, call.region, settings, std::move(body), to_ms(call.now));
  if (!made.ok()) return made.error().kind() == ErrorKind::kInvalid ? validation(made.error().message()) : made.error();
  UpdateLookupTableResponse out;
  out.lookup_table_arn = in.lookup_table_arn;
  out.last_updated_time = to_ms(call.now);
  return out;
}

Result<GetLookupTableResponse> get_lookup_table(Call& call, const GetLookupTableRequest& in) {
  TRY(const std::string name, table_name(call, in.lookup_table_arn));
  auto stored = kTables.get(call, name);
  if (!stored) return table_missing();
  GetLookupTableResponse out;
  out.lookup_table_arn = stored->table.lookup_table_arn;
  out.lookup_table_name = stored->table.lookup_table_name;
  out.description = stored->table.description;
  out.size_bytes = stored->table.size_bytes;
  out.last_updated_time = stored->table.last_updated_time;
  out.kms_key_id = stored->table.kms_key_id;
  out.table_body = std::move(stored->body);
  return out;
}

Result<DescribeLookupTablesResponse> describe_lookup_tables(Call& call, const DescribeLookupTablesRequest& in) {
  const std::string prefix = in.lookup_table_name_prefix.value_or("");
  auto all = kTables.list(call, prefix);
  const std::int32_t limit = in.max_results.value_or(static_cast<std::int32_t>(kDescribeDefault));
  DescribeLookupTablesResponse out;
  TRY(out.next_token, cut_page("DescribeLookupTables", prefix, all, in.next_token,
                               limit < 1 ? kDescribeDefault : static_cast<std::size_t>(limit),
                               [](const auto& item) -> const std::string& { return item.first; }));
  auto& items = out.lookup_tables.emplace();
  for (const auto& item : all) items.push_back(shown(item.second));
  return out;
}

Result<Empty> delete_lookup_table(Call& call, const DeleteLookupTableRequest& in) {
  TRY(const std::string name, table_name(call, in.lookup_table_arn));
  TRYV(kTables.erase(call, name));
  TRYV(erase_resource_tags(call, in.lookup_table_arn));
  return Empty{};
}

constexpr Operation kOperations[] = {
    heavy(bind<create_lookup_table>()), heavy(bind<update_lookup_table>()), bind<get_lookup_table>(),
    bind<describe_lookup_tables>(),     bind<delete_lookup_table>(),
};

}  // namespace

Result<insights::LookupTable> read_csv(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  insights::LookupTable table;
  std::vector<std::string> row;
  std::string field;
  bool quoted = false, any = false;  // any: the row has begun
  const auto end_row = [&]() -> Status {
    if (!any && row.empty() && field.empty()) return Ok{};
    row.push_back(std::move(field));
    field.clear();
    any = false;
    if (table.columns.empty()) {
      for (const std::string& name : row)
        if (name.empty()) return Error::invalid("The header row of the lookup table has an empty column name.");
      for (std::size_t k = 0; k < row.size(); ++k)
        if (std::find(row.begin(), row.begin() + static_cast<std::ptrdiff_t>(k), row[k]) != row.begin() + static_cast<std::ptrdiff_t>(k))
          return Error::invalid(fmt::format("The header row of the lookup table has column {} more than once.", row[k]));
      table.columns = std::move(row);
    } else {
      if (row.size() != table.columns.size())
        return Error::invalid(fmt::format("Row {} of the lookup table has {} columns, the header has {}.", table.rows.size() + 1,
                                          row.size(), table.columns.size()));
      table.rows.push_back(std::move(row));
    }
    row.clear();
    return Ok{};
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted) {
      if (c != '"') {
        field += c;
      } else if (at + 1 < text.size() && text[at + 1] == '"') {
        field += '"';
        ++at;
      } else {
        quoted = false;
      }
    } else if (c == '"' && field.empty()) {
      quoted = any = true;
    } else if (c == ',') {
      row.push_back(std::move(field));
      field.clear();
      any = true;
    } else if (c == '\n') {
      TRYV(end_row());
    } else if (c != '\r') {
      field += c;
      any = true;
    }
  }
  if (quoted) return Error::invalid("The lookup table has a quote that is not closed.");
  TRYV(end_row());
  if (table.columns.empty()) return Error::invalid("The lookup table has no header row.");
  return table;
}

std::string write_csv(const insights::Table& table) {
  std::string out;
  const auto add = [&](std::string_view text, bool last) {
    if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
      out += text;
    } else {
      out += '"';
      for (const char c : text) {
        if (c == '"') out += '"';
        out += c;
      }
      out += '"';
    }
    out += last ? '\n' : ',';
  };
  for (std::size_t k = 0; k < table.columns.size(); ++k) add(table.columns[k], k + 1 == table.columns.size());
  for (std::size_t row = 0; row < table.rows.size(); ++row)
    for (std::size_t k = 0; k < table.columns.size(); ++k) add(table.text(row, k).value_or(""), k + 1 == table.columns.size());
  return out;
}

Result<StoredLookupTable> put_lookup_table(ResourceStore& resources, const std::string& account, const std::string& region,
                                           LookupTable settings, std::string body, std::int64_t now_ms) {
  if (body.size() > kBodyMax) return Error::invalid("The lookup table exceeds the maximum size of 10 MB.");
  TRY(const insights::LookupTable read, read_csv(body));
  StoredLookupTable stored;
  stored.table = std::move(settings);
  stored.table.table_fields = read.columns;
  stored.table.records_count = static_cast<std::int64_t>(read.rows.size());
  stored.table.size_bytes = static_cast<std::int64_t>(body.size());
  stored.table.last_updated_time = now_ms;
  stored.body = std::move(body);
  TRYV(resources.put({std::string(kLookupTableKind), account, region, *stored.table.lookup_table_name}, encode_json(stored)));
  return stored;
}

std::shared_ptr<const insights::LookupTable> LookupTableCache::find(const std::string& account, const std::string& region,
                                                                   std::string_view name) {
  const auto document = resources_.get({std::string(kLookupTableKind), account, region, std::string(name)});
  if (!document) return nullptr;
  const std::string key = fmt::format("{}\n{}\n{}", account, region, name);
  {
    const auto cache = cache_.lock_shared();
    const auto it = cache->find(key);
    if (it != cache->end() && it->second.body == *document) return it->second.table;
  }
  const auto stored = decode_json<StoredLookupTable>(*document);
  if (!stored.ok()) return nullptr;
  auto read = read_csv(stored->body);
  if (!read.ok()) return nullptr;
  auto table = std::make_shared<const insights::LookupTable>(std::move(read).value());
  const auto cache = cache_.lock();
  if (cache->size() >= kCachedMax) cache->clear();
  (*cache)[key] = {*document, table};
  return table;
}

std::span<const Operation> lookup_table_operations() { return kOperations; }

}  // namespace fog::logs
