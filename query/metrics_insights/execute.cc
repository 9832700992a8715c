#include <algorithm>
#include <mutex>

#include "query/metrics_insights/select.h"

namespace fog::metrics_insights {
namespace {

constexpr std::string_view kMissingLabel = "Other";
// Series a task scans: enough to spread the work, few enough to balance it.
constexpr std::size_t kSeriesPerTask = 256;

// What a label says about a series; nothing when the series lacks it.
class Labels {
 public:
  Labels(const SeriesView& series, std::string_view account, const TagsOf& tags_of)
      : series_(series), account_(account), tags_of_(tags_of) {}

  std::optional<std::string_view> operator()(const Label& label) {
    switch (label.kind) {
      case Label::Kind::kAccount:
        return account_;
      case Label::Kind::kDimension:
        for (const DimensionView& d : series_.dimensions)
          if (d.name == label.name) return d.value;
        return std::nullopt;
      case Label::Kind::kTag: {
        if (!tags_) tags_ = tags_of_ ? tags_of_(series_) : std::map<std::string, std::string>{};
        const auto found = tags_->find(label.name);
        if (found == tags_->end()) return std::nullopt;
        return found->second;
      }
    }
    return std::nullopt;
  }

 private:
  const SeriesView& series_;
  std::string_view account_;
  const TagsOf& tags_of_;
  std::optional<std::map<std::string, std::string>> tags_;
};

// A series that lacks the label fits neither = nor !=.
bool holds(const Condition& c, Labels& labels) {
  switch (c.kind) {
    case Condition::Kind::kAnd:
      return std::all_of(c.children.begin(), c.children.end(), [&](const Condition& x) { return holds(x, labels); });
    case Condition::Kind::kOr:
      return std::any_of(c.children.begin(), c.children.end(), [&](const Condition& x) { return holds(x, labels); });
    case Condition::Kind::kEqual:
    case Condition::Kind::kNotEqual:
    case Condition::Kind::kIn: {
      const auto value = labels(c.label);
      if (!value) return false;
      const bool found = std::find(c.values.begin(), c.values.end(), *value) != c.values.end();
      return found != (c.kind == Condition::Kind::kNotEqual);
    }
  }
  return false;
}

// Equalities that every matching series must satisfy go to the index.
void push_down(const Condition& c, SeriesFilter& filter) {
  if (c.kind == Condition::Kind::kAnd)
    for (const Condition& child : c.children) push_down(child, filter);
  if (c.kind == Condition::Kind::kEqual && c.label.kind == Label::Kind::kDimension)
    filter.dimensions.push_back({c.label.name, c.values[0]});
}

struct Cell {
  double count = 0;
  double sum = 0;
  double min = 0;
  double max = 0;

  void add(double n, double total, double low, double high) {
    min = count > 0 ? std::min(min, low) : low;
    max = count > 0 ? std::max(max, high) : high;
    count += n;
    sum += total;
  }
};
using Cells = std::map<std::int64_t, Cell>;

double value_of(Function function, const Cell& cell) {
  switch (function) {
    case Function::kAvg:
      return cell.sum / cell.count;
    case Function::kCount:
      return cell.count;
    case Function::kMax:
      return cell.max;
    case Function::kMin:
      return cell.min;
    case Function::kSum:
      return cell.sum;
  }
  return 0;
}

double order_key(Function function, const metric_math::Series& s) {
  Cell cell;
  for (const double v : s.value) cell.add(1, v, v, v);
  return value_of(function, cell);
}

// Slots of all groups, dense along the range, shared by the tasks.
class Sums {
 public:
  Sums(std::size_t groups, std::int64_t start_ms, std::int64_t period_ms, std::size_t slots)
      : start_ms_(start_ms), period_ms_(period_ms), slots_(slots), cells_(groups) {}

  // One task's share, added under the lock once.
  using Share = std::vector<std::vector<Cell>>;
  void add(Share& share, std::size_t group, const SlotColumns& columns) const {
    auto& cells = share[group];
    if (cells.empty()) cells.resize(slots_);
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const auto at = static_cast<std::size_t>((columns.start_ms[i] - start_ms_) / period_ms_);
      if (at < slots_) cells[at].add(columns.count[i], columns.sum[i], columns.min[i], columns.max[i]);
    }
  }
  void merge(Share& share) {
    const std::lock_guard lock(mutex_);
    for (std::size_t g = 0; g < share.size(); ++g) {
      if (share[g].empty()) continue;
      if (cells_[g].empty()) {
        cells_[g] = std::move(share[g]);
        continue;
      }
      for (std::size_t i = 0; i < slots_; ++i) {
        const Cell& c = share[g][i];
        if (c.count > 0) cells_[g][i].add(c.count, c.sum, c.min, c.max);
      }
    }
  }
  metric_math::Series series(std::size_t group, Function function) const {
    metric_math::Series out;
    out.period_ms = period_ms_;
    for (std::size_t i = 0; i < cells_[group].size(); ++i)
      if (cells_[group][i].count > 0)
        out.push(start_ms_ + static_cast<std::int64_t>(i) * period_ms_, value_of(function, cells_[group][i]));
    return out;
  }

