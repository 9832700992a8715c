// Graph: nodes and edges of a service map with their statistics, as sums.
//
// Graphs are added: of the traces in the head, of the minutes stored in a bucket. A trace that
// changes after it was stored is taken out by adding its old self with sign -1, so every figure
// but the time spans is exact. An item (a segment, or a call) belongs to the minute in which it
// ended, or started while it is in progress.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "storage/base/result.h"
#include "storage/traces/trace.h"

namespace fog::traces {

// Empty type or account: absent. The account of a trace's own scope is left absent.
struct NodeKey {
  std::string name;
  std::string type;
  std::string account;
  auto operator<=>(const NodeKey&) const = default;
};
inline constexpr std::string_view kClientType = "client";

// Counts by value in milliseconds. From 100 distinct values on they are kept with two significant
// digits; `binned` says so.
class DurationCounts {
 public:
  void add(std::int64_t ms, std::int64_t count);
  void add(const DurationCounts& other, int sign);
  // Ascending; only values with a count other than 0.
  const std::vector<std::pair<std::int64_t, std::int64_t>>& values() const { return values_; }
  bool binned() const { return binned_; }

 private:
  friend class Graph;
  void bin();
  std::vector<std::pair<std::int64_t, std::int64_t>> values_;
  bool binned_ = false;
};

// An item counts once, as the worst of its flags: fault, throttle, error, ok.
struct ItemTotals {
  std::int64_t items = 0;  // also those in progress, which count nowhere else
  std::int64_t ok = 0;
  std::int64_t throttle = 0;
  std::int64_t error = 0;  // without throttles
  std::int64_t fault = 0;
  std::int64_t response_ms = 0;
  std::int64_t start_us = std::numeric_limits<std::int64_t>::max();
  std::int64_t end_us = std::numeric_limits<std::int64_t>::min();
  DurationCounts durations;

  std::int64_t total() const { return ok + throttle + error + fault; }
  void add(const Entity& item, int sign);
  void add(const ItemTotals& other, int sign);
};

struct NodeTotals {
  ItemTotals totals;
  std::int64_t sent = 0;   // segments that were sent, not inferred
  std::int64_t roots = 0;  // root segments among them
};

struct EdgeTotals {
  ItemTotals totals;
  DurationCounts event_age;  // of links: start here minus end of the linked span
};

struct EdgeKey {
  std::uint32_t from = 0;
  std::uint32_t to = 0;
  bool link = false;
  auto operator<=>(const EdgeKey&) const = default;
};

struct LinkedSpan {
  NodeKey node;
  std::int64_t end_us = 0;
};
// Finds the node that owns a span of another trace; nothing when it is not stored (yet).
using LinkResolver = std::function<std::optional<LinkedSpan>(TraceId, std::uint64_t span)>;

class Graph {
 public:
  struct Span {
    std::int64_t from_us = std::numeric_limits<std::int64_t>::min();
    std::int64_t to_us = std::numeric_limits<std::int64_t>::max();  // exclusive
    bool holds(std::int64_t us) const { return us >= from_us && us < to_us; }
  };

  // Adds the items of `trace` that fall into `span`.
  void add(const Trace& trace, int sign, Span span, const LinkResolver* resolve = nullptr);
  void add(const Graph& other, int sign = 1);

  const std::vector<NodeKey>& keys() const { return keys_; }
  const NodeTotals& node(std::size_t index) const { return nodes_[index]; }
  const std::map<EdgeKey, EdgeTotals>& edges() const { return edges_; }
  bool empty() const { return keys_.empty(); }

  std::string encode() const;
  static Result<Graph> decode(std::string_view bytes);

 private:
  struct KeyLess {
    using is_transparent = void;
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return std::tuple<std::string_view, std::string_view, std::string_view>(a.name, a.type,
                                                                              a.account) <
             std::tuple<std::string_view, std::string_view, std::string_view>(b.name, b.type,
                                                                              b.account);
    }
  };
  struct KeyView {
    std::string_view name, type, account;
  };
  std::uint32_t index_of(KeyView key);

  std::map<NodeKey, std::uint32_t, KeyLess> index_;
  std::vector<NodeKey> keys_;
  std::vector<NodeTotals> nodes_;
  std::map<EdgeKey, EdgeTotals> edges_;
};

// Microseconds since 1970 at which the item counts.
inline std::int64_t item_time_us(const Entity& e) { return e.in_progress ? e.start_us : e.end_us; }

// Adds a trace to the graph of each minute (minutes since 1970) it has items in.
void add_by_minute(std::map<std::int64_t, Graph>& minutes, const Trace& trace, int sign,
                   const LinkResolver* resolve);

}  // namespace fog::traces
