// Shape: the description of one AWS type as a constant table, written by api/gen from shapes.idl.
//
// A codec is given a Shape and the address of a value and needs to know nothing else, so there is one
// codec per wire format and no generated parser. Tables are constants: any thread, no locks. Tests
// build shapes at run time; the Ops functions therefore receive the shape they work for.
//
// How a value lies in memory, by kind:
//   kBoolean bool | kInteger int32 | kLong int64 | kDouble double | kString, kBlob std::string
//   kTimestamp fog::Timestamp | kEnum an enum of uint16_t, the index into enum_values
//   kList std::vector | kMap std::map<std::string, T> | kStruct a generated struct
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/clock.h"

namespace fog {

struct Shape;

enum class Kind : std::uint8_t {
  kBoolean,
  kInteger,
  kLong,
  kDouble,
  kString,
  kBlob,
  kTimestamp,
  kEnum,
  kList,
  kMap,
  kStruct,
};

// How a member is kept in its structure.
enum class Presence : std::uint8_t {
  kPlain,     // T: always there
  kOptional,  // std::optional<T>
  kShared,    // std::shared_ptr<T>: the shape contains itself
};

// Reaches the value inside an optional or shared member.
struct SlotOps {
  void* (*emplace)(const Shape&, void* slot);            // a fresh value; its address
  const void* (*peek)(const Shape&, const void* slot);  // null when empty
};

struct ListOps {
  void* (*append)(const Shape&, void* list);  // a fresh element at the end; its address
  std::size_t (*size)(const Shape&, const void* list);
  const void* (*at)(const Shape&, const void* list, std::size_t i);
  void (*clear)(const Shape&, void* list);
};

struct MapOps {
  using Visit = void (*)(void* context, const std::string& key, const void* value);
  void* (*insert)(const Shape&, void* map, std::string key);  // a fresh value, replacing an old one
  std::size_t (*size)(const Shape&, const void* map);
  void (*each)(const Shape&, const void* map, void* context, Visit visit);
  void (*clear)(const Shape&, void* map);
};

struct StructOps {
  std::size_t bytes;
  void (*construct)(const Shape&, void* at);
  void (*destroy)(const Shape&, void* at);
};

struct Member {
  std::string_view name;  // on the wire
  const Shape* shape = nullptr;
  const SlotOps* slot = nullptr;  // null when plain
  std::uint32_t offset = 0;
  Presence presence = Presence::kPlain;
  bool required = false;
};

// Length of strings, blobs, lists and maps, or range of numbers; nothing where the model is silent.
struct Bounds {
  bool has_min = false;
  bool has_max = false;
  double min = 0;
  double max = 0;
};

struct Shape {
  std::string_view name;
  Kind kind = Kind::kStruct;
  bool is_union = false;         // exactly one member is set
  bool is_event_stream = false;  // a union whose members are events
  bool is_error = false;
  bool is_sensitive = false;     // never printed in messages or logs
  bool is_sender_fault = true;   // errors: the caller's fault
  std::uint16_t error_status = 400;
  std::uint16_t enum_count = 0;
  std::uint16_t member_count = 0;
  std::uint64_t required_mask = 0;  // bit i: member i is required
  const Member* members = nullptr;
  const std::string_view* enum_values = nullptr;
  const Shape* element = nullptr;  // of a list; the value of a map
  const Shape* key = nullptr;      // of a map
  const ListOps* list = nullptr;
  const MapOps* map = nullptr;
  const StructOps* structure = nullptr;
  Bounds bounds{};
  std::string_view pattern{};      // a regular expression for the whole string; empty: none
  std::string_view error_code{};   // of errors, in the query protocol and x-amzn-query-error
  std::string_view entry_key = "key";      // names inside a map entry of the query protocol
  std::string_view entry_value = "value";

  // True when a value can break a rule that is not "required".
  bool is_constrained() const { return bounds.has_min || bounds.has_max || !pattern.empty(); }
};

// The tables for the C++ types the generator uses.
template <typename T>
inline constexpr SlotOps kOptionalSlot = {
    [](const Shape&, void* slot) -> void* { return &static_cast<std::optional<T>*>(slot)->emplace(); },
    [](const Shape&, const void* slot) -> const void* {
      const auto& value = *static_cast<const std::optional<T>*>(slot);
      return value ? &*value : nullptr;
    }};

template <typename T>
inline constexpr SlotOps kSharedSlot = {
    [](const Shape&, void* slot) -> void* {
      auto& pointer = *static_cast<std::shared_ptr<T>*>(slot);
      pointer = std::make_shared<T>();
      return pointer.get();
    },
    [](const Shape&, const void* slot) -> const void* {
      return static_cast<const std::shared_ptr<T>*>(slot)->get();
    }};

template <typename T>
inline constexpr ListOps kListOps = {
    [](const Shape&, void* list) -> void* { return &static_cast<std::vector<T>*>(list)->emplace_back(); },
    [](const Shape&, const void* list) { return static_cast<const std::vector<T>*>(list)->size(); },
    [](const Shape&, const void* list, std::size_t i) -> const void* {
      return &(*static_cast<const std::vector<T>*>(list))[i];
    },
    [](const Shape&, void* list) { static_cast<std::vector<T>*>(list)->clear(); }};

template <typename T>
inline constexpr MapOps kMapOps = {
    [](const Shape&, void* map, std::string key) -> void* {
      auto& value = (*static_cast<std::map<std::string, T>*>(map))[std::move(key)];
      value = T{};
      return &value;
    },
    [](const Shape&, const void* map) { return static_cast<const std::map<std::string, T>*>(map)->size(); },
    [](const Shape&, const void* map, void* context, MapOps::Visit visit) {
      for (const auto& [key, value] : *static_cast<const std::map<std::string, T>*>(map))
        visit(context, key, &value);
    },
    [](const Shape&, void* map) { static_cast<std::map<std::string, T>*>(map)->clear(); }};

template <typename T>
inline constexpr StructOps kStructOps = {
    sizeof(T), [](const Shape&, void* at) { ::new (at) T(); },
    [](const Shape&, void* at) { static_cast<T*>(at)->~T(); }};

// The value of a member inside the structure at `base`; null when absent.
inline const void* peek(const Member& member, const void* base) {
  const void* slot = static_cast<const char*>(base) + member.offset;
  return member.slot ? member.slot->peek(*member.shape, slot) : slot;
}
// The same for writing: an absent value comes into being.
inline void* emplace(const Member& member, void* base) {
  void* slot = static_cast<char*>(base) + member.offset;
  return member.slot ? member.slot->emplace(*member.shape, slot) : slot;
}

// A structure of any shape on the heap.
class Value {
 public:
  Value() = default;
  explicit Value(const Shape& shape) : shape_(&shape) {
    // Generated structs need no more than the default alignment of operator new.
    at_ = ::operator new(shape.structure->bytes);
    shape.structure->construct(shape, at_);
  }
  Value(Value&& other) noexcept { swap(other); }
  Value& operator=(Value&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Value() {
    if (at_ == nullptr) return;
    shape_->structure->destroy(*shape_, at_);
    ::operator delete(at_);
  }

  const Shape& shape() const { return *shape_; }
  void* get() { return at_; }
  const void* get() const { return at_; }
  explicit operator bool() const { return at_ != nullptr; }

 private:
  void swap(Value& other) noexcept {
    std::swap(shape_, other.shape_);
    std::swap(at_, other.at_);
  }
  const Shape* shape_ = nullptr;
  void* at_ = nullptr;
};

// What an operation without output returns; also its shape.
struct Empty {
  static const Shape kShape;
};

}  // namespace fog