 private:
  std::int64_t start_ms_;
  std::int64_t period_ms_;
  std::size_t slots_;
  std::vector<std::vector<Cell>> cells_;
  std::mutex mutex_;
};

}  // namespace

Plan plan(const Select& select, const MetricStore& store, std::string_view account, std::string_view region,
          const TagsOf& tags_of) {
  SeriesFilter filter;
  filter.account = account;
  filter.region = region;
  filter.metric_namespace = select.metric_namespace;
  filter.metric_name = select.metric_name;
  filter.dimension_names = select.schema;
  if (select.where) push_down(*select.where, filter);
  std::map<std::vector<std::string>, std::vector<SeriesId>> groups;
  Plan result;
  std::size_t n = 0;
  store.select(filter, nullptr, [&](const SeriesView& series) {
    Labels labels(series, account, tags_of);
    if (select.where && !holds(*select.where, labels)) return true;
    if (n == kSeriesScannedMax) {
      result.is_truncated = true;
      return false;
    }
    ++n;
    std::vector<std::string> values;
    for (const Label& label : select.group_by) values.emplace_back(labels(label).value_or(kMissingLabel));
    groups[std::move(values)].push_back(series.id);
    return true;
  });
  for (auto& [values, series] : groups) result.groups.push_back({values, std::move(series)});
  return result;
}

Result<Outcome> execute(const Select& select, const Plan& plan, const MetricStore& store, Timestamp start,
                        Timestamp end, std::chrono::seconds period, const Parallel& parallel) {
  ReadMetrics spec;
  spec.start = start;
  spec.end = end;
  spec.period = std::max(period, std::chrono::seconds(60));
  const std::int64_t period_ms = spec.period.count() * 1000;

  std::vector<std::pair<SeriesId, std::size_t>> work;  // series, group
  for (std::size_t g = 0; g < plan.groups.size(); ++g)
    for (const SeriesId id : plan.groups[g].series) work.emplace_back(id, g);
  std::sort(work.begin(), work.end());  // chunks lie in the order of ids

  // Two passes over little: the range that holds data bounds the dense slots.
  Outcome out;
  out.is_grouped = !select.group_by.empty();
  out.is_truncated = plan.is_truncated;
  std::int64_t first = to_ms(start) - ((to_ms(start) % period_ms) + period_ms) % period_ms;
  std::int64_t newest = INT64_MIN;
  for (const auto& [id, group] : work)
    if (const auto newest_of = store.newest(id)) newest = std::max(newest, to_ms(*newest_of));
  const std::int64_t last = std::min(to_ms(end), newest + 1);
  first = std::max<std::int64_t>(first, last - last % period_ms - (455ll * 86'400'000) / period_ms * period_ms);
  if (work.empty() || last <= first) return out;
  const auto slots = static_cast<std::size_t>((last - first + period_ms - 1) / period_ms);
  Sums sums(plan.groups.size(), first, period_ms, slots);

  const std::size_t tasks = (work.size() + kSeriesPerTask - 1) / kSeriesPerTask;
  std::mutex failure_mutex;
  Status failure = Ok{};
  const auto task = [&](std::size_t t) {
    const std::size_t from = t * kSeriesPerTask;
    const std::size_t to = std::min(work.size(), from + kSeriesPerTask);
    std::vector<SeriesId> ids;
    for (std::size_t i = from; i < to; ++i) ids.push_back(work[i].first);
    Sums::Share share(plan.groups.size());
    const Status status = store.scan(ids, spec, [&](std::size_t position, SlotColumns& columns) {
      sums.add(share, work[from + position].second, columns);
    });
    sums.merge(share);
    if (!status.ok()) {
      const std::lock_guard lock(failure_mutex);
      failure = status;
    }
  };
  if (parallel && tasks > 1)
    parallel(tasks, task);
  else
    for (std::size_t t = 0; t < tasks; ++t) task(t);
  TRYV(failure);

  for (std::size_t g = 0; g < plan.groups.size(); ++g) {
    metric_math::Series s = sums.series(g, select.function);
    if (s.empty()) continue;
    for (const std::string& value : plan.groups[g].values) s.label += (s.label.empty() ? "" : " ") + value;
    out.series.push_back(std::move(s));
  }
  if (select.order_by) {
    const Function by = select.order_by->function;
    const bool descending = select.order_by->descending;
    std::vector<std::pair<double, std::size_t>> keys;
    for (std::size_t i = 0; i < out.series.size(); ++i) keys.emplace_back(order_key(by, out.series[i]), i);
    std::stable_sort(keys.begin(), keys.end(), [&](const auto& a, const auto& b) {
      return descending ? b.first < a.first : a.first < b.first;
    });
    metric_math::Array sorted;
    for (const auto& [key, i] : keys) sorted.push_back(std::move(out.series[i]));
    out.series = std::move(sorted);
  }
  if (out.series.size() > select.limit) out.series.resize(select.limit);
  return out;
}

}  // namespace fog::metrics_insights
