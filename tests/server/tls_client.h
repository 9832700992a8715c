// Certificates made for a test, and a client that speaks TLS to a port.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace fog::test {

// Writes NAME.crt and NAME.key (P-256, self-signed, for 127.0.0.1) into a folder.
inline void make_certificate(const std::filesystem::path& folder, const std::string& name, const char* passphrase = nullptr) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate, subject);
  X509_sign(certificate, key, EVP_sha256());
  std::FILE* file = std::fopen((folder / (name + ".crt")).c_str(), "w");
  PEM_write_X509(file, certificate);
  std::fclose(file);
  file = std::fopen((folder / (name + ".key")).c_str(), "w");
  ::chmod((folder / (name + ".key")).c_str(), 0600);
  const int size = passphrase == nullptr ? 0 : static_cast<int>(std::string_view(passphrase).size());
  PEM_write_PrivateKey(file, key, passphrase == nullptr ? nullptr : EVP_aes_128_cbc(),
                       reinterpret_cast<const unsigned char*>(passphrase), size, nullptr, nullptr);
  std::fclose(file);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

struct SessionDeleter {
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};
using Session = std::unique_ptr<SSL_SESSION, SessionDeleter>;

class TlsClient {
 public:
  struct Wish {
    int version_max = 0;                 // 0: any
    std::string protocols{};             // as in ALPN: length, name, length, name
    SSL_SESSION* session = nullptr;      // to be resumed
    const char* ciphers = nullptr;       // of TLS 1.2
  };
  explicit TlsClient(std::uint16_t port) : TlsClient(port, Wish()) {}
  TlsClient(std::uint16_t port, const Wish& wish) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), context_(SSL_CTX_new(TLS_client_method())) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) throw std::runtime_error("connect");
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_set_security_level(context_, 0);
    SSL_CTX_sess_set_new_cb(context_, [](SSL* ssl, SSL_SESSION* session) {
      static_cast<TlsClient*>(SSL_get_app_data(ssl))->sessions_.emplace_back(session);
      return 1;
    });
    SSL_CTX_set_min_proto_version(context_, TLS1_VERSION);
    if (wish.version_max != 0) SSL_CTX_set_max_proto_version(context_, wish.version_max);
    if (wish.ciphers != nullptr) SSL_CTX_set_cipher_list(context_, wish.ciphers);
    ssl_ = SSL_new(context_);
    SSL_set_app_data(ssl_, this);
    if (!wish.protocols.empty()) {
      SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(wish.protocols.data()), static_cast<unsigned>(wish.protocols.size()));
    }
    if (wish.session != nullptr) SSL_set_session(ssl_, wish.session);
    SSL_set_fd(ssl_, fd_);
    connected_ = SSL_connect(ssl_) == 1;
    ERR_clear_error();
  }
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;
  ~TlsClient() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
    ::close(fd_);
  }

  bool connected() const { return connected_; }
  bool resumed() const { return SSL_session_reused(ssl_) == 1; }
  std::string version() const { return SSL_get_version(ssl_); }
  std::string protocol() const {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_, &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }
  std::string subject() const {
    X509* certificate = SSL_get1_peer_certificate(ssl_);
    char name[256] = "";
    X509_NAME_oneline(X509_get_subject_name(certificate), name, sizeof(name));
    X509_free(certificate);
    return name;
  }
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const int n = SSL_write(ssl_, bytes.data(), static_cast<int>(std::min<std::size_t>(bytes.size(), 1 << 20)));
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  // One answer by its Content-Length; "" when the connection ended before.
  std::string answer() {
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos)
      if (!more()) return std::exchange(buffer_, "");
    std::size_t size = end + 4;
    if (const std::size_t at = buffer_.find("Content-Length: "); at < end) size += std::stoul(buffer_.substr(at + 16));
    while (buffer_.size() < size && more()) {
    }
    std::string taken = buffer_.substr(0, size);
    buffer_.erase(0, size);
    return taken;
  }
  std::string rest() {
    while (more()) {
    }
    return std::exchange(buffer_, "");
  }
  // The server said that it ends, rather than cutting the connection.
  bool ended_politely() const { return (SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) != 0; }
  // The newest ticket that came.
  Session session() {
    if (sessions_.empty()) return nullptr;
    Session taken = std::move(sessions_.back());
    sessions_.pop_back();
    return taken;
  }
  // Asks for new keys on both sides, as often as told.
  void update_keys(int times) {
    for (int i = 0; i < times; ++i) {
      SSL_key_update(ssl_, SSL_KEY_UPDATE_REQUESTED);
      if (SSL_do_handshake(ssl_) != 1) break;
    }
  }

 private:
  bool more() {
    char bytes[65536];
    const int n = SSL_read(ssl_, bytes, sizeof(bytes));
    if (n <= 0) return false;
    buffer_.append(bytes, static_cast<std::size_t>(n));
    return true;
  }
  int fd_;
  SSL_CTX* context_;
  SSL* ssl_ = nullptr;
  bool connected_ = false;
  std::vector<Session> sessions_;
  std::string buffer_;
};

}  // namespace fog::test
