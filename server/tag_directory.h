// TagDirectory over our own services: it asks their operations, as a client would, without the wire between.
#pragma once

#include "api/common/registry.h"
#include "api/common/services.h"
#include "api/neighbours/tagging.h"
#include "storage/wal/wal.h"

namespace fog {

class OwnTags final : public neighbours::TagDirectory {
 public:
  OwnTags(const Registry& registry, const Services& services, const Clock& clock, Wal& wal)
      : registry_(registry), services_(services), clock_(clock), wal_(wal) {}

  std::vector<neighbours::TaggedResource> tagged(const std::string& account, const std::string& region) override;
  Status tag(const std::string& account, const std::string& region, const std::string& arn, const neighbours::Tags& tags) override;
  Status untag(const std::string& account, const std::string& region, const std::string& arn, const std::vector<std::string>& keys) override;

 private:
  struct Caller;

  const Registry& registry_;
  const Services& services_;
  const Clock& clock_;
  Wal& wal_;
};

}  // namespace fog
