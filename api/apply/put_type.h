// PutType: a resource that one Put operation makes and changes, described by a row of words.
#pragma once

#include "api/apply/resource_type.h"

namespace fog::apply {

enum class Tagging { kNone, kOnPut, kList, kMap };  // Tags as [{Key, Value}] or as a map, by the service's TagResource

struct PutRow {
  std::string_view type;
  std::string_view service;
  std::string_view put;
  std::string_view name;  // member of the Put input; also the property, whatever its case
  // How it is found: the operation, the list in its answer (empty: the answer is the item), the item's name.
  std::string_view read;
  Json (*read_input)(const Json& desired);
  std::string_view list;
  std::string_view item_name;
  std::string_view absent;  // codes that mean it is not there
  std::string_view remove;
  Json (*remove_input)(const Json& desired, const Json& current);
  std::string_view arn = "";           // member of the item; empty: it has none
  std::string_view ref = "";           // member of the item that Ref gives; empty: the name
  std::string_view attributes = "";    // "Arn=AlarmArn State=State": Fn::GetAtt and where from
  std::string_view renames = "";       // "RuleBody=RuleDefinition": properties, or members of the item, and the Put's
  std::string_view defaults = "{}";    // what the item says where the template says nothing
  Tagging tagging = Tagging::kNone;
  bool is_ordered = false;
  bool is_update_separate = false;     // the Put needs the item's id to change it: copied from `ref`
  bool takes_name_from_id = true;
};

class PutType : public ResourceType {
 public:
  explicit constexpr PutType(const PutRow& row) : row_(row) {}
  std::string_view type() const override { return row_.type; }
  Result<Json> want(const Context& context, Json properties) const override;
  Result<std::optional<Json>> read(const Context& context, const Json& desired) const override;
  bool is_same(const Json& desired, const Json& current) const override;
  Status write(const Context& context, const Json& desired, const Json* current) const override;
  Status remove(const Context& context, const Json& desired, const Json& current) const override;
  Identity identity(const Context& context, const Json& desired, const Json* current) const override;

 protected:
  const PutRow& row_;
};

// Tags of a template, [{"Key", "Value"}], as {"key": "value"}; SAM writes that form itself.
Result<Json> tags_of(const Json& tags);
// Adds or changes tags that differ; others are left alone. True: some did.
Result<Json> read_tags(const Context& context, std::string_view service, Tagging tagging, const std::string& arn);
Status write_tags(const Context& context, std::string_view service, Tagging tagging, const std::string& arn, const Json& tags);
// Are all of these among those?
bool has_tags(const Json& desired, const Json& current);

}  // namespace fog::apply
