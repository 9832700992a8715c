// Form parameters in.
//
// A key such as MetricData.member.3.Dimensions.member.1.Name is a path. Clients write the
// parameters of one structure together, so the reader keeps the way to the previous key open
// ("levels") and starts where the new key departs from it: every level is entered and left once.
// Parameters in another order (JS v2 sorts them as text, so entry 10 precedes 2) are found out when
// a level would be entered again; then everything is sorted and read once more.
#include <bit>
#include <cmath>
#include <cstring>

#include "api/codec/query.h"
#include "api/codec/text.h"

namespace fog {
namespace {

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Not zero when one of the eight bytes is c.
std::uint64_t has_byte(std::uint64_t word, char c) {
  word ^= 0x0101010101010101ull * static_cast<unsigned char>(c);
  return (word - 0x0101010101010101ull) & ~word & 0x8080808080808080ull;
}

std::size_t common_prefix(std::string_view a, std::string_view b) {
  const std::size_t n = std::min(a.size(), b.size());
  std::size_t i = 0;
  for (std::uint64_t x, y; i + 8 <= n; i += 8) {
    std::memcpy(&x, a.data() + i, 8);
    std::memcpy(&y, b.data() + i, 8);
    if (x != y) return i + static_cast<std::size_t>(std::countr_zero(x ^ y)) / 8;
  }
  while (i < n && a[i] == b[i]) ++i;
  return i;
}

static_assert(std::endian::native == std::endian::little, "the lowest byte of a word is the first in memory");

// Finds the '=' or '&' that ends a key. Sets `escaped` when '%' or '+' comes before.
const char* end_of_key(const char* at, const char* end, bool& escaped) {
  for (; at < end && *at != '=' && *at != '&'; ++at) escaped |= *at == '%' || *at == '+';
  return at;
}

// The same for the '&' behind a value. In a mask of has_byte() the lowest bit is always a true hit.
const char* end_of_value(const char* at, const char* end, bool& escaped) {
  for (std::uint64_t word; end - at >= 8; at += 8) {
    std::memcpy(&word, at, 8);
    const std::uint64_t stop = has_byte(word, '&');
    const std::uint64_t escapes = has_byte(word, '%') | has_byte(word, '+');
    const std::uint64_t before = stop == 0 ? ~std::uint64_t{0} : (stop & (~stop + 1)) - 1;
    escaped |= (escapes & before) != 0;
    if (stop != 0) return at + std::countr_zero(stop) / 8;
  }
  for (; at < end && *at != '&'; ++at) escaped |= *at == '%' || *at == '+';
  return at;
}

// Decodes into `to`, which may be the text's own place; a bad escape stands for itself.
char* percent_decode(std::string_view text, char* to) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    // Eight bytes at a time while nothing is escaped.
    for (std::uint64_t word; i + 8 <= text.size(); i += 8, to += 8) {
      std::memcpy(&word, text.data() + i, 8);
      if ((has_byte(word, '%') | has_byte(word, '+')) != 0) break;
      std::memcpy(to, &word, 8);
    }
    if (i == text.size()) break;
    char c = text[i];
    if (c == '+') {
      c = ' ';
    } else if (c == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
      c = static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
      i += 2;
    }
    *to++ = c;
  }
  return to;
}

bool is_number(std::string_view text) {
  if (text.empty() || text.size() > 9) return false;
  for (const char c : text)
    if (c < '0' || c > '9') return false;
  return true;
}

std::size_t to_index(std::string_view text) {
  std::size_t value = 0;
  for (const char c : text) value = value * 10 + static_cast<std::size_t>(c - '0');
  return value;
}

bool equal_lower(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] + 32) : text[i];
    if (c != lower[i]) return false;
  }
  return true;
}

// Orders keys so that every structure, list entry and map entry stands together, entries by number.
bool key_less(const Form::Parameter& a, const Form::Parameter& b) {
  std::string_view x = a.key, y = b.key;
  while (true) {
    const std::size_t dx = x.find('.'), dy = y.find('.');
    const std::string_view cx = x.substr(0, dx), cy = y.substr(0, dy);
    if (cx != cy) {
      if (is_number(cx) && is_number(cy) && to_index(cx) != to_index(cy)) return to_index(cx) < to_index(cy);
      return cx < cy;
    }
    if (dx == std::string_view::npos || dy == std::string_view::npos) return dx == std::string_view::npos && dy != dx;
    x.remove_prefix(dx + 1);
    y.remove_prefix(dy + 1);
  }
}

// A list or map whose entries stand directly in the structure under a name of their own.
const Member* find_flat(const Shape& structure, std::string_view word) {
  for (std::size_t i = 0; i < structure.member_count; ++i)
    if (!flat_name(*structure.members[i].shape).empty() && flat_name(*structure.members[i].shape) == word)
      return &structure.members[i];
  return nullptr;
}

