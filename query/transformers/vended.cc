// Parsers of logs that AWS services write: parseVPC, parseWAF, parseRoute53, parseCloudfront,
// parsePostgres.
#include <re2/re2.h>

#include <algorithm>
#include <span>

#include "query/transformers/processor.h"

namespace fog::transformers {
namespace {

enum class As { kText, kNumber };
struct Column {
  std::string_view name;
  As as = As::kText;
};

constexpr Column kVpc[] = {
    {"version", As::kNumber}, {"accountId"}, {"interfaceId"}, {"srcAddr"}, {"dstAddr"}, {"srcPort", As::kNumber},
    {"dstPort", As::kNumber}, {"protocol", As::kNumber}, {"packets", As::kNumber}, {"bytes", As::kNumber},
    {"start", As::kNumber}, {"end", As::kNumber}, {"action"}, {"logStatus"},
};
constexpr Column kRoute53[] = {
    {"version", As::kNumber}, {"queryTimestamp"}, {"hostZoneId"}, {"queryName"}, {"queryType"}, {"responseCode"},
    {"protocol"}, {"edgeLocation"}, {"resolverIp"}, {"ednsClientSubnet"},
};
constexpr Column kCloudfront[] = {
    {"date"}, {"time"}, {"x-edge-location"}, {"sc-bytes", As::kNumber}, {"c-ip"}, {"cs-method"}, {"cs(Host)"},
    {"cs-uri-stem"}, {"sc-status", As::kNumber}, {"cs(Referer)"}, {"cs(User-Agent)"}, {"cs-uri-query"}, {"cs(Cookie)"},
    {"x-edge-result-type"}, {"x-edge-request-id"}, {"x-host-header"}, {"cs-protocol"}, {"cs-bytes", As::kNumber},
    {"time-taken", As::kNumber}, {"x-forwarded-for"}, {"ssl-protocol"}, {"ssl-cipher"}, {"x-edge-response-result-type"},
    {"cs-protocol-version"}, {"fle-status"}, {"fle-encrypted-fields"}, {"c-port", As::kNumber},
    {"time-to-first-byte", As::kNumber}, {"x-edge-detailed-result-type"}, {"sc-content-type"}, {"sc-content-len", As::kNumber},
    {"sc-range-start"}, {"sc-range-end"},
};

// A line of columns between blanks or tabs.
class Columns final : public Processor {
 public:
  Columns(Source source, std::span<const Column> columns, char delimiter, std::size_t least)
      : source_(std::move(source)), columns_(columns), delimiter_(delimiter), least_(least) {}
  bool apply(JsonTree& root, const Event& event) const override {
    const auto text = source_.read(root, event);
    if (!text) return true;
    std::vector<std::string_view> parts;
    std::string_view rest = *text;
    while (!rest.empty() && (rest.back() == '\n' || rest.back() == '\r')) rest.remove_suffix(1);
    for (;;) {
      const std::size_t end = rest.find(delimiter_);
      const std::string_view part = rest.substr(0, end);
      if (delimiter_ != ' ' || !part.empty()) parts.push_back(part);
      if (end == std::string_view::npos) break;
      rest.remove_prefix(end + 1);
    }
    if (parts.size() < least_ || parts.size() > columns_.size()) return false;
    for (std::size_t k = 0; k < parts.size(); ++k)
      root.set(columns_[k].name, columns_[k].as == As::kNumber ? number_or_text(parts[k]) : JsonTree::string(parts[k]));
    return true;
  }

 private:
  Source source_;
  std::span<const Column> columns_;
  char delimiter_;
  std::size_t least_;
};

class Waf final : public Processor {
 public:
  explicit Waf(Source source) : source_(std::move(source)) {}
  bool apply(JsonTree& root, const Event& event) const override {
    const auto text = source_.read(root, event);
    if (!text) return true;
    auto parsed = parse_json(*text);
    if (!parsed || !parsed->is_object()) return false;
    if (JsonTree* request = parsed->find("httpRequest"))
      if (JsonTree* headers = request->find("headers"); headers != nullptr && headers->is_array()) {
        JsonTree map = JsonTree::object();
        for (const JsonTree& header : headers->items) {
          const JsonTree* name = header.find("name");
          const JsonTree* value = header.find("value");
          if (name != nullptr && value != nullptr) map.set(name->as_text(), *value);
        }
        *headers = std::move(map);
      }
    if (JsonTree* labels = parsed->find("labels"); labels != nullptr && labels->is_array()) {
      // "awswaf:managed:aws:bot-control:bot:name": what stands behind the last colon is the value.
      JsonTree map = JsonTree::object();
      for (const JsonTree& label : labels->items) {
        const JsonTree* name = label.find("name");
        if (name == nullptr || !name->is_string()) continue;
        const std::size_t colon = name->text.rfind(':');
        if (colon == std::string::npos) map.set("name", *name);
        else map.set(name->text.substr(0, colon), JsonTree::string(std::string_view(name->text).substr(colon + 1)));
      }
      *labels = std::move(map);
    }
    return Target{}.put(root, std::move(*parsed), true);
  }

 private:
  Source source_;
};

class Postgres final : public Processor {
 public:
  explicit Postgres(Source source) : source_(std::move(source)) {}
  bool apply(JsonTree& root, const Event& event) const override {
    const auto text = source_.read(root, event);
    if (!text) return true;
    static const RE2 kLine(R"(^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? [A-Z]{3,4}):([^:]*):([^@]*)@([^:]*):\[(\d+)\]:([A-Z0-9]+):)");
    std::string time, ip, user, database, process, level;
    if (!RE2::PartialMatch(*text, kLine, &time, &ip, &user, &database, &process, &level)) return false;
    root.set("logTime", JsonTree::string(time));
    root.set("srcIp", JsonTree::string(ip));
    root.set("userName", JsonTree::string(user));
    root.set("dbName", JsonTree::string(database));
    root.set("processId", JsonTree::string(process));
    root.set("logLevel", JsonTree::string(level));
    return true;
  }

 private:
  Source source_;
};

}  // namespace

Result<ProcessorPtr> make_vended(const Parameters& parameters) {
  const std::string_view name = parameters.name();
  if (parameters.text("source", "@message") != "@message") return parameters.error("source must be @message.");
  TRY(Source source, source_of(parameters));
  if (name == "parseVPC") return ProcessorPtr(std::make_unique<Columns>(std::move(source), kVpc, ' ', std::size(kVpc)));
  if (name == "parseRoute53") return ProcessorPtr(std::make_unique<Columns>(std::move(source), kRoute53, ' ', std::size(kRoute53)));
  if (name == "parseCloudfront")
    return ProcessorPtr(std::make_unique<Columns>(std::move(source), kCloudfront, '\t', std::size(kCloudfront)));
  if (name == "parsePostgres") return ProcessorPtr(std::make_unique<Postgres>(std::move(source)));
  return ProcessorPtr(std::make_unique<Waf>(std::move(source)));
}

}  // namespace fog::transformers
