// Random queries over random events, against an interpreter that goes row by row over text. Every
// generated piece carries its query text and its meaning as a function; the two never share code with
// the engine.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

#include "query/insights/query.h"
#include "tests/query/insights/memory_scan.h"

namespace fog::insights::test {
namespace {

constexpr std::int64_t kStart = 1'705'312'800'000;
constexpr std::int64_t kWindow = 3'600'000;
constexpr std::uint32_t kQueries = 400;

// A field is text or absent; numbers are text that looks like one.
using Cell = std::optional<std::string>;
struct Row {
  std::int64_t time = 0;
  std::size_t sequence = 0;
  std::map<std::string, std::string> fields;
  Cell get(const std::string& name) const {
    auto it = fields.find(name);
    if (it == fields.end()) return std::nullopt;
    return it->second;
  }
};

std::optional<double> number(const Cell& cell) {
  if (!cell || cell->empty()) return std::nullopt;
  for (char c : *cell)
    if (!(c >= '0' && c <= '9') && c != '.' && c != '-') return std::nullopt;
  char* end = nullptr;
  double v = std::strtod(cell->c_str(), &end);
  if (*end != '\0') return std::nullopt;
  return v;
}

std::string show(double v) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.4f", v);
  std::string text = buffer;
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

// null < text < numbers
int compare_cells(const Cell& a, const Cell& b) {
  if (!a || !b) return (a ? 1 : 0) - (b ? 1 : 0);
  auto x = number(a), y = number(b);
  if (x && y) return *x < *y ? -1 : *x > *y ? 1 : 0;
  if (x || y) return x ? 1 : -1;
  return a->compare(*b) < 0 ? -1 : a->compare(*b) > 0 ? 1 : 0;
}

struct Condition {
  std::string text;
  std::function<int(const Row&)> holds;  // 1, 0, -1 null
};

class Generator {
 public:
  explicit Generator(std::uint32_t seed) : random_(seed) {}

  std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_); }
  bool chance(int percent) { return static_cast<int>(below(100)) < percent; }
  template <typename T>
  const T& pick(const std::vector<T>& from) {
    return from[below(from.size())];
  }

  std::vector<Event> events(std::size_t n) {
    std::vector<Event> result;
    for (std::size_t k = 0; k < n; ++k) {
      Event event;
      // Few distinct times, so that ties happen; some outside the window.
      event.timestamp_ms = kStart + static_cast<std::int64_t>(below(130)) * 30'000 - 120'000;
      event.stream = "s" + std::to_string(below(3));
      if (chance(15)) {
        event.message = pick(texts_);
      } else {
        std::string json = "{";
        auto member = [&](const std::string& name, const std::string& value) {
          if (json.size() > 1) json += ", ";
          json += '"' + name + "\": " + value;
        };
        if (chance(85)) member("s", '"' + pick(words_) + '"');
        if (chance(85)) member("n", std::to_string(static_cast<int>(below(12)) - 2));
        if (chance(70)) member("d", std::to_string(below(40)) + "." + std::to_string(below(9) + 1));
        if (chance(60)) member("mix", chance(50) ? std::to_string(below(9)) : '"' + pick(words_) + '"');
        if (chance(50)) member("b", chance(50) ? "true" : "false");
        if (chance(40)) member("o", "{\"x\": " + std::to_string(below(3)) + "}");
        if (chance(60)) member("u", "\"id" + std::string(1, static_cast<char>('a' + below(26))) + pick(words_) + '"');
        event.message = json + "}";
      }
      result.push_back(std::move(event));
    }
    return result;
  }

