// Value: one typed value of the Insights language, and the rules that every part of the engine
// shares: the numeric view, comparison, sort order, rendering.
//
// A Value is 16 bytes and owns nothing: text and JSON live in an Arena, in the query, or in a block
// of the store, all of which outlive the values that point into them.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fog::insights {

struct Json;

// Counts the bytes of one query; over() makes the executor give up with a clear error.
class Memory {
 public:
  explicit Memory(std::size_t bytes_max) : bytes_max_(bytes_max) {}
  void add(std::size_t bytes) { used_.fetch_add(bytes, std::memory_order_relaxed); }
  void sub(std::size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  std::size_t used() const { return used_.load(std::memory_order_relaxed); }
  bool over() const { return used() > bytes_max_; }

 private:
  std::size_t bytes_max_;
  std::atomic<std::size_t> used_{0};
};

// A bump allocator; frees everything at once. Not for several threads.
class Arena {
 public:
  explicit Arena(Memory* memory = nullptr) : memory_(memory) {}
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  char* allocate(std::size_t bytes, std::size_t alignment);
  // Uninitialised storage for n trivially copyable items.
  template <typename T>
  T* array(std::size_t n) {
    static_assert(std::is_trivially_destructible_v<T>);
    return reinterpret_cast<T*>(allocate(n * sizeof(T), alignof(T)));
  }
  std::string_view copy(std::string_view text);
  std::size_t bytes() const { return bytes_; }

 private:
  Memory* memory_;
  std::vector<std::unique_ptr<char[]>> chunks_;
  char* next_ = nullptr;
  std::size_t left_ = 0;
  std::size_t bytes_ = 0;
};

enum class Type : std::uint8_t { kNull, kInt, kDouble, kString, kTime, kJson };

struct Value {
  Type type = Type::kNull;
  bool literal = false;    // kString only: the source text of a JSON number
  std::uint32_t size = 0;  // kString only: bytes
  union {
    std::int64_t i;        // kInt, and kTime in ms since the epoch
    double d;
    const char* p;
    const Json* json;      // kJson: always an object or array
  };

  Value() : i(0) {}
  static Value integer(std::int64_t v) { Value r; r.type = Type::kInt; r.i = v; return r; }
  static Value time(std::int64_t ms) { Value r; r.type = Type::kTime; r.i = ms; return r; }
  static Value boolean(bool v) { return integer(v ? 1 : 0); }
  static Value text(std::string_view v) {
    Value r;
    r.type = Type::kString;
    r.size = static_cast<std::uint32_t>(v.size());
    r.p = v.data();
    return r;
  }
  static Value number_text(std::string_view v) { Value r = text(v); r.literal = true; return r; }
  // Integral values in range become integers; infinities and NaN become null.
  static Value number(double v);
  static Value of(const Json* json);  // null, text, number, 1/0 or a container

  bool null() const { return type == Type::kNull; }
  bool is_text() const { return type == Type::kString; }
  bool container() const { return type == Type::kJson; }
  std::string_view view() const { return {p, size}; }
};
static_assert(sizeof(Value) == 16);

// The numeric view of a value (section 4 of the language).
struct Num {
  enum class Kind : std::uint8_t { kNone, kInt, kDouble } kind = Kind::kNone;
  std::int64_t i = 0;
  double d = 0;  // set for both kinds
  explicit operator bool() const { return kind != Kind::kNone; }
  bool is_int() const { return kind == Kind::kInt; }
};
Num parse_number(std::string_view text);  // the whole trimmed text
Num numeric(const Value& value);
int compare(const Num& a, const Num& b);  // -1, 0, 1

// Appends the text a user sees. Numbers are rounded here and nowhere else.
void render(const Value& value, std::string& out);
std::string to_text(const Value& value);
// The rendered text without a copy where the value is text already; else kept in `buffer`.
std::string_view text_of(const Value& value, std::string& buffer);
void render_time(std::int64_t ms, std::string& out);
void render_double(double value, std::string& out);

// `=`: 1, 0, or -1 for null.
int equal(const Value& a, const Value& b);
// `<` and friends: -1, 0, 1, or kIncomparable, or kNullCompare.
constexpr int kIncomparable = 2;
constexpr int kNullCompare = 3;
int order(const Value& a, const Value& b);
// What `filter` keeps: a non-zero number or the text true. Null is not true.
bool truthy(const Value& value);
// The order of `sort`: null, text in natural order, numbers.
int sort_compare(const Value& a, const Value& b);
int natural_compare(std::string_view a, std::string_view b);
// A deep copy whose text and JSON live in `arena`.
Value copy(const Value& value, Arena& arena);

// Code points.
std::size_t utf8_length(std::string_view text);
// The byte offset of code point n, or text.size().
std::size_t utf8_offset(std::string_view text, std::size_t n);
std::string_view trim(std::string_view text);

}  // namespace fog::insights
