#include "api/auth/password.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <array>
#include <charconv>
#include <optional>
#include <vector>

namespace fog {
namespace {

constexpr std::size_t kCharactersMin = 12;
constexpr std::size_t kBytesMax = 1024;
constexpr std::size_t kHashBytes = 32;
constexpr std::size_t kSaltDigits = 32;  // hexadecimal: 128 bits
constexpr std::uint64_t kCost = 1 << 15;
constexpr std::uint64_t kBlock = 8;
constexpr std::uint64_t kLanes = 1;
// A record may ask for more than ours (a later version's), within reason.
constexpr std::uint64_t kCostMax = 1 << 18;
constexpr std::uint64_t kMemoryMax = std::uint64_t{512} << 20;

struct Record {
  std::uint64_t cost = kCost, block = kBlock, lanes = kLanes;
  std::string_view salt;
  std::string_view hash;  // hexadecimal
};

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

bool is_hex(std::string_view text) { return text.find_first_not_of("0123456789abcdef") == std::string_view::npos; }

std::optional<Record> read(std::string_view text) {
  std::array<std::string_view, 6> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::size_t end = i + 1 < parts.size() ? text.find('$') : text.size();
    if (end == std::string_view::npos) return std::nullopt;
    parts[i] = text.substr(0, end);
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  const auto cost = number(parts[1]);
  const auto block = number(parts[2]);
  const auto lanes = number(parts[3]);
  if (parts[0] != "scrypt" || !cost || !block || !lanes) return std::nullopt;
  const bool fine = *cost >= 2 && *cost <= kCostMax && (*cost & (*cost - 1)) == 0 && *block >= 1 && *block <= 32 && *lanes >= 1 && *lanes <= 16;
  if (!fine || parts[4].size() < 16 || !is_hex(parts[4]) || parts[5].size() != 2 * kHashBytes || !is_hex(parts[5])) return std::nullopt;
  return Record{*cost, *block, *lanes, parts[4], parts[5]};
}

// Hexadecimal; empty: the library refused (no memory).
std::string derive(std::string_view password, const Record& record) {
  std::array<unsigned char, kHashBytes> out{};
  const int done = EVP_PBE_scrypt(password.data(), password.size(), reinterpret_cast<const unsigned char*>(record.salt.data()), record.salt.size(),
                                  record.cost, record.block, record.lanes, kMemoryMax, out.data(), out.size());
  if (done != 1) return {};
  std::string text;
  for (const unsigned char byte : out) text += fmt::format("{:02x}", byte);
  OPENSSL_cleanse(out.data(), out.size());
  return text;
}

// Code points, as people count; a byte that is no UTF-8 counts as one.
std::size_t characters(std::string_view text) {
  std::size_t n = 0;
  for (const char c : text) n += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
  return n;
}

}  // namespace

Result<std::string> hash_password(std::string_view password, Random& random) {
  if (characters(password) < kCharactersMin) return Error::invalid(fmt::format("the password has fewer than {} characters", kCharactersMin));
  if (password.size() > kBytesMax) return Error::invalid(fmt::format("the password is longer than {} bytes", kBytesMax));
  const std::string salt = random.hex(kSaltDigits);
  const std::string hash = derive(password, {.salt = salt, .hash = {}});
  if (hash.empty()) return Error::internal("the password could not be hashed: no memory");
  return fmt::format("scrypt${}${}${}${}${}", kCost, kBlock, kLanes, salt, hash);
}

bool matches_password(std::string_view text, std::string_view password) {
  const auto record = read(text);
  if (!record || password.size() > kBytesMax) return false;
  const std::string hash = derive(password, *record);
  return hash.size() == record->hash.size() && CRYPTO_memcmp(hash.data(), record->hash.data(), hash.size()) == 0;
}

bool is_password_record(std::string_view text) { return read(text).has_value(); }

}  // namespace fog
