#include "query/insights/json.h"

#include "query/insights/limits.h"

namespace fog::insights {

namespace {

// A strict recursive-descent reader (RFC 8259). Depth is limited, so the stack is safe.
class Reader {
 public:
  Reader(std::string_view text, Arena& arena) : p_(text.data()), end_(p_ + text.size()), arena_(arena) {}

  bool document(Json& out) {
    blanks();
    if (!value(out, 0)) return false;
    blanks();
    return p_ == end_;
  }

 private:
  void blanks() {
    while (p_ < end_ && (*p_ == ' ' || *p_ == '\n' || *p_ == '\t' || *p_ == '\r')) ++p_;
  }
  bool word(std::string_view w) {
    if (static_cast<std::size_t>(end_ - p_) < w.size() || std::string_view(p_, w.size()) != w) return false;
    p_ += w.size();
    return true;
  }
  bool value(Json& out, std::size_t depth) {
    if (p_ == end_ || depth > kJsonDepthMax) return false;
    switch (*p_) {
      case '{': return object(out, depth);
      case '[': return array(out, depth);
      case '"': out.kind = Json::Kind::kString; return string(out.text);
      case 't': out.kind = Json::Kind::kTrue; return word("true");
      case 'f': out.kind = Json::Kind::kFalse; return word("false");
      case 'n': out.kind = Json::Kind::kNull; return word("null");
      default: out.kind = Json::Kind::kNumber; return number(out.text);
    }
  }
  bool digits() {
    const char* start = p_;
    while (p_ < end_ && *p_ >= '0' && *p_ <= '9') ++p_;
    return p_ > start;
  }
  bool number(std::string_view& out) {
    const char* start = p_;
    if (p_ < end_ && *p_ == '-') ++p_;
    if (p_ < end_ && *p_ == '0') {
      ++p_;
    } else if (!digits()) {
      return false;
    }
    if (p_ < end_ && *p_ == '.') {
      ++p_;
      if (!digits()) return false;
    }
    if (p_ < end_ && (*p_ == 'e' || *p_ == 'E')) {
      ++p_;
      if (p_ < end_ && (*p_ == '+' || *p_ == '-')) ++p_;
      if (!digits()) return false;
    }
    out = {start, static_cast<std::size_t>(p_ - start)};
    return true;
  }
  bool hex4(unsigned& out) {
    if (end_ - p_ < 4) return false;
    out = 0;
    for (int k = 0; k < 4; ++k, ++p_) {
      char c = *p_;
      unsigned d = c >= '0' && c <= '9'   ? static_cast<unsigned>(c - '0')
                   : c >= 'a' && c <= 'f' ? static_cast<unsigned>(c - 'a' + 10)
                   : c >= 'A' && c <= 'F' ? static_cast<unsigned>(c - 'A' + 10)
                                          : 16;
      if (d > 15) return false;
      out = out * 16 + d;
    }
    return true;
  }
  static void put_utf8(unsigned c, std::string& out) {
    auto byte = [&out](unsigned b) { out += static_cast<char>(b); };
    if (c < 0x80) {
      byte(c);
    } else if (c < 0x800) {
      byte(0xC0 | c >> 6), byte(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
      byte(0xE0 | c >> 12), byte(0x80 | (c >> 6 & 0x3F)), byte(0x80 | (c & 0x3F));
    } else {
      byte(0xF0 | c >> 18), byte(0x80 | (c >> 12 & 0x3F)), byte(0x80 | (c >> 6 & 0x3F)), byte(0x80 | (c & 0x3F));
    }
  }
  bool string(std::string_view& out) {
    const char* start = ++p_;
    while (p_ < end_ && *p_ != '"' && *p_ != '\\' && static_cast<unsigned char>(*p_) >= 0x20) ++p_;
    if (p_ == end_) return false;
    if (*p_ == '"') {
      out = {start, static_cast<std::size_t>(p_ - start)};
      ++p_;
      return true;
    }
    std::string text(start, p_);
    while (p_ < end_ && *p_ != '"') {
      if (static_cast<unsigned char>(*p_) < 0x20) return false;
      if (*p_ != '\\') {
        text += *p_++;
        continue;
      }
      if (++p_ == end_) return false;
      char c = *p_++;
      switch (c) {
        case '"': case '\\': case '/': text += c; break;
        case 'b': text += '\b'; break;
        case 'f': text += '\f'; break;
        case 'n': text += '\n'; break;
        case 'r': text += '\r'; break;
        case 't': text += '\t'; break;
        case 'u': {
          unsigned a = 0;
          if (!hex4(a)) return false;
          if (a >= 0xD800 && a < 0xDC00) {
            unsigned b = 0;
            if (!word("\\u") || !hex4(b) || b < 0xDC00 || b > 0xDFFF) return false;
            a = 0x10000 + ((a - 0xD800) << 10) + (b - 0xDC00);
          } else if (a >= 0xDC00 && a < 0xE000) {
            return false;
          }
          put_utf8(a, text);
          break;
        }
        default: return false;
      }
    }
    if (p_ == end_) return false;
    ++p_;
    out = arena_.copy(text);
    return true;
  }
  bool array(Json& out, std::size_t depth) {
    out.kind = Json::Kind::kArray;
    ++p_;
    std::vector<Json> items;
    blanks();
    if (p_ < end_ && *p_ == ']') {
      ++p_;
      return true;
    }
    for (;;) {
      blanks();
      if (!value(items.emplace_back(), depth + 1)) return false;
      blanks();
      if (p_ == end_) return false;
      char c = *p_++;
      if (c == ']') break;
      if (c != ',') return false;
    }
    keep(out, items, {});
    return true;
  }
  bool object(Json& out, std::size_t depth) {
    out.kind = Json::Kind::kObject;
    ++p_;
    std::vector<Json> items;
    std::vector<std::string_view> keys;
    blanks();
    if (p_ < end_ && *p_ == '}') {
      ++p_;
      return true;
    }
    for (;;) {
      blanks();
      if (p_ == end_ || *p_ != '"' || !string(keys.emplace_back())) return false;
      blanks();
      if (p_ == end_ || *p_++ != ':') return false;
      blanks();
      if (!value(items.emplace_back(), depth + 1)) return false;
      blanks();
      if (p_ == end_) return false;
      char c = *p_++;
      if (c == '}') break;
      if (c != ',') return false;
    }
    keep(out, items, keys);
    return true;
  }
  void keep(Json& out, const std::vector<Json>& items, const std::vector<std::string_view>& keys) {
    out.count = static_cast<std::uint32_t>(items.size());
    Json* array = arena_.array<Json>(items.size());
    std::uninitialized_copy(items.begin(), items.end(), array);
    out.items = array;
    if (keys.empty()) return;
    auto* names = arena_.array<std::string_view>(keys.size());
    std::uninitialized_copy(keys.begin(), keys.end(), names);
    out.keys = names;
  }

  const char* p_;
  const char* end_;
  Arena& arena_;
};

void print_string(std::string_view text, std::string& out) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += "\\u00";
          out += kHex[(c >> 4) & 15];
          out += kHex[c & 15];
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

Json from_value(const Value& value, Arena& arena) {
  Json json;
  switch (value.type) {
    case Type::kNull: break;
    case Type::kInt:
    case Type::kDouble:
      json.kind = Json::Kind::kNumber;
      json.text = arena.copy(to_text(value));
      break;
    case Type::kString:
      json.kind = value.literal ? Json::Kind::kNumber : Json::Kind::kString;
      json.text = arena.copy(value.view());
      break;
    case Type::kTime:
      json.kind = Json::Kind::kString;
      json.text = arena.copy(to_text(value));
      break;
    case Type::kJson: json = *copy_json(*value.json, arena); break;
  }
  return json;
}

}  // namespace

const Json* Json::member(std::string_view key) const {
  if (kind != Kind::kObject) return nullptr;
  for (std::uint32_t k = 0; k < count; ++k)
    if (keys[k] == key) return &items[k];
  return nullptr;
}

const Json* parse_json(std::string_view text, Arena& arena) {
  Json json;
  if (!Reader(text, arena).document(json)) return nullptr;
  return new (arena.array<Json>(1)) Json(json);
}

void print_json(const Json& json, std::string& out) {
  switch (json.kind) {
    case Json::Kind::kNull: out += "null"; return;
    case Json::Kind::kTrue: out += "true"; return;
    case Json::Kind::kFalse: out += "false"; return;
    case Json::Kind::kNumber: out += json.text; return;
    case Json::Kind::kString: print_string(json.text, out); return;
    case Json::Kind::kArray:
    case Json::Kind::kObject: break;
  }
  bool object = json.kind == Json::Kind::kObject;
  out += object ? '{' : '[';
  for (std::uint32_t k = 0; k < json.count; ++k) {
    if (k > 0) out += ',';
    if (object) {
      print_string(json.keys[k], out);
      out += ':';
    }
    print_json(json.items[k], out);
  }
  out += object ? '}' : ']';
}

const Json* copy_json(const Json& json, Arena& arena) {
  Json result = json;
  result.text = arena.copy(json.text);
  if (json.count > 0) {
    Json* items = arena.array<Json>(json.count);
    for (std::uint32_t k = 0; k < json.count; ++k) new (items + k) Json(*copy_json(json.items[k], arena));
    result.items = items;
    if (json.keys) {
      auto* keys = arena.array<std::string_view>(json.count);
      for (std::uint32_t k = 0; k < json.count; ++k) new (keys + k) std::string_view(arena.copy(json.keys[k]));
      result.keys = keys;
    }
  }
  return new (arena.array<Json>(1)) Json(result);
}

const Json* make_list(const std::vector<Value>& values, Arena& arena) {
  Json list;
  list.kind = Json::Kind::kArray;
  list.count = static_cast<std::uint32_t>(values.size());
  Json* items = arena.array<Json>(values.size());
  for (std::size_t k = 0; k < values.size(); ++k) new (items + k) Json(from_value(values[k], arena));
  list.items = items;
  return new (arena.array<Json>(1)) Json(list);
}

const Json* make_map(const std::vector<std::pair<std::string_view, Value>>& members, Arena& arena) {
  Json map;
  map.kind = Json::Kind::kObject;
  map.count = static_cast<std::uint32_t>(members.size());
  Json* items = arena.array<Json>(members.size());
  auto* keys = arena.array<std::string_view>(members.size());
  for (std::size_t k = 0; k < members.size(); ++k) {
    new (items + k) Json(from_value(members[k].second, arena));
    new (keys + k) std::string_view(arena.copy(members[k].first));
  }
  map.items = items;
  map.keys = keys;
  return new (arena.array<Json>(1)) Json(map);
}

namespace {

const Json* follow(const Json* json, const std::vector<std::string>& steps, std::size_t k) {
  if (json == nullptr || k == steps.size()) return json;
  if (json->kind == Json::Kind::kArray) {
    std::size_t index = 0;
    const std::string& step = steps[k];
    if (step.empty() || step.size() > 9) return nullptr;
    for (char c : step) {
      if (c < '0' || c > '9') return nullptr;
      index = index * 10 + static_cast<std::size_t>(c - '0');
    }
    return index < json->count ? follow(&json->items[index], steps, k + 1) : nullptr;
  }
  if (json->kind != Json::Kind::kObject) return nullptr;
  // A key that holds dots itself comes first: the longest name wins.
  for (std::size_t stop = steps.size(); stop > k; --stop) {
    std::string name = steps[k];
    for (std::size_t m = k + 1; m < stop; ++m) name += '.' + steps[m];
    if (const Json* found = json->member(name)) {
      if (const Json* result = follow(found, steps, stop)) return result;
    }
  }
  return nullptr;
}

}  // namespace

Value json_path(const Json* json, const std::vector<std::string>& steps) {
  return Value::of(follow(json, steps, 0));
}

}  // namespace fog::insights
