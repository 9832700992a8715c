// Token filter: which words occur in a block, in about 12 bits a word and with 0.5 % false answers.
//
// Words are the longest runs of ASCII letters, digits, '_' and bytes above 0x7f. Two words that are
// joined by a single one of  - . / =  also count as a pair: the parts of a UUID are common alone and
// rare together. Words of digits and of the letters e, E, T, Z alone are never asked for, since
// numbers and times are stored as numbers and their words are not entered.
//
// Format: a split-block Bloom filter. Buckets of 32 bytes (eight 32-bit words, one bit set in each),
// in pages of 15 buckets, each page followed by the CRC-32C of its 480 bytes, so that a reader can
// fetch and check one page (484 bytes). Bucket = high 32 bits of the hash * buckets >> 32.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/result.h"

namespace fog::segments {

using TokenHash = std::uint64_t;

// Gathers the distinct words of a block.
class TokenSet {
 public:
  // Room for so many words at once; more make it grow.
  explicit TokenSet(std::size_t expected = 0);
  void add_text(std::string_view text);  // all words and pairs of the text
  // The table is larger than the caches: a word waits a little for its slot to come near.
  void add(TokenHash hash) {
    __builtin_prefetch(slots_.data() + ((hash >> 20) & (slots_.size() - 1)), 1);
    waiting_[n_waiting_++] = hash;
    if (n_waiting_ == waiting_.size()) insert_waiting();
  }
  std::string encode();

 private:
  void insert(TokenHash hash);
  void insert_waiting();
  void grow();
  std::vector<TokenHash> slots_;  // open addressing; 0: empty
  std::size_t used_ = 0;
  std::array<TokenHash, 32> waiting_{};
  std::size_t n_waiting_ = 0;
};

// The words of texts that all have one shape: constant characters, and hex digits 0-9 a-f where the
// mask is 0. The same as TokenSet::add_text, faster.
class ShapedWords {
 public:
  explicit ShapedWords(std::string_view mask);
  void add(std::string_view text, TokenSet& tokens) const;

 private:
  struct Word {
    std::size_t begin = 0;
    std::size_t end = 0;
    bool may_be_numeric = false;
    char joint = '\0';  // to the word before; 0: none
  };
  std::vector<Word> words_;
};

// The words and pairs that a block must hold if it holds a text that contains `literal` (the first
// and last word may be cut off and do not count), or, with `whole`, equals it.
std::vector<TokenHash> required_tokens(std::string_view literal, bool whole);

// Asks an encoded filter; `read(offset, size)` gives its bytes. An unreadable page counts as "perhaps".
bool filter_may_contain(std::size_t filter_bytes, const std::vector<TokenHash>& tokens,
                        const std::function<Result<std::string>(std::size_t, std::size_t)>& read);
// Every page's checksum holds.
bool filter_intact(std::string_view filter);

}  // namespace fog::segments