class Reader {
 public:
  enum class Outcome { kDone, kUnsorted, kFailed };

  Reader(const Shape& shape, void* out, Decoding& decoding) : decoding_(decoding) {
    levels_.reserve(16);
    levels_.push_back({.shape = &shape, .at = out});
  }

  Outcome run(const std::vector<Form::Parameter>& parameters) {
    for (const auto& parameter : parameters) {
      // Leaves the levels that the new key does not share with the previous one.
      while (levels_.size() > 1 && levels_.back().end > parameter.shared)
        if (!pop()) return Outcome::kFailed;
      const Outcome outcome = enter(parameter);
      if (outcome != Outcome::kDone) return outcome;
    }
    while (!levels_.empty())
      if (!pop()) return Outcome::kFailed;
    return error_.empty() ? Outcome::kDone : Outcome::kFailed;
  }

  const std::string& error() const { return error_; }

 private:
  struct Level {
    const Shape* shape = nullptr;
    void* at = nullptr;
    std::size_t end = 0;    // of the way here in the key, with its last dot
    std::size_t hint = 0;   // structures: the next member expected
    std::size_t index = 0;  // lists, maps: number of the entry read last
    Seen seen{};
    bool is_map_entry = false;  // `shape` is the map, `at` its value once the key is known
    void* map = nullptr;
    Path path{};  // up is set when the level is used: levels move
  };

  bool fail(std::string message) {
    if (error_.empty()) error_ = std::move(message);
    return false;
  }

  // Links the levels' paths and gives the last.
  const Path* path() {
    for (std::size_t i = 1; i < levels_.size(); ++i) levels_[i].path.up = i > 1 ? last_path(i - 1) : nullptr;
    return last_path(levels_.size() - 1);
  }
  // A map entry's level carries the key; the root and the others may carry nothing.
  const Path* last_path(std::size_t i) {
    while (i > 0 && levels_[i].path.name.empty() && levels_[i].path.index == 0) --i;
    return i == 0 ? nullptr : &levels_[i].path;
  }

  bool pop() {
    Level& level = levels_.back();
    const Shape& shape = *level.shape;
    if (level.is_map_entry) {
      levels_.pop_back();
      return true;
    }
    if (shape.kind == Kind::kStruct) {
      if (shape.is_union && level.seen.count() != 1 && decoding_.violations != nullptr)
        return fail("A union must have exactly one member set");
      if (!level.seen.covers(shape.required_mask)) check_required(shape, level.seen, path(), decoding_);
    } else if (wants_check(shape, decoding_)) {
      check_value(shape, level.at, path(), decoding_);
    }
    levels_.pop_back();
    return true;
  }

  static std::string_view component(std::string_view key, std::size_t from) {
    std::size_t dot = from;
    while (dot < key.size() && key[dot] != '.') ++dot;
    return {key.data() + from, dot - from};
  }

  // The structure's next member, if that is what the key goes on with.
  static const Member* expected(const Level& level, std::string_view key) {
    if (level.is_map_entry || level.hint >= level.shape->member_count) return nullptr;
    const Member& member = level.shape->members[level.hint];
    const std::size_t end = level.end + member.name.size();
    if (key.size() < end || (key.size() > end && key[end] != '.')) return nullptr;
    return same_bytes(key.data() + level.end, member.name.data(), member.name.size()) ? &member : nullptr;
  }

