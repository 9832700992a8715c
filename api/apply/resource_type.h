// ResourceType: what `apply` knows about one type of resource: how it is read, written and removed through the
// service's own operations, and what Ref and Fn::GetAtt of it give.
//
// Every method speaks of the resource as `desired`: the properties, evaluated, named and brought into the form
// of the service (want()). A new type is a row or a class in one of the types_*.cc files.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/apply/client.h"
#include "api/apply/json.h"
#include "storage/base/result.h"

namespace fog::apply {

struct Context {
  const Client& client;
  std::string id;     // logical
  std::string stack;  // what has no name is called STACK-ID
  std::string account;
  std::string region;
  std::string partition;
  std::vector<std::string>* ignored;  // paths of properties that are not applied

  std::string default_name() const { return stack + "-" + id; }
  std::string arn(std::string_view service, std::string_view resource) const;
};

struct Identity {
  Json ref;
  std::map<std::string, Json> attributes;
};

class ResourceType {
 public:
  virtual ~ResourceType() = default;
  virtual std::string_view type() const = 0;  // "AWS::SNS::Topic"
  // Errors: what is wrong with the properties.
  virtual Result<Json> want(const Context& context, Json properties) const = 0;
  // The present state in the form of want(), with whatever else identity() needs under "@"; nothing: absent.
  virtual Result<std::optional<Json>> read(const Context& context, const Json& desired) const = 0;
  virtual bool is_same(const Json& desired, const Json& current) const = 0;
  virtual Status write(const Context& context, const Json& desired, const Json* current) const = 0;
  virtual Status remove(const Context& context, const Json& desired, const Json& current) const = 0;
  // `current` is null when the resource is absent: then what it would be, as far as that is known.
  virtual Identity identity(const Context& context, const Json& desired, const Json* current) const = 0;
};

// Null: a type that Fogwatch does not make.
const ResourceType* find_type(std::string_view type);
std::vector<std::string_view> all_types();

// Tables of the services.
std::span<const ResourceType* const> cloudwatch_types();
std::span<const ResourceType* const> logs_types();
std::span<const ResourceType* const> messaging_types();  // SNS and SQS
std::span<const ResourceType* const> xray_types();

}  // namespace fog::apply
