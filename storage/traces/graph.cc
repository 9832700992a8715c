#include "storage/traces/graph.h"

#include <set>

#include "storage/base/bytes.h"

namespace fog::traces {

namespace {

constexpr std::size_t kExactValuesMax = 99;
constexpr std::int64_t kMinuteUs = 60'000'000;

// 1234 -> 1200: two significant digits, halves away from zero.
std::int64_t two_digits(std::int64_t value) {
  std::int64_t unit = 1;
  while (value / unit >= 100) unit *= 10;
  return (value + unit / 2) / unit * unit;
}

}  // namespace

void DurationCounts::add(std::int64_t ms, std::int64_t count) {
  if (count == 0) return;
  if (binned_) ms = two_digits(ms);
  const auto at = std::lower_bound(values_.begin(), values_.end(), ms,
                                   [](const auto& a, std::int64_t b) { return a.first < b; });
  if (at != values_.end() && at->first == ms) {
    at->second += count;
    if (at->second == 0) values_.erase(at);
  } else {
    values_.insert(at, {ms, count});
    if (!binned_ && values_.size() > kExactValuesMax) bin();
  }
}

void DurationCounts::bin() {
  binned_ = true;
  auto exact = std::move(values_);
  values_.clear();
  for (const auto& [ms, count] : exact) add(ms, count);
}

void DurationCounts::add(const DurationCounts& other, int sign) {
  if (other.binned_ && !binned_) bin();
  for (const auto& [ms, count] : other.values_) add(ms, count * sign);
}

void ItemTotals::add(const Entity& item, int sign) {
  items += sign;
  start_us = std::min(start_us, item.start_us);
  end_us = std::max(end_us, item.in_progress ? item.start_us : item.end_us);
  if (item.in_progress) return;
  if (item.fault) fault += sign;
  else if (item.throttle) throttle += sign;
  else if (item.error) error += sign;
  else ok += sign;
  response_ms += sign * item.duration_ms();
  durations.add(item.duration_ms(), sign);
}

void ItemTotals::add(const ItemTotals& other, int sign) {
  items += sign * other.items;
  ok += sign * other.ok;
  throttle += sign * other.throttle;
  error += sign * other.error;
  fault += sign * other.fault;
  response_ms += sign * other.response_ms;
  start_us = std::min(start_us, other.start_us);
  end_us = std::max(end_us, other.end_us);
  durations.add(other.durations, sign);
}

std::uint32_t Graph::index_of(KeyView key) {
  if (const auto known = index_.find(key); known != index_.end()) return known->second;
  const auto index = static_cast<std::uint32_t>(keys_.size());
  keys_.push_back({std::string(key.name), std::string(key.type), std::string(key.account)});
  nodes_.emplace_back();
  index_.emplace(keys_.back(), index);
  return index;
}

void Graph::add(const Trace& trace, int sign, Span span, const LinkResolver* resolve) {
  constexpr std::uint32_t kUnknown = UINT32_MAX;
  std::vector<std::uint32_t> node_of(trace.entities.size(), kUnknown);
  const auto node_at = [&](std::int32_t segment) {
    auto& index = node_of[static_cast<std::size_t>(segment)];
    const Entity& e = trace.at(segment);
    if (index == kUnknown) index = index_of({e.node_name, e.node_type, e.account});
    return index;
  };
  for (std::size_t i = 0; i < trace.entities.size(); ++i) {
    const Entity& e = trace.entities[i];
    if (!e.is_segment()) continue;
    const auto own = static_cast<std::int32_t>(i);
    if (span.holds(item_time_us(e))) {
      auto& node = nodes_[node_at(own)];
      node.totals.add(e, sign);
      if (e.kind == EntityKind::kSegment) node.sent += sign;
      if (e.is_root()) node.roots += sign;
    }
    if (e.is_root()) {
      if (!span.holds(item_time_us(e))) continue;
      const auto client = index_of({e.node_name, kClientType, e.account});
      edges_[{client, node_at(own), false}].totals.add(e, sign);
    } else if (e.parent >= 0 && trace.at(e.parent).segment >= 0) {
      const Entity& parent = trace.at(e.parent);
      const Entity& call = parent.is_segment() ? e : parent;
      if (!span.holds(item_time_us(call))) continue;
      const auto from = node_at(parent.segment);
      edges_[{from, node_at(own), false}].totals.add(call, sign);
    }
    if (e.links == 0 || resolve == nullptr || !span.holds(item_time_us(e))) continue;
    for (const auto& link : trace.links_of(e)) {
      const auto linked = (*resolve)(link.trace, link.span);
      if (!linked) continue;
      const auto from = index_of({linked->node.name, linked->node.type, linked->node.account});
      auto& edge = edges_[{from, node_at(own), true}];
      edge.totals.add(e, sign);
      edge.event_age.add(std::max<std::int64_t>(0, (e.start_us - linked->end_us) / 1000), sign);
    }
  }
}

void Graph::add(const Graph& other, int sign) {
  std::vector<std::uint32_t> here;
  here.reserve(other.keys_.size());
  for (std::size_t i = 0; i < other.keys_.size(); ++i) {
    const auto& key = other.keys_[i];
    here.push_back(index_of({key.name, key.type, key.account}));
    auto& node = nodes_[here.back()];
    node.totals.add(other.nodes_[i].totals, sign);
    node.sent += sign * other.nodes_[i].sent;
    node.roots += sign * other.nodes_[i].roots;
  }
  for (const auto& [key, edge] : other.edges_) {
    auto& sum = edges_[{here[key.from], here[key.to], key.link}];
    sum.totals.add(edge.totals, sign);
    sum.event_age.add(edge.event_age, sign);
  }
}

void add_by_minute(std::map<std::int64_t, Graph>& minutes, const Trace& trace, int sign,
                   const LinkResolver* resolve) {
  std::set<std::int64_t> touched;
  for (const Entity& e : trace.entities)
    touched.insert(item_time_us(e) / kMinuteUs);
  for (const auto minute : touched)
    minutes[minute].add(trace, sign, {minute * kMinuteUs, (minute + 1) * kMinuteUs}, resolve);
}

// --- stored form -----------------------------------------------------------------------------
// varint nodes; each: name, type, account, totals, zigzag sent, zigzag roots. varint edges; each:
// from, to, link, totals, counts of event age. Totals: zigzag items, ok, throttle, error, fault,
// response_ms, start_us, end_us - start_us, counts. Counts: binned, number, {difference, zigzag}.

namespace {

void write_counts(ByteWriter& out, const DurationCounts& counts) {
  out.varint(counts.binned() ? 1 : 0);
  out.varint(counts.values().size());
  std::int64_t before = 0;
  for (const auto& [ms, count] : counts.values()) {
    out.zigzag(ms - before);
    out.zigzag(count);
    before = ms;
  }
}

void write_totals(ByteWriter& out, const ItemTotals& t) {
  for (const auto value : {t.items, t.ok, t.throttle, t.error, t.fault, t.response_ms})
    out.zigzag(value);
  const bool any = t.start_us <= t.end_us;
  out.varint(any ? 1 : 0);
  if (any) {
    out.zigzag(t.start_us);
    out.zigzag(t.end_us - t.start_us);
  }
  write_counts(out, t.durations);
}

}  // namespace

std::string Graph::encode() const {
  std::string bytes;
  ByteWriter out(bytes);
  out.varint(keys_.size());
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    out.text(keys_[i].name);
    out.text(keys_[i].type);
    out.text(keys_[i].account);
    write_totals(out, nodes_[i].totals);
    out.zigzag(nodes_[i].sent);
    out.zigzag(nodes_[i].roots);
  }
  out.varint(edges_.size());
  for (const auto& [key, edge] : edges_) {
    out.varint(key.from);
    out.varint(key.to);
    out.varint(key.link ? 1 : 0);
    write_totals(out, edge.totals);
    write_counts(out, edge.event_age);
  }
  return bytes;
}

