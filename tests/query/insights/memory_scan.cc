#include "tests/query/insights/memory_scan.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <sstream>

#include "query/insights/json.h"

namespace fog::insights::test {

namespace {

void flatten(const Json& json, const std::string& path, std::vector<std::pair<std::string, std::string>>& out) {
  auto add = [&](std::string text) {
    if (out.size() >= 200) return;
    for (const auto& [name, value] : out)
      if (name == path) return;  // the first in the document counts
    out.emplace_back(path, std::move(text));
  };
  switch (json.kind) {
    case Json::Kind::kNull: return;
    case Json::Kind::kTrue: add("1"); return;
    case Json::Kind::kFalse: add("0"); return;
    case Json::Kind::kNumber:
    case Json::Kind::kString: add(std::string(json.text)); return;
    case Json::Kind::kArray:
    case Json::Kind::kObject: break;
  }
  for (std::uint32_t k = 0; k < json.count; ++k) {
    std::string key = json.kind == Json::Kind::kObject ? std::string(json.keys[k]) : std::to_string(k);
    if (path.empty() && key.starts_with('@')) key = '@' + key;
    flatten(json.items[k], path.empty() ? key : path + '.' + key, out);
  }
}

std::vector<std::string> split(const std::string& text, const std::string& by) {
  std::vector<std::string> parts;
  std::size_t at = 0;
  for (;;) {
    std::size_t next = text.find(by, at);
    parts.push_back(text.substr(at, next == std::string::npos ? next : next - at));
    if (next == std::string::npos) return parts;
    at = next + by.size();
  }
}

void lambda(const std::string& message, std::vector<std::pair<std::string, std::string>>& out) {
  out.emplace_back("@type", message.substr(0, message.find(' ')));
  std::size_t at = message.find("RequestId: ") + 11;
  out.emplace_back("@requestId", message.substr(at, message.find_first_of(" \t\n", at) - at));
  if (!message.starts_with("REPORT")) return;
  std::string flat = message;
  std::replace(flat.begin(), flat.end(), '\n', '\t');
  static const std::pair<const char*, const char*> kFields[] = {
      {"Duration", "@duration"},         {"Billed Duration", "@billedDuration"}, {"Init Duration", "@initDuration"},
      {"Memory Size", "@memorySize"},    {"Max Memory Used", "@maxMemoryUsed"}, {"XRAY TraceId", "@xrayTraceId"},
      {"SegmentId", "@xraySegmentId"}};
  for (const std::string& part : split(flat, "\t"))
    for (auto [label, name] : kFields) {
      std::string head = std::string(label) + ": ";
      if (!part.starts_with(head)) continue;
      std::string value = part.substr(head.size());
      bool mega = value.ends_with(" MB");
      value = value.substr(0, value.find(' '));
      out.emplace_back(name, mega ? value + "000000" : value);
    }
}

void named(const std::vector<std::string>& words, const std::vector<std::string>& names,
           std::vector<std::pair<std::string, std::string>>& out) {
  for (std::size_t k = 0; k < names.size(); ++k)
    if (words[k] != "-") out.emplace_back(names[k], words[k]);
}

bool plain_integer(const std::string& text) {
  std::int64_t v = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  return error == std::errc() && end == text.data() + text.size() && std::to_string(v) == text;
}
// Digits, a point, exactly `scale` digits.
bool plain_decimal(const std::string& text, int& scale) {
  std::size_t dot = text.find('.');
  if (dot == std::string::npos || dot == 0 || text.size() > 15) return false;
  for (std::size_t k = text[0] == '-' ? 1 : 0; k < text.size(); ++k)
    if (k != dot && (text[k] < '0' || text[k] > '9')) return false;
  if (text[0] == '0' && dot > 1) return false;
  if (text.starts_with("-0") ) return false;
  scale = static_cast<int>(text.size() - dot - 1);
  return scale > 0 && dot > (text[0] == '-' ? 1u : 0u);
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

bool satisfies(const MemoryScan::Row& row, const LogPredicate& p) {
  if (p.what == LogPredicate::What::kMessageContains) return contains(row.event->message, p.text);
  auto it = row.fields.find(p.field);
  if (it == row.fields.end()) return false;
  Num n = parse_number(it->second);
  switch (p.what) {
    case LogPredicate::What::kFieldContains: return contains(it->second, p.text);
    case LogPredicate::What::kFieldEquals: {
      Num m = parse_number(p.text);
      return it->second == p.text || (n && m && compare(n, m) == 0);
    }
    case LogPredicate::What::kFieldAtLeast: return n && n.d >= p.number;
    case LogPredicate::What::kFieldAtMost: return n && n.d <= p.number;
    case LogPredicate::What::kFieldPresent:
    case LogPredicate::What::kMessageContains: return true;
  }
  return true;
}

class MemoryBlock final : public LogBlock {
 public:
  MemoryBlock(const std::vector<MemoryScan::Row>& rows, LogGroupId group, std::int64_t from, std::int64_t to)
      : rows_(rows), group_(group), from_(from), to_(to) {
    for (const auto& row : rows) {
      times_.push_back(row.event->timestamp_ms);
      sequences_.push_back(row.sequence);
      auto it = std::find(ids_.begin(), ids_.end(), row.stream);
      codes_.push_back(static_cast<std::uint32_t>(it - ids_.begin()));
      if (it == ids_.end()) ids_.push_back(row.stream);
    }
  }
  LogGroupId group() const override { return group_; }
  std::size_t rows() const override { return rows_.size(); }
  std::int64_t timestamp_min_ms() const override { return times_.front(); }
  std::int64_t timestamp_max_ms() const override { return times_.back(); }
  std::uint64_t message_bytes() const override {
    std::uint64_t n = 0;
    for (const auto& row : rows_) n += row.event->message.size();
    return n;
  }
  bool may_contain(const LogPredicate& p) override {
    return std::any_of(rows_.begin(), rows_.end(), [&](const auto& row) { return satisfies(row, p); });
  }
  std::vector<Field> fields() override { return {}; }
  Result<RowSet> rows_visible() override {
    RowSet set(rows_.size(), false);
    for (std::size_t k = 0; k < rows_.size(); ++k)
      if (times_[k] >= from_ && times_[k] <= to_) set.set(k);
    return set;
  }
  Status narrow(const LogPredicate& p, RowSet& rows) override {
    for (std::size_t k = 0; k < rows_.size(); ++k)
      if (rows.test(k) && !satisfies(rows_[k], p)) rows.clear(k);
    return Ok{};
  }
  Result<std::span<const std::int64_t>> timestamps_ms() override { return std::span<const std::int64_t>(times_); }
  Result<std::span<const std::int64_t>> ingestion_times_ms() override { return std::span<const std::int64_t>(times_); }
  Result<std::span<const LogSequence>> sequences() override { return std::span<const LogSequence>(sequences_); }
  Result<std::span<const std::uint32_t>> stream_codes() override { return std::span<const std::uint32_t>(codes_); }
  Result<std::span<const LogStreamId>> stream_ids() override { return std::span<const LogStreamId>(ids_); }

  Result<std::shared_ptr<const LogColumn>> column(std::string_view field) override {
    std::vector<const std::string*> texts;
    bool any = false;
    for (const auto& row : rows_) {
      auto it = row.fields.find(std::string(field));
      texts.push_back(it == row.fields.end() ? nullptr : &it->second);
      any = any || texts.back();
    }
    if (!any) return std::shared_ptr<const LogColumn>();
    return make(texts);
  }
  Status append_message(std::size_t row, std::string& out) override {
    out += rows_[row].event->message;
    return Ok{};
  }
  Result<std::shared_ptr<const LogColumn>> messages(const RowSet& rows) override {
    std::vector<const std::string*> texts(rows_.size());
    rows.visit([&](std::size_t k) { texts[k] = &rows_[k].event->message; });
    auto column = std::make_shared<LogColumn>();
    text_column(texts, *column);
    return std::shared_ptr<const LogColumn>(column);
  }

 private:
  static void text_column(const std::vector<const std::string*>& texts, LogColumn& column) {
    column.type = LogColumnType::kText;
    column.rows = texts.size();
    column.present = RowSet(texts.size(), false);
    column.offsets.push_back(0);
    for (std::size_t k = 0; k < texts.size(); ++k) {
      if (texts[k]) {
        column.present.set(k);
        column.bytes += *texts[k];
      }
      column.offsets.push_back(static_cast<std::uint32_t>(column.bytes.size()));
    }
  }
  static std::shared_ptr<const LogColumn> make(const std::vector<const std::string*>& texts) {
    auto column = std::make_shared<LogColumn>();
    bool ints = true, decimals = true;
    int scale = 0;
    std::set<std::string_view> distinct;
    std::size_t present = 0;
    for (const std::string* text : texts) {
      if (!text) continue;
      ++present;
      ints = ints && plain_integer(*text);
      int own = 0;
      decimals = decimals && plain_decimal(*text, own) && (scale == 0 || own == scale);
      scale = own;
      distinct.insert(*text);
    }
    if (!ints && !decimals && distinct.size() * 2 > present) {
      text_column(texts, *column);
      return column;
    }
    column->rows = texts.size();
    column->present = RowSet(texts.size(), false);
    if (!ints && !decimals) {
      column->type = LogColumnType::kDictionary;
      std::vector<std::string_view> order(distinct.begin(), distinct.end());
      for (std::string_view text : order) column->bytes += text;
      std::size_t at = 0;
      for (std::string_view text : order) {
        column->dictionary.push_back(std::string_view(column->bytes).substr(at, text.size()));
        at += text.size();
      }
      for (std::size_t k = 0; k < texts.size(); ++k) {
        if (texts[k]) column->present.set(k);
        auto it = texts[k] ? std::lower_bound(order.begin(), order.end(), *texts[k]) : order.begin();
        column->codes8.push_back(static_cast<std::uint8_t>(it - order.begin()));
      }
      return column;
    }
    column->type = ints ? LogColumnType::kInt : LogColumnType::kDouble;
    column->scale = scale;
    for (std::size_t k = 0; k < texts.size(); ++k) {
      if (texts[k]) column->present.set(k);
      std::string text = texts[k] ? *texts[k] : "0";
      if (ints) {
        column->ints.push_back(std::stoll(text));
        continue;
      }
      column->doubles.push_back(std::stod(text));
      std::erase(text, '.');
      column->mantissas.push_back(std::stoll(text));
    }
    return column;
  }

  const std::vector<MemoryScan::Row>& rows_;
  LogGroupId group_;
  std::int64_t from_, to_;
  std::vector<std::int64_t> times_;
  std::vector<LogSequence> sequences_;
  std::vector<std::uint32_t> codes_;
  std::vector<LogStreamId> ids_;
};

}  // namespace

std::vector<std::pair<std::string, std::string>> discover(const std::string& message) {
  std::vector<std::pair<std::string, std::string>> out;
  if (trim(message).starts_with('{')) {
    Arena arena;
    if (const Json* json = parse_json(message, arena)) flatten(*json, "", out);
    return out;
  }
  for (const char* word : {"START RequestId: ", "END RequestId: ", "REPORT RequestId: "})
    if (message.starts_with(word)) {
      lambda(message, out);
      return out;
    }
  std::istringstream stream(message);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  if (words.size() == 14 && words[2].starts_with("eni-"))
    named(words, {"version", "accountId", "interfaceId", "srcAddr", "dstAddr", "srcPort", "dstPort", "protocol", "packets",
                  "bytes", "startTime", "endTime", "action", "logStatus"}, out);
  else if (words.size() == 10 && words[0].size() == 3 && words[0][1] == '.' && words[1].size() >= 20)
    named(words, {"version", "queryTimestamp", "hostZoneId", "queryName", "queryType", "responseCode", "protocol",
                  "edgeLocation", "resolverIp", "ednsClientSubnet"}, out);
  return out;
}

MemoryScan::MemoryScan(std::vector<Event> events, std::size_t block_rows)
    : events_(std::move(events)), block_rows_(block_rows) {
  // Blocks are filled in the order of arrival, one group each, and sorted inside, as a store does.
  std::map<std::string, std::vector<Row>> open;
  std::map<std::string, LogSequence> next;
  auto index = [](std::vector<std::string>& names, const std::string& name) {
    auto it = std::find(names.begin(), names.end(), name);
    if (it != names.end()) return static_cast<std::size_t>(it - names.begin());
    names.push_back(name);
    return names.size() - 1;
  };
  auto close = [&](const std::string& group, std::vector<Row>& rows) {
    std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
      return a.event->timestamp_ms < b.event->timestamp_ms;
    });
    blocks_.push_back(std::move(rows));
    block_group_.push_back(index(groups_, "000000000000:" + group));
    rows.clear();
  };
  for (const Event& event : events_) {
    auto& rows = open[event.group];
    Row row{&event, ++next[event.group], index(streams_, event.stream), {}};
    for (auto& [name, value] : discover(event.message)) row.fields[name] = value;
    rows.push_back(std::move(row));
    if (rows.size() == block_rows_) close(event.group, rows);
  }
  for (auto& [group, rows] : open)
    if (!rows.empty()) close(group, rows);
}

