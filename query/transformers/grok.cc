// grok: `%{PATTERN:field.path}` templates over predefined patterns.
#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>

#include "query/transformers/date_format.h"
#include "query/transformers/processor.h"

namespace fog::transformers {
namespace {

constexpr std::size_t kMatchCharsMax = 512;
constexpr std::size_t kPatternsMax = 20;
constexpr int kNestingMax = 12;

struct NamedPattern {
  std::string_view name;
  std::string_view regex;  // RE2; %{OTHER} is another of the table
};

constexpr NamedPattern kPatterns[] = {
    {"USERNAME", R"re([a-zA-Z0-9._-]+)re"},
    {"USER", R"re(%{USERNAME})re"},
    {"INT", R"re([+-]?[0-9]+)re"},
    {"BASE10NUM", R"re([+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+))re"},
    {"NUMBER", R"re(%{BASE10NUM})re"},
    {"BASE16NUM", R"re([+-]?(?:0x)?[0-9A-Fa-f]+)re"},
    {"BASE16FLOAT", R"re([+-]?(?:0x)?(?:[0-9A-Fa-f]+(?:\.[0-9A-Fa-f]*)?|\.[0-9A-Fa-f]+))re"},
    {"BOOLEAN", R"re((?i:true|false))re"},
    {"POSINT", R"re(\b[1-9][0-9]*\b)re"},
    {"NONNEGINT", R"re(\b[0-9]+\b)re"},
    {"WORD", R"re(\b\w+\b)re"},
    {"NOTSPACE", R"re(\S+)re"},
    {"SPACE", R"re(\s*)re"},
    {"DATA", R"re(.*?)re"},
    {"GREEDYDATA", R"re(.*)re"},
    {"GREEDYDATA_MULTILINE", R"re((?s:.*))re"},
    {"QUOTEDSTRING", R"re((?:"(?:\\.|[^\\"])*"|'(?:\\.|[^\\'])*'|`(?:\\.|[^\\`])*`))re"},
    {"QS", R"re(%{QUOTEDSTRING})re"},
    {"UUID", R"re([A-Fa-f0-9]{8}-(?:[A-Fa-f0-9]{4}-){3}[A-Fa-f0-9]{12})re"},
    {"URN", R"re(urn:[0-9A-Za-z][0-9A-Za-z-]{0,31}:(?:%[0-9a-fA-F]{2}|[0-9A-Za-z()+,.:=@;$_!*'/?#-])+)re"},
    {"ARN", R"re(arn:[\w-]+:[\w-]*:[\w-]*:\d*:\S+)re"},
    {"CISCOMAC", R"re((?:[A-Fa-f0-9]{4}\.){2}[A-Fa-f0-9]{4})re"},
    {"WINDOWSMAC", R"re((?:[A-Fa-f0-9]{2}-){5}[A-Fa-f0-9]{2})re"},
    {"COMMONMAC", R"re((?:[A-Fa-f0-9]{2}:){5}[A-Fa-f0-9]{2})re"},
    {"MAC", R"re((?:%{CISCOMAC}|%{WINDOWSMAC}|%{COMMONMAC}))re"},
    {"IPV6", R"re((?:(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}|(?:[0-9A-Fa-f]{1,4}:){1,7}:(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,6})?|::(?:[0-9A-Fa-f]{1,4}:){0,6}[0-9A-Fa-f]{1,4}|::)(?:%\w+)?)re"},
    {"IPV4", R"re((?:(?:25[0-5]|2[0-4][0-9]|[01]?[0-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|[01]?[0-9]?[0-9]))re"},
    {"IP", R"re((?:%{IPV4}|%{IPV6}))re"},
    {"HOSTNAME", R"re(\b[0-9A-Za-z][0-9A-Za-z-]{0,62}(?:\.[0-9A-Za-z][0-9A-Za-z-]{0,62})*\.?)re"},
    {"HOST", R"re(%{HOSTNAME})re"},
    {"IPORHOST", R"re((?:%{IP}|%{HOSTNAME}))re"},
    {"HOSTPORT", R"re(%{IPORHOST}:%{POSINT})re"},
    {"UNIXPATH", R"re((?:/[\w%!$@:.,+~-]*)+)re"},
    {"WINPATH", R"re((?:[A-Za-z]+:|\\)(?:\\[^\\?*\s]*)+)re"},
    {"PATH", R"re((?:%{UNIXPATH}|%{WINPATH}))re"},
    {"TTY", R"re(/dev/(?:pts|tty(?:[pq])?)(?:\w+)?/?[0-9]*)re"},
    {"URIPROTO", R"re([A-Za-z]+(?:\+[A-Za-z+]+)?)re"},
    {"URIHOST", R"re(%{IPORHOST}(?::[0-9]+)?)re"},
    {"URIPATH", R"re((?:/[A-Za-z0-9$.+!*'(){},~:;=@#%&_-]*)+)re"},
    {"URIPARAM", R"re(\?[A-Za-z0-9$.+!*'|(){},~@#%&/=:;_?\[\]<>-]*)re"},
    {"URIPATHPARAM", R"re(%{URIPATH}(?:%{URIPARAM})?)re"},
    {"URI", R"re(%{URIPROTO}://(?:%{USER}(?::[^@]*)?@)?(?:%{URIHOST})?(?:%{URIPATHPARAM})?)re"},
    {"MONTH", R"re(\b(?:[Jj]an(?:uary)?|[Ff]eb(?:ruary)?|[Mm]ar(?:ch)?|[Aa]pr(?:il)?|[Mm]ay|[Jj]une?|[Jj]uly?|[Aa]ug(?:ust)?|[Ss]ep(?:tember)?|[Oo]ct(?:ober)?|[Nn]ov(?:ember)?|[Dd]ec(?:ember)?)\b)re"},
    {"MONTHNUM", R"re((?:1[0-2]|0?[1-9]))re"},
    {"MONTHNUM2", R"re((?:0[1-9]|1[0-2]))re"},
    {"MONTHDAY", R"re((?:3[01]|[12][0-9]|0?[1-9]))re"},
    {"DAY", R"re((?:Mon(?:day)?|Tue(?:sday)?|Wed(?:nesday)?|Thu(?:rsday)?|Fri(?:day)?|Sat(?:urday)?|Sun(?:day)?))re"},
    {"YEAR", R"re((?:\d\d){1,2})re"},
    {"HOUR", R"re((?:2[0123]|[01]?[0-9]))re"},
    {"MINUTE", R"re([0-5][0-9])re"},
    {"SECOND", R"re((?:60|[0-5]?[0-9])(?:[:.,][0-9]+)?)re"},
    {"TIME", R"re(%{HOUR}:%{MINUTE}(?::%{SECOND}))re"},
    {"DATE_US", R"re(%{MONTHNUM}[/-]%{MONTHDAY}[/-]%{YEAR})re"},
    {"DATE_EU", R"re(%{MONTHDAY}[./-]%{MONTHNUM}[./-]%{YEAR})re"},
    {"ISO8601_TIMEZONE", R"re((?:Z|[+-]%{HOUR}(?::?%{MINUTE})))re"},
    {"ISO8601_SECOND", R"re(%{SECOND})re"},
    {"TIMESTAMP_ISO8601", R"re(%{YEAR}-%{MONTHNUM}-%{MONTHDAY}[T ]%{HOUR}:?%{MINUTE}(?::?%{SECOND})?%{ISO8601_TIMEZONE}?)re"},
    {"DATE", R"re((?:%{DATE_US}|%{DATE_EU}))re"},
    {"DATESTAMP", R"re(%{DATE}[- ]%{TIME})re"},
    {"TZ", R"re((?:[APMCE][SD]T|UTC))re"},
    {"DATESTAMP_RFC822", R"re(%{DAY} %{MONTH} %{MONTHDAY} %{YEAR} %{TIME} %{TZ})re"},
    {"DATESTAMP_RFC2822", R"re(%{DAY}, %{MONTHDAY} %{MONTH} %{YEAR} %{TIME} %{ISO8601_TIMEZONE})re"},
    {"DATESTAMP_OTHER", R"re(%{DAY} %{MONTH} %{MONTHDAY} %{TIME} %{TZ} %{YEAR})re"},
    {"DATESTAMP_EVENTLOG", R"re(%{YEAR}%{MONTHNUM2}%{MONTHDAY}%{HOUR}%{MINUTE}%{SECOND})re"},
    {"HTTPDATE", R"re(%{MONTHDAY}/%{MONTH}/%{YEAR}:%{TIME} %{INT})re"},
    {"HTTPDERROR_DATE", R"re(%{DAY} %{MONTH} %{MONTHDAY} %{TIME} %{YEAR})re"},
    {"SYSLOGTIMESTAMP", R"re(%{MONTH} +%{MONTHDAY} %{TIME})re"},
    {"PROG", R"re([\x21-\x5a\x5c\x5e-\x7e]+)re"},
    {"SYSLOGPROG", R"re(%{PROG}(?:\[%{POSINT}\])?)re"},
    {"SYSLOGHOST", R"re(%{IPORHOST})re"},
    {"SYSLOGFACILITY", R"re(<%{NONNEGINT}\.%{NONNEGINT}>)re"},
    {"LOGLEVEL",
     R"re((?i:alert|trace|debug|notice|info(?:rmation)?|warn(?:ing)?|err(?:or)?|crit(?:ical)?|fatal|severe|emerg(?:ency)?))re"},
};

const NamedPattern* find_pattern(std::string_view name) {
  for (const NamedPattern& pattern : kPatterns)
    if (pattern.name == name) return &pattern;
  return nullptr;
}

// Replaces the names inside a pattern by what they stand for.
std::string spell_out(std::string_view regex, int depth) {
  std::string out;
  for (std::size_t at = 0; at < regex.size();) {
    const std::size_t begin = depth > kNestingMax ? std::string_view::npos : regex.find("%{", at);
    out += regex.substr(at, begin == std::string_view::npos ? begin : begin - at);
    if (begin == std::string_view::npos) break;
    const std::size_t end = regex.find('}', begin);
    const NamedPattern* inner = find_pattern(regex.substr(begin + 2, end - begin - 2));
    if (inner != nullptr) out += "(?:" + spell_out(inner->regex, depth + 1) + ")";
    at = end + 1;
  }
  return out;
}

// ---- whole lines that have a pattern of their own -----------------------------------------------------

enum class Kind { kText, kInteger, kHttpDate, kIsoDate };
struct CommonField {
  std::string_view name;
  Kind kind = Kind::kText;
};
struct CommonLog {
  std::string_view name;
  std::string_view regex;  // a group a field
  std::array<CommonField, 12> fields;
};

constexpr CommonLog kCommon[] = {
    {"APACHE_ACCESS_LOG",
     R"re(^(\S+) (\S+) (\S+) \[([^\]]+)\] "(?:([A-Z]+) (\S+)(?: HTTP/([0-9.]+))?|[^"]*)" (\d{3}) (\d+|-)(?: "([^"]*)" "([^"]*)")?)re",
     {{{"remote_host"}, {"ident"}, {"auth_user"}, {"timestamp", Kind::kHttpDate}, {"http_method"}, {"request"}, {"http_version"},
       {"status_code", Kind::kInteger}, {"response_size", Kind::kInteger}, {"referrer"}, {"agent"}}}},
    {"NGINX_ACCESS_LOG",
     R"re(^(\S+) (\S+) (\S+) \[([^\]]+)\] "(?:([A-Z]+) (\S+)(?: HTTP/([0-9.]+))?|[^"]*)" (\d{3}) (\d+|-) "([^"]*)" "([^"]*)")re",
     {{{"remote_host"}, {"ident"}, {"auth_user"}, {"timestamp", Kind::kHttpDate}, {"http_method"}, {"request"}, {"http_version"},
       {"status_code", Kind::kInteger}, {"response_size", Kind::kInteger}, {"referrer"}, {"agent"}}}},
    {"SYSLOG5424",
     R"re(^<(\d{1,3})>(\d{1,2}) (\S+) (\S+) (\S+) (\S+) (\S+) (-|(?:\[(?:[^\]\\"]|\\.|"(?:[^"\\]|\\.)*")*\] ?)+)(?: ?\x{FEFF}?(.*))?)re",
     {{{"pri", Kind::kInteger}, {"version", Kind::kInteger}, {"timestamp", Kind::kIsoDate}, {"hostname"}, {"app"}, {"proc_id"},
       {"msg_id"}, {"structured_data"}, {"message"}}}},
};

std::optional<JsonTree> typed(Kind kind, std::string_view text) {
  switch (kind) {
    case Kind::kInteger:
      if (text == "-") return std::nullopt;
      return number_or_text(text);
    case Kind::kHttpDate: {
      const auto format = DateFormat::parse("dd/MMM/yyyy:HH:mm:ss Z");
      const auto time = format.ok() ? format->read(text, 0) : std::nullopt;
      return JsonTree::string(time ? iso_time(*time) : std::string(text));
    }
    case Kind::kIsoDate: {
      const auto time = read_iso_time(text);
      return JsonTree::string(time ? iso_time(*time) : std::string(text));
    }
    case Kind::kText: break;
  }
  if (text == "-") return std::nullopt;
  return JsonTree::string(text);
}

class Grok final : public Processor {
 public:
  bool apply(JsonTree& root, const Event& event) const override {
    const auto text = source.read(root, event);
    if (!text) return true;
    std::vector<re2::StringPiece> groups(static_cast<std::size_t>(regex->NumberOfCapturingGroups()) + 1);
    if (!regex->Match(*text, 0, text->size(), RE2::UNANCHORED, groups.data(), static_cast<int>(groups.size()))) return true;
    for (std::size_t k = 1; k < groups.size(); ++k) {
      if (groups[k].data() == nullptr) continue;
      const std::string_view value(groups[k].data(), groups[k].size());
      if (common != nullptr && k <= common_groups) {
        const CommonField& field = common->fields[k - 1];
        if (auto leaf = typed(field.kind, value)) root.set(field.name, std::move(*leaf));
        continue;
      }
      put_at_path(root, fields[k - 1 - common_groups], JsonTree::string(value), true);
    }
    return true;
  }

