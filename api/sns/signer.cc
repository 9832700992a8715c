#include "api/sns/signer.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "api/codec/json.h"
#include "api/sns/common.h"
#include "api/sns/documents.h"

namespace fog::sns {
namespace {

template <auto free_function>
struct Free {
  template <typename T>
  void operator()(T* p) const {
    free_function(p);
  }
};
using PrivateKey = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Bio = std::unique_ptr<BIO, Free<BIO_free_all>>;
using Digest = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<std::size_t>(size));
}

// A certificate that signs itself, valid for ten years.
Certificate make_certificate(EVP_PKEY* key, Timestamp now, std::uint64_t serial) {
  Certificate certificate(X509_new());
  if (!certificate) return nullptr;
  X509* x = certificate.get();
  X509_set_version(x, 2);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1);
  const auto seconds = static_cast<std::time_t>(to_ms(now) / 1000);
  ASN1_TIME_set(X509_getm_notBefore(x), seconds - 86'400);
  ASN1_TIME_set(X509_getm_notAfter(x), seconds + 10L * 365 * 86'400);
  X509_set_pubkey(x, key);
  X509_NAME* name = X509_get_subject_name(x);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("sns.fogwatch.localhost"), -1, -1, 0);
  X509_set_issuer_name(x, name);
  if (X509_sign(x, key, EVP_sha256()) == 0) return nullptr;
  return certificate;
}

}  // namespace

struct Signer::Key {
  PrivateKey key;
  std::string pem;
  std::string name;
  std::string document;  // as stored
};

Signer::Signer(ResourceStore& store, const Clock& clock, Random& random)
    : store_(store), clock_(clock), random_(random) {}
Signer::~Signer() = default;

Result<std::shared_ptr<const Signer::Key>> Signer::key() {
  const std::lock_guard lock(making_);
  const ResourceKey where{"sns-signing-key", "", "", "key"};
  if (key_) {
    // A reset erases every document; the key outlives it.
    if (!store_.get(where)) TRYV(store_.put(where, key_->document));
    return key_;
  }
  if (const auto bytes = store_.get(where)) {
    TRY(StoredSigningKey stored, decode_json<StoredSigningKey>(*bytes));
    const Bio bio(BIO_new_mem_buf(stored.private_key.data(), static_cast<int>(stored.private_key.size())));
    auto made = std::make_shared<Key>();
    made->key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
    if (!made->key) return Error::corrupt("the stored signing key cannot be read");
    made->document = *bytes;
    made->pem = std::move(stored.certificate);
    made->name = std::move(stored.name);
    key_ = std::move(made);
    return key_;
  }
  auto made = std::make_shared<Key>();
  made->key.reset(EVP_RSA_gen(2048));
  if (!made->key) return Error::internal("cannot make a signing key");
  // Certificates are judged by real clocks, also while virtual time is elsewhere.
  const Certificate certificate = make_certificate(made->key.get(), clock_.real_now(), random_.next());
  if (!certificate) return Error::internal("cannot make a certificate");
  const Bio certificate_text(BIO_new(BIO_s_mem())), key_text(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(certificate_text.get(), certificate.get()) != 1 ||
      PEM_write_bio_PrivateKey(key_text.get(), made->key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return Error::internal("cannot write the signing key");
  made->pem = text_of(certificate_text.get());
  made->name = "SimpleNotificationService-" + hex(sha256(made->pem)).substr(0, 32) + ".pem";
  made->document = encode_json(StoredSigningKey{
      .private_key = text_of(key_text.get()), .certificate = made->pem, .name = made->name});
  TRYV(store_.put(where, made->document));
  key_ = std::move(made);
  return key_;
}

Result<std::string> Signer::sign(std::string_view text, std::string_view version) {
  TRY(const auto signing, key());
  const Digest digest(EVP_MD_CTX_new());
  const EVP_MD* hash = version == "2" ? EVP_sha256() : EVP_sha1();
  std::size_t size = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  if (!digest || EVP_DigestSignInit(digest.get(), nullptr, hash, nullptr, signing->key.get()) != 1 ||
      EVP_DigestSign(digest.get(), nullptr, &size, bytes, text.size()) != 1)
    return Error::internal("cannot sign");
  std::string signature(size, '\0');
  if (EVP_DigestSign(digest.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes,
                     text.size()) != 1)
    return Error::internal("cannot sign");
  signature.resize(size);
  return base64(signature);
}

Result<std::string> Signer::certificate_name() {
  TRY(const auto signing, key());
  return signing->name;
}

Result<std::string> Signer::certificate_pem() {
  TRY(const auto signing, key());
  return signing->pem;
}

}  // namespace fog::sns
