#include "api/codec/decode.h"

#include <re2/re2.h>

#include <cstring>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

#include "api/codec/text.h"
#include "api/common/fault.h"

namespace fog {
namespace {

// Long values are cut in messages; AWS's own messages repeat them whole.
constexpr std::size_t kValueTextMax = 2048;

// Compiled patterns by the address of their text in the tables. Filled on demand, never emptied;
// process-wide because the tables are.
const RE2* compiled(std::string_view pattern) {
  static std::shared_mutex mutex;
  static std::unordered_map<const void*, std::unique_ptr<RE2>> cache;
  {
    const std::shared_lock lock(mutex);
    if (const auto found = cache.find(pattern.data()); found != cache.end()) return found->second.get();
  }
  RE2::Options options;
  options.set_log_errors(false);
  auto fresh = std::make_unique<RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
  const std::unique_lock lock(mutex);
  return cache.emplace(pattern.data(), std::move(fresh)).first->second.get();
}

bool matches(std::string_view pattern, const std::string& text) {
  const RE2* re = compiled(pattern);
  return !re->ok() || RE2::FullMatch(text, *re);
}

// A value as Java's toString prints it.
void print(const Shape& shape, const void* value, std::string& out) {
  if (out.size() > kValueTextMax) return;
  if (value == nullptr) {
    out += "null";
    return;
  }
  if (shape.is_sensitive) {
    out += "***Sensitive Data Redacted***";
    return;
  }
  switch (shape.kind) {
    case Kind::kBoolean: out += *static_cast<const bool*>(value) ? "true" : "false"; break;
    case Kind::kInteger: append_integer(*static_cast<const std::int32_t*>(value), out); break;
    case Kind::kLong: append_integer(*static_cast<const std::int64_t*>(value), out); break;
    case Kind::kDouble: {
      const double number = *static_cast<const double*>(value);
      if (number != number) {
        out += "NaN";
      } else if (number - number != 0) {
        out += number < 0 ? "-Infinity" : "Infinity";
      } else {
        append_double(number, out, true);
      }
      break;
    }
    case Kind::kString: out += *static_cast<const std::string*>(value); break;
    case Kind::kBlob:
      out += "java.nio.HeapByteBuffer[pos=0 lim=";
      append_integer(static_cast<std::int64_t>(static_cast<const std::string*>(value)->size()), out);
      out += ']';
      break;
    case Kind::kTimestamp: append_iso8601(*static_cast<const Timestamp*>(value), out); break;
    case Kind::kEnum: {
      std::uint16_t i = 0;
      std::memcpy(&i, value, sizeof i);
      out += shape.enum_values[i];
      break;
    }
    case Kind::kList: {
      out += '[';
      const std::size_t n = shape.list->size(shape, value);
      for (std::size_t i = 0; i < n && out.size() <= kValueTextMax; ++i) {
        if (i > 0) out += ", ";
        print(*shape.element, shape.list->at(shape, value, i), out);
      }
      out += ']';
      break;
    }
    case Kind::kMap: {
      struct Context {
        const Shape& shape;
        std::string& out;
        bool first = true;
      } context{shape, out};
      out += '{';
      shape.map->each(shape, value, &context, [](void* c, const std::string& key, const void* element) {
        auto& in = *static_cast<Context*>(c);
        if (!in.first) in.out += ", ";
        in.first = false;
        in.out += key;
        in.out += '=';
        print(*in.shape.element, element, in.out);
      });
      out += '}';
      break;
    }
    case Kind::kStruct:
      out += shape.name;
      out += '(';
      for (std::size_t i = 0; i < shape.member_count; ++i) {
        if (i > 0) out += ", ";
        out += shape.members[i].name;
        out += '=';
        print(*shape.members[i].shape, peek(shape.members[i], value), out);
      }
      out += ')';
      break;
  }
}

std::vector<Violation::Step> steps(const Path* path) {
  std::vector<Violation::Step> out;
  for (; path != nullptr; path = path->up)
    out.push_back({std::string(path->name), path->index, path->is_map_key});
  std::reverse(out.begin(), out.end());
  return out;
}

Violation* add(Constraint constraint, const Shape& shape, const Path* path, Decoding& decoding) {
  if (decoding.violations->size() >= kViolationsMax) return nullptr;
  Violation& v = decoding.violations->emplace_back();
  v.constraint = constraint;
  v.shape = &shape;
  v.path = steps(path);
  return &v;
}

void report(Constraint constraint, const Shape& shape, const void* value, const Path* path, Decoding& decoding) {
  if (Violation* v = add(constraint, shape, path, decoding)) {
    print(shape, value, v->value);
    if (v->value.size() > kValueTextMax) v->value.resize(kValueTextMax);
    v->value = is_utf8(v->value) ? std::move(v->value) : to_utf8(v->value);
  }
}

// Calls `broken` for each of the shape's rules that the value breaks.
template <typename Broken>
void each_broken(const Shape& shape, const void* value, Broken&& broken) {
  const Bounds& b = shape.bounds;
  const auto length = [&](double n) {
    if (b.has_max && n > b.max) broken(Constraint::kLengthMax);
    if (b.has_min && n < b.min) broken(Constraint::kLengthMin);
  };
  const auto range = [&](double n) {
    if (b.has_max && n > b.max) broken(Constraint::kValueMax);
    if (b.has_min && n < b.min) broken(Constraint::kValueMin);
  };
  switch (shape.kind) {
    case Kind::kString: {
      const auto& text = *static_cast<const std::string*>(value);
      // Characters are between a quarter of the bytes and all of them.
      const auto bytes = static_cast<double>(text.size());
      if ((b.has_max && bytes > b.max) || (b.has_min && bytes < b.min * 4))
        length(static_cast<double>(utf8_length(text)));
      if (!shape.pattern.empty() && !matches(shape.pattern, text)) broken(Constraint::kPattern);
      break;
    }
    case Kind::kBlob: length(static_cast<double>(static_cast<const std::string*>(value)->size())); break;
    case Kind::kInteger: range(*static_cast<const std::int32_t*>(value)); break;
    case Kind::kLong: range(static_cast<double>(*static_cast<const std::int64_t*>(value))); break;
    case Kind::kDouble: range(*static_cast<const double*>(value)); break;
    case Kind::kList: length(static_cast<double>(shape.list->size(shape, value))); break;
    case Kind::kMap: length(static_cast<double>(shape.map->size(shape, value))); break;
    case Kind::kBoolean:
    case Kind::kTimestamp:
    case Kind::kEnum:
    case Kind::kStruct: break;
  }
}

bool is_constrained_scalar(const Shape* shape) {
  return shape != nullptr && shape->is_constrained() && shape->kind != Kind::kList &&
         shape->kind != Kind::kMap && shape->kind != Kind::kStruct;
}

void check_elements(const Shape& shape, const void* value, const Path* path, Decoding& decoding) {
  if (shape.kind == Kind::kList && is_constrained_scalar(shape.element)) {
    const std::size_t n = shape.list->size(shape, value);
    for (std::size_t i = 0; i < n; ++i) {
      if (is_sound(*shape.element, shape.list->at(shape, value, i))) continue;
      report(Constraint::kElement, shape, value, path, decoding);
      break;
    }
  }
  if (shape.kind != Kind::kMap) return;
  struct Context {
    const Shape& shape;
    bool bad_key = false;
    bool bad_value = false;
  } context{shape};
  shape.map->each(shape, value, &context, [](void* c, const std::string& key, const void* element) {
    auto& in = *static_cast<Context*>(c);
    if (is_constrained_scalar(in.shape.key) && !is_sound(*in.shape.key, &key)) in.bad_key = true;
    if (is_constrained_scalar(in.shape.element) && !is_sound(*in.shape.element, element)) in.bad_value = true;
  });
  if (context.bad_key) report(Constraint::kMapKey, shape, value, path, decoding);
  if (context.bad_value) report(Constraint::kMapValue, shape, value, path, decoding);
}

}  // namespace

Error serialization_error(std::string message) {
  return wire_fault({.code = "SerializationException", .query_code = "MalformedInput", .message = std::move(message)});
}

const Member* find_member(const Shape& shape, std::string_view name, std::size_t& hint) {
  const std::size_t n = shape.member_count;
  for (std::size_t left = n, i = hint < n ? hint : 0; left > 0; --left, i = i + 1 < n ? i + 1 : 0) {
    const Member& member = shape.members[i];
    if (member.name.size() != name.size() || !same_bytes(member.name.data(), name.data(), name.size())) continue;
    hint = i + 1;
    return &member;
  }
  return nullptr;
}

bool charge_element(const Shape& element, Decoding& decoding) {
  const std::size_t bytes = element.kind == Kind::kStruct ? element.structure->bytes : 32;
  if (decoding.element_bytes_left < bytes) return false;
  decoding.element_bytes_left -= bytes;
  return true;
}

bool set_enum(const Shape& shape, std::string_view text, void* at, const Path* path, Decoding& decoding) {
  for (std::uint16_t i = 0; i < shape.enum_count; ++i) {
    if (shape.enum_values[i] == text) {
      std::memcpy(at, &i, sizeof i);
      return true;
    }
  }
  if (decoding.violations == nullptr) return false;
  const bool is_entry = path != nullptr && (path->index > 0 || path->is_map_key);
  const Path* where = is_entry ? path->up : path;
  if (Violation* v = add(is_entry ? Constraint::kElement : Constraint::kEnum, shape, where, decoding)) {
    v->value = is_utf8(text) ? std::string(text.substr(0, kValueTextMax)) : to_utf8(text.substr(0, kValueTextMax));
    if (is_entry) v->value = '[' + v->value + ']';
  }
  return true;
}

bool is_sound(const Shape& shape, const void* value) {
  bool sound = true;
  each_broken(shape, value, [&](Constraint) { sound = false; });
  return sound;
}

void check_value(const Shape& shape, const void* value, const Path* path, Decoding& decoding) {
  each_broken(shape, value, [&](Constraint constraint) { report(constraint, shape, value, path, decoding); });
  if (shape.element != nullptr) check_elements(shape, value, path, decoding);
}

void report_missing(const Shape& shape, const Seen& seen, const Path* path, Decoding& decoding) {
  for (std::size_t i = 0; i < shape.member_count; ++i) {
    const Member& member = shape.members[i];
    if (!member.required || seen.has(i)) continue;
    const Path here{path, member.name};
    add(Constraint::kNotNull, *member.shape, &here, decoding);
  }
}

}  // namespace fog
