// count_distinct and values: sets of texts.
#include <tuple>
#include <unordered_map>

#include "query/insights/aggregators.h"
#include "query/insights/json.h"
#include "storage/base/hash.h"

namespace fog::insights {

namespace {

// 128 bits of a text: two texts with the same fingerprint do not happen.
struct Print {
  std::uint64_t a = 0, b = 0;
  auto operator<=>(const Print&) const = default;
};
Print print_of(std::string_view text) { return {hash64(text, 0), hash64(text, 0x9e3779b97f4a7c15ull)}; }

class Distinct final : public Aggregator {
 public:
  explicit Distinct(NodePtr arg) : arg_(std::move(arg)) {}
  void grow(std::size_t groups) override { sets_.resize(groups); }
  bool ordered() const override { return false; }
  void update(Batch& batch, const std::vector<std::uint32_t>& gids) override {
    Vec vec = batch.eval(*arg_);
    std::string buffer;
    if (vec.kind == Vec::Kind::kDict && sets_.size() * vec.dict_size <= 1u << 22) {
      // Each pair of group and entry once.
      std::vector<char> seen(sets_.size() * vec.dict_size);
      for (std::size_t k = 0; k < gids.size(); ++k) {
        std::uint32_t row = batch.sel[k];
        if (!vec.has(row)) continue;
        char& mark = seen[gids[k] * vec.dict_size + vec.codes[row]];
        if (mark) continue;
        mark = 1;
        insert(gids[k], vec.values[vec.codes[row]], buffer);
      }
      return;
    }
    for (std::size_t k = 0; k < gids.size(); ++k) insert(gids[k], vec.get(batch.sel[k], batch.arena()), buffer);
  }
  void merge(Aggregator& other, const std::vector<std::uint32_t>& map) override {
    auto& from = static_cast<Distinct&>(other);
    for (std::size_t g = 0; g < from.sets_.size(); ++g) {
      Set& a = sets_[map[g]];
      Set& b = from.sets_[g];
      item_bytes_ -= a.bytes();
      a.items.insert(a.items.end(), b.items.begin(), b.items.end());
      a.tidy_if_grown();
      item_bytes_ += a.bytes();
    }
  }
  Value result(std::size_t group, Arena&) override {
    sets_[group].tidy();
    return Value::integer(static_cast<std::int64_t>(sets_[group].items.size()));
  }
  std::size_t bytes() const override {
    return sets_.capacity() * sizeof(Set) + item_bytes_;
  }

 private:
  // Sorted and unique after tidy(); new items wait at the end.
  struct Set {
    std::vector<Print> items;
    std::size_t tidied = 0;
    std::size_t bytes() const { return allocated(items.capacity() * sizeof(Print)); }
    void tidy() {
      std::sort(items.begin(), items.end());
      items.erase(std::unique(items.begin(), items.end()), items.end());
      tidied = items.size();
    }
    void tidy_if_grown() {
      if (items.size() > 64 && items.size() > 2 * tidied) tidy();
    }
  };
  void insert(std::size_t group, const Value& value, std::string& buffer) {
    if (!countable(value)) return;
    Set& set = sets_[group];
    item_bytes_ -= set.bytes();
    set.items.push_back(print_of(text_of(value, buffer)));
    set.tidy_if_grown();
    item_bytes_ += set.bytes();
  }
  NodePtr arg_;
  std::vector<Set> sets_;
  std::size_t item_bytes_ = 0;
};

// values(f): distinct texts in the order in which they were first seen.
class Values final : public Aggregator {
 public:
  explicit Values(NodePtr arg) : arg_(std::move(arg)) {}
  void grow(std::size_t groups) override { sets_.resize(groups); }
  void update(Batch& batch, const std::vector<std::uint32_t>& gids) override {
    Vec vec = batch.eval(*arg_);
    std::string buffer;
    const std::int64_t* times = batch.times();
    const std::uint64_t* sequences = batch.sequences();
    bool events = times != nullptr && sequences != nullptr && batch.newest_first();
    for (std::size_t k = 0; k < gids.size(); ++k) {
      std::uint32_t row = batch.sel[k];
      Value value = vec.get(row, batch.arena());
      if (!countable(value)) continue;
      // Blocks overlap in time, so the place of a row is its time; rows in memory are in order already.
      Place place = events ? Place{-times[row], ~sequences[row], k} : Place{0, 0, k};
      offer(sets_[gids[k]], std::string(text_of(value, buffer)), place);
    }
  }
  void merge(Aggregator& other, const std::vector<std::uint32_t>& map) override {
    auto& from = static_cast<Values&>(other);
    for (std::size_t g = 0; g < from.sets_.size(); ++g)
      for (auto& [text, place] : from.sets_[g]) offer(sets_[map[g]], text, place);
  }
  Value result(std::size_t group, Arena& arena) override {
    std::vector<std::pair<Place, std::string_view>> order;
    for (auto& [text, place] : sets_[group]) order.emplace_back(place, text);
    if (order.empty()) return {};
    std::sort(order.begin(), order.end());
    std::vector<Value> texts;
    for (auto& [place, text] : order) texts.push_back(Value::text(text));
    return Value::of(make_list(texts, arena));
  }
  std::size_t bytes() const override { return bytes_ + sets_.capacity() * sizeof(Set); }

 private:
  using Place = std::tuple<std::int64_t, std::uint64_t, std::size_t>;
  using Set = std::unordered_map<std::string, Place>;
  void offer(Set& set, const std::string& text, Place place) {
    // An entry is the text, its place, a hash and a link; the table has a pointer a bucket.
    constexpr std::size_t kEntry = allocated(sizeof(Set::value_type) + 2 * sizeof(void*));
    const std::size_t buckets = set.bucket_count();
    auto [it, fresh] = set.try_emplace(text, place);
    if (!fresh) {
      it->second = std::min(it->second, place);
      return;
    }
    bytes_ += kEntry + (it->first.capacity() > 15 ? allocated(it->first.capacity() + 1) : 0);
    if (set.bucket_count() != buckets)
      bytes_ += allocated(set.bucket_count() * sizeof(void*)) - (buckets > 1 ? allocated(buckets * sizeof(void*)) : 0);
  }
  NodePtr arg_;
  std::vector<Set> sets_;
  std::size_t bytes_ = 0;
};

}  // namespace

std::unique_ptr<Aggregator> make_distinct(NodePtr arg) { return std::make_unique<Distinct>(std::move(arg)); }
std::unique_ptr<Aggregator> make_values(NodePtr arg) { return std::make_unique<Values>(std::move(arg)); }

}  // namespace fog::insights
