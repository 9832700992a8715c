// Shaper: takes messages apart into a template and the values that fill its holes.
//
//   {"level":"INFO","tokens":503}   ->   template  {"level":"~","tokens":~}   values  INFO  503
//
// Putting the values back gives the message byte for byte. A hole belongs to a physical column
// (field name and kind); lines with the same keys in the same order share a template. So a line is
// stored once, as its fields. What is discovered: JSON objects (flattened with dots and array
// indexes), Lambda platform lines, VPC flow and Route 53 query logs; every other line is one hidden
// value. Rules and limits are those of CloudWatch Logs Insights.
//
// A hole's neighbours in the template are never letters, digits, '_' or '-': a word of the message
// lies wholly in one value or wholly in the template. Filters and searches rely on it.
//
// Known templates form a trie, so that a line like an earlier one is taken apart in a single pass of
// comparing literals and finding the ends of values; only new key orders are parsed properly.
// Not thread-safe: one Shaper a block that is being written.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace fog::segments {

enum class HoleKind : std::uint8_t {
  kString = 0,  // inside of a JSON string, escapes kept
  kNumber = 1,  // JSON number, or a number of a platform line
  kWord = 2,    // true, false, null
  kPlain = 3,   // text as it stands
  kMega = 4,    // number that counts a million each ("512 MB")
  kHidden = 5,  // text that is no field
};
inline constexpr int kHoleKinds = 6;

// The literals and holes of a template: literal 0, hole 0, literal 1, hole 1, ..., last literal.
struct Template {
  std::vector<std::string> literals;   // one more than columns
  std::vector<std::uint32_t> columns;  // physical column of each hole
};

struct PhysicalName {
  HoleKind kind = HoleKind::kHidden;
  std::string name;
};

class Shaper {
 public:
  // `admit` says whether a field name may become a column (limit a group).
  using Admit = std::function<bool(std::string_view)>;
  explicit Shaper(Admit admit);
  ~Shaper();

  // Takes one message apart. Returns the template's number; values() are views into the message, one
  // for each hole, valid until the next call.
  std::uint32_t shape(std::string_view message);
  const std::vector<std::string_view>& values() const { return values_; }

  const std::vector<Template>& templates() const { return templates_; }
  const std::vector<PhysicalName>& columns() const { return columns_; }

 private:
  struct Node;
  struct Parser;
  friend struct Parser;

  bool follow_trie(std::string_view message, std::uint32_t& id);
  void extend_trie(std::uint32_t id);
  std::uint32_t intern_template();
  std::uint32_t intern_column(HoleKind kind, std::string_view name);
  void begin();
  void literal(std::string_view text) { literal_.append(text); }
  void hole(HoleKind kind, std::string_view name, std::string_view value);
  void finish_literal();

  bool shape_json(std::string_view message);
  bool shape_lambda_platform(std::string_view message);
  bool shape_lambda_line(std::string_view message);
  bool shape_columns(std::string_view message);

  // admit_ for the names of the fixed formats, asked once a block.
  bool admit_fixed(std::size_t slot, std::string_view name) {
    std::int8_t& answer = fixed_[slot];
    if (answer < 0) answer = admit_(name) ? 1 : 0;
    return answer != 0;
  }

  Admit admit_;
  std::array<std::int8_t, 48> fixed_;
  std::vector<Template> templates_;
  std::vector<PhysicalName> columns_;
  std::unordered_map<std::string, std::uint32_t> template_ids_;
  std::unordered_map<std::string, std::uint32_t> column_ids_;
  std::unique_ptr<Node> root_;
  std::size_t trie_edges_ = 0;

  // The message under way.
  std::vector<std::string_view> values_;
  std::vector<std::uint32_t> holes_;
  std::vector<std::string> literals_;
  std::string literal_;
  std::size_t literals_used_ = 0;
  std::string key_;
};

// Ends of JSON scalars, for the shaper and for readers: the position after the scalar that starts at
// `from`, or npos when it is not valid JSON. A string's `from` is the first byte after its quote, and
// the result is the position of the closing quote.
std::size_t json_string_end(std::string_view text, std::size_t from);
std::size_t json_number_end(std::string_view text, std::size_t from);
std::size_t json_word_end(std::string_view text, std::size_t from);

// The text that the inside of a JSON string stands for. Unpaired surrogates become U+FFFD.
void append_unescaped(std::string_view raw, std::string& out);

}  // namespace fog::segments