  Condition condition(int depth) {
    if (depth > 0 && chance(45)) {
      Condition a = condition(depth - 1);
      if (chance(30))
        return {"not (" + a.text + ")", [h = a.holds](const Row& r) { int v = h(r); return v < 0 ? -1 : 1 - v; }};
      Condition b = condition(depth - 1);
      bool both = chance(50);
      return {"(" + a.text + (both ? " and " : " or ") + b.text + ")", [both, p = a.holds, q = b.holds](const Row& r) {
                int x = p(r), y = q(r), decides = both ? 0 : 1;
                if (x == decides || y == decides) return decides;
                return x < 0 || y < 0 ? -1 : 1 - decides;
              }};
    }
    switch (below(11)) {
      case 0:
      case 1: {
        std::string field = pick(std::vector<std::string>{"n", "d", "mix", "o.x"});
        return against(field, std::to_string(below(10)), [field](const Row& r) { return r.get(field); });
      }
      case 2: {
        std::string word = pick(words_);
        bool equal = chance(60);
        return {std::string("s ") + (equal ? "=" : "!=") + " \"" + word + '"', [word, equal](const Row& r) {
                  Cell c = r.get("s");
                  return c ? ((*c == word) == equal ? 1 : 0) : -1;
                }};
      }
      case 3: {
        std::string part = pick(words_).substr(0, 2);
        bool no = chance(30);
        std::string field = pick(std::vector<std::string>{"s", "@message", "u", "mix"});
        bool regex = chance(50);
        std::string quoted = regex ? "/" + part + "/" : '"' + part + '"';
        return {field + (no ? " not like " : " like ") + quoted, [=](const Row& r) {
                  Cell c = r.get(field);
                  if (!c) return -1;
                  return (c->find(part) != std::string::npos) != no ? 1 : 0;
                }};
      }
      case 4: {
        // A pattern with a class and a literal behind it.
        std::string field = pick(std::vector<std::string>{"@message", "u", "s"});
        return {field + " like /[aeiou]r/", [=](const Row& r) {
                  Cell c = r.get(field);
                  if (!c) return -1;
                  for (std::size_t k = 0; k + 1 < c->size(); ++k)
                    if (std::string("aeiou").find((*c)[k]) != std::string::npos && (*c)[k + 1] == 'r') return 1;
                  return 0;
                }};
      }
      case 5: {
        std::string a = pick(words_), b = pick(words_);
        bool no = chance(40);
        return {std::string("s ") + (no ? "not in" : "in") + " [\"" + a + "\", \"" + b + "\", 3]", [=](const Row& r) {
                  Cell c = r.get("s");
                  if (!c) return -1;
                  return (*c == a || *c == b) != no ? 1 : 0;
                }};
      }
      case 6: {
        std::size_t a = below(8), b = below(8);
        return {"n in [" + std::to_string(a) + ", " + std::to_string(b) + ".0]", [=](const Row& r) {
                  auto v = number(r.get("n"));
                  if (!v) return -1;
                  return *v == static_cast<double>(a) || *v == static_cast<double>(b) ? 1 : 0;
                }};
      }
      case 7: {
        std::string field = pick(std::vector<std::string>{"s", "n", "mix", "b", "o.x", "nowhere"});
        return {"ispresent(" + field + ")", [field](const Row& r) { return r.get(field) ? 1 : 0; }};
      }
      case 8:
        return against("strlen(s)", std::to_string(below(7)), [](const Row& r) -> Cell {
          Cell c = r.get("s");
          if (!c) return std::nullopt;
          return std::to_string(c->size());
        });
      case 9: {
        int times = static_cast<int>(below(4)) + 1;
        return against("n * " + std::to_string(times) + " - 1", std::to_string(below(20)), [times](const Row& r) -> Cell {
          auto v = number(r.get("n"));
          if (!v) return std::nullopt;
          return std::to_string(static_cast<int>(*v) * times - 1);
        });
      }
      default: {
        std::int64_t at = kStart + static_cast<std::int64_t>(below(60)) * 60'000;
        return against("@timestamp", std::to_string(at), [](const Row& r) -> Cell { return std::to_string(r.time); });
      }
    }
  }

  const std::vector<std::string>& words() const { return words_; }