  // Walks down from the last level to the value that the key names.
  Outcome enter(const Form::Parameter& parameter) {
    const std::string_view key = parameter.key;
    while (true) {
      if (levels_.size() > static_cast<std::size_t>(kDepthMax)) return failed("The request is nested too deeply");
      Level& level = levels_.back();
      if (level.end > key.size()) return Outcome::kDone;
      const Member* member = expected(level, key);
      std::string_view word = member != nullptr ? member->name : component(key, level.end);
      std::size_t end = level.end + word.size();
      const Shape* next = nullptr;
      void* at = nullptr;
      Path step;
      if (level.is_map_entry) {
        if (word == level.shape->entry_key && end == key.size()) {
          if (level.at != nullptr) return Outcome::kUnsorted;
          if (!charge_element(*level.shape->element, decoding_)) return failed("The request holds too many values");
          level.path.name = parameter.value;
          level.at = level.shape->map->insert(*level.shape, level.map, std::string(parameter.value));
          return Outcome::kDone;
        }
        if (word != level.shape->entry_value) return Outcome::kDone;
        if (level.at == nullptr) return sorted_ ? Outcome::kDone : Outcome::kUnsorted;
        next = level.shape->element;
        at = level.at;
        if (end < key.size() && next->kind == Kind::kStruct && level.seen.has(0)) return Outcome::kUnsorted;
        level.seen.set(0);
      } else if (level.shape->kind == Kind::kStruct) {
        if (member == nullptr) member = find_member(*level.shape, word, level.hint);
        if (member == nullptr) member = find_flat(*level.shape, word);
        if (member == nullptr) return Outcome::kDone;
        level.hint = static_cast<std::size_t>(member - level.shape->members) + 1;
        const auto position = static_cast<std::size_t>(member - level.shape->members);
        next = member->shape;
        const bool is_scalar = next->kind != Kind::kStruct && next->kind != Kind::kList && next->kind != Kind::kMap;
        if (is_scalar != (end == key.size()) && is_scalar) return Outcome::kDone;  // X.y of a scalar X
        const bool again = !is_scalar && level.seen.has(position);
        if (again && !sorted_) return Outcome::kUnsorted;
        level.seen.set(position);
        at = again ? const_cast<void*>(peek(*member, level.at)) : emplace(*member, level.at);
        step.name = member->name;
      } else {
        // Entries: member.N or N for lists, entry.N for maps; whatever word stands before N.
        if (!is_number(word)) {
          if (end >= key.size()) return Outcome::kDone;
          word = component(key, end + 1);
          end += 1 + word.size();
          if (!is_number(word)) return Outcome::kDone;
        }
        const std::size_t index = to_index(word);
        if (level.shape->kind == Kind::kList) {
          const std::size_t size = level.shape->list->size(*level.shape, level.at);
          const bool again = size > 0 && index == level.index && end == key.size();  // the last one wins
          if (size > 0 && index <= level.index && !again) return Outcome::kUnsorted;
          if (!charge_element(*level.shape->element, decoding_)) return failed("The request holds too many values");
          level.index = index;
          next = level.shape->element;
          at = again ? const_cast<void*>(level.shape->list->at(*level.shape, level.at, size - 1))
                     : level.shape->list->append(*level.shape, level.at);
          step.index = again ? size : size + 1;
        } else {
          if (index <= level.index && level.index > 0) return Outcome::kUnsorted;
          level.index = index;
          if (end >= key.size()) return Outcome::kDone;
          Level entry{.shape = level.shape, .end = end + 1, .is_map_entry = true, .map = level.at};
          entry.path.is_map_key = true;
          levels_.push_back(entry);
          continue;
        }
      }
      if (next->kind == Kind::kStruct || next->kind == Kind::kList || next->kind == Kind::kMap) {
        // "Key=" is how some clients write an empty list.
        Level below{.shape = next, .at = at, .end = std::min(end + 1, key.size() + 1)};
        below.path = step;
        levels_.push_back(below);
        if (end >= key.size()) return Outcome::kDone;
        continue;
      }
      if (end < key.size()) return Outcome::kDone;
      return scalar(*next, at, step, parameter) ? Outcome::kDone : Outcome::kFailed;
    }
  }

  Outcome failed(std::string message) {
    fail(std::move(message));
    return Outcome::kFailed;
  }

  bool scalar(const Shape& shape, void* at, Path step, const Form::Parameter& parameter) {
    const std::string_view text = parameter.value;
    const bool is_entry = step.index > 0 || (step.name.empty() && levels_.back().is_map_entry);
    const auto bad = [&](std::string_view wanted) {
      return fail("Value '" + (is_utf8(text) ? std::string(text.substr(0, 200)) : to_utf8(text.substr(0, 200))) +
                  "' of parameter " + to_utf8(parameter.key.substr(0, 200)) + " is not a valid " + std::string(wanted));
    };
    switch (shape.kind) {
      case Kind::kString:
        if (!is_utf8(text)) return fail("Parameter " + to_utf8(parameter.key.substr(0, 200)) + " is not UTF-8");
        static_cast<std::string*>(at)->assign(text.data(), text.size());
        if (surely_fits(shape, *static_cast<std::string*>(at))) return true;
        break;
      case Kind::kBlob: {
        auto bytes = decode_base64(text);
        if (!bytes) return bad("base64 text");
        *static_cast<std::string*>(at) = std::move(*bytes);
        break;
      }
      case Kind::kBoolean:
        if (equal_lower(text, "true") || text == "1") {
          *static_cast<bool*>(at) = true;
        } else if (equal_lower(text, "false") || text == "0") {
          *static_cast<bool*>(at) = false;
        } else {
          return bad("boolean");
        }
        break;
      case Kind::kInteger:
      case Kind::kLong: {
        auto number = parse_integer(text);
        if (!number) {
          const auto real = parse_double(text);
          if (real && std::abs(*real) < 9.2e18 && *real == std::floor(*real)) number = static_cast<std::int64_t>(*real);
        }
        if (!number) return bad("integer");
        if (shape.kind == Kind::kLong) {
          *static_cast<std::int64_t*>(at) = *number;
        } else if (*number < INT32_MIN || *number > INT32_MAX) {
          return bad("integer");
        } else {
          *static_cast<std::int32_t*>(at) = static_cast<std::int32_t>(*number);
        }
        break;
      }
      case Kind::kDouble: {
        const auto number = parse_double(text);
        if (!number) return bad("double");
        *static_cast<double*>(at) = *number;
        break;
      }
      case Kind::kTimestamp: {
        const auto time = parse_timestamp(text);
        if (!time) return bad("timestamp");
        *static_cast<Timestamp*>(at) = *time;
        break;
      }
      case Kind::kEnum: {
        step.up = decoding_.violations == nullptr ? nullptr : path();
        const bool is_value = step.name.empty() && step.index == 0;  // of a map: its key is the path
        if (!set_enum(shape, text, at, is_value ? step.up : &step, decoding_)) return bad("enum value");
        return true;
      }
      case Kind::kList:
      case Kind::kMap:
      case Kind::kStruct: break;
    }
    if (!is_entry && wants_check(shape, decoding_) && !is_sound(shape, at)) {
      step.up = path();
      check_value(shape, at, &step, decoding_);
    }
    return true;
  }

