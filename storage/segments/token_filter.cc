#include "storage/segments/token_filter.h"

#include "storage/base/bytes.h"
#include "storage/base/hash.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace fog::segments {

namespace {

constexpr std::size_t kBucketBytes = 32;
constexpr std::size_t kBucketsPerPage = 15;
constexpr std::size_t kPageBytes = kBucketBytes * kBucketsPerPage;
constexpr std::size_t kPageStride = kPageBytes + 4;
constexpr std::size_t kBitsPerToken = 12;

enum CharClass : std::uint8_t { kOther = 0, kWordChar = 1, kNumberLike = 3, kJoint = 4 };

constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> table{};
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = kWordChar;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = kWordChar;
  for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = kNumberLike;
  for (const char c : {'e', 'E', 'T', 'Z'}) table[static_cast<std::size_t>(c)] = kNumberLike;
  table['_'] = kWordChar;
  for (std::size_t c = 0x80; c < 0x100; ++c) table[c] = kWordChar;
  for (const char c : {'-', '.', '/', '='}) table[static_cast<std::size_t>(c)] = kJoint;
  return table;
}
constexpr std::array<std::uint8_t, 256> kClasses = make_classes();

std::uint8_t class_of(char c) { return kClasses[static_cast<unsigned char>(c)]; }

// On disk: part of the format.
TokenHash mix(std::uint64_t h) {
  h ^= h >> 32;
  h *= 0xd6e8feb86659fd93ull;
  h ^= h >> 29;
  h *= 0x9fb21c651e98df25ull;
  h ^= h >> 32;
  return h | 1;  // 0 marks an empty slot
}

TokenHash hash_word(std::string_view word) {
  std::uint64_t h = 0x9e3779b97f4a7c15ull ^ word.size();
  std::size_t i = 0;
  for (; i + 8 <= word.size(); i += 8) {
    std::uint64_t piece = 0;
    std::memcpy(&piece, word.data() + i, 8);
    h = (h ^ piece) * 0xff51afd7ed558ccdull;
    h ^= h >> 31;
  }
  if (i < word.size()) {
    std::uint64_t piece = 0;
    std::memcpy(&piece, word.data() + i, word.size() - i);
    h = (h ^ piece) * 0xff51afd7ed558ccdull;
  }
  return mix(h);
}

TokenHash hash_pair(TokenHash first, char joint, TokenHash second) {
  return mix(first * 3 + static_cast<unsigned char>(joint) * 0x100000001b3ull + second * 0x9e3779b97f4a7c15ull);
}

// Calls visit(begin, end, hash, numeric) for each word, and pair(hash, begin of first, end of second)
// for each joined pair of which at least one word is not numeric.
template <typename Word, typename Pair>
void walk(std::string_view text, Word&& word, Pair&& pair) {
  std::size_t at = 0;
  TokenHash previous = 0;
  std::size_t previous_begin = 0;
  std::size_t previous_end = std::string_view::npos;
  bool previous_numeric = false;
  while (at < text.size()) {
    std::uint8_t all = class_of(text[at]);
    if ((all & kWordChar) == 0) {
      ++at;
      continue;
    }
    const std::size_t begin = at++;
    for (std::uint8_t c; at < text.size() && ((c = class_of(text[at])) & kWordChar) != 0; ++at) all &= c;
    const bool numeric = all == kNumberLike;
    const TokenHash hash = hash_word(text.substr(begin, at - begin));
    word(begin, at, hash, numeric);
    if (begin > 0 && previous_end == begin - 1 && class_of(text[begin - 1]) == kJoint &&
        !(numeric && previous_numeric)) {
      pair(hash_pair(previous, text[begin - 1], hash), previous_begin, at);
    }
    previous = hash;
    previous_begin = begin;
    previous_end = at;
    previous_numeric = numeric;
  }
}

struct Probe {
  std::size_t bucket;
  std::array<std::uint32_t, 8> masks;
};

Probe probe(TokenHash hash, std::size_t buckets) {
  static constexpr std::array<std::uint32_t, 8> kSalts = {0x47b6137bu, 0x44974d91u, 0x8824ad5bu, 0xa2b7289du,
                                                          0x705495c7u, 0x2df1424bu, 0x9efc4947u, 0x5c6bfb31u};
  Probe result{};
  result.bucket = static_cast<std::size_t>(((hash >> 32) * buckets) >> 32);
  const auto low = static_cast<std::uint32_t>(hash);
  for (std::size_t i = 0; i < 8; ++i) result.masks[i] = 1u << ((low * kSalts[i]) >> 27);
  return result;
}

std::size_t bucket_offset(std::size_t bucket) {
  return bucket / kBucketsPerPage * kPageStride + bucket % kBucketsPerPage * kBucketBytes;
}

}  // namespace

TokenSet::TokenSet(std::size_t expected) : slots_(std::bit_ceil(std::max<std::size_t>(expected, 3000) * 4 / 3)) {}

void TokenSet::grow() {
  std::vector<TokenHash> old(slots_.size() * 2);
  old.swap(slots_);
  used_ = 0;
  for (const TokenHash hash : old)
    if (hash != 0) insert(hash);
}

void TokenSet::insert(TokenHash hash) {
  if (used_ * 4 >= slots_.size() * 3) grow();
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = (hash >> 20) & mask;; i = (i + 1) & mask) {
    if (slots_[i] == hash) return;
    if (slots_[i] == 0) {
      slots_[i] = hash;
      ++used_;
      return;
    }
  }
}

