// ObjectStore: where exports and scheduled queries put their objects: buckets that are folders or
// S3-compatible endpoints.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "storage/base/clock.h"
#include "storage/base/outbound.h"
#include "storage/base/result.h"

namespace fog::logs {

class ObjectStore {
 public:
  struct Options {
    // Bucket name to "file:/FOLDER" or "http(s)://host[:port]/bucket".
    std::map<std::string, std::string> buckets;
    // Every other bucket is a folder below this one, made when it is first used; empty: there is none.
    std::filesystem::path root;
    std::string access_key;  // empty: requests are not signed
    std::string secret_key;
    std::string region = "us-east-1";
  };
  ObjectStore(Options options, Outbound* outbound, const Clock& clock)
      : options_(std::move(options)), outbound_(outbound), clock_(clock) {}

  bool has(std::string_view bucket) const;
  // Blocks until the object is there, or until `given_up` says so. Folders: written beside, synced,
  // renamed.
  Status put(std::string_view bucket, std::string_view key, std::string bytes, const std::function<bool()>& given_up = {}) const;

 private:
  const Options options_;
  Outbound* const outbound_;
  const Clock& clock_;
};

}  // namespace fog::logs
