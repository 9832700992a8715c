#include "tests/api/codec/dynamic.h"

#include <cmath>
#include <cstring>

namespace fog::test {
namespace {

using Slot = std::unique_ptr<Box>;
using List = std::deque<Box>;
using Map = std::map<std::string, Box>;

const SlotOps kSlot = {
    [](const Shape& shape, void* slot) -> void* {
      auto& box = *static_cast<Slot*>(slot);
      box = std::make_unique<Box>(shape);
      return box->get();
    },
    [](const Shape&, const void* slot) -> const void* {
      const auto& box = *static_cast<const Slot*>(slot);
      return box ? box->get() : nullptr;
    }};

const ListOps kList = {
    [](const Shape& shape, void* list) -> void* { return static_cast<List*>(list)->emplace_back(*shape.element).get(); },
    [](const Shape&, const void* list) { return static_cast<const List*>(list)->size(); },
    [](const Shape&, const void* list, std::size_t i) -> const void* { return (*static_cast<const List*>(list))[i].get(); },
    [](const Shape&, void* list) { static_cast<List*>(list)->clear(); }};

const MapOps kMap = {
    [](const Shape& shape, void* map, std::string key) -> void* {
      auto& boxes = *static_cast<Map*>(map);
      boxes.erase(key);
      return boxes.emplace(std::move(key), Box(*shape.element)).first->second.get();
    },
    [](const Shape&, const void* map) { return static_cast<const Map*>(map)->size(); },
    [](const Shape&, const void* map, void* context, MapOps::Visit visit) {
      for (const auto& [key, box] : *static_cast<const Map*>(map)) visit(context, key, box.get());
    },
    [](const Shape&, void* map) { static_cast<Map*>(map)->clear(); }};

void construct_slots(const Shape& shape, void* at) {
  for (std::size_t i = 0; i < shape.member_count; ++i) ::new (static_cast<Slot*>(at) + i) Slot();
}
void destroy_slots(const Shape& shape, void* at) {
  for (std::size_t i = 0; i < shape.member_count; ++i) (static_cast<Slot*>(at) + i)->~Slot();
}

Kind kind_of(const nlohmann::json& shape) {
  const std::string type = shape.at("type");
  if (type == "string") return shape.contains("enum") ? Kind::kEnum : Kind::kString;
  if (type == "structure") return Kind::kStruct;
  if (type == "list") return Kind::kList;
  if (type == "map") return Kind::kMap;
  if (type == "boolean") return Kind::kBoolean;
  if (type == "integer") return Kind::kInteger;
  if (type == "long") return Kind::kLong;
  if (type == "float" || type == "double") return Kind::kDouble;
  if (type == "timestamp") return Kind::kTimestamp;
  if (type == "blob") return Kind::kBlob;
  throw std::runtime_error("type " + type);
}

}  // namespace

Box::Box(const Shape& shape) : shape_(&shape), at_(nullptr) {
  switch (shape.kind) {
    case Kind::kBoolean: at_ = new bool(false); break;
    case Kind::kInteger: at_ = new std::int32_t(0); break;
    case Kind::kLong: at_ = new std::int64_t(0); break;
    case Kind::kDouble: at_ = new double(0); break;
    case Kind::kString:
    case Kind::kBlob: at_ = new std::string(); break;
    case Kind::kTimestamp: at_ = new Timestamp(); break;
    case Kind::kEnum: at_ = new std::uint16_t(0); break;
    case Kind::kList: at_ = new List(); break;
    case Kind::kMap: at_ = new Map(); break;
    case Kind::kStruct:
      at_ = ::operator new(shape.structure->bytes + 1);
      shape.structure->construct(shape, at_);
      break;
  }
}

Box::~Box() {
  if (at_ == nullptr) return;
  switch (shape_->kind) {
    case Kind::kBoolean: delete static_cast<bool*>(at_); break;
    case Kind::kInteger: delete static_cast<std::int32_t*>(at_); break;
    case Kind::kLong: delete static_cast<std::int64_t*>(at_); break;
    case Kind::kDouble: delete static_cast<double*>(at_); break;
    case Kind::kString:
    case Kind::kBlob: delete static_cast<std::string*>(at_); break;
    case Kind::kTimestamp: delete static_cast<Timestamp*>(at_); break;
    case Kind::kEnum: delete static_cast<std::uint16_t*>(at_); break;
    case Kind::kList: delete static_cast<List*>(at_); break;
    case Kind::kMap: delete static_cast<Map*>(at_); break;
    case Kind::kStruct:
      shape_->structure->destroy(*shape_, at_);
      ::operator delete(at_);
      break;
  }
}

DynamicModel::DynamicModel(const nlohmann::json& shapes) {
  for (const auto& [name, description] : shapes.items()) {
    auto& shape = shapes_[name] = std::make_unique<Shape>();
    shape->name = names_.emplace_back(name);
    shape->kind = kind_of(description);
  }
  for (const auto& [name, description] : shapes.items()) {
    Shape& shape = *shapes_[name];
    shape.is_union = description.value("union", false);
    shape.is_error = description.value("exception", false);
    if (shape.is_error) {
      const auto error = description.value("error", nlohmann::json::object());
      shape.error_code = names_.emplace_back(error.value("code", name));
      shape.error_status = error.value("httpStatusCode", description.value("fault", false) ? std::uint16_t{500} : std::uint16_t{400});
      shape.is_sender_fault = !description.value("fault", false);
    }
    switch (shape.kind) {
      case Kind::kList:
        shape.element = shapes_.at(description.at("member").at("shape")).get();
        shape.list = &kList;
        break;
      case Kind::kMap:
        shape.element = shapes_.at(description.at("value").at("shape")).get();
        shape.key = shapes_.at(description.at("key").at("shape")).get();
        if (description.at("key").contains("locationName"))
          shape.entry_key = names_.emplace_back(description["key"]["locationName"]);
        if (description.at("value").contains("locationName"))
          shape.entry_value = names_.emplace_back(description["value"]["locationName"]);
        shape.map = &kMap;
        break;
      case Kind::kEnum: {
        auto& values = enums_.emplace_back();
        for (const auto& value : description.at("enum")) values.push_back(names_.emplace_back(value));
        shape.enum_values = values.data();
        shape.enum_count = static_cast<std::uint16_t>(values.size());
        break;
      }
      case Kind::kStruct: {
        auto& members = members_.emplace_back();
        for (const auto& [member_name, member] : description.at("members").items()) {
          Member m;
          m.name = names_.emplace_back(member.value("locationName", member_name));
          m.shape = shapes_.at(member.at("shape")).get();
          m.slot = &kSlot;
          m.offset = static_cast<std::uint32_t>(members.size() * sizeof(Slot));
          m.presence = Presence::kOptional;
          members.push_back(m);
        }
        shape.members = members.data();
        shape.member_count = static_cast<std::uint16_t>(members.size());
        shape.structure = &structs_.emplace_back(
            StructOps{members.size() * sizeof(Slot), construct_slots, destroy_slots});
        break;
      }
      default: break;
    }
  }
}

nlohmann::json to_json(const Shape& shape, const void* value) {
  switch (shape.kind) {
    case Kind::kBoolean: return *static_cast<const bool*>(value);
    case Kind::kInteger: return *static_cast<const std::int32_t*>(value);
    case Kind::kLong: return *static_cast<const std::int64_t*>(value);
    case Kind::kDouble: {
      const double number = *static_cast<const double*>(value);
      if (std::isnan(number)) return "NaN";
      if (std::isinf(number)) return number < 0 ? "-Infinity" : "Infinity";
      return number;
    }
    case Kind::kString:
    case Kind::kBlob: return *static_cast<const std::string*>(value);
    case Kind::kTimestamp: return static_cast<double>(to_ms(*static_cast<const Timestamp*>(value))) / 1000.0;
    case Kind::kEnum: {
      std::uint16_t i = 0;
      std::memcpy(&i, value, sizeof i);
      return shape.enum_values[i];
    }
    case Kind::kList: {
      auto out = nlohmann::json::array();
      for (std::size_t i = 0; i < shape.list->size(shape, value); ++i)
        out.push_back(to_json(*shape.element, shape.list->at(shape, value, i)));
      return out;
    }
    case Kind::kMap: {
      struct Context {
        const Shape& element;
        nlohmann::json out = nlohmann::json::object();
      } context{*shape.element};
      shape.map->each(shape, value, &context, [](void* c, const std::string& key, const void* element) {
        auto& in = *static_cast<Context*>(c);
        in.out[key] = to_json(in.element, element);
      });
      return context.out;
    }
    case Kind::kStruct: {
      auto out = nlohmann::json::object();
      for (std::size_t i = 0; i < shape.member_count; ++i)
        if (const void* member = peek(shape.members[i], value))
          out[std::string(shape.members[i].name)] = to_json(*shape.members[i].shape, member);
      return out;
    }
  }
  return {};
}

void from_json(const Shape& shape, const nlohmann::json& json, void* out) {
  switch (shape.kind) {
    case Kind::kBoolean: *static_cast<bool*>(out) = json.get<bool>(); break;
    case Kind::kInteger: *static_cast<std::int32_t*>(out) = json.get<std::int32_t>(); break;
    case Kind::kLong: *static_cast<std::int64_t*>(out) = json.get<std::int64_t>(); break;
    case Kind::kDouble:
      *static_cast<double*>(out) = !json.is_string()       ? json.get<double>()
                                   : json == "NaN"         ? std::nan("")
                                   : json == "-Infinity" ? -HUGE_VAL
                                                           : HUGE_VAL;
      break;
    case Kind::kString:
    case Kind::kBlob: *static_cast<std::string*>(out) = json.get<std::string>(); break;
    case Kind::kTimestamp: *static_cast<Timestamp*>(out) = from_ms(std::llround(json.get<double>() * 1000)); break;
    case Kind::kEnum: {
      for (std::uint16_t i = 0; i < shape.enum_count; ++i)
        if (shape.enum_values[i] == json.get<std::string>()) std::memcpy(out, &i, sizeof i);
      break;
    }
    case Kind::kList:
      for (const auto& element : json)
        if (!element.is_null()) from_json(*shape.element, element, shape.list->append(shape, out));
      break;
    case Kind::kMap:
      for (const auto& [key, element] : json.items())
        if (!element.is_null()) from_json(*shape.element, element, shape.map->insert(shape, out, key));
      break;
    case Kind::kStruct:
      for (std::size_t i = 0; i < shape.member_count; ++i) {
        const Member& member = shape.members[i];
        const auto found = json.find(std::string(member.name));
        if (found != json.end() && !found->is_null()) from_json(*member.shape, *found, emplace(member, out));
      }
      break;
  }
}

nlohmann::json without_nulls(const nlohmann::json& json) {
  if (json.is_array()) {
    auto out = nlohmann::json::array();
    for (const auto& element : json)
      if (!element.is_null()) out.push_back(without_nulls(element));
    return out;
  }
  if (json.is_object()) {
    auto out = nlohmann::json::object();
    for (const auto& [key, value] : json.items())
      if (!value.is_null()) out[key] = without_nulls(value);
    return out;
  }
  return json;
}

bool equal(const nlohmann::json& a, const nlohmann::json& b) {
  if (a.is_number() && b.is_number()) {
    const double x = a.get<double>(), y = b.get<double>();
    return x == y || std::abs(x - y) <= 1e-6 * std::max(std::abs(x), std::abs(y));
  }
  if (a.type() != b.type()) return false;
  if (a.is_array()) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i)
      if (!equal(a[i], b[i])) return false;
    return true;
  }
  if (a.is_object()) {
    if (a.size() != b.size()) return false;
    for (const auto& [key, value] : a.items())
      if (!b.contains(key) || !equal(value, b[key])) return false;
    return true;
  }
  return a == b;
}

}  // namespace fog::test