 private:
  Condition against(const std::string& left, const std::string& constant, std::function<Cell(const Row&)> value) {
    std::string op = pick(std::vector<std::string>{"=", "!=", "<", "<=", ">", ">="});
    double c = std::stod(constant);
    bool flip = chance(20);
    std::string shown = flip ? constant + " " + op + " " + left : left + " " + op + " " + constant;
    return {shown, [=](const Row& r) {
              Cell cell = value(r);
              if (!cell) return -1;
              auto v = number(cell);
              if (!v) return op == "!=" ? 1 : 0;  // text against a number
              double x = flip ? c : *v, y = flip ? *v : c;
              if (op == "=") return x == y ? 1 : 0;
              if (op == "!=") return x != y ? 1 : 0;
              if (op == "<") return x < y ? 1 : 0;
              if (op == "<=") return x <= y ? 1 : 0;
              if (op == ">") return x > y ? 1 : 0;
              return x >= y ? 1 : 0;
            }};
  }

  std::mt19937 random_;
  std::vector<std::string> words_{"alpha", "bravo", "charlie", "delta", "", "error", "Error", "warn"};
  std::vector<std::string> texts_{"plain error text", "user ann took 12 ms", "user bob took 7 ms", "{broken", "warn"};
};

using Cells = std::map<std::string, std::string>;

bool same_cell(const std::string& a, const std::string& b) {
  if (a == b) return true;
  auto x = number(a), y = number(b);
  return x && y && (a.find('.') != std::string::npos || b.find('.') != std::string::npos) &&
         std::abs(*x - *y) <= 1.01e-4 + 1e-12 * std::abs(*x);
}
bool same_row(const Cells& a, const Cells& b) {
  if (a.size() != b.size()) return false;
  for (auto p = a.begin(), q = b.begin(); p != a.end(); ++p, ++q)
    if (p->first != q->first || !same_cell(p->second, q->second)) return false;
  return true;
}

std::string dump(const std::vector<Cells>& rows) {
  std::string out;
  for (std::size_t k = 0; k < rows.size() && k < 12; ++k) {
    for (auto& [name, value] : rows[k]) out += name + "=" + value + " ";
    out += "\n";
  }
  return out + std::to_string(rows.size()) + " rows";
}

struct Aggregate {
  std::string text;
  std::function<Cell(const std::vector<const Row*>&)> value;
};

std::vector<double> numbers(const std::vector<const Row*>& rows, const std::string& field) {
  std::vector<double> result;
  for (const Row* row : rows)
    if (auto v = number(row->get(field))) result.push_back(*v);
  return result;
}

