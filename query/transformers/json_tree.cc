#include "query/transformers/json_tree.h"

#include <algorithm>
#include <cstdint>

namespace fog::transformers {
namespace {

constexpr int kDepthMax = 64;

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  bool whole(JsonTree& out) {
    blanks();
    if (!value(out, 0)) return false;
    blanks();
    return at_ == text_.size();
  }

 private:
  bool value(JsonTree& out, int depth) {
    if (at_ == text_.size() || depth > kDepthMax) return false;
    switch (text_[at_]) {
      case '{': return object(out, depth);
      case '[': return array(out, depth);
      case '"': out.kind = JsonTree::Kind::kString; return string(out.text);
      case 't': out.kind = JsonTree::Kind::kTrue; return word("true");
      case 'f': out.kind = JsonTree::Kind::kFalse; return word("false");
      case 'n': out.kind = JsonTree::Kind::kNull; return word("null");
      default: return number(out);
    }
  }
  bool object(JsonTree& out, int depth) {
    out.kind = JsonTree::Kind::kObject;
    ++at_;
    blanks();
    if (take('}')) return true;
    for (;;) {
      std::string key;
      blanks();
      if (at_ == text_.size() || text_[at_] != '"' || !string(key)) return false;
      blanks();
      if (!take(':')) return false;
      blanks();
      JsonTree member;
      if (!value(member, depth + 1)) return false;
      out.set(key, std::move(member));
      blanks();
      if (take('}')) return true;
      if (!take(',')) return false;
    }
  }
  bool array(JsonTree& out, int depth) {
    out.kind = JsonTree::Kind::kArray;
    ++at_;
    blanks();
    if (take(']')) return true;
    for (;;) {
      blanks();
      if (!value(out.items.emplace_back(), depth + 1)) return false;
      blanks();
      if (take(']')) return true;
      if (!take(',')) return false;
    }
  }
  bool number(JsonTree& out) {
    const std::size_t begin = at_;
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
      ++at_;
      if (!take('+')) take('-');
      if (!digits()) return false;
    }
    out.kind = JsonTree::Kind::kNumber;
    out.text = text_.substr(begin, at_ - begin);
    return true;
  }
  bool digits() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    return at_ > begin;
  }
  bool hex4(std::uint32_t& code) {
    if (text_.size() - at_ < 4) return false;
    code = 0;
    for (int k = 0; k < 4; ++k) {
      const char c = text_[at_++];
      code <<= 4;
      if (c >= '0' && c <= '9') code |= static_cast<std::uint32_t>(c - '0');
      else if (c >= 'a' && c <= 'f') code |= static_cast<std::uint32_t>(c - 'a' + 10);
      else if (c >= 'A' && c <= 'F') code |= static_cast<std::uint32_t>(c - 'A' + 10);
      else return false;
    }
    return true;
  }
  static void utf8(std::uint32_t code, std::string& out) {
    if (code < 0x80) {
      out += static_cast<char>(code);
    } else if (code < 0x800) {
      out += static_cast<char>(0xC0 | code >> 6);
      out += static_cast<char>(0x80 | (code & 63));
    } else if (code < 0x10000) {
      out += static_cast<char>(0xE0 | code >> 12);
      out += static_cast<char>(0x80 | (code >> 6 & 63));
      out += static_cast<char>(0x80 | (code & 63));
    } else {
      out += static_cast<char>(0xF0 | code >> 18);
      out += static_cast<char>(0x80 | (code >> 12 & 63));
      out += static_cast<char>(0x80 | (code >> 6 & 63));
      out += static_cast<char>(0x80 | (code & 63));
    }
  }
  bool string(std::string& out) {
    ++at_;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c != '\\') {
        out += c;
        continue;
      }
      if (at_ == text_.size()) return false;
      switch (text_[at_++]) {
        case '"': out += '"'; break;
        case '\\': out += '\\'; break;
        case '/': out += '/'; break;
        case 'b': out += '\b'; break;
        case 'f': out += '\f'; break;
        case 'n': out += '\n'; break;
        case 'r': out += '\r'; break;
        case 't': out += '\t'; break;
        case 'u': {
          std::uint32_t code = 0;
          if (!hex4(code)) return false;
          if (code >= 0xD800 && code < 0xDC00 && text_.substr(at_, 2) == "\\u") {
            at_ += 2;
            std::uint32_t low = 0;
            if (!hex4(low)) return false;
            code = low >= 0xDC00 && low < 0xE000 ? 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00) : 0xFFFD;
          } else if (code >= 0xD800 && code < 0xE000) {
            code = 0xFFFD;
          }
          utf8(code, out);
          break;
        }
        default: return false;
      }
    }
    return false;
  }
  bool word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) return false;
    at_ += expected.size();
    return true;
  }
  bool take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

void print_string(std::string_view text, std::string& out) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += "\\u00";
          out += kHex[c >> 4 & 15];
          out += kHex[c & 15];
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

