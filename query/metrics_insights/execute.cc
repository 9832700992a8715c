#include <algorithm>
#include <map>
#include <mutex>

#include "query/metrics_insights/select.h"

namespace fog::metrics_insights {
namespace {

constexpr std::string_view kMissingLabel = "Other";
// Series a task scans: enough to spread the work, few enough to balance it.
constexpr std::size_t kSeriesPerTask = 1024;

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

double value_of(Function function, double count, double sum, double min, double max) {
  switch (function) {
    case Function::kAvg:
      return sum / count;
    case Function::kCount:
      return count;
    case Function::kMax:
      return max;
    case Function::kMin:
      return min;
    case Function::kSum:
      return sum;
  }
  return 0;
}

double order_key(Function function, const metric_math::Series& s) {
  double sum = 0;
  for (const double v : s.value) sum += v;
  const auto [min, max] = std::minmax_element(s.value.begin(), s.value.end());
  return value_of(function, static_cast<double>(s.size()), sum, *min, *max);
}

metric_math::Series to_series(Function function, const SlotSums& sums) {
  metric_math::Series out;
  out.period_ms = sums.period_ms;
  for (std::size_t i = 0; i < sums.size(); ++i)
    if (sums.count[i] > 0)
      out.push(sums.start_ms + static_cast<std::int64_t>(i) * sums.period_ms,
               value_of(function, sums.count[i], sums.sum[i], sums.min[i], sums.max[i]));
  return out;
}

// The series that will be returned: the first `limit` in the order asked for. Holds few more than that, so that
// a grouping by host over thousands of hosts stays small. Threads: any.
class Collector {
 public:
  explicit Collector(const Select& select) : select_(select) {}

  // True when nothing of `group` or a later one can be among the first.
  bool is_complete_before(std::size_t group) {
    const std::lock_guard lock(mutex_);
    if (select_.order_by || kept_.size() < select_.limit) return false;
    return std::count_if(kept_.begin(), kept_.end(), [&](const Kept& k) { return k.group < group; }) >=
           static_cast<std::ptrdiff_t>(select_.limit);
  }
  void add(std::size_t group, metric_math::Series series) {
    if (series.empty()) return;
    double key = select_.order_by ? order_key(select_.order_by->function, series) : 0;
    if (select_.order_by && select_.order_by->descending) key = -key;
    const std::lock_guard lock(mutex_);
    kept_.push_back({key, group, std::move(series)});
    if (kept_.size() < 2 * select_.limit + 16) return;
    std::nth_element(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(select_.limit), kept_.end(), before);
    kept_.resize(select_.limit);
  }
  metric_math::Array take(const Plan& plan) {
    std::sort(kept_.begin(), kept_.end(), before);
    if (kept_.size() > select_.limit) kept_.resize(select_.limit);
    metric_math::Array out;
    for (Kept& k : kept_) {
      for (const std::string& value : plan.groups[k.group].values)
        k.series.label += (k.series.label.empty() ? "" : " ") + value;
      out.push_back(std::move(k.series));
    }
    return out;
  }

 private:
  struct Kept {
    double key = 0;
    std::size_t group = 0;
    metric_math::Series series;
  };
  static bool before(const Kept& a, const Kept& b) { return a.key != b.key ? a.key < b.key : a.group < b.group; }

  const Select& select_;
  std::mutex mutex_;
  std::vector<Kept> kept_;
};

// Whole groups, or a piece of a large one.
struct Task {
  std::size_t first_group = 0;
  std::size_t last_group = 0;  // inclusive
  std::size_t from = 0;        // of a piece: which series of the group
  std::size_t to = SIZE_MAX;
};

std::vector<Task> split(const Plan& plan) {
  std::vector<Task> tasks;
  for (std::size_t g = 0; g < plan.groups.size();) {
    const std::size_t n = plan.groups[g].series.size();
    if (n > kSeriesPerTask) {
      for (std::size_t from = 0; from < n; from += kSeriesPerTask)
        tasks.push_back({g, g, from, std::min(n, from + kSeriesPerTask)});
      ++g;
      continue;
    }
    Task task{g, g, 0, SIZE_MAX};
    std::size_t total = n;
    while (++g < plan.groups.size() && total + plan.groups[g].series.size() <= kSeriesPerTask) {
      total += plan.groups[g].series.size();
      task.last_group = g;
    }
    tasks.push_back(task);
  }
  return tasks;
}

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
  Outcome out;
  out.is_grouped = !select.group_by.empty();
  out.is_truncated = plan.is_truncated;

  Collector collector(select);
  std::mutex mutex;
  std::map<std::size_t, std::pair<SlotSums, std::size_t>> large;  // sums so far, series still to come
  for (std::size_t g = 0; g < plan.groups.size(); ++g)
    if (plan.groups[g].series.size() > kSeriesPerTask) large[g].second = plan.groups[g].series.size();
  Status failure = Ok{};
  const auto sum = [&](std::span<const SeriesId> ids) -> std::optional<SlotSums> {
    auto sums = store.sum(ids, spec);
    if (sums.ok()) return std::move(sums).value();
    const std::lock_guard lock(mutex);
    failure = std::move(sums).error();
    return std::nullopt;
  };
  const std::vector<Task> tasks = split(plan);
  const auto run = [&](std::size_t t) {
    const Task& task = tasks[t];
    if (task.to == SIZE_MAX) {
      for (std::size_t g = task.first_group; g <= task.last_group; ++g) {
        if ((g == task.first_group || g % 64 == 0) && collector.is_complete_before(g)) return;
        if (const auto sums = sum(plan.groups[g].series)) collector.add(g, to_series(select.function, *sums));
      }
      return;
    }
    const std::size_t g = task.first_group;
    if (collector.is_complete_before(g)) return;
    const auto sums = sum(std::span(plan.groups[g].series).subspan(task.from, task.to - task.from));
    if (!sums) return;
    std::unique_lock lock(mutex);
    auto& [total, left] = large[g];
    total.merge(*sums);
    left -= task.to - task.from;
    if (left > 0) return;
    const SlotSums whole = std::move(total);
    lock.unlock();
    collector.add(g, to_series(select.function, whole));
  };
  if (parallel && tasks.size() > 1)
    parallel(tasks.size(), run);
  else
    for (std::size_t t = 0; t < tasks.size(); ++t) run(t);
  TRYV(failure);
  out.series = collector.take(plan);
  return out;
}

}  // namespace fog::metrics_insights