Result<Graph> Graph::decode(std::string_view bytes) {
  ByteReader in(bytes);
  Graph graph;
  const auto read_counts = [&](DurationCounts& counts) {
    counts.binned_ = in.varint() != 0;
    std::int64_t ms = 0;
    for (auto n = in.varint(); n > 0 && in.ok(); --n) {
      ms += in.zigzag();
      counts.values_.emplace_back(ms, in.zigzag());
    }
  };
  const auto read_totals = [&](ItemTotals& t) {
    for (auto* value : {&t.items, &t.ok, &t.throttle, &t.error, &t.fault, &t.response_ms})
      *value = in.zigzag();
    if (in.varint() != 0) {
      t.start_us = in.zigzag();
      t.end_us = t.start_us + in.zigzag();
    }
    read_counts(t.durations);
  };
  for (auto n = in.varint(); n > 0 && in.ok(); --n) {
    const auto name = in.text();
    const auto type = in.text();
    const auto account = in.text();
    auto& node = graph.nodes_[graph.index_of({name, type, account})];
    read_totals(node.totals);
    node.sent = in.zigzag();
    node.roots = in.zigzag();
  }
  for (auto n = in.varint(); n > 0 && in.ok(); --n) {
    EdgeKey key;
    key.from = static_cast<std::uint32_t>(in.varint());
    key.to = static_cast<std::uint32_t>(in.varint());
    key.link = in.varint() != 0;
    if (key.from >= graph.keys_.size() || key.to >= graph.keys_.size())
      return Error::corrupt("stored graph: edge between unknown nodes");
    auto& edge = graph.edges_[key];
    read_totals(edge.totals);
    read_counts(edge.event_age);
  }
  if (!in.ok() || !in.at_end()) return Error::corrupt("stored graph: wrong length");
  return graph;
}

}  // namespace fog::traces
