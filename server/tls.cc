#include "server/tls.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <fmt/format.h>

#include "storage/base/log.h"

namespace fog {
namespace {

// A record and its frame; more when the kernel has more, so that a large body takes fewer calls.
constexpr std::size_t kInBytes = 64 * 1024;
// What a client may make us answer (key updates) without ever reading it.
constexpr std::size_t kUnaskedBytesMax = 64 * 1024;
// Above this the memory of sealed bytes is given back once they are sent.
constexpr std::size_t kOutBytesKept = 32 * 1024;
constexpr std::int64_t kTicketKeySeconds = 24 * 3600;

std::int64_t steady_s() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string text_of(unsigned long error) {
  if (error == 0) return "unknown cause";
  if (ERR_SYSTEM_ERROR(error)) return std::strerror(ERR_GET_REASON(error));
  const char* reason = ERR_reason_error_string(error);
  return reason != nullptr ? reason : fmt::format("error {:x}", error);
}

// The first error on OpenSSL's stack says the cause, the later ones who passed it on.
std::string first_error() {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  return text_of(error);
}

// HTTP/1.1 is all that is spoken here; a client that wants anything else is told so in the handshake.
int select_protocol(SSL*, const unsigned char** chosen, unsigned char* length, const unsigned char* offered, unsigned size, void*) {
  static constexpr unsigned char kOurs[] = "\x08http/1.1";
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, length, kOurs, sizeof(kOurs) - 1, offered, size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

// A key with a passphrase would make OpenSSL ask for it on the terminal.
int no_passphrase(char*, int, int, void*) { return 0; }

int bio_read(BIO* bio, char* into, int size) {
  BIO_clear_retry_flags(bio);
  const int n = static_cast<TlsSession*>(BIO_get_data(bio))->give(into, size);
  if (n < 0) BIO_set_retry_read(bio);
  return n;
}

int bio_write(BIO* bio, const char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  return static_cast<TlsSession*>(BIO_get_data(bio))->take(bytes, size);
}

long bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

int bio_create(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

BIO_METHOD* bio_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "connection");
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_ctrl(made, bio_control);
    BIO_meth_set_create(made, bio_create);
    return made;
  }();
  return method;
}

Status check_key_file(const std::filesystem::path& file) {
  struct stat about {};
  if (::stat(file.c_str(), &about) != 0) {
    return Error::invalid(fmt::format("tls-key: cannot read {}: {}", file.string(), std::strerror(errno)));
  }
  if ((about.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
    return Error::invalid(fmt::format("tls-key: {} can be read or changed by others (mode {:o}); make it 0600, or 0640 for a group of its own",
                                      file.string(), about.st_mode & 07777u));
  }
  return Ok{};
}

FileStamp stamp_of(const std::filesystem::path& file) {
  struct stat about {};
  if (::stat(file.c_str(), &about) != 0) return {};
  return {.modified_ns = std::int64_t{about.st_mtim.tv_sec} * 1'000'000'000 + about.st_mtim.tv_nsec,
          .inode = about.st_ino,
          .size = about.st_size};
}

Status configure(SSL_CTX* context) {
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                   SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  const bool ok =
      SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
      SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
      SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") == 1 &&
      SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384") == 1 &&
      SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>("fogwatch"), 8) == 1;
  if (!ok) return Error::internal("TLS cannot be set up: " + first_error());
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // tickets only: nothing is kept here
  SSL_CTX_set_alpn_select_cb(context, select_protocol, nullptr);
  SSL_CTX_set_default_passwd_cb(context, no_passphrase);
  return Ok{};
}

}  // namespace

// --- the files -------------------------------------------------------------------------------------

