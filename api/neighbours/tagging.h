// Tagging: the Resource Groups Tagging API over the tags of this server's own resources.
//
// GetResources, TagResources, UntagResources, GetTagKeys, GetTagValues (JSON 1.1, 2017-01-26). Which resources there
// are and who keeps their tags is the business of a TagDirectory. Any thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "api/common/http_message.h"
#include "storage/base/result.h"

namespace fog::neighbours {

using Tags = std::map<std::string, std::string>;

struct TaggedResource {
  std::string arn;
  Tags tags;
};

class TagDirectory {
 public:
  virtual ~TagDirectory() = default;
  // Of an account and region, those without tags left out.
  virtual std::vector<TaggedResource> tagged(const std::string& account, const std::string& region) = 0;
  // Errors: kNotFound, kInvalid and what the service that keeps them says.
  virtual Status tag(const std::string& account, const std::string& region, const std::string& arn, const Tags& tags) = 0;
  virtual Status untag(const std::string& account, const std::string& region, const std::string& arn, const std::vector<std::string>& keys) = 0;
};

http::Response answer_tagging(const http::Request& request, const std::string& account, const std::string& region, TagDirectory& directory);

}  // namespace fog::neighbours
