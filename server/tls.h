// TLS: certificates that are read again while the server runs, and the cipher state of a connection.
//
// Certificate is what --tls-cert and --tls-key name. Its Context is immutable and shared: connections
// keep the one they began with, so that reading the files again cuts nobody. TlsSession holds no
// socket: received bytes are put in, bytes to be sent are taken out, and whoever owns the socket
// moves them (http_connection.h).
//
// TLS 1.2 and 1.3 only, forward secrecy and authenticated ciphers only, no renegotiation, no
// compression, no early data. Sessions are resumed by tickets whose keys outlive a certificate, and
// are changed once a day.
// Threads: Certificate any; a TlsSession belongs to its connection's thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "storage/base/clock.h"
#include "storage/base/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace fog {

class TlsContext {
 public:
  struct Files {
    std::filesystem::path certificate;  // PEM: the server's own, then the chain
    std::filesystem::path key;          // PEM, without a passphrase, not readable by everybody
  };
  // The error is a sentence that names the file.
  static Result<std::shared_ptr<const TlsContext>> load(const Files& files);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  ssl_ctx_st* get() const { return context_; }
  Timestamp expires() const { return expires_; }
  const std::string& subject() const { return subject_; }
  // So that tickets given out before go on being accepted.
  void take_ticket_keys(const TlsContext& from) const;

 private:
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}

  ssl_ctx_st* context_;
  Timestamp expires_{};
  std::string subject_;
};

// What changes when a file is written or another takes its place.
struct FileStamp {
  std::int64_t modified_ns = 0;
  std::uint64_t inode = 0;
  std::int64_t size = 0;
  bool operator==(const FileStamp&) const = default;
};

class Certificate {
 public:
  static Result<std::unique_ptr<Certificate>> open(TlsContext::Files files);

  std::shared_ptr<const TlsContext> context() const;
  // Reads both files again. After an error what was read before stays in force.
  Status reload();
  // Reads them if either has changed since; a fault is told once, in the log. Call now and then.
  void reload_if_changed();

 private:
  explicit Certificate(TlsContext::Files files) : files_(std::move(files)) {}
  Status read(bool keep_tickets);

  const TlsContext::Files files_;
  mutable std::mutex mutex_;
  std::shared_ptr<const TlsContext> context_;
  std::pair<FileStamp, FileStamp> seen_;  // certificate, key
  std::int64_t tickets_made_s_ = 0;  // steady
};

class TlsSession {
 public:
  enum class Step {
    kDone,    // what was asked for is there
    kMore,    // bytes of the other side are missing
    kClosed,  // the other side has said that it ends
    kFailed,  // its bytes are not what TLS allows; say outgoing() and close
  };

  explicit TlsSession(std::shared_ptr<const TlsContext> context);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // Where received bytes go; then say how many came.
  std::span<char> room();
  void received(std::size_t n) { end_ += n; }
  std::string_view unread() const { return {in_.get() + begin_, end_ - begin_}; }

  Step handshake();
  // Opens what is there into `into`; n > 0 if kDone.
  Step read(std::span<char> into, std::size_t& n);
  // Seals all of it. False: the session is broken.
  bool write(std::string_view bytes);
  // The polite end; to be sent if it can be.
  void close();

  // Sealed and not yet sent; whoever sends takes off what went.
  std::string_view outgoing() const { return std::string_view(out_).substr(sent_); }
  void sent(std::size_t n);
  // Memory that an idle session can do without.
  void release_buffers();
  bool was_resumed() const;
  // Why it failed, for the log.
  std::string failure() const;

  // For OpenSSL's callbacks.
  int give(char* into, int size);
  int take(const char* bytes, int size);

 private:
  Step step_of(int result);

  std::shared_ptr<const TlsContext> context_;
  ssl_st* ssl_;
  std::unique_ptr<char[]> in_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::string out_;
  std::size_t sent_ = 0;
  unsigned long error_ = 0;
};

// True when these cannot be the first bytes of a TLS connection but could be those of plain HTTP.
bool looks_like_plain_http(std::string_view first);

}  // namespace fog