Result<std::shared_ptr<const TlsContext>> TlsContext::load(const Files& files) {
  TRYV(check_key_file(files.key));
  ERR_clear_error();
  SSL_CTX* raw = SSL_CTX_new(TLS_server_method());
  if (raw == nullptr) return Error::internal("TLS cannot be set up: " + first_error());
  std::shared_ptr<TlsContext> made(new TlsContext(raw));
  TRYV(configure(raw));
  if (SSL_CTX_use_certificate_chain_file(raw, files.certificate.c_str()) != 1) {
    return Error::invalid(fmt::format("tls-cert: {} is no certificate in PEM form: {}", files.certificate.string(), first_error()));
  }
  if (SSL_CTX_use_PrivateKey_file(raw, files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    const unsigned long error = ERR_peek_error();
    if (ERR_GET_REASON(error) == X509_R_KEY_VALUES_MISMATCH) {
      ERR_clear_error();
      return Error::invalid(fmt::format("tls-key: {} is not the key of the certificate in {}", files.key.string(), files.certificate.string()));
    }
    return Error::invalid(fmt::format("tls-key: {} is no private key in PEM form without a passphrase: {}", files.key.string(), first_error()));
  }
  if (SSL_CTX_check_private_key(raw) != 1) {
    ERR_clear_error();
    return Error::invalid(fmt::format("tls-key: {} is not the key of the certificate in {}", files.key.string(), files.certificate.string()));
  }
  const X509* leaf = SSL_CTX_get0_certificate(raw);
  std::tm until{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &until) == 1) made->expires_ = Timestamp(Millis(std::int64_t{::timegm(&until)} * 1000));
  char name[256] = "";
  X509_NAME_oneline(X509_get_subject_name(leaf), name, sizeof(name));
  made->subject_ = name;
  return std::shared_ptr<const TlsContext>(std::move(made));
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

void TlsContext::take_ticket_keys(const TlsContext& from) const {
  std::array<unsigned char, 80> keys{};
  if (SSL_CTX_get_tlsext_ticket_keys(from.context_, keys.data(), keys.size()) == 1) {
    SSL_CTX_set_tlsext_ticket_keys(context_, keys.data(), keys.size());
  }
  OPENSSL_cleanse(keys.data(), keys.size());
}

Result<std::unique_ptr<Certificate>> Certificate::open(TlsContext::Files files) {
  std::unique_ptr<Certificate> made(new Certificate(std::move(files)));
  TRYV(made->read(false));
  return made;
}

std::shared_ptr<const TlsContext> Certificate::context() const {
  const std::lock_guard lock(mutex_);
  return context_;
}

Status Certificate::read(bool keep_tickets) {
  const std::pair seen(stamp_of(files_.certificate), stamp_of(files_.key));
  {
    const std::lock_guard lock(mutex_);
    seen_ = seen;
  }
  TRY(std::shared_ptr<const TlsContext> fresh, TlsContext::load(files_));
  if (fresh->expires() < std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now())) {
    LOG_WARN("the certificate in {} has expired: clients will refuse it", files_.certificate.string());
  }
  const std::lock_guard lock(mutex_);
  if (context_ && keep_tickets) fresh->take_ticket_keys(*context_);
  else tickets_made_s_ = steady_s();
  context_ = std::move(fresh);
  return Ok{};
}

Status Certificate::reload() {
  TRYV(read(true));
  LOG_INFO("certificate read: {}", context()->subject());
  return Ok{};
}

void Certificate::reload_if_changed() {
  bool changed = false;
  bool stale_tickets = false;
  {
    const std::lock_guard lock(mutex_);
    changed = seen_ != std::pair(stamp_of(files_.certificate), stamp_of(files_.key));
    stale_tickets = steady_s() - tickets_made_s_ > kTicketKeySeconds;
  }
  if (!changed && !stale_tickets) return;
  // Two files are seldom replaced at one moment: the pair that does not fit yet is looked at again
  // when the second has changed.
  if (auto read_again = read(!stale_tickets); !read_again.ok()) {
    LOG_WARN("{}; the certificate read before stays in force", read_again.error().message());
  } else if (changed) {
    LOG_INFO("certificate changed: {}", context()->subject());
  }
}