Aggregate aggregate(Generator& g) {
  std::string f = g.pick(std::vector<std::string>{"n", "d", "mix", "s", "o.x", "b"});
  switch (g.below(11)) {
    case 0: return {"count(*)", [](const auto& rows) -> Cell { return std::to_string(rows.size()); }};
    case 1:
      return {"count(" + f + ")", [f](const auto& rows) -> Cell {
                std::size_t n = 0;
                for (const Row* r : rows) n += r->get(f).has_value();
                return std::to_string(n);
              }};
    case 2:
    case 3: {
      bool mean = g.chance(50);
      return {(mean ? "avg(" : "sum(") + f + ")", [f, mean](const auto& rows) -> Cell {
                auto v = numbers(rows, f);
                if (v.empty()) return std::nullopt;
                double sum = 0;
                for (double x : v) sum += x;
                return show(mean ? sum / static_cast<double>(v.size()) : sum);
              }};
    }
    case 4:
    case 5: {
      bool most = g.chance(50);
      return {(most ? "max(" : "min(") + f + ")", [f, most](const auto& rows) -> Cell {
                Cell best;
                for (const Row* r : rows) {
                  Cell c = r->get(f);
                  if (!c) continue;
                  bool better = !best;
                  if (best) {
                    auto x = number(c), y = number(best);
                    if (x && y) better = most ? *x > *y : *x < *y;
                    else if (x || y) better = x.has_value();
                    else better = most ? *c > *best : *c < *best;
                  }
                  if (better) best = c;
                }
                return best;
              }};
    }
    case 6:
      return {"count_distinct(" + f + ")", [f](const auto& rows) -> Cell {
                std::map<std::string, int> seen;
                for (const Row* r : rows)
                  if (Cell c = r->get(f)) seen[*c] = 1;
                return std::to_string(seen.size());
              }};
    case 7: {
      std::size_t p = g.below(101);
      return {"pct(" + f + ", " + std::to_string(p) + ")", [f, p](const auto& rows) -> Cell {
                auto v = numbers(rows, f);
                if (v.empty()) return std::nullopt;
                std::sort(v.begin(), v.end());
                auto rank = static_cast<std::size_t>(std::ceil(static_cast<double>(p) / 100 * static_cast<double>(v.size())));
                return show(v[std::max<std::size_t>(rank, 1) - 1]);
              }};
    }
    case 8: {
      bool last = g.chance(50);
      return {(last ? "latest(" : "earliest(") + f + ")", [f, last](const auto& rows) -> Cell {
                const Row* best = nullptr;
                for (const Row* r : rows) {
                  if (!r->get(f)) continue;
                  auto key = std::pair(r->time, r->sequence);
                  if (!best || (last ? key > std::pair(best->time, best->sequence) : key < std::pair(best->time, best->sequence))) best = r;
                }
                return best ? best->get(f) : Cell();
              }};
    }
    case 9:
      return {"stddev(" + f + ")", [f](const auto& rows) -> Cell {
                auto v = numbers(rows, f);
                if (v.empty()) return std::nullopt;
                double mean = 0, m2 = 0;
                for (double x : v) mean += x / static_cast<double>(v.size());
                for (double x : v) m2 += (x - mean) * (x - mean);
                return show(std::sqrt(m2 / static_cast<double>(v.size())));
              }};
    default:
      return {"sum(n > 3)", [](const auto& rows) -> Cell {
                std::size_t n = 0, hits = 0;
                for (const Row* r : rows)
                  if (auto v = number(r->get("n"))) {
                    ++n;
                    hits += *v > 3;
                  }
                if (n == 0) return std::nullopt;
                return std::to_string(hits);
              }};
  }
}

std::string clock_text(std::int64_t ms) {
  std::time_t seconds = ms / 1000;
  std::tm tm{};
  gmtime_r(&seconds, &tm);
  char buffer[64];
  std::strftime(buffer, sizeof buffer, "%Y-%m-%d %H:%M:%S", &tm);
  char result[80];
  std::snprintf(result, sizeof result, "%s.%03d", buffer, static_cast<int>(ms % 1000));
  return result;
}

struct Expected {
  std::string query;
  std::vector<Cells> rows;
  bool ordered = true;
};

Cells project(const Row& row, const std::vector<std::string>& names) {
  Cells cells;
  for (const std::string& name : names)
    if (Cell c = row.get(name)) cells[name] = *c;
  return cells;
}

