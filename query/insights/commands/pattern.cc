#include "query/insights/commands/pattern.h"

#include <cmath>

#include "query/insights/commands/table.h"
#include "query/insights/ip.h"

namespace fog::insights {

namespace {

// Templates as text: tokens and separators in order. A dynamic token is \x01 and the letter of its
// kind; \x02 ends a static token, so that neighbours stay apart.
enum class Kind : char { kNumber = 'N', kTime = 'T', kUuid = 'U', kIp = 'I', kHex = 'H', kUrl = 'L', kPath = 'P',
                         kEmail = 'E', kArn = 'A', kToken = 'K' };

std::string_view kind_name(char kind) {
  switch (static_cast<Kind>(kind)) {
    case Kind::kNumber: return "Number";
    case Kind::kTime: return "Time";
    case Kind::kUuid: return "UUID";
    case Kind::kIp: return "IP";
    case Kind::kHex: return "Hex";
    case Kind::kUrl: return "URL";
    case Kind::kPath: return "Path";
    case Kind::kEmail: return "Email";
    case Kind::kArn: return "ARN";
    case Kind::kToken: return "Token";
  }
  return "Token";
}

bool digit(char c) { return c >= '0' && c <= '9'; }
bool hex(char c) { return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool separator(char c) { return blank(c) || std::string_view("[](){}=,:;\"'|").find(c) != std::string_view::npos; }

// The length of a run that fits `shape` (9: digit, other characters themselves) at the start of text.
std::size_t fits(std::string_view text, std::string_view shape) {
  if (text.size() < shape.size()) return 0;
  for (std::size_t k = 0; k < shape.size(); ++k)
    if (shape[k] == '9' ? !digit(text[k]) : text[k] != shape[k]) return 0;
  return shape.size();
}

// A date or time of day, with the blanks and colons inside it.
std::size_t time_length(std::string_view text) {
  if (text.empty() || !digit(text[0])) return 0;
  std::size_t k = fits(text, "9999-99-99");
  if (k == 0) k = fits(text, "9999/99/99");
  bool date = k > 0;
  if (date && k < text.size() && (text[k] == 'T' || text[k] == ' ')) {
    std::size_t clock = fits(text.substr(k + 1), "99:99:99");
    if (clock == 0) return k;
    k += 1 + clock;
  } else if (!date) {
    k = fits(text, "99:99:99");
    if (k == 0) return 0;
  } else {
    return k;
  }
  if (k + 1 < text.size() && (text[k] == '.' || text[k] == ',') && digit(text[k + 1])) {
    ++k;
    while (k < text.size() && digit(text[k])) ++k;
  }
  if (k < text.size() && text[k] == 'Z') return k + 1;
  if (k < text.size() && (text[k] == '+' || text[k] == '-')) {
    std::size_t zone = fits(text.substr(k + 1), "99:99");
    if (zone == 0) zone = fits(text.substr(k + 1), "9999");
    if (zone > 0) k += 1 + zone;
  }
  return k;
}

// Things that hold separators themselves: URLs, ARNs, IPv6 addresses.
std::size_t long_token(std::string_view text, Kind& kind) {
  std::size_t end = 0;
  while (end < text.size() && !blank(text[end]) && std::string_view("\"'[](){}|,;").find(text[end]) == std::string_view::npos) ++end;
  std::string_view run = text.substr(0, end);
  std::size_t scheme = run.find("://");
  if (scheme != std::string_view::npos && scheme > 0 && scheme < 10 && run.find_first_of("=:") == scheme) {
    kind = Kind::kUrl;
    return end;
  }
  if (run.starts_with("arn:")) {
    kind = Kind::kArn;
    return end;
  }
  if (run.size() >= 3 && run.size() < 46 && run.find("::") != std::string_view::npos && parse_ip(run)) {
    kind = Kind::kIp;
    return end;
  }
  return 0;
}

// The kind of a token without separators, or 0 for a static one.
char classify(std::string_view token) {
  bool any_digit = false, all_digits = true, all_hex = true, dot = false, slash = false, at = false;
  for (char c : token) {
    any_digit = any_digit || digit(c);
    all_digits = all_digits && digit(c);
    all_hex = all_hex && hex(c);
    dot = dot || c == '.';
    slash = slash || c == '/';
    at = at || c == '@';
  }
  auto is = [](Kind kind) { return static_cast<char>(kind); };
  if (all_digits) return is(Kind::kNumber);
  if (parse_number(token)) return is(Kind::kNumber);
  if (token.size() == 36 && token[8] == '-' && token[13] == '-' && token[18] == '-' && token[23] == '-') {
    bool uuid = true;
    for (std::size_t k = 0; k < 36; ++k) uuid = uuid && (token[k] == '-' || hex(token[k]));
    if (uuid) return is(Kind::kUuid);
  }
  if (any_digit && dot && parse_ip(token)) return is(Kind::kIp);
  if (at && dot && token.find('@') > 0) return is(Kind::kEmail);
  if (slash && token.size() > 1 && token[0] == '/') return is(Kind::kPath);
  if (all_hex && any_digit && token.size() >= 8) return is(Kind::kHex);
  if (token.starts_with("0x") && token.size() > 2) return is(Kind::kHex);
  // A number with its unit, such as 12ms or 99.5%.
  if (digit(token[0])) {
    std::size_t k = 0;
    while (k < token.size() && (digit(token[k]) || token[k] == '.')) ++k;
    bool unit = token.size() - k <= 3;
    for (std::size_t m = k; m < token.size(); ++m)
      unit = unit && ((token[m] >= 'a' && token[m] <= 'z') || (token[m] >= 'A' && token[m] <= 'Z') || token[m] == '%');
    if (unit && parse_number(token.substr(0, k))) return is(Kind::kNumber);
  }
  return any_digit ? is(Kind::kToken) : '\0';
}

void make_template(std::string_view text, std::string& out) {
  out.clear();
  std::size_t k = 0;
  auto dynamic = [&out](char kind) {
    out += '\1';
    out += kind;
  };
  while (k < text.size()) {
    if (separator(text[k])) {
      // Runs of blanks count as one.
      if (blank(text[k])) {
        while (k < text.size() && blank(text[k])) ++k;
        out += ' ';
      } else {
        out += text[k++];
      }
      continue;
    }
    std::string_view rest = text.substr(k);
    if (std::size_t n = time_length(rest); n > 0 && (n == rest.size() || separator(rest[n]))) {
      dynamic(static_cast<char>(Kind::kTime));
      k += n;
      continue;
    }
    Kind kind = Kind::kToken;
    if (std::size_t n = long_token(rest, kind)) {
      dynamic(static_cast<char>(kind));
      k += n;
      continue;
    }
    std::size_t n = 0;
    while (n < rest.size() && !separator(rest[n])) ++n;
    std::string_view token = rest.substr(0, n);
    // A closing full stop belongs to the sentence.
    std::size_t stop = token.size() > 1 && token.back() == '.' ? 1 : 0;
    char found = classify(token.substr(0, token.size() - stop));
    if (found) {
      dynamic(found);
      if (stop) out += '.';
    } else {
      for (char c : token)
        if (c != '\1' && c != '\2') out += c;
    }
    out += '\2';
    k += n;
  }
}

// A template in pieces: separators and tokens; tokens of merged templates may become dynamic.
struct Piece {
  std::string text;      // static text, or empty
  char kind = '\0';      // dynamic
  bool token = false;    // false: separator
};

std::vector<Piece> pieces_of(std::string_view text) {
  std::vector<Piece> pieces;
  for (std::size_t k = 0; k < text.size();) {
    Piece piece;
    if (text[k] == '\1') {
      piece.token = true;
      piece.kind = text[k + 1];
      k += 2;
    } else if (text[k] == '\2') {
      ++k;
      continue;
    } else if (separator(text[k])) {
      piece.text = text[k++];
    } else {
      std::size_t end = k;
      while (end < text.size() && text[end] != '\1' && text[end] != '\2' && !separator(text[end])) ++end;
      piece.token = true;
      piece.text = text.substr(k, end - k);
      k = end;
    }
    pieces.push_back(std::move(piece));
  }
  return pieces;
}

// 6 worst .. 1, 0: no severity word.
int severity_rank(std::string_view word) {
  std::string w = lower(word);
  while (!w.empty() && !(w.front() >= 'a' && w.front() <= 'z')) w.erase(w.begin());
  while (!w.empty() && !(w.back() >= 'a' && w.back() <= 'z')) w.pop_back();
  if (w == "fatal" || w == "critical" || w == "crit") return 6;
  if (w == "error" || w == "err" || w == "errors" || w == "exception" || w.ends_with("exception") ||
      (w.size() > 5 && w.ends_with("error")))
    return 5;
  if (w == "warn" || w == "warning") return 4;
  if (w == "info") return 3;
  if (w == "debug") return 2;
  if (w == "trace") return 1;
  return 0;
}
constexpr std::string_view kSeverities[] = {"", "Trace", "Debug", "Info", "Warning", "Error", "Critical"};

// Can the two be one template? At least half of the tokens agree, and severities are the same.
bool similar(const std::vector<Piece>& a, const std::vector<Piece>& b) {
  if (a.size() != b.size()) return false;
  std::size_t tokens = 0, equal = 0;
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (a[k].token != b[k].token) return false;
    if (!a[k].token) {
      if (a[k].text != b[k].text) return false;
      continue;
    }
    ++tokens;
    bool same = a[k].kind == b[k].kind && a[k].text == b[k].text;
    equal += same || (a[k].kind && b[k].kind);
    if (!same && (severity_rank(a[k].text) || severity_rank(b[k].text))) return false;
  }
  return tokens > 0 && equal * 2 >= tokens;
}

constexpr std::size_t kClustersTried = 200;  // per shape; bounds the work on texts without any pattern

}  // namespace

PatternTable::~PatternTable() {
  if (memory_) memory_->sub(charged_);
}

void PatternTable::charge(std::size_t bytes) {
  charged_ += bytes;
  if (memory_) memory_->add(bytes);
}

void PatternTable::add(Batch& batch, int side) {
  Vec vec = batch.eval(*input_);
  Vec times;
  if (time_slot_ >= 0 && side == 0) times = batch.column(time_slot_);
  std::string key, buffer;
  double width = static_cast<double>(info_.end_ms - info_.start_ms + 1) / static_cast<double>(kPatternBins);
  std::size_t n = 0;
  for (std::uint32_t row : batch.sel) {
    if ((++n & 1023) == 0 && batch.run().stop()) return;
    Value value = vec.get(row, batch.arena());
    if (value.null() || value.container()) continue;
    make_template(text_of(value, buffer), key);
    auto it = entries_.find(key);
    if (it == entries_.end()) {
      it = entries_.emplace(key, Entry{}).first;
      charge(key.size() + sizeof(Entry) + 64);
    }
    ++it->second.counts[side];
    ++rows_[side];
    if (times.kind == Vec::Kind::kUnset) continue;
    if (Num t = times.num(row)) {
      if (it->second.bins.empty()) {
        it->second.bins.resize(kPatternBins);
        charge(kPatternBins * 4);
      }
      double at = (t.d - static_cast<double>(info_.start_ms)) / width;
      auto bin = static_cast<std::size_t>(std::clamp(at, 0.0, static_cast<double>(kPatternBins - 1)));
      ++it->second.bins[bin];
    }
  }
}

void PatternTable::merge(PatternTable& other) {
  for (auto& [key, entry] : other.entries_) {
    auto [it, fresh] = entries_.try_emplace(key);
    if (fresh) charge(key.size() + sizeof(Entry) + 64 + entry.bins.size() * 4);
    Entry& mine = it->second;
    for (int side : {0, 1}) mine.counts[side] += entry.counts[side];
    if (mine.bins.empty()) {
      mine.bins = entry.bins;
    } else if (!entry.bins.empty()) {
      for (std::size_t k = 0; k < kPatternBins; ++k) mine.bins[k] += entry.bins[k];
    }
  }
  for (int side : {0, 1}) rows_[side] += other.rows_[side];
}

std::vector<PatternTable::Pattern> PatternTable::patterns() const {
  std::vector<const std::pair<const std::string, Entry>*> order;
  for (const auto& entry : entries_) order.push_back(&entry);
  auto total = [](const Entry& e) { return e.counts[0] + e.counts[1]; };
  std::sort(order.begin(), order.end(), [&](const auto* a, const auto* b) {
    if (total(a->second) != total(b->second)) return total(a->second) > total(b->second);
    return a->first < b->first;
  });
  struct Cluster {
    std::vector<Piece> pieces;
    Entry entry;
  };
  std::vector<Cluster> clusters;
  // Templates of one shape (number of pieces, separators) can merge.
  std::unordered_map<std::string, std::vector<std::size_t>> by_shape;
  for (const auto* item : order) {
    std::vector<Piece> pieces = pieces_of(item->first);
    std::string shape;
    for (const Piece& piece : pieces) shape += piece.token ? '\1' : piece.text[0];
    auto& candidates = by_shape[shape];
    Cluster* home = nullptr;
    for (std::size_t k = 0; k < candidates.size() && k < kClustersTried && !home; ++k)
      if (similar(clusters[candidates[k]].pieces, pieces)) home = &clusters[candidates[k]];
    if (home == nullptr) {
      candidates.push_back(clusters.size());
      clusters.push_back({std::move(pieces), item->second});
      continue;
    }
    for (std::size_t k = 0; k < pieces.size(); ++k) {
      Piece& mine = home->pieces[k];
      if (!mine.token || (mine.kind == pieces[k].kind && mine.text == pieces[k].text)) continue;
      // Unequal values: their common kind, or just a token.
      mine.kind = mine.kind == pieces[k].kind && mine.kind ? mine.kind : static_cast<char>(Kind::kToken);
      mine.text.clear();
    }
    for (int side : {0, 1}) home->entry.counts[side] += item->second.counts[side];
    if (home->entry.bins.empty()) home->entry.bins = item->second.bins;
    else if (!item->second.bins.empty())
      for (std::size_t k = 0; k < kPatternBins; ++k) home->entry.bins[k] += item->second.bins[k];
  }
  std::vector<Pattern> patterns;
  for (Cluster& cluster : clusters) {
    Pattern pattern;
    int dynamic = 0, worst = 0;
    for (const Piece& piece : cluster.pieces) {
      if (piece.kind) {
        pattern.text += '<';
        pattern.text += kind_name(piece.kind);
        pattern.text += '-' + std::to_string(++dynamic) + '>';
        continue;
      }
      pattern.text += piece.text;
      if (piece.token) worst = std::max(worst, severity_rank(piece.text));
    }
    pattern.text = trim(pattern.text);
    pattern.severity = kSeverities[worst];
    pattern.entry = std::move(cluster.entry);
    patterns.push_back(std::move(pattern));
  }
  std::stable_sort(patterns.begin(), patterns.end(), [](const Pattern& a, const Pattern& b) {
    for (int side : {0, 1})
      if (a.entry.counts[side] != b.entry.counts[side]) return a.entry.counts[side] > b.entry.counts[side];
    return a.text < b.text;
  });
  return patterns;
}

void PatternCommand::print(std::string& out) const {
  out += "pattern ";
  print_expr(*source_, out);
}

Status PatternCommand::bind(Binder& binder) {
  command_ = binder.command();
  TRY(input_, binder.scalar(*source_));
  if (binder.open() || binder.visible("@timestamp")) {
    TRY(time_slot_, binder.field("@timestamp", at_begin, at_end));
  }
  pattern_ = binder.hidden_made();
  ratio_ = binder.hidden_made();
  count_ = binder.hidden_made();
  severity_ = binder.hidden_made();
  bins_ = binder.hidden_made();
  binder.replace_columns(
      {{"@pattern", pattern_}, {"@ratio", ratio_}, {"@sampleCount", count_}, {"@severityLabel", severity_}});
  binder.patterns = Binder::Patterns{command_, pattern_, count_, bins_};
  return Ok{};
}

void PatternCommand::uses(std::set<int>& slots) const {
  use(input_, slots);
  if (time_slot_ >= 0) slots.insert(time_slot_);
}

std::unique_ptr<PatternTable> PatternCommand::make_table(Run& run) const {
  return std::make_unique<PatternTable>(input_, time_slot_, run.info, &run.memory);
}

Result<BatchPtr> PatternCommand::apply(BatchPtr batch, Run& run) const {
  auto table = make_table(run);
  table->add(*batch);
  TRYV(run.status());
  return finish(*table, run);
}

BatchPtr PatternCommand::finish(const PatternTable& table, Run& run) const {
  auto patterns = table.patterns();
  auto batch = std::make_shared<Batch>(run, patterns.size(), command_);
  Arena& arena = batch->arena();
  Value* columns[5];
  int slots[5] = {pattern_, ratio_, count_, severity_, bins_};
  for (Value*& column : columns) column = null_values(*batch);
  for (std::size_t k = 0; k < patterns.size(); ++k) {
    const auto& p = patterns[k];
    columns[0][k] = Value::text(arena.copy(p.text));
    double ratio = static_cast<double>(p.entry.counts[0]) / static_cast<double>(std::max<std::int64_t>(1, table.rows(0)));
    columns[1][k] = Value::number(std::round(ratio * 10'000) / 10'000);
    columns[2][k] = Value::integer(p.entry.counts[0]);
    if (!p.severity.empty()) columns[3][k] = Value::text(arena.copy(p.severity));
    std::vector<Value> bins;
    for (std::uint32_t n : p.entry.bins) bins.push_back(Value::integer(n));
    columns[4][k] = Value::of(make_list(bins, arena));
  }
  for (std::size_t k = 0; k < 5; ++k) batch->set_values(slots[k], columns[k]);
  return batch;
}

Result<CommandPtr> parse_pattern(Parser& parser) {
  TRY(ExprPtr source, parser.primary());
  return CommandPtr(std::make_unique<PatternCommand>(std::move(source)));
}

}  // namespace fog::insights