// --- a session -------------------------------------------------------------------------------------

TlsSession::TlsSession(std::shared_ptr<const TlsContext> context) : context_(std::move(context)), ssl_(SSL_new(context_->get())) {
  if (ssl_ == nullptr) throw std::bad_alloc();
  BIO* bio = BIO_new(bio_method());
  if (bio == nullptr) {
    SSL_free(ssl_);
    throw std::bad_alloc();
  }
  BIO_set_data(bio, this);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_accept_state(ssl_);
}

TlsSession::~TlsSession() { SSL_free(ssl_); }

std::span<char> TlsSession::room() {
  if (!in_) {
    in_ = std::make_unique_for_overwrite<char[]>(kInBytes);
    begin_ = end_ = 0;
  }
  if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (end_ == kInBytes) {
    std::memmove(in_.get(), in_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  return {in_.get() + end_, kInBytes - end_};
}

int TlsSession::give(char* into, int size) {
  const std::size_t n = std::min(static_cast<std::size_t>(std::max(size, 0)), end_ - begin_);
  if (n == 0) return -1;
  std::memcpy(into, in_.get() + begin_, n);
  begin_ += n;
  return static_cast<int>(n);
}

int TlsSession::take(const char* bytes, int size) {
  out_.append(bytes, static_cast<std::size_t>(size));
  return size;
}

TlsSession::Step TlsSession::step_of(int result) {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_NONE: return Step::kDone;
    case SSL_ERROR_WANT_READ: return out_.size() - sent_ > kUnaskedBytesMax ? Step::kFailed : Step::kMore;
    case SSL_ERROR_ZERO_RETURN: return Step::kClosed;
    default:
      error_ = ERR_peek_error();
      ERR_clear_error();
      return Step::kFailed;
  }
}

TlsSession::Step TlsSession::handshake() {
  ERR_clear_error();
  return step_of(SSL_do_handshake(ssl_));
}

TlsSession::Step TlsSession::read(std::span<char> into, std::size_t& n) {
  ERR_clear_error();
  n = 0;
  while (n < into.size()) {
    std::size_t got = 0;
    const int result = SSL_read_ex(ssl_, into.data() + n, into.size() - n, &got);
    n += got;
    if (result == 1) continue;
    const Step step = step_of(result);
    if (n > 0 && step != Step::kFailed) break;
    return step;
  }
  return Step::kDone;
}

bool TlsSession::write(std::string_view bytes) {
  ERR_clear_error();
  while (!bytes.empty()) {
    std::size_t n = 0;
    if (const int result = SSL_write_ex(ssl_, bytes.data(), bytes.size(), &n); result != 1) {
      step_of(result);
      return false;
    }
    bytes.remove_prefix(n);
  }
  return true;
}

void TlsSession::close() {
  ERR_clear_error();
  SSL_shutdown(ssl_);
  ERR_clear_error();
}

void TlsSession::sent(std::size_t n) {
  sent_ += n;
  if (sent_ < out_.size()) return;
  sent_ = 0;
  if (out_.capacity() > kOutBytesKept) out_ = std::string();
  else out_.clear();
}

void TlsSession::release_buffers() {
  // Not SSL_MODE_RELEASE_BUFFERS, which does this after every record.
  if (SSL_pending(ssl_) == 0 && SSL_has_pending(ssl_) == 0) static_cast<void>(SSL_free_buffers(ssl_));
  if (begin_ == end_) in_.reset();
  if (out_.empty()) out_ = std::string();
}

bool TlsSession::was_resumed() const { return SSL_session_reused(ssl_) == 1; }

std::string TlsSession::failure() const { return text_of(error_); }

bool looks_like_plain_http(std::string_view first) {
  constexpr char kHandshake = 0x16;
  return !first.empty() && first[0] != kHandshake && (static_cast<unsigned char>(first[0]) & 0x80) == 0;
}

}  // namespace fog
