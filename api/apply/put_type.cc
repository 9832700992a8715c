#include "api/apply/put_type.h"

#include <fmt/format.h>

#include "api/apply/coerce.h"
#include "api/apply/text.h"

namespace fog::apply {
namespace {

// Visits "A=B C=D".
template <typename Visit>
void each_pair(std::string_view pairs, Visit visit) {
  while (!pairs.empty()) {
    const std::string_view pair = pairs.substr(0, pairs.find(' '));
    pairs.remove_prefix(std::min(pairs.size(), pair.size() + 1));
    const std::size_t equal = pair.find('=');
    visit(std::string(pair.substr(0, equal)), std::string(pair.substr(equal + 1)));
  }
}

void rename(Json& object, std::string_view renames) {
  each_pair(renames, [&](const std::string& from, const std::string& to) {
    const auto found = object.find(from);
    if (found == object.end()) return;
    Json value = *found;
    object.erase(from);
    object[to] = std::move(value);
  });
}

// Takes "Tags" out of properties, whatever its case.
Json take_tags(Json& properties) {
  for (const char* name : {"Tags", "tags"}) {
    if (!properties.contains(name)) continue;
    Json tags = properties[name];
    properties.erase(name);
    return tags;
  }
  return nullptr;
}

}  // namespace

std::string Context::arn(std::string_view service, std::string_view resource) const {
  return fmt::format("arn:{}:{}:{}:{}:{}", partition, service, region, account, resource);
}

Result<Json> tags_of(const Json& tags) {
  Json map = Json::object();
  if (tags.is_null()) return map;
  if (tags.is_object()) {
    for (const auto& [key, value] : tags.items()) map[key] = text_of(value);
    return map;
  }
  if (!tags.is_array()) return Error::invalid("Tags is neither a list nor a map");
  for (const Json& tag : tags) {
    if (!tag.is_object() || !tag.contains("Key")) return Error::invalid("a tag has no Key");
    map[text_of(tag["Key"])] = tag.contains("Value") ? text_of(tag["Value"]) : "";
  }
  return map;
}

Result<Json> read_tags(const Context& context, std::string_view service, Tagging tagging, const std::string& arn) {
  const char* member = tagging == Tagging::kMap ? "resourceArn" : service == "sns" ? "ResourceArn" : "ResourceARN";
  TRY(const Json body, call(context.client, service, "ListTagsForResource", Json{{member, arn}}));
  const char* list = tagging == Tagging::kMap ? "tags" : "Tags";
  return tags_of(body.contains(list) ? body[list] : Json(nullptr));
}

Status write_tags(const Context& context, std::string_view service, Tagging tagging, const std::string& arn, const Json& tags) {
  if (tags.empty()) return Ok{};
  Json input = Json::object();
  input[tagging == Tagging::kMap ? "resourceArn" : service == "sns" ? "ResourceArn" : "ResourceARN"] = arn;
  if (tagging == Tagging::kMap) {
    input["tags"] = tags;
  } else {
    input["Tags"] = Json::array();
    for (const auto& [key, value] : tags.items()) input["Tags"].push_back(Json{{"Key", key}, {"Value", value}});
  }
  TRYV(call(context.client, service, "TagResource", input));
  return Ok{};
}

bool has_tags(const Json& desired, const Json& current) {
  for (const auto& [key, value] : desired.items()) {
    if (!current.contains(key) || current[key] != value) return false;
  }
  return true;
}

// Beside the Put's members a state holds "#tags"; what was read holds the whole item under "@".
Result<Json> PutType::want(const Context& context, Json properties) const {
  const Json given = take_tags(properties);
  rename(properties, row_.renames);
  const OperationInfo* put = context.client.describe(row_.service, row_.put);
  if (put == nullptr || put->input == nullptr) return Error::internal(fmt::format("{}:{} is unknown", row_.service, row_.put));
  TRY(Json desired, coerce(properties, *put->input, "", *context.ignored));
  const std::string name(row_.name);
  if (!name.empty() && !desired.contains(name)) {
    if (!row_.takes_name_from_id) return Error::invalid(fmt::format("the property {} is missing", name));
    desired[name] = context.default_name();
  }
  TRY(Json tags, tags_of(given));
  desired["#tags"] = std::move(tags);
  return desired;
}

Result<std::optional<Json>> PutType::read(const Context& context, const Json& desired) const {
  const Json input = row_.read_input(desired);
  Json item;
  if (row_.list.empty()) {
    TRY(item, call_unless(context.client, row_.service, row_.read, input, row_.absent));
    if (item.is_null() || item.empty()) return std::optional<Json>();
  } else {
    const OperationInfo* operation = context.client.describe(row_.service, row_.read);
    std::string_view token = "NextToken";
    for (std::size_t i = 0; operation != nullptr && operation->output != nullptr && i < operation->output->member_count; ++i) {
      if (operation->output->members[i].name == "nextToken") token = "nextToken";
    }
    TRY(const Json list, call_all(context.client, row_.service, row_.read, input, row_.list, token));
    const std::string item_name(row_.item_name);
    const std::string name(row_.name);
    for (const Json& one : list) {
      if (item_name.empty() || (one.contains(item_name) && one[item_name] == desired[name])) {
        item = one;
        break;
      }
    }
    if (item.is_null()) return std::optional<Json>();
  }
  Json current = Json::object();
  Json renamed = item;
  rename(renamed, row_.renames);
  const Shape& shape = *context.client.describe(row_.service, row_.put)->input;
  for (std::size_t i = 0; i < shape.member_count; ++i) {
    const std::string member(shape.members[i].name);
    if (renamed.contains(member)) current[member] = renamed[member];
  }
  if (row_.tagging == Tagging::kList || row_.tagging == Tagging::kMap) {
    const std::string arn(row_.arn);
    if (item.contains(arn) && !desired["#tags"].empty()) {
      TRY(Json tags, read_tags(context, row_.service, row_.tagging, item[arn].get<std::string>()));
      current["#tags"] = std::move(tags);
    }
  }
  current["@"] = std::move(item);
  return std::optional<Json>(std::move(current));
}

bool PutType::is_same(const Json& desired, const Json& current) const {
  Json one = desired;
  Json other = current;
  const Json defaults = Json::parse(row_.defaults);
  for (const auto& [name, value] : defaults.items()) {
    if (!one.contains(name)) one[name] = value;
    if (!other.contains(name)) other[name] = value;
  }
  if (one.contains("#tags") && (row_.tagging == Tagging::kList || row_.tagging == Tagging::kMap)) {
    if (!has_tags(one["#tags"], other.value("#tags", Json::object()))) return false;
  }
  for (const char* own : {"#tags", "@"}) {
    one.erase(own);
    other.erase(own);
  }
  if (row_.is_update_separate) other.erase(std::string(row_.ref));
  return same(one, other, row_.is_ordered);
}

Status PutType::write(const Context& context, const Json& desired, const Json* current) const {
  Json input = desired;
  const Json tags = input["#tags"];
  input.erase("#tags");
  if (row_.is_update_separate && current != nullptr) input[std::string(row_.ref)] = (*current)["@"][std::string(row_.ref)];
  if (row_.tagging != Tagging::kNone && current == nullptr && !tags.empty()) {
    if (row_.tagging == Tagging::kMap) {
      input["tags"] = tags;
    } else {
      input["Tags"] = Json::array();
      for (const auto& [key, value] : tags.items()) input["Tags"].push_back(Json{{"Key", key}, {"Value", value}});
    }
  }
  TRYV(call(context.client, row_.service, row_.put, input));
  if (current == nullptr || tags.empty() || row_.arn.empty()) return Ok{};
  if (row_.tagging != Tagging::kList && row_.tagging != Tagging::kMap) return Ok{};
  return write_tags(context, row_.service, row_.tagging, (*current)["@"][std::string(row_.arn)].get<std::string>(), tags);
}

Status PutType::remove(const Context& context, const Json& desired, const Json& current) const {
  TRYV(call_unless(context.client, row_.service, row_.remove, row_.remove_input(desired, current), row_.absent));
  return Ok{};
}

Identity PutType::identity(const Context&, const Json& desired, const Json* current) const {
  Identity made;
  const Json item = current != nullptr && current->contains("@") ? (*current)["@"] : Json::object();
  const auto member = [&](const std::string& name) -> Json { return item.contains(name) ? item[name] : Json(nullptr); };
  const std::string name(row_.name);
  made.ref = row_.ref.empty() ? (desired.contains(name) ? desired[name] : Json(nullptr)) : member(std::string(row_.ref));
  each_pair(row_.attributes, [&](const std::string& attribute, const std::string& from) { made.attributes[attribute] = member(from); });
  return made;
}

}  // namespace fog::apply
