// Binder: from names to slots. It knows which columns exist at each point of the pipeline, which of
// them the result shows, and which orders of commands are forbidden.
//
// A slot is one definition of a column: a field of the events, an expression, or something a command
// makes. Defining a name again makes a new slot; slots never change their meaning.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "query/insights/ast.h"
#include "query/insights/node.h"
#include "storage/base/result.h"

namespace fog::insights {

class Command;

struct Slot {
  enum class Kind { kField, kExpr, kMade } kind = Kind::kField;
  std::string name;
  NodePtr expr;        // kExpr
  int command = 0;     // the command that defined it
};

// A lookup table: rows of text, addressed by column name.
struct LookupTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};
using LookupTables = std::function<std::shared_ptr<const LookupTable>(std::string_view name)>;

struct BindOptions {
  bool infrequent_access = false;
  LookupTables lookup_tables;  // unknown tables give nullptr
};

// A bound pipeline, ready to run any number of times.
struct Program {
  struct Output {
    std::string name;
    int slot = -1;
  };
  std::vector<Slot> slots;
  std::vector<Output> outputs;
  bool event_rows = true;  // rows are events: they carry @ptr
  int pointer_slot = -1;
  bool has_limit = false;  // a limit command decides the number of rows
  Arena arena;  // constants
  std::vector<std::shared_ptr<Subquery>> subqueries;
  std::vector<std::string> index_fields;
  std::int64_t window_shift_ms = 0;  // data comes from this much earlier (stats offset)
};

class Binder {
 public:
  Binder(std::string_view query, Program& program, BindOptions options, bool inner)
      : query_(query), program_(program), options_(std::move(options)), inner_(inner) {}

  // Called by the driver around each command.
  void begin(int command) { command_ = command; }
  int command() const { return command_; }

  Result<NodePtr> scalar(const Expr& expr);
  // A field as it was before data protection masked it.
  NodePtr unmasked(NodePtr node);
  // An item of stats: aggregate calls become slots by the hook; other names must be in `locals`.
  struct Aggregates {
    std::function<Result<NodePtr>(const Expr& call, const struct AggregateFunction& function)> call;
    std::map<std::string, int> locals;
  };
  Result<NodePtr> item(const Expr& expr, const Aggregates& aggregates);
  Result<std::shared_ptr<const Pattern>> pattern(std::size_t begin, std::size_t end, std::string_view text);

  // The slot a name means here. Error: no such field after a stats.
  Result<int> field(const std::string& name, std::size_t begin, std::size_t end);
  std::optional<int> visible(const std::string& name) const;
  bool open() const { return open_; }  // raw fields of events can still be named

  // Definitions. `created`: the column is shown after the listed ones unless already listed.
  Value text(std::string_view text);  // a constant
  int define_expr(const std::string& name, NodePtr expr);
  int define_made(const std::string& name, bool created = true);
  int hidden(NodePtr expr);  // no name
  int hidden_made();

  // Output columns.
  void show_fields(const std::vector<std::string>& names);
  void show_display(const std::vector<std::string>& names);
  // From here on only these columns exist; rows are no longer events unless `events`.
  void replace_columns(const std::vector<std::pair<std::string, int>>& columns, bool events = false);
  // Keeps the columns, but rows stop being events (no @ptr).
  void drop_pointer() { program_.event_rows = false; }
  std::vector<std::string> output_names() const;
  // Names that a wildcard of filldown can mean.
  std::vector<std::string> known_names() const;

  Error error(std::size_t begin, std::size_t end, std::string message) const;
  Error error(const Expr& at, std::string message) const { return error(at.begin, at.end, std::move(message)); }
  std::string_view query() const { return query_; }
  Program& program() { return program_; }
  const BindOptions& options() const { return options_; }
  bool inner() const { return inner_; }
  // What the last stats command grouped by, for fillmissing and logcompare.
  struct Grouped {
    std::vector<std::string> keys;
    std::vector<int> key_slots;
    int time_slot = -1;  // the column of a time bin
    Period period;
    std::int64_t offset_ms = 0;
  };
  std::optional<Grouped> grouped;
  // What pattern made, for diff and anomaly.
  struct Patterns {
    int command = 0;
    int pattern = -1, count = -1, bins = -1;
  };
  std::optional<Patterns> patterns;
  // `<alias>.<field>` after a join: who resolves the field.
  std::map<std::string, std::function<Result<int>(const std::string& name, std::size_t begin, std::size_t end)>> aliases;

  bool after_stats() const { return stats_ > 0; }
  int stats_seen() const { return stats_; }
  void count_stats() { ++stats_; }

  // Fixes the outputs when all commands are bound.
  Status finish();

 private:
  Result<NodePtr> bind(const Expr& expr, const Aggregates* aggregates);
  Result<NodePtr> bind_field(const Expr& expr, const Aggregates* aggregates);
  Result<NodePtr> bind_call(const Expr& expr, const Aggregates* aggregates);

  std::string_view query_;
  Program& program_;
  BindOptions options_;
  bool inner_;
  int command_ = 0;
  int stats_ = 0;
  bool open_ = true;
  bool table_ = false;  // columns_ decide (after stats, pattern, ...)
  std::map<std::string, int> names_;
  std::map<std::string, int> raw_;                 // raw fields seen
  std::vector<std::string> fields_;                // of fields commands
  bool any_fields_ = false;
  std::vector<std::string> columns_;               // of the last stats and the like
  std::vector<std::string> created_;
  std::optional<std::vector<std::string>> display_;
};

}  // namespace fog::insights