  Source source;
  std::unique_ptr<RE2> regex;
  std::vector<Path> fields;  // of the groups after those of `common`
  const CommonLog* common = nullptr;
  std::size_t common_groups = 0;
};

}  // namespace

Result<ProcessorPtr> make_grok(const Parameters& parameters) {
  auto grok = std::make_unique<Grok>();
  TRY(grok->source, source_of(parameters));
  TRY(const std::string match, parameters.required("match"));
  if (match.size() > kMatchCharsMax) return parameters.error(fmt::format("match must have at most {} characters.", kMatchCharsMax));
  std::string regex;
  std::size_t patterns = 0;
  for (std::size_t at = 0; at < match.size();) {
    const std::size_t begin = match.find("%{", at);
    regex += match.substr(at, begin == std::string::npos ? begin : begin - at);
    if (begin == std::string::npos) break;
    const std::size_t end = match.find('}', begin);
    if (end == std::string::npos) return parameters.error("match has a %{ without }.");
    const std::string_view inside = std::string_view(match).substr(begin + 2, end - begin - 2);
    const std::size_t colon = inside.find(':');
    const std::string_view name = inside.substr(0, colon);
    at = end + 1;
    if (++patterns > kPatternsMax) return parameters.error(fmt::format("match must have at most {} patterns.", kPatternsMax));
    const auto* common = std::find_if(std::begin(kCommon), std::end(kCommon), [&](const CommonLog& log) { return log.name == name; });
    if (common != std::end(kCommon)) {
      if (patterns > 1 || !regex.empty()) return parameters.error(fmt::format("{} must be the first pattern.", name));
      grok->common = common;
      regex += common->regex;
      for (const CommonField& field : common->fields) grok->common_groups += field.name.empty() ? 0 : 1;
      continue;
    }
    const NamedPattern* pattern = find_pattern(name);
    if (pattern == nullptr) return parameters.error(fmt::format("pattern {} is not supported.", name));
    if (grok->common != nullptr && name != "DATA" && name != "GREEDYDATA")
      return parameters.error(fmt::format("only DATA and GREEDYDATA may follow {}.", grok->common->name));
    const std::string spelled = spell_out(pattern->regex, 0);
    if (colon == std::string_view::npos) {
      regex += "(?:" + spelled + ")";
      continue;
    }
    TRY(Path path, parameters.path_of(inside.substr(colon + 1)));
    grok->fields.push_back(std::move(path));
    regex += "(" + spelled + ")";
  }
  if (patterns == 0) return parameters.error("match has no pattern.");
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(16 << 20);
  grok->regex = std::make_unique<RE2>(regex, options);
  if (!grok->regex->ok()) return parameters.error(fmt::format("match is not a valid pattern: {}", grok->regex->error()));
  if (static_cast<std::size_t>(grok->regex->NumberOfCapturingGroups()) != grok->fields.size() + grok->common_groups)
    return parameters.error("match must not have groups of its own.");
  return ProcessorPtr(std::move(grok));
}

}  // namespace fog::transformers