// The member or item that a step leads to.
JsonTree* follow(JsonTree& from, const Path::Step& step) {
  JsonTree* next = from.find(step.name);
  if (next == nullptr || !step.index) return next;
  if (!next->is_array() || *step.index >= next->items.size()) return nullptr;
  return &next->items[*step.index];
}

}  // namespace

JsonTree* JsonTree::find(std::string_view key) {
  if (!is_object()) return nullptr;
  for (auto& [name, value] : members)
    if (name == key) return &value;
  return nullptr;
}

void JsonTree::set(std::string_view key, JsonTree value) {
  if (JsonTree* old = find(key)) {
    *old = std::move(value);
    return;
  }
  members.emplace_back(std::string(key), std::move(value));
}

bool JsonTree::erase(std::string_view key) {
  return std::erase_if(members, [&](const Member& member) { return member.first == key; }) > 0;
}

std::string JsonTree::as_text() const {
  if (is_string() || kind == Kind::kNumber) return text;
  std::string out;
  print_json(*this, out);
  return out;
}

std::optional<JsonTree> parse_json(std::string_view text) {
  JsonTree tree;
  if (!Parser(text).whole(tree)) return std::nullopt;
  return tree;
}

void print_json(const JsonTree& tree, std::string& out) {
  switch (tree.kind) {
    case JsonTree::Kind::kNull: out += "null"; break;
    case JsonTree::Kind::kTrue: out += "true"; break;
    case JsonTree::Kind::kFalse: out += "false"; break;
    case JsonTree::Kind::kNumber: out += tree.text; break;
    case JsonTree::Kind::kString: print_string(tree.text, out); break;
    case JsonTree::Kind::kArray:
      out += '[';
      for (std::size_t k = 0; k < tree.items.size(); ++k) {
        if (k > 0) out += ',';
        print_json(tree.items[k], out);
      }
      out += ']';
      break;
    case JsonTree::Kind::kObject:
      out += '{';
      for (std::size_t k = 0; k < tree.members.size(); ++k) {
        if (k > 0) out += ',';
        print_string(tree.members[k].first, out);
        out += ':';
        print_json(tree.members[k].second, out);
      }
      out += '}';
      break;
  }
}

std::optional<Path> parse_path(std::string_view text) {
  Path path;
  std::size_t at = 0;
  for (;;) {
    Path::Step& step = path.steps.emplace_back();
    if (at < text.size() && text[at] == '"') {
      const std::size_t end = text.find('"', at + 1);
      if (end == std::string_view::npos) return std::nullopt;
      step.name = text.substr(at + 1, end - at - 1);
      at = end + 1;
    } else {
      const std::size_t end = std::min(text.find_first_of(".[", at), text.size());
      step.name = text.substr(at, end - at);
      at = end;
    }
    if (step.name.empty()) return std::nullopt;
    if (at < text.size() && text[at] == '[') {
      const std::size_t end = text.find(']', at);
      if (end == std::string_view::npos || end == at + 1 || end - at > 6) return std::nullopt;
      std::size_t index = 0;
      for (const char c : text.substr(at + 1, end - at - 1)) {
        if (c < '0' || c > '9') return std::nullopt;
        index = index * 10 + static_cast<std::size_t>(c - '0');
      }
      step.index = index;
      at = end + 1;
    }
    if (at == text.size()) return path;
    if (text[at] != '.') return std::nullopt;
    ++at;
  }
}

JsonTree* at_path(JsonTree& root, const Path& path) {
  JsonTree* here = &root;
  for (const Path::Step& step : path.steps) {
    here = follow(*here, step);
    if (here == nullptr) return nullptr;
  }
  return here;
}

bool put_at_path(JsonTree& root, const Path& path, JsonTree value, bool overwrite) {
  JsonTree* here = &root;
  for (std::size_t k = 0; k + 1 < path.steps.size(); ++k) {
    JsonTree* next = follow(*here, path.steps[k]);
    if (next == nullptr) {
      if (path.steps[k].index || !here->is_object()) return false;
      here->members.emplace_back(path.steps[k].name, JsonTree::object());
      next = &here->members.back().second;
    }
    if (!next->is_object()) return false;
    here = next;
  }
  const Path::Step& last = path.steps.back();
  JsonTree* old = follow(*here, last);
  if (old != nullptr) {
    if (overwrite) *old = std::move(value);
    return overwrite;
  }
  if (last.index || !here->is_object()) return false;
  here->members.emplace_back(last.name, std::move(value));
  return true;
}

std::optional<JsonTree> take_from_path(JsonTree& root, const Path& path) {
  JsonTree* here = &root;
  for (std::size_t k = 0; k + 1 < path.steps.size(); ++k) {
    here = follow(*here, path.steps[k]);
    if (here == nullptr) return std::nullopt;
  }
  const Path::Step& last = path.steps.back();
  JsonTree* found = follow(*here, last);
  if (found == nullptr) return std::nullopt;
  JsonTree taken = std::move(*found);
  if (last.index) {
    auto& items = here->find(last.name)->items;
    items.erase(items.begin() + static_cast<std::ptrdiff_t>(*last.index));
  } else {
    here->erase(last.name);
  }
  return taken;
}

}  // namespace fog::transformers
