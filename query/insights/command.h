// Command: one segment between two pipes. Each command is one file under commands/: it parses its
// clause, prints itself back, binds its names, and works on batches of columns.
//
// Commands are immutable once bound; several threads may run the same one.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "query/insights/ast.h"
#include "query/insights/bind.h"
#include "storage/base/result.h"

namespace fog::insights {

class Batch;
class Parser;
class Run;
using BatchPtr = std::shared_ptr<Batch>;

struct Grouping;
class SortCommand;
class PatternCommand;

class Command {
 public:
  // kRows: keeps rows as they are, or only drops some, each on its own; works block by block.
  // kExpand: makes other rows out of each row on its own; works block by block.
  // kWhole: needs all rows in order.
  enum class Shape { kRows, kExpand, kWhole };

  virtual ~Command() = default;
  virtual void print(std::string& out) const = 0;
  virtual Status bind(Binder& binder) = 0;
  virtual Shape shape() const = 0;
  // The slots the command reads.
  virtual void uses(std::set<int>& slots) const = 0;
  // kRows changes the batch's selection or columns and returns it; kExpand returns another batch;
  // kWhole gets all rows in order and returns all rows in order.
  virtual Result<BatchPtr> apply(BatchPtr batch, Run& run) const = 0;

  // Fills the columns the command makes in a batch, when one of them is asked for.
  virtual void make(Batch&) const {}

  // What the planner knows by heart.
  virtual const Grouping* grouping() const { return nullptr; }  // stats and its relatives
  virtual const SortCommand* sort() const { return nullptr; }
  virtual const PatternCommand* pattern() const { return nullptr; }
  virtual std::int64_t limit() const { return -1; }         // limit n
  virtual bool limit_any() const { return false; }
  virtual const NodePtr* filter() const { return nullptr; }  // filter e
  virtual bool only_names() const { return false; }          // fields, display: nothing to do

  std::string_view word;                  // its name in the table
  std::size_t at_begin = 0, at_end = 0;  // its bytes in the query
};
using CommandPtr = std::unique_ptr<Command>;

// One row of the table of commands.
struct CommandRecord {
  std::string_view name;  // lower case
  Result<CommandPtr> (*parse)(Parser&);
  bool infrequent_access;  // allowed there
  std::string_view doc;
};
const CommandRecord* find_command(std::string_view name);

struct Pipeline {
  std::optional<Source> source;
  std::vector<CommandPtr> commands;
};

struct Subquery {
  Pipeline pipeline;
  Program program;
  std::size_t begin = 0, end = 0;
};

// Binds all commands of a pipeline in order and checks the rules about their order.
Status bind_pipeline(std::string_view query, Pipeline& pipeline, Program& program, const BindOptions& options, bool inner,
                     std::unique_ptr<Binder>* keep = nullptr);

void print_expr(const Expr& expr, std::string& out);
void print_name(std::string_view name, std::string& out);  // in backticks where needed
void print_string(std::string_view text, std::string& out);
void print_projection(const Projection& projection, std::string& out);
void print_pipeline(const Pipeline& pipeline, std::string& out);

}  // namespace fog::insights