void TokenSet::insert_waiting() {
  for (std::size_t i = 0; i < n_waiting_; ++i) insert(waiting_[i]);
  n_waiting_ = 0;
}

void TokenSet::add_text(std::string_view text) {
  walk(
      text,
      [&](std::size_t, std::size_t, TokenHash hash, bool numeric) {
        if (!numeric) add(hash);
      },
      [&](TokenHash hash, std::size_t, std::size_t) { add(hash); });
}

ShapedWords::ShapedWords(std::string_view mask) {
  // 'a' stands for any digit: a letter of a word that is not a number.
  const auto class_at = [&](std::size_t i) { return mask[i] == '\0' ? std::uint8_t{kWordChar} : class_of(mask[i]); };
  for (std::size_t at = 0; at < mask.size();) {
    if ((class_at(at) & kWordChar) == 0) {
      ++at;
      continue;
    }
    Word word;
    word.begin = at;
    word.may_be_numeric = true;
    for (; at < mask.size() && (class_at(at) & kWordChar) != 0; ++at)
      if (mask[at] != '\0' && class_of(mask[at]) != kNumberLike) word.may_be_numeric = false;
    word.end = at;
    if (!words_.empty() && words_.back().end + 1 == word.begin && class_of(mask[word.begin - 1]) == kJoint)
      word.joint = mask[word.begin - 1];
    words_.push_back(word);
  }
}

void ShapedWords::add(std::string_view text, TokenSet& tokens) const {
  TokenHash previous = 0;
  bool previous_numeric = false;
  for (const Word& word : words_) {
    bool numeric = word.may_be_numeric;
    if (numeric) {
      std::uint8_t all = kNumberLike;
      for (std::size_t i = word.begin; i < word.end; ++i) all &= class_of(text[i]);
      numeric = all == kNumberLike;
    }
    const TokenHash hash = hash_word(text.substr(word.begin, word.end - word.begin));
    if (!numeric) tokens.add(hash);
    if (word.joint != '\0' && !(numeric && previous_numeric)) tokens.add(hash_pair(previous, word.joint, hash));
    previous = hash;
    previous_numeric = numeric;
  }
}

std::string TokenSet::encode() {
  insert_waiting();
  const std::size_t bits = std::max<std::size_t>(used_ * kBitsPerToken, kBucketBytes * 8);
  std::size_t buckets = (bits + kBucketBytes * 8 - 1) / (kBucketBytes * 8);
  const std::size_t pages = (buckets + kBucketsPerPage - 1) / kBucketsPerPage;
  buckets = pages * kBucketsPerPage;
  std::string out(pages * kPageStride, '\0');
  for (const TokenHash hash : slots_) {
    if (hash == 0) continue;
    const Probe where = probe(hash, buckets);
    char* bucket = out.data() + bucket_offset(where.bucket);
    for (std::size_t i = 0; i < 8; ++i) {
      std::uint32_t word = 0;
      std::memcpy(&word, bucket + i * 4, 4);
      word |= where.masks[i];
      std::memcpy(bucket + i * 4, &word, 4);
    }
  }
  for (std::size_t page = 0; page < pages; ++page) {
    const std::uint32_t crc = crc32c(std::string_view(out).substr(page * kPageStride, kPageBytes));
    std::memcpy(out.data() + page * kPageStride + kPageBytes, &crc, 4);
  }
  return out;
}

std::vector<TokenHash> required_tokens(std::string_view literal, bool whole) {
  std::vector<TokenHash> tokens;
  walk(
      literal,
      [&](std::size_t begin, std::size_t end, TokenHash hash, bool numeric) {
        if (!numeric && (whole || (begin > 0 && end < literal.size()))) tokens.push_back(hash);
      },
      [&](TokenHash hash, std::size_t begin, std::size_t end) {
        if (whole || (begin > 0 && end < literal.size())) tokens.push_back(hash);
      });
  return tokens;
}

bool filter_may_contain(std::size_t filter_bytes, const std::vector<TokenHash>& tokens,
                        const std::function<Result<std::string>(std::size_t, std::size_t)>& read) {
  if (filter_bytes == 0 || filter_bytes % kPageStride != 0) return true;
  const std::size_t buckets = filter_bytes / kPageStride * kBucketsPerPage;
  for (const TokenHash hash : tokens) {
    const Probe where = probe(hash, buckets);
    const std::size_t page = where.bucket / kBucketsPerPage * kPageStride;
    const Result<std::string> bytes = read(page, kPageStride);
    if (!bytes.ok() || bytes->size() != kPageStride || !filter_intact(*bytes)) return true;
    const char* bucket = bytes->data() + where.bucket % kBucketsPerPage * kBucketBytes;
    for (std::size_t i = 0; i < 8; ++i) {
      std::uint32_t word = 0;
      std::memcpy(&word, bucket + i * 4, 4);
      if ((word & where.masks[i]) == 0) return false;
    }
  }
  return true;
}

bool filter_intact(std::string_view filter) {
  if (filter.size() % kPageStride != 0) return false;
  for (std::size_t at = 0; at < filter.size(); at += kPageStride) {
    std::uint32_t crc = 0;
    std::memcpy(&crc, filter.data() + at + kPageBytes, 4);
    if (crc != crc32c(filter.substr(at, kPageBytes))) return false;
  }
  return true;
}

}  // namespace fog::segments