 public:
  bool sorted_ = false;

 private:
  Decoding& decoding_;
  std::vector<Level> levels_;
  std::string error_;
};

}  // namespace

bool Form::add(std::string_view encoded) {
  if (encoded.empty()) return true;
  // Decoded in place: a parameter is at most as long decoded as encoded.
  auto space = std::make_unique_for_overwrite<char[]>(encoded.size());
  std::memcpy(space.get(), encoded.data(), encoded.size());
  char* at = space.get();
  char* const end = at + encoded.size();
  storage_.push_back(std::move(space));
  // A parameter of a structure in a list takes about so much.
  parameters_.reserve(parameters_.size() + std::min<std::size_t>(kParametersMax, 1 + encoded.size() / 40));
  std::string_view previous = parameters_.empty() ? std::string_view() : parameters_.back().key;
  bool was_plain = false;  // `previous` stands as it came: what begins the same needs no second look
  for (; at < end; ++at) {
    if (*at == '&') continue;
    if (parameters_.size() >= kParametersMax) return false;
    char* const begin = at;
    std::size_t shared = was_plain ? common_prefix(previous, {begin, static_cast<std::size_t>(end - begin)}) : 0;
    bool escaped = false;
    at += end_of_key(at + shared, end, escaped) - at;
    std::string_view key(begin, static_cast<std::size_t>(at - begin));
    if (escaped) key = {begin, static_cast<std::size_t>(percent_decode(key, begin) - begin)};
    if (escaped || !was_plain) shared = common_prefix(previous, key);
    was_plain = !escaped;
    previous = key;
    std::string_view value;
    if (at < end && *at == '=') {
      char* const from = ++at;
      escaped = false;
      at += end_of_value(at, end, escaped) - at;
      value = {from, static_cast<std::size_t>(at - from)};
      if (escaped) value = {from, static_cast<std::size_t>(percent_decode(value, from) - from)};
    }
    parameters_.push_back({key, value, shared});
  }
  return true;
}

std::string_view Form::get(std::string_view key) const {
  for (auto it = parameters_.rbegin(); it != parameters_.rend(); ++it)
    if (it->key == key) return it->value;
  return {};
}

bool Form::has(std::string_view key) const {
  for (const Parameter& p : parameters_)
    if (p.key == key) return true;
  return false;
}

Status decode_form(const Form& form, const Shape& shape, void* out, Decoding& decoding) {
  const std::size_t violations = decoding.violations == nullptr ? 0 : decoding.violations->size();
  Reader reader(shape, out, decoding);
  auto outcome = reader.run(form.parameters());
  if (outcome == Reader::Outcome::kDone) return Ok{};
  if (outcome == Reader::Outcome::kFailed) return serialization_error(reader.error());
  // In another order: start again with a fresh value and sorted parameters.
  shape.structure->destroy(shape, out);
  shape.structure->construct(shape, out);
  if (decoding.violations != nullptr) decoding.violations->resize(violations);
  decoding.element_bytes_left = kElementBytesMax;
  auto sorted = form.parameters();
  std::stable_sort(sorted.begin(), sorted.end(), key_less);
  std::string_view previous;
  for (auto& parameter : sorted) {
    parameter.shared = common_prefix(previous, parameter.key);
    previous = parameter.key;
  }
  Reader again(shape, out, decoding);
  again.sorted_ = true;
  outcome = again.run(sorted);
  if (outcome == Reader::Outcome::kDone) return Ok{};
  return serialization_error(again.error().empty() ? "The parameters contradict each other" : again.error());
}

}  // namespace fog
