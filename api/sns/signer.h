// Signer: the server's own RSA key and certificate, with which notifications are signed.
//
// Both are made when the first signature (or the certificate) is asked for and kept in the resource
// store, so that documents of yesterday verify tomorrow. Threads: any; the first caller makes the
// key (about 0.1 s) while others wait.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "storage/base/clock.h"
#include "storage/base/random.h"
#include "storage/base/result.h"
#include "storage/resource_store.h"

namespace fog::sns {

class Signer {
 public:
  Signer(ResourceStore& store, const Clock& clock, Random& random);
  ~Signer();

  // Base64 of the RSA PKCS#1 v1.5 signature: SHA-1 for version "1", SHA-256 for "2".
  Result<std::string> sign(std::string_view text, std::string_view version);
  // "SimpleNotificationService-<32 hex>.pem"
  Result<std::string> certificate_name();
  Result<std::string> certificate_pem();

 private:
  struct Key;
  Result<std::shared_ptr<const Key>> key();

  ResourceStore& store_;
  const Clock& clock_;
  Random& random_;
  std::mutex making_;  // held while the key is made or read, which happens once
  std::shared_ptr<const Key> key_;
};

}  // namespace fog::sns
