// Template: a CloudFormation or SAM template with its parameters filled in: which resources there are, in
// which order they can be made, and what a property is once its functions are carried out.
//
//   TRY(auto t, Template::make(document, settings));
//   for (const Resource& r : t.order()) { TRY(Json properties, t.evaluate(r.properties, lookup)); ... }
//
// Conditions are evaluated when asked for. What a Ref or GetAtt of a resource gives is known only after that
// resource was made, so the caller supplies it. Errors are sentences for the user.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api/apply/json.h"
#include "storage/base/result.h"

namespace fog::apply {

struct Settings {
  std::map<std::string, std::string> parameters;
  std::string account = "000000000000";
  std::string region = "us-east-1";
  std::string stack = "fogwatch";
};

struct Resource {
  std::string id;  // logical
  std::string type;
  Json properties = Json::object();
  std::string condition;       // empty: always
  std::string deletion_policy;  // "Retain": stays when the others go
  std::set<std::string> needs;  // logical ids of the resources it refers to
};

class Template {
 public:
  // Of a resource: attribute "" is its Ref.
  using Lookup = std::function<Result<Json>(const std::string& id, const std::string& attribute)>;

  static Result<Template> make(Json document, Settings settings);

  // All resources; what others need comes first, otherwise as written.
  const std::vector<Resource>& order() const { return order_; }
  const Resource* find(std::string_view id) const;
  // Functions carried out; a discarded Json when the whole is AWS::NoValue.
  Result<Json> evaluate(const Json& value, const Lookup& lookup) const;
  Result<bool> condition(const std::string& name) const;
  // The "Outputs" section: name -> {"Value", "Condition"}.
  const Json& outputs() const { return outputs_; }
  // What the template asks for that has no meaning here: transforms, rules.
  const std::vector<std::string>& remarks() const { return remarks_; }
  const Settings& settings() const { return settings_; }

 private:
  Status read_parameters();
  Status read_resources();
  Status sort();
  Result<Json> reference(const std::string& name, const Lookup& lookup) const;
  Result<Json> attribute(const Json& argument, const Lookup& lookup) const;
  Result<Json> call(const std::string& function, const Json& argument, const Lookup& lookup) const;
  Result<Json> substitute(const Json& argument, const Lookup& lookup) const;
  Result<Json> find_in_map(const Json& argument, const Lookup& lookup) const;
  Result<bool> test(const Json& condition, std::set<std::string>& open) const;

  Json document_;
  Settings settings_;
  std::map<std::string, Json> parameters_;
  std::map<std::string, std::string> unset_;  // parameters that have no value here, and why
  std::vector<Resource> order_;
  Json outputs_ = Json::object();
  std::vector<std::string> remarks_;
};

std::string_view partition_of_region(std::string_view region);

}  // namespace fog::apply
