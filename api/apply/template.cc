#include "api/apply/template.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/apply/parameters.h"
#include "api/apply/text.h"

namespace fog::apply {
namespace {

constexpr std::size_t kResourcesMax = 2000;

// Ref and GetAtt inside a value, and inside the texts of Fn::Sub.
void collect(const Json& value, std::set<std::string>& found) {
  if (value.is_array()) {
    for (const Json& item : value) collect(item, found);
    return;
  }
  if (!value.is_object()) return;
  for (const auto& [key, content] : value.items()) {
    if (key == "Ref" && content.is_string()) found.insert(content.get<std::string>());
    if (key == "Fn::GetAtt") {
      const std::string first = content.is_string() ? content.get<std::string>() : content.is_array() && !content.empty() && content[0].is_string() ? content[0].get<std::string>() : "";
      found.insert(first.substr(0, first.find('.')));
    }
    if (key == "Fn::Sub") {
      const Json& pattern = content.is_array() && !content.empty() ? content[0] : content;
      if (pattern.is_string()) {
        for (const std::string& name : names_in_pattern(pattern.get_ref<const std::string&>())) found.insert(name.substr(0, name.find('.')));
      }
    }
    collect(content, found);
  }
}

}  // namespace

std::string_view partition_of_region(std::string_view region) {
  if (region.starts_with("cn-")) return "aws-cn";
  if (region.starts_with("us-gov-")) return "aws-us-gov";
  return "aws";
}

Result<Template> Template::make(Json document, Settings settings) {
  Template made;
  made.document_ = std::move(document);
  made.settings_ = std::move(settings);
  for (const char* section : {"Parameters", "Mappings", "Conditions", "Resources", "Outputs"}) {
    if (!made.document_.contains(section) || made.document_[section].is_null()) made.document_[section] = Json::object();
    if (!made.document_[section].is_object()) return Error::invalid(fmt::format("'{}' is not an object", section));
  }
  if (made.document_["Resources"].empty()) return Error::invalid("the template has no Resources");
  if (made.document_.contains("Transform")) {
    const Json& transform = made.document_["Transform"];
    for (const Json& name : transform.is_array() ? transform : Json::array({transform})) {
      const std::string text = name.is_string() ? name.get<std::string>() : name.dump();
      if (!text.starts_with("AWS::Serverless-") && text != "AWS::LanguageExtensions") made.remarks_.push_back(fmt::format("the transform {} is not carried out", text));
    }
  }
  TRYV(made.read_parameters());
  TRYV(made.read_resources());
  TRYV(made.sort());
  made.outputs_ = made.document_["Outputs"];
  return made;
}

Status Template::read_parameters() {
  const Json& declared = document_["Parameters"];
  for (const auto& [name, value] : settings_.parameters) {
    if (!declared.contains(name)) return Error::invalid(fmt::format("Parameters: [{}] do not exist in the template", name));
  }
  for (const auto& [name, declaration] : declared.items()) {
    if (!declaration.is_object()) return Error::invalid(fmt::format("the parameter {} is not an object", name));
    const auto given = settings_.parameters.find(name);
    auto value = parameter_value(name, declaration, given == settings_.parameters.end() ? nullptr : &given->second);
    if (value.ok()) {
      parameters_[name] = std::move(*value);
    } else if (value.error().kind() == ErrorKind::kNotFound) {
      unset_[name] = value.error().message();  // said when somebody asks for it
    } else {
      return std::move(value).error();
    }
  }
  return Ok{};
}

Status Template::read_resources() {
  const Json& resources = document_["Resources"];
  if (resources.size() > kResourcesMax) return Error::limit(fmt::format("at most {} resources", kResourcesMax));
  for (const auto& [id, body] : resources.items()) {
    if (id.starts_with("Fn::")) return Error::invalid(fmt::format("{} among the resources is not supported: expand the template first", id));
    if (!body.is_object() || !body.contains("Type") || !body["Type"].is_string()) return Error::invalid(fmt::format("the resource {} has no Type", id));
    Resource resource{.id = id, .type = body["Type"].get<std::string>()};
    if (body.contains("Properties") && !body["Properties"].is_null()) resource.properties = body["Properties"];
    if (!resource.properties.is_object()) return Error::invalid(fmt::format("the Properties of {} are not an object", id));
    if (body.contains("Condition") && body["Condition"].is_string()) resource.condition = body["Condition"].get<std::string>();
    if (body.contains("DeletionPolicy") && body["DeletionPolicy"].is_string()) resource.deletion_policy = body["DeletionPolicy"].get<std::string>();
    collect(resource.properties, resource.needs);
    if (body.contains("DependsOn")) {
      const Json& depends = body["DependsOn"];
      for (const Json& on : depends.is_array() ? depends : Json::array({depends})) {
        if (!on.is_string() || !resources.contains(on.get<std::string>())) return Error::invalid(fmt::format("{} depends on {}, which is not in the template", id, on.dump()));
        resource.needs.insert(on.get<std::string>());
      }
    }
    std::erase_if(resource.needs, [&](const std::string& name) { return !resources.contains(name); });
    order_.push_back(std::move(resource));
  }
  return Ok{};
}

// As written, each after what it needs.
Status Template::sort() {
  std::vector<Resource> sorted;
  std::set<std::string> placed;
  std::vector<Resource> waiting = std::move(order_);
  order_.clear();
  while (!waiting.empty()) {
    std::vector<Resource> later;
    for (Resource& resource : waiting) {
      const bool ready = std::all_of(resource.needs.begin(), resource.needs.end(), [&](const std::string& id) { return placed.contains(id); });
      if (ready) {
        placed.insert(resource.id);
        sorted.push_back(std::move(resource));
      } else {
        later.push_back(std::move(resource));
      }
    }
    if (later.size() == waiting.size()) {
      std::string names;
      for (const Resource& resource : later) names += (names.empty() ? "" : ", ") + resource.id;
      return Error::invalid(fmt::format("Circular dependency between resources: [{}]", names));
    }
    waiting = std::move(later);
  }
  order_ = std::move(sorted);
  return Ok{};
}

const Resource* Template::find(std::string_view id) const {
  for (const Resource& resource : order_) {
    if (resource.id == id) return &resource;
  }
  return nullptr;
}

Result<bool> Template::condition(const std::string& name) const {
  std::set<std::string> open;
  return test(Json{{"Condition", name}}, open);
}

Result<bool> Template::test(const Json& value, std::set<std::string>& open) const {
  if (value.is_boolean()) return value.get<bool>();
  if (value == "true") return true;
  if (value == "false") return false;
  if (!value.is_object() || value.size() != 1) return Error::invalid(fmt::format("{} is not a condition", value.dump()));
  const std::string& function = value.begin().key();
  const Json& argument = value.begin().value();
  if (function == "Condition") {
    const std::string name = argument.is_string() ? argument.get<std::string>() : "";
    const Json& all = document_["Conditions"];
    if (!all.contains(name)) return Error::invalid(fmt::format("the condition {} is not in the template", argument.dump()));
    if (!open.insert(name).second) return Error::invalid(fmt::format("the condition {} refers to itself", name));
    TRY(const bool holds, test(all[name], open));
    open.erase(name);
    return holds;
  }
  if (function == "Fn::Equals") {
    if (!argument.is_array() || argument.size() != 2) return Error::invalid("Fn::Equals takes two values");
    const Lookup none = [](const std::string& id, const std::string&) -> Result<Json> {
      return Error::invalid(fmt::format("a condition cannot refer to the resource {}", id));
    };
    TRY(const Json left, evaluate(argument[0], none));
    TRY(const Json right, evaluate(argument[1], none));
    return left == right || (left.is_primitive() && right.is_primitive() && text_of(left) == text_of(right));
  }
  if (!argument.is_array()) return Error::invalid(fmt::format("{} takes a list", function));
  if (function == "Fn::Not") {
    if (argument.size() != 1) return Error::invalid("Fn::Not takes one condition");
    TRY(const bool holds, test(argument[0], open));
    return !holds;
  }
  if (function != "Fn::And" && function != "Fn::Or") return Error::invalid(fmt::format("{} is not a function of conditions", function));
  bool all = true;
  bool any = false;
  for (const Json& part : argument) {
    TRY(const bool holds, test(part, open));
    all = all && holds;
    any = any || holds;
  }
  return function == "Fn::And" ? all : any;
}

Result<Json> Template::reference(const std::string& name, const Lookup& lookup) const {
  if (const auto found = parameters_.find(name); found != parameters_.end()) return found->second;
  if (const auto found = unset_.find(name); found != unset_.end()) return Error::invalid(found->second);
  if (name == "AWS::AccountId") return Json(settings_.account);
  if (name == "AWS::Region") return Json(settings_.region);
  if (name == "AWS::Partition") return Json(std::string(partition_of_region(settings_.region)));
  if (name == "AWS::URLSuffix") return Json(settings_.region.starts_with("cn-") ? "amazonaws.com.cn" : "amazonaws.com");
  if (name == "AWS::StackName") return Json(settings_.stack);
  if (name == "AWS::StackId")
    return Json(fmt::format("arn:{}:cloudformation:{}:{}:stack/{}/00000000-0000-0000-0000-000000000000", partition_of_region(settings_.region), settings_.region, settings_.account, settings_.stack));
  if (name == "AWS::NotificationARNs") return Json::array();
  if (name == "AWS::NoValue") return Json(Json::value_t::discarded);
  if (find(name) != nullptr) return lookup(name, "");
  return Error::invalid(fmt::format("Unresolved resource dependencies [{}]", name));
}

Result<Json> Template::attribute(const Json& argument, const Lookup& lookup) const {
  std::string id;
  std::string name;
  if (argument.is_string()) {
    const std::string both = argument.get<std::string>();
    id = both.substr(0, both.find('.'));
    name = both.substr(std::min(both.size(), id.size() + 1));
  } else if (argument.is_array() && argument.size() == 2 && argument[0].is_string()) {
    id = argument[0].get<std::string>();
    TRY(const Json evaluated, evaluate(argument[1], lookup));
    name = text_of(evaluated);
  }
  if (id.empty() || name.empty()) return Error::invalid("Fn::GetAtt takes a resource and one of its attributes");
  if (find(id) == nullptr) return Error::invalid(fmt::format("Fn::GetAtt: the resource {} is not in the template", id));
  return lookup(id, name);
}

Result<Json> Template::evaluate(const Json& value, const Lookup& lookup) const {
  if (value.is_array()) {
    Json out = Json::array();
    for (const Json& item : value) {
      TRY(Json one, evaluate(item, lookup));
      if (!one.is_discarded()) out.push_back(std::move(one));
    }
    return out;
  }
  if (!value.is_object()) return value;
  if (value.size() == 1) {
    const std::string& key = value.begin().key();
    const Json& argument = value.begin().value();
    if (key == "Ref") {
      if (!argument.is_string()) return Error::invalid("Ref takes a name");
      return reference(argument.get<std::string>(), lookup);
    }
    if (key.starts_with("Fn::")) return call(key, argument, lookup);
    if (key == "Condition" && argument.is_string() && document_["Conditions"].contains(argument.get<std::string>())) {
      TRY(const bool holds, condition(argument.get<std::string>()));
      return Json(holds);
    }
  }
  Json out = Json::object();
  for (const auto& [key, content] : value.items()) {
    TRY(Json one, evaluate(content, lookup));
    if (!one.is_discarded()) out[key] = std::move(one);
  }
  return out;
}

Result<Json> Template::substitute(const Json& argument, const Lookup& lookup) const {
  Json names = Json::object();
  std::string pattern;
  if (argument.is_string()) {
    pattern = argument.get<std::string>();
  } else if (argument.is_array() && argument.size() == 2 && argument[0].is_string() && argument[1].is_object()) {
    pattern = argument[0].get<std::string>();
    names = argument[1];
  } else {
    return Error::invalid("Fn::Sub takes a text, or a text and the names in it");
  }
  return substitute_pattern(pattern, [&](const std::string& name) -> Result<std::string> {
    if (names.contains(name)) {
      TRY(const Json own, evaluate(names[name], lookup));
      return text_of(own);
    }
    TRY(const Json found, name.find('.') == std::string::npos ? reference(name, lookup) : attribute(Json(name), lookup));
    if (!found.is_primitive() || found.is_discarded()) return Error::invalid(fmt::format("Fn::Sub: ${{{}}} is not a text", name));
    return text_of(found);
  });
}

Result<Json> Template::find_in_map(const Json& argument, const Lookup& lookup) const {
  if (!argument.is_array() || argument.size() < 3) return Error::invalid("Fn::FindInMap takes a map and two keys");
  std::string keys[3];
  for (std::size_t i = 0; i < 3; ++i) {
    TRY(const Json key, evaluate(argument[i], lookup));
    keys[i] = text_of(key);
  }
  const Json& maps = document_["Mappings"];
  if (maps.contains(keys[0]) && maps[keys[0]].is_object() && maps[keys[0]].contains(keys[1]) && maps[keys[0]][keys[1]].is_object() && maps[keys[0]][keys[1]].contains(keys[2])) {
    return evaluate(maps[keys[0]][keys[1]][keys[2]], lookup);
  }
  if (argument.size() == 4 && argument[3].is_object() && argument[3].contains("DefaultValue")) return evaluate(argument[3]["DefaultValue"], lookup);
  return Error::invalid(fmt::format("Fn::FindInMap: there is no {}.{} in the mapping {}", keys[1], keys[2], keys[0]));
}

Result<Json> Template::call(const std::string& function, const Json& argument, const Lookup& lookup) const {
  if (function == "Fn::GetAtt") return attribute(argument, lookup);
  if (function == "Fn::Sub") return substitute(argument, lookup);
  if (function == "Fn::FindInMap") return find_in_map(argument, lookup);
  if (function == "Fn::If") {
    if (!argument.is_array() || argument.size() != 3 || !argument[0].is_string()) return Error::invalid("Fn::If takes a condition and two values");
    TRY(const bool holds, condition(argument[0].get<std::string>()));
    return evaluate(argument[holds ? 1 : 2], lookup);
  }
  if (function == "Fn::ImportValue") return Error::invalid(fmt::format("Fn::ImportValue {} is an output of another stack, and there are no stacks here", argument.dump()));
  if (function == "Fn::Transform") return Error::invalid("Fn::Transform is not carried out here");
  if (function == "Fn::Equals" || function == "Fn::And" || function == "Fn::Or" || function == "Fn::Not") {
    std::set<std::string> open;
    TRY(const bool holds, test(Json{{function, argument}}, open));
    return Json(holds);
  }
  TRY(Json value, evaluate(argument, lookup));
  return call_pure(function, value, settings_.region);
}

}  // namespace fog::apply