Expected make(Generator& g, std::vector<Row> rows) {
  Expected out;
  auto pipe = [&out](const std::string& segment) { out.query += (out.query.empty() ? "" : " | ") + segment; };
  auto filter = [&](int depth) {
    Condition c = g.condition(depth);
    pipe("filter " + c.text);
    std::erase_if(rows, [&](const Row& r) { return c.holds(r) != 1; });
  };
  if (g.chance(75)) filter(2);
  if (g.chance(40)) {
    pipe("fields n + d as sum, concat(s, \"-\", n) as tag");
    for (Row& r : rows) {
      auto n = number(r.get("n")), d = number(r.get("d"));
      if (n && d) r.fields["sum"] = show(*n + *d);
      Cell s = r.get("s"), t = r.get("n");
      if (s || t) r.fields["tag"] = s.value_or("") + "-" + t.value_or("");
      else r.fields["tag"] = "-";
    }
  }
  if (g.chance(30)) {
    pipe("parse @message \"user * took * ms\" as who, ms");
    for (Row& r : rows) {
      std::string m = *r.get("@message");
      std::size_t a = m.find("user "), b = m.find(" took "), c = m.find(" ms");
      if (a == std::string::npos || b == std::string::npos || c == std::string::npos) continue;
      r.fields["who"] = m.substr(a + 5, b - a - 5);
      r.fields["ms"] = m.substr(b + 6, c - b - 6);
    }
  }
  if (g.chance(25)) filter(1);

  static const std::vector<std::string> kShown{"@timestamp", "s", "n", "d", "mix", "b", "o.x", "u", "@logStream", "sum", "tag", "who", "ms"};
  auto limit = [&](std::size_t size) {
    if (!g.chance(50)) return size;
    std::size_t n = g.below(6) + 1;
    pipe("limit " + std::to_string(n));
    return std::min(n, size);
  };
  std::size_t kind = g.below(10);
  if (kind < 4) {
    std::vector<std::string> sort;
    if (g.chance(70)) {
      std::vector<std::pair<std::string, bool>> keys;
      std::string text;
      for (std::size_t k = 0; k <= g.below(2); ++k) {
        std::string field = g.pick(std::vector<std::string>{"s", "n", "d", "mix", "u", "@timestamp"});
        bool down = g.chance(50);
        keys.emplace_back(field, down);
        text += (text.empty() ? "sort " : ", ") + field + (down ? " desc" : g.chance(50) ? " asc" : "");
      }
      pipe(text);
      std::stable_sort(rows.begin(), rows.end(), [&](const Row& a, const Row& b) {
        for (auto& [field, down] : keys) {
          int c = compare_cells(a.get(field), b.get(field));
          if (field == "@timestamp") c = a.time < b.time ? -1 : a.time > b.time ? 1 : 0;
          if (c != 0) return down ? c > 0 : c < 0;
        }
        return false;
      });
    }
    if (g.chance(25)) {
      pipe("fields n | accum n as total");
      double total = 0;
      for (Row& r : rows) {
        if (auto v = number(r.get("n"))) total += *v;
        r.fields["total"] = show(total);
      }
    }
    rows.resize(limit(rows.size()));
    pipe("display @timestamp, s, n, d, mix, b, o.x, u, @logStream, sum, tag, who, ms, total");
    auto names = kShown;
    names.push_back("total");
    for (Row& r : rows) out.rows.push_back(project(r, names));
    return out;
  }
  if (kind == 4) {
    std::string a = g.pick(std::vector<std::string>{"s", "n", "mix"});
    pipe("display @timestamp, s, n, mix");
    pipe("dedup " + a + ", b");
    std::map<std::string, int> seen;
    std::erase_if(rows, [&](const Row& r) {
      Cell x = r.get(a), y = r.get("b");
      return x && y && seen[*x + "\n" + *y]++ > 0;
    });
    rows.resize(limit(rows.size()));
    for (Row& r : rows) out.rows.push_back(project(r, {"@timestamp", "s", "n", "mix"}));
    return out;
  }
  // stats
  std::vector<std::string> keys;
  for (const char* key : {"s", "mix", "bin(7m)", "o.x", "@logStream"})
    if (g.chance(30)) keys.push_back(key);
  std::map<std::vector<Cell>, std::vector<const Row*>> groups;
  for (Row& r : rows) {
    std::vector<Cell> key;
    for (const std::string& name : keys)
      key.push_back(name == "bin(7m)" ? Cell(clock_text(r.time / 420'000 * 420'000)) : r.get(name));
    groups[key].push_back(&r);
  }
  std::string text;
  std::vector<Aggregate> aggregates;
  for (std::size_t k = 0; k <= g.below(3); ++k) {
    aggregates.push_back(aggregate(g));
    text += (k > 0 ? ", " : "stats ") + aggregates.back().text + " as a" + std::to_string(k);
  }
  for (std::size_t k = 0; k < keys.size(); ++k) text += (k > 0 ? ", " : " by ") + keys[k];
  pipe(text);
  for (auto& [key, members] : groups) {
    Cells cells;
    for (std::size_t k = 0; k < keys.size(); ++k)
      if (key[k]) cells[keys[k]] = *key[k];
    for (std::size_t k = 0; k < aggregates.size(); ++k)
      if (Cell c = aggregates[k].value(members)) cells["a" + std::to_string(k)] = *c;
    out.rows.push_back(std::move(cells));
  }
  out.ordered = false;
  return out;
}

