// Processors that change keys (addKeys, deleteKeys, moveKeys, copyValue, renameKeys) and values
// (lowerCaseString, upperCaseString, trimString, splitString, substituteString, typeConverter).
#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "query/transformers/processor.h"

namespace fog::transformers {
namespace {

constexpr std::size_t kKeyEntriesMax = 5;
constexpr std::size_t kTextEntriesMax = 10;

// Does the same to every one of a list of entries.
template <typename Entry>
class Each final : public Processor {
 public:
  using Do = void (*)(const Entry&, JsonTree&, const Event&);
  Each(std::vector<Entry> entries, Do act) : entries_(std::move(entries)), do_(act) {}
  bool apply(JsonTree& root, const Event& event) const override {
    for (const Entry& entry : entries_) do_(entry, root, event);
    return true;
  }

 private:
  std::vector<Entry> entries_;
  Do do_;
};

template <typename Entry>
ProcessorPtr each(std::vector<Entry> entries, void (*act)(const Entry&, JsonTree&, const Event&)) {
  return std::make_unique<Each<Entry>>(std::move(entries), act);
}

// ---- keys -------------------------------------------------------------------------------------------

struct AddKey {
  Path key;
  std::string value;
  bool overwrite = false;
};
void add_key(const AddKey& entry, JsonTree& root, const Event&) {
  put_at_path(root, entry.key, JsonTree::string(entry.value), entry.overwrite);
}

void delete_key(const Path& key, JsonTree& root, const Event&) { take_from_path(root, key); }

struct Transfer {
  Path source;
  Path target;
  bool overwrite = false;
  std::string system;  // copyValue from @logGroupName and the like
};

bool is_taken(JsonTree& root, const Path& path) { return at_path(root, path) != nullptr; }

// Into an object that exists, under the last name of the source.
Path within(JsonTree& root, const Path& target, const Path& source) {
  JsonTree* found = at_path(root, target);
  if (found == nullptr || !found->is_object()) return target;
  Path inner = target;
  inner.steps.push_back({source.steps.back().name, std::nullopt});
  return inner;
}

void move_key(const Transfer& entry, JsonTree& root, const Event&) {
  const JsonTree* found = at_path(root, entry.source);
  if (found == nullptr) return;
  const Path target = within(root, entry.target, entry.source);
  if (!entry.overwrite && is_taken(root, target)) return;
  JsonTree value = *found;
  JsonTree before = root;
  take_from_path(root, entry.source);
  if (!put_at_path(root, target, std::move(value), entry.overwrite)) root = std::move(before);
}

void rename_key(const Transfer& entry, JsonTree& root, const Event&) {
  const JsonTree* found = at_path(root, entry.source);
  if (found == nullptr) return;
  // The new name stands beside the old one.
  Path target = entry.source;
  target.steps.pop_back();
  target.steps.insert(target.steps.end(), entry.target.steps.begin(), entry.target.steps.end());
  if (entry.target.steps.size() > 1) target = entry.target;
  if (!entry.overwrite && is_taken(root, target)) return;
  JsonTree value = *found;
  JsonTree before = root;
  take_from_path(root, entry.source);
  if (!put_at_path(root, target, std::move(value), entry.overwrite)) root = std::move(before);
}

void copy_value(const Transfer& entry, JsonTree& root, const Event& event) {
  if (!entry.system.empty()) {
    const std::string_view value = entry.system == "@logGroupName"   ? event.log_group
                                   : entry.system == "@accountId"  ? event.account
                                   : entry.system == "@regionName" ? event.region
                                                                   : event.log_stream;
    put_at_path(root, entry.target, JsonTree::string(value), entry.overwrite);
    return;
  }
  const JsonTree* found = at_path(root, entry.source);
  if (found == nullptr) return;
  put_at_path(root, entry.target, JsonTree(*found), entry.overwrite);
}

// ---- values -----------------------------------------------------------------------------------------

void lower(const Path& key, JsonTree& root, const Event&) {
  JsonTree* found = at_path(root, key);
  if (found == nullptr || !found->is_string()) return;
  for (char& c : found->text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
}

void upper(const Path& key, JsonTree& root, const Event&) {
  JsonTree* found = at_path(root, key);
  if (found == nullptr || !found->is_string()) return;
  for (char& c : found->text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
}

void trim(const Path& key, JsonTree& root, const Event&) {
  JsonTree* found = at_path(root, key);
  if (found == nullptr || !found->is_string()) return;
  const auto blank = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
  std::string& text = found->text;
  text.erase(text.begin(), std::find_if_not(text.begin(), text.end(), blank));
  text.erase(std::find_if_not(text.rbegin(), text.rend(), blank).base(), text.end());
}

struct Split {
  Path source;
  std::string delimiter;
};
void split(const Split& entry, JsonTree& root, const Event&) {
  JsonTree* found = at_path(root, entry.source);
  if (found == nullptr || !found->is_string()) return;
  JsonTree list = JsonTree::array();
  std::string_view rest = found->text;
  for (;;) {
    const std::size_t end = rest.find(entry.delimiter);
    list.items.push_back(JsonTree::string(rest.substr(0, end)));
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + entry.delimiter.size());
  }
  *found = std::move(list);
}

struct Substitute {
  Path source;
  std::shared_ptr<const RE2> from;
  std::string to;
};

// "$1" and "${name}" in Java's notation become what the match holds; "\\$" is a dollar.
std::string expand(const Substitute& entry, const std::vector<re2::StringPiece>& found) {
  std::string out;
  const std::string& to = entry.to;
  const auto group = [&](int number) {
    if (number >= 0 && static_cast<std::size_t>(number) < found.size()) {
      const re2::StringPiece& piece = found[static_cast<std::size_t>(number)];
      out.append(piece.data() == nullptr ? "" : piece.data(), piece.size());
    }
  };
  for (std::size_t at = 0; at < to.size(); ++at) {
    if (to[at] == '\\' && at + 1 < to.size()) {
      out += to[++at];
    } else if (to[at] == '$' && at + 1 < to.size() && to[at + 1] >= '0' && to[at + 1] <= '9') {
      group(to[++at] - '0');
    } else if (to[at] == '$' && at + 1 < to.size() && to[at + 1] == '{' && to.find('}', at) != std::string::npos) {
      const std::size_t end = to.find('}', at);
      const auto& names = entry.from->NamedCapturingGroups();
      const auto it = names.find(to.substr(at + 2, end - at - 2));
      if (it != names.end()) group(it->second);
      at = end;
    } else {
      out += to[at];
    }
  }
  return out;
}

void substitute(const Substitute& entry, JsonTree& root, const Event&) {
  JsonTree* found = at_path(root, entry.source);
  if (found == nullptr || !found->is_string()) return;
  const std::string text = std::move(found->text);
  std::string out;
  std::vector<re2::StringPiece> groups(static_cast<std::size_t>(entry.from->NumberOfCapturingGroups()) + 1);
  std::size_t at = 0;
  while (at <= text.size() &&
         entry.from->Match(text, at, text.size(), RE2::UNANCHORED, groups.data(), static_cast<int>(groups.size()))) {
    const auto begin = static_cast<std::size_t>(groups[0].data() - text.data());
    out.append(text, at, begin - at);
    out += expand(entry, groups);
    at = begin + groups[0].size();
    if (groups[0].empty()) {
      if (at < text.size()) out += text[at];
      ++at;
    }
  }
  if (at < text.size()) out.append(text, at);
  found->text = std::move(out);
}

struct Convert {
  Path key;
  std::string type;
};
void convert(const Convert& entry, JsonTree& root, const Event&) {
  JsonTree* found = at_path(root, entry.key);
  if (found == nullptr || !found->is_scalar() || found->kind == JsonTree::Kind::kNull) return;
  const std::string text = found->as_text();
  if (entry.type == "string") {
    *found = JsonTree::string(text);
  } else if (entry.type == "boolean") {
    std::string low = text;
    for (char& c : low)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    if (low == "true" || low == "false") *found = JsonTree::boolean(low == "true");
  } else {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0' || !std::isfinite(value)) return;
    if (entry.type == "integer") {
      std::int64_t whole = 0;
      const char* last = text.data() + text.size();
      const auto read = std::from_chars(text.data() + (text[0] == '+' ? 1 : 0), last, whole);
      if (read.ec == std::errc() && read.ptr == last) *found = JsonTree::number(fmt::format("{}", whole));
      else if (std::abs(value) < 9e18) *found = JsonTree::number(fmt::format("{}", static_cast<std::int64_t>(value)));
    } else {
      std::string printed = fmt::format("{}", value);
      if (printed.find_first_of(".e") == std::string::npos) printed += ".0";
      *found = JsonTree::number(printed);
    }
  }
}

// ---- reading ----------------------------------------------------------------------------------------

Result<std::vector<Path>> keys_of(const Parameters& parameters, std::size_t most) {
  TRY(const JsonTree* list, parameters.required_list("withKeys"));
  if (list->items.size() > most) return parameters.error(fmt::format("at most {} keys are allowed.", most));
  std::vector<Path> keys;
  for (const JsonTree& item : list->items) {
    TRY(Path path, parameters.path_of(item.text));
    keys.push_back(std::move(path));
  }
  return keys;
}

template <typename Entry, typename Read>
Result<std::vector<Entry>> entries_of(const Parameters& parameters, std::size_t most, Read&& read) {
  TRY(const JsonTree* list, parameters.required_list("entries"));
  if (list->items.size() > most) return parameters.error(fmt::format("at most {} entries are allowed.", most));
  std::vector<Entry> entries;
  for (const JsonTree& item : list->items) {
    TRY(Entry entry, read(Parameters(parameters.name(), item)));
    entries.push_back(std::move(entry));
  }
  return entries;
}

bool is_system_source(std::string_view text) {
  return text == "@logGroupName" || text == "@logGroupStream" || text == "@accountId" || text == "@regionName";
}

Result<std::vector<Transfer>> transfers_of(const Parameters& parameters, std::string_view from, std::string_view to) {
  return entries_of<Transfer>(parameters, kKeyEntriesMax, [&](const Parameters& entry) -> Result<Transfer> {
    Transfer transfer;
    TRY(const std::string source, entry.required(from));
    if (parameters.name() == "copyValue" && is_system_source(source)) {
      transfer.system = source;
    } else {
      TRY(transfer.source, entry.path(from));
    }
    TRY(transfer.target, entry.path(to));
    transfer.overwrite = entry.flag("overwriteIfExists");
    return transfer;
  });
}

}  // namespace

Result<ProcessorPtr> make_key_editor(const Parameters& parameters) {
  if (parameters.name() == "addKeys") {
    TRY(auto entries, entries_of<AddKey>(parameters, kKeyEntriesMax, [](const Parameters& entry) -> Result<AddKey> {
      AddKey add;
      TRY(add.key, entry.path("key"));
      TRY(add.value, entry.required("value"));
      add.overwrite = entry.flag("overwriteIfExists");
      return add;
    }));
    return each(std::move(entries), add_key);
  }
  if (parameters.name() == "deleteKeys") {
    TRY(auto keys, keys_of(parameters, kKeyEntriesMax));
    return each(std::move(keys), delete_key);
  }
  if (parameters.name() == "renameKeys") {
    TRY(auto entries, transfers_of(parameters, "key", "renameTo"));
    return each(std::move(entries), rename_key);
  }
  TRY(auto entries, transfers_of(parameters, "source", "target"));
  return each(std::move(entries), parameters.name() == "moveKeys" ? move_key : copy_value);
}

Result<ProcessorPtr> make_text_editor(const Parameters& parameters) {
  const std::string_view name = parameters.name();
  if (name == "lowerCaseString" || name == "upperCaseString" || name == "trimString") {
    TRY(auto keys, keys_of(parameters, kTextEntriesMax));
    return each(std::move(keys), name == "lowerCaseString" ? lower : name == "upperCaseString" ? upper : trim);
  }
  if (name == "splitString") {
    TRY(auto entries, entries_of<Split>(parameters, kTextEntriesMax, [](const Parameters& entry) -> Result<Split> {
      Split split_entry;
      TRY(split_entry.source, entry.path("source"));
      TRY(split_entry.delimiter, entry.required("delimiter"));
      return split_entry;
    }));
    return each(std::move(entries), split);
  }
  if (name == "substituteString") {
    TRY(auto entries, entries_of<Substitute>(parameters, kTextEntriesMax, [](const Parameters& entry) -> Result<Substitute> {
      Substitute sub;
      TRY(sub.source, entry.path("source"));
      TRY(std::string from, entry.required("from"));
      TRY(sub.to, entry.required("to"));
      // Java writes named groups (?<name>), RE2 (?P<name>).
      for (std::size_t at = from.find("(?<"); at != std::string::npos; at = from.find("(?<", at + 3))
        if (at + 3 < from.size() && from[at + 3] != '=' && from[at + 3] != '!') from.insert(at + 2, "P");
      RE2::Options options;
      options.set_log_errors(false);
      options.set_max_mem(4 << 20);
      sub.from = std::make_shared<const RE2>(from, options);
      if (!sub.from->ok()) return entry.error(fmt::format("from is not a valid regular expression: {}", sub.from->error()));
      return sub;
    }));
    return each(std::move(entries), substitute);
  }
  TRY(auto entries, entries_of<Convert>(parameters, kTextEntriesMax, [](const Parameters& entry) -> Result<Convert> {
    Convert conversion;
    TRY(conversion.key, entry.path("key"));
    TRY(conversion.type, entry.required("type"));
    if (conversion.type != "boolean" && conversion.type != "integer" && conversion.type != "double" && conversion.type != "string")
      return entry.error("type must be boolean, integer, double or string.");
    return conversion;
  }));
  return each(std::move(entries), convert);
}

}  // namespace fog::transformers
