// Digests.
#include <openssl/evp.h>

#include "query/insights/function.h"

namespace fog::insights {

namespace {

using Args = std::span<const Value>;

Value digest(CallContext& c, const Value& value, const EVP_MD* kind) {
  if (!has_text(value)) return {};
  std::string_view text = text_of(value, c.a);
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), bytes, &size, kind, nullptr) != 1) return {};
  static constexpr char kHex[] = "0123456789abcdef";
  std::string hex;
  for (unsigned k = 0; k < size; ++k) {
    hex += kHex[bytes[k] >> 4];
    hex += kHex[bytes[k] & 15];
  }
  return Value::text(c.arena.copy(hex));
}
Value md5_kernel(CallContext& c, Args args) { return digest(c, args[0], EVP_md5()); }
Value sha256_kernel(CallContext& c, Args args) { return digest(c, args[0], EVP_sha256()); }

constexpr Function kHash[] = {
    {"md5", 1, 1, md5_kernel, "MD5 in lower-case hex", true},
    {"sha256", 1, 1, sha256_kernel, "SHA-256 in lower-case hex", true},
};

}  // namespace

std::span<const Function> hash_functions() { return kHash; }

}  // namespace fog::insights
