// Neighbours: the services beside ours that clients call on the same endpoint before they call us.
//
// STS in full; of IAM ListAccountAliases and GetUser; of EC2 DescribeRegions, DescribeInstances and
// DescribeTags; of OAM its lists; the tagging API over our own tags: what Grafana, Terraform and exporters need in order to start. There
// are no instances, links or aliases, and the answers say so. Everything else is refused in the
// service's own form. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "api/auth/keys.h"
#include "api/common/http_message.h"
#include "api/neighbours/sts.h"
#include "api/neighbours/tagging.h"

namespace fog::neighbours {

class Neighbours {
 public:
  // Without a directory the tagging API refuses.
  Neighbours(Sts::Place place, const Clock& clock, Random& random, TagDirectory* tags = nullptr)
      : place_(place), sts_(std::move(place), clock, random), tags_(tags) {}

  // The service that the request is for ("sts"); "": not one of these.
  static std::string_view claims(const http::Request& request);
  // `caller`: who signed the request, where signatures are enforced; null: whoever the access key says.
  http::Response answer(const http::Request& request, const std::string& request_id, const AccessKey* caller = nullptr);

 private:
  http::Response iam(const http::Request& request, const std::string& request_id, const AccessKey* caller) const;
  http::Response ec2(const http::Request& request, const std::string& request_id) const;
  http::Response oam(const http::Request& request) const;
  std::string account_of(const http::Request& request) const;
  std::string region_of(const http::Request& request) const;

  Sts::Place place_;
  Sts sts_;
  TagDirectory* tags_;
};

}  // namespace fog::neighbours
