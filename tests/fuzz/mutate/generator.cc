#include "tests/fuzz/mutate/generator.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "api/codec/decode.h"
#include "tests/fuzz/mutate/words.h"

namespace fog::fuzz {
namespace {

// Longer values would pass the size of a request before they pass their own.
constexpr double kLengthMaxSent = 300'000;


bool is_number(const Shape& shape) {
  return shape.kind == Kind::kInteger || shape.kind == Kind::kLong || shape.kind == Kind::kDouble;
}

}  // namespace

std::string_view name_of(Breach breach) {
  static constexpr std::string_view kNames[kBreaches] = {"required", "null", "min length", "max length", "min value", "max value", "pattern",
                                                         "enum", "list element", "map key", "map value", "type", "unknown member", "optional null"};
  return kNames[static_cast<std::size_t>(breach)];
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

bool fits(const Shape& shape, const std::string& text) { return is_sound(shape, &text); }

void Generator::learn(std::string_view name, std::string value) {
  if (value.empty() || value.size() > 2048) return;
  auto& known = learned_[lower(name)];
  if (std::find(known.begin(), known.end(), value) != known.end()) return;
  if (known.size() < 8)
    known.push_back(std::move(value));
  else
    known[below(dice, known.size())] = std::move(value);
}

std::string Generator::sized_text(const Shape& shape, std::size_t length) {
  std::string out = shape.pattern.empty() ? std::string() : sample_pattern(shape.pattern, length, dice);
  if (shape.pattern.empty())
    for (std::size_t i = 0; i < length; ++i) out += static_cast<char>('a' + i % 26);
  return out;
}

std::string Generator::text(const Shape& shape, std::string_view name) {
  const std::string key = lower(name);
  for (int attempt = 0; attempt < 3; ++attempt) {
    std::string found;
    const auto known = learned_.find(key);
    if (known != learned_.end() && chance(dice, 50))
      found = known->second[below(dice, known->second.size())];
    else
      found = word_for(key, now_ms, dice);
    if (!found.empty() && fits(shape, found)) return found;
  }
  const auto min = shape.bounds.has_min ? static_cast<std::size_t>(shape.bounds.min) : 0;
  const auto max = shape.bounds.has_max ? static_cast<std::size_t>(std::min(shape.bounds.max, 1e5)) : 100;
  for (int attempt = 0; attempt < 50; ++attempt) {
    std::string made = sized_text(shape, std::min(max, std::max<std::size_t>(min, 1 + below(dice, 12)) + (attempt > 5 ? below(dice, 40) : 0)));
    if (fits(shape, made)) return made;
  }
  return sized_text(shape, std::max<std::size_t>(min, 1));
}

std::int64_t Generator::integer(const Shape& shape, std::string_view name) {
  const std::string key = lower(name);
  if (key == "waittimeseconds") return 0;  // a long poll is no answer
  if (key.find("time") != std::string::npos && shape.kind == Kind::kLong && !shape.bounds.has_max)
    return chance(dice, 50) ? now_ms - static_cast<std::int64_t>(below(dice, 7'200'000)) : now_ms / 1000 - static_cast<std::int64_t>(below(dice, 7200));
  if (key.find("period") != std::string::npos && chance(dice, 90)) return chance(dice, 50) ? 60 : 300;
  const std::int64_t min = shape.bounds.has_min ? static_cast<std::int64_t>(shape.bounds.min) : 0;
  const std::int64_t max = shape.bounds.has_max ? static_cast<std::int64_t>(std::min(shape.bounds.max, 9e18)) : min + 100;
  switch (below(dice, 6)) {
    case 0: return min;
    case 1: return max;
    default: return min + static_cast<std::int64_t>(below(dice, static_cast<std::size_t>(std::min<std::int64_t>(max - min, 1000)) + 1));
  }
}

Tree Generator::input(const OperationInfo& operation, int fill) { return value(*operation.input, {}, fill); }

Tree Generator::value(const Shape& shape, std::string_view name, int fill, int depth) {
  const int below_fill = depth >= 5 ? 0 : fill;
  switch (shape.kind) {
    case Kind::kBoolean: return Tree::boolean(chance(dice, 50));
    case Kind::kInteger:
    case Kind::kLong: return Tree::of(integer(shape, name));
    case Kind::kDouble: {
      const double min = shape.bounds.has_min ? shape.bounds.min : -10;
      const double max = shape.bounds.has_max ? shape.bounds.max : min + 1000;
      return Tree::real(min + (max - min) * static_cast<double>(below(dice, 101)) / 100);
    }
    case Kind::kString: return Tree::of(text(shape, name));
    case Kind::kBlob: return {.kind = Tree::Kind::kBytes, .text = word_for(lower(name), now_ms, dice)};
    case Kind::kTimestamp: return {.kind = Tree::Kind::kTime, .integer = now_ms - static_cast<std::int64_t>(below(dice, 7'200'000))};
    case Kind::kEnum: return Tree::of(std::string(shape.enum_count == 0 ? "" : shape.enum_values[below(dice, shape.enum_count)]));
    case Kind::kList:
    case Kind::kMap: {
      const auto min = shape.bounds.has_min ? static_cast<std::size_t>(shape.bounds.min) : 0;
      const auto max = shape.bounds.has_max ? static_cast<std::size_t>(shape.bounds.max) : min + 3;
      const std::size_t n = std::max(min, std::min(max, std::max<std::size_t>(min, below_fill == 0 ? 0 : 1) + below(dice, 3)));
      Tree out = shape.kind == Kind::kList ? Tree::list() : Tree::map();
      for (std::size_t i = 0; i < n; ++i) {
        if (shape.kind == Kind::kList) {
          out.items.push_back(value(*shape.element, name, below_fill, depth + 1));
          continue;
        }
        std::string key = shape.key != nullptr && shape.key->kind == Kind::kString ? text(*shape.key, std::string(name) + "Key")
                          : shape.key != nullptr && shape.key->enum_count > 0      ? std::string(shape.key->enum_values[below(dice, shape.key->enum_count)])
                                                                                   : "k" + std::to_string(i);
        if (out.find(key) == nullptr) out.members.emplace_back(std::move(key), value(*shape.element, name, below_fill, depth + 1));
      }
      return out;
    }
    case Kind::kStruct: {
      Tree out = Tree::map();
      const std::size_t only = shape.is_union ? below(dice, shape.member_count) : shape.member_count;
      for (std::size_t i = 0; i < shape.member_count; ++i) {
        const Member& member = shape.members[i];
        if (shape.is_union ? i != only : !member.required && !chance(dice, below_fill)) continue;
        if (depth > 12) continue;
        out.members.emplace_back(member.name, value(*member.shape, member.name, below_fill, depth + 1));
      }
      return out;
    }
  }
  return {};
}

// Goes down from the root, making what is missing on the way; the value at the end, made if need be.
Tree* Generator::reach(Tree& root, const Shape& shape, const Way& way) {
  Tree* at = &root;
  const Shape* of = &shape;
  for (const Step& step : way) {
    if (of->kind == Kind::kStruct) {
      std::size_t hint = 0;
      const Member* member = find_member(*of, step.name, hint);
      if (of->is_union && at->find(step.name) == nullptr) at->members.clear();
      if (at->find(step.name) == nullptr) at->members.emplace_back(step.name, value(*member->shape, step.name, 0, 6));
      at = at->find(step.name);
      of = member->shape;
    } else if (of->kind == Kind::kList) {
      if (at->items.empty()) at->items.push_back(value(*of->element, {}, 0, 6));
      at = &at->items.front();
      of = of->element;
    } else {
      if (at->members.empty()) {
        std::string key = of->key->enum_count > 0 ? std::string(of->key->enum_values[0]) : text(*of->key, {});
        at->members.emplace_back(std::move(key), value(*of->element, {}, 0, 6));
      }
      at = &at->members.front().second;
      of = of->element;
    }
  }
  return at;
}

void Generator::add(const OperationInfo& operation, const Way& way, Breach breach, Tree value, std::vector<BreachCase>& out) {
  BreachCase one;
  one.breach = breach;
  for (const Step& step : way) one.where += (one.where.empty() ? "" : ".") + (step.name.empty() ? "0" : step.name);
  for (const Step& step : way)
    if (!step.name.empty()) one.member = step.name;
  one.input = input(operation, 0);
  if (breach == Breach::kRequired) {
    Way above(way.begin(), way.end() - 1);
    reach(one.input, *operation.input, above)->erase(way.back().name);
  } else if (breach == Breach::kUnknownMember) {
    reach(one.input, *operation.input, way)->members.emplace_back("FogwatchKnowsNoSuchMember", Tree::of("x"));
  } else {
    *reach(one.input, *operation.input, way) = std::move(value);
  }
  out.push_back(std::move(one));
}

void Generator::break_value(const OperationInfo& operation, const Shape& shape, Way& way, std::vector<BreachCase>& out) {
  const Bounds& b = shape.bounds;
  const bool is_container = shape.kind == Kind::kList || shape.kind == Kind::kMap || shape.kind == Kind::kStruct;
  const bool is_entry = way.back().name.empty() && !is_container;  // scalars are reported with their list or map
  const auto as = [&](Breach breach) { return is_entry ? Breach::kElement : breach; };
  const auto put = [&](Breach breach, Tree value) { add(operation, way, as(breach), std::move(value), out); };
  const auto raw = [&](std::string text) {
    return shape.kind == Kind::kBlob ? Tree{.kind = Tree::Kind::kBytes, .text = std::move(text)} : Tree::of(std::move(text));
  };
  if (shape.kind == Kind::kString || shape.kind == Kind::kBlob) {
    if (b.has_max && b.max < kLengthMaxSent) {
      const auto too_long = static_cast<std::size_t>(b.max) + 1;
      std::string text = sized_text(shape, too_long);
      while (text.size() < too_long) text += text.empty() ? 'a' : text.back();
      text.resize(too_long);
      put(Breach::kLengthMax, raw(std::move(text)));
    }
    if (b.has_min && b.min >= 1) put(Breach::kLengthMin, raw(sized_text(Shape{.kind = Kind::kString}, static_cast<std::size_t>(b.min) - 1)));
    if (!shape.pattern.empty()) {
      static const std::string kOdd[] = {"\xe2\x98\x83", "*", ":", " ", "$", "a b", "_", "-", "\xc3\xa9", "\x01"};
      for (std::string odd : kOdd) {
        while (b.has_min && odd.size() < static_cast<std::size_t>(b.min) * 3) odd += odd;
        Shape length_only = shape;
        length_only.pattern = {};
        if (!fits(length_only, odd) || fits(shape, odd)) continue;
        put(Breach::kPattern, Tree::of(odd));
        break;
      }
    }
  } else if (is_number(shape)) {
    const double most = shape.kind == Kind::kInteger ? 2147483647.0 : 9e15;
    const auto number = [&](double value) { return shape.kind == Kind::kDouble ? Tree::real(value) : Tree::of(static_cast<std::int64_t>(value)); };
    if (b.has_max && b.max < most) put(Breach::kValueMax, number(b.max + 1));
    if (b.has_min && b.min > -most) put(Breach::kValueMin, number(b.min - 1));
  } else if (shape.kind == Kind::kEnum) {
    put(Breach::kEnum, Tree::of("NO-SUCH-VALUE"));
  } else if (shape.kind == Kind::kList || shape.kind == Kind::kMap) {
    const auto grow = [&](std::size_t n) {
      Tree many = value(shape, {}, 0, 6);
      for (std::size_t tries = 0; shape.kind == Kind::kList ? many.items.size() < n : many.members.size() < n; ++tries) {
        if (shape.kind == Kind::kList) {
          many.items.push_back(value(*shape.element, {}, 0, 6));
        } else {
          if (tries > 20 * n || shape.key->kind != Kind::kString) break;
          std::string key = sized_text(*shape.key, 4) + std::to_string(many.members.size());
          many.members.emplace_back(std::move(key), value(*shape.element, {}, 0, 6));
        }
      }
      return many;
    };
    if (b.has_max && b.max <= 1000) {
      Tree many = grow(static_cast<std::size_t>(b.max) + 1);
      if (std::max(many.items.size(), many.members.size()) > static_cast<std::size_t>(b.max)) put(Breach::kLengthMax, std::move(many));
    }
    if (b.has_min && b.min >= 1) {
      Tree few = shape.kind == Kind::kList ? Tree::list() : Tree::map();
      for (std::size_t i = 0; i + 1 < static_cast<std::size_t>(b.min) && shape.kind == Kind::kList; ++i) few.items.push_back(value(*shape.element, {}, 0, 6));
      put(Breach::kLengthMin, std::move(few));
    }
    if (shape.kind == Kind::kMap && shape.key->is_constrained()) {
      Tree odd = Tree::map();
      for (const std::string& key : {std::string(), std::string(shape.key->bounds.has_max ? static_cast<std::size_t>(std::min(shape.key->bounds.max, kLengthMaxSent)) + 1 : 1, '\x01')}) {
        if (fits(*shape.key, key)) continue;
        odd.members.emplace_back(key, value(*shape.element, {}, 0, 6));
        add(operation, way, Breach::kMapKey, std::move(odd), out);
        break;
      }
    }
  }
  switch (shape.kind) {
    case Kind::kBoolean: add(operation, way, Breach::kType, Tree::of("perhaps"), out); break;
    case Kind::kInteger:
    case Kind::kLong:
    case Kind::kDouble:
    case Kind::kTimestamp: add(operation, way, Breach::kType, Tree::of("twelve"), out); break;
    case Kind::kString:
    case Kind::kEnum:
    case Kind::kBlob: add(operation, way, Breach::kType, Tree::map(), out); break;
    case Kind::kList:
    case Kind::kMap:
    case Kind::kStruct: add(operation, way, Breach::kType, Tree::of("x"), out); break;
  }
}

void Generator::walk(const OperationInfo& operation, const Shape& shape, Way& way, std::vector<const Shape*>& above, std::vector<BreachCase>& out) {
  if (shape.kind == Kind::kStruct) {
    if (std::find(above.begin(), above.end(), &shape) != above.end()) return;
    above.push_back(&shape);
    if (!shape.is_union) add(operation, way, Breach::kUnknownMember, {}, out);  // a union has one member, and a known one
    for (std::size_t i = 0; i < shape.member_count; ++i) {
      const Member& member = shape.members[i];
      way.push_back({std::string(member.name)});
      if (member.required && !shape.is_union) {
        add(operation, way, Breach::kRequired, {}, out);
        add(operation, way, Breach::kNull, {}, out);
      } else if (!shape.is_union) {
        add(operation, way, Breach::kOptionalNull, {}, out);
      }
      break_value(operation, *member.shape, way, out);
      walk(operation, *member.shape, way, above, out);
      way.pop_back();
    }
    above.pop_back();
  } else if (shape.kind == Kind::kList || shape.kind == Kind::kMap) {
    const Shape& element = *shape.element;
    way.push_back({});
    const std::size_t before = out.size();
    if (element.kind != Kind::kStruct) break_value(operation, element, way, out);
    if (shape.kind == Kind::kMap)
      for (std::size_t i = before; i < out.size(); ++i)
        if (out[i].breach == Breach::kElement) out[i].breach = Breach::kMapValue;
    walk(operation, element, way, above, out);
    way.pop_back();
  }
}

std::vector<BreachCase> Generator::breaches(const OperationInfo& operation) {
  std::vector<BreachCase> out;
  Way way;
  std::vector<const Shape*> above;
  walk(operation, *operation.input, way, above, out);
  return out;
}

}  // namespace fog::fuzz