Result<ScanBlocks> MemoryScan::open(const ScanRequest& request) {
  ScanBlocks result;
  std::set<std::size_t> groups;
  for (std::size_t k = 0; k < blocks_.size(); ++k) {
    const auto& rows = blocks_[k];
    if (request.source && !request.source->groups.empty()) {
      std::string name = groups_[block_group_[k]].substr(13);
      if (std::find(request.source->groups.begin(), request.source->groups.end(), name) == request.source->groups.end()) continue;
    }
    groups.insert(block_group_[k]);
    if (rows.back().event->timestamp_ms < request.from_ms || rows.front().event->timestamp_ms > request.to_ms) continue;
    auto block = std::make_unique<MemoryBlock>(rows, block_group_[k], request.from_ms, request.to_ms);
    bool wanted = true;
    for (const auto& clause : request.where)
      wanted = wanted && std::any_of(clause.begin(), clause.end(), [&](const LogPredicate& p) { return block->may_contain(p); });
    if (!wanted) {
      for (const Row& row : rows) {
        if (row.event->timestamp_ms < request.from_ms || row.event->timestamp_ms > request.to_ms) continue;
        ++result.events_skipped;
        result.bytes_skipped += row.event->message.size();
      }
      continue;
    }
    result.blocks.push_back(std::move(block));
  }
  std::stable_sort(result.blocks.begin(), result.blocks.end(), [&](const auto& a, const auto& b) {
    return request.newest_first ? a->timestamp_max_ms() > b->timestamp_max_ms() : a->timestamp_min_ms() < b->timestamp_min_ms();
  });
  opened += result.blocks.size();
  result.groups = groups.size();
  return result;
}

std::string MemoryScan::pointer(LogGroupId group, LogStreamId, std::int64_t timestamp_ms, LogSequence sequence) {
  return "p" + std::to_string(group) + "-" + std::to_string(timestamp_ms) + "-" + std::to_string(sequence);
}

}  // namespace fog::insights::test