void check(std::uint32_t seed, WorkerPool* pool, std::size_t& with_rows) {
  Generator g(seed);
  std::vector<Event> events = g.events(g.below(120));
  std::vector<Row> rows;
  for (std::size_t k = 0; k < events.size(); ++k) {
    if (events[k].timestamp_ms < kStart || events[k].timestamp_ms > kStart + kWindow) continue;
    Row row;
    row.time = events[k].timestamp_ms;
    row.sequence = k;
    for (auto& [name, value] : discover(events[k].message)) row.fields[name] = value;
    row.fields["@message"] = events[k].message;
    row.fields["@timestamp"] = clock_text(row.time);
    row.fields["@logStream"] = events[k].stream;
    rows.push_back(std::move(row));
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::pair(a.time, a.sequence) > std::pair(b.time, b.sequence);
  });
  Expected expected = make(g, rows);
  with_rows += !expected.rows.empty();
  SCOPED_TRACE("seed " + std::to_string(seed) + ": " + expected.query);
  auto query = parse(expected.query, {});
  ASSERT_TRUE(query.ok()) << query.error().message();
  std::string printed = (*query)->print();
  auto again = parse(printed, {});
  ASSERT_TRUE(again.ok()) << printed << "\n" << again.error().message();
  ASSERT_EQ((*again)->print(), printed);
  MemoryScan scan(events, g.below(40) + 1);
  RunOptions options;
  options.start_ms = kStart;
  options.end_ms = kStart + kWindow;
  options.now_ms = kStart;
  options.pool = pool;
  auto table = run(**again, scan, options);
  ASSERT_TRUE(table.ok()) << table.error().message();
  std::vector<Cells> got;
  for (std::size_t r = 0; r < table->rows.size(); ++r) {
    Cells& cells = got.emplace_back();
    for (std::size_t c = 0; c < table->columns.size(); ++c)
      if (auto text = table->text(r, c)) cells[table->columns[c]] = *text;
  }
  if (!expected.ordered) {
    // Groups are told apart by their keys, so sorting by all cells lines them up.
    std::sort(got.begin(), got.end());
    std::sort(expected.rows.begin(), expected.rows.end());
    if (got.size() == expected.rows.size() && got != expected.rows) {
      // Rounding may have changed the order of equal neighbours: match by greedy search.
      for (const Cells& row : expected.rows) {
        auto it = std::find_if(got.begin(), got.end(), [&](const Cells& other) { return same_row(row, other); });
        ASSERT_NE(it, got.end()) << dump({row}) << "\nnot in\n" << dump(got);
        got.erase(it);
      }
      return;
    }
  }
  ASSERT_EQ(got.size(), expected.rows.size()) << dump(got) << "\nexpected\n" << dump(expected.rows);
  for (std::size_t k = 0; k < got.size(); ++k)
    ASSERT_TRUE(same_row(got[k], expected.rows[k])) << "row " << k << "\n" << dump(got) << "\nexpected\n" << dump(expected.rows);
}

TEST(InsightsOracle, random_queries_agree_with_the_plain_interpreter) {
  WorkerPool pool(2);
  std::size_t with_rows = 0;
  for (std::uint32_t seed = 1; seed <= kQueries; ++seed) {
    check(seed, seed % 2 ? nullptr : &pool, with_rows);
    if (::testing::Test::HasFatalFailure()) return;
  }
  EXPECT_GT(with_rows, kQueries / 2);
}

}  // namespace
}  // namespace fog::insights::test
