// Shapes and values built while a test runs, from a model in the form of the protocol cases.
//
// A structure is an array of slots, each empty or holding a Box; so every member is optional and the
// codecs are exercised through the same tables as generated structs.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "api/common/shape.h"

namespace fog::test {

// A value of any shape on the heap.
class Box {
 public:
  explicit Box(const Shape& shape);
  Box(Box&& other) noexcept : shape_(other.shape_), at_(std::exchange(other.at_, nullptr)) {}
  Box& operator=(Box&& other) noexcept {
    std::swap(shape_, other.shape_);
    std::swap(at_, other.at_);
    return *this;
  }
  ~Box();
  void* get() const { return at_; }

 private:
  const Shape* shape_;
  void* at_;
};

class DynamicModel {
 public:
  // `shapes` as in service-2.json. `wire_names`: members are called by their locationName.
  explicit DynamicModel(const nlohmann::json& shapes);
  const Shape& shape(const std::string& name) const { return *shapes_.at(name); }

 private:
  std::map<std::string, std::unique_ptr<Shape>> shapes_;
  std::deque<std::string> names_;
  std::deque<std::vector<Member>> members_;
  std::deque<std::vector<std::string_view>> enums_;
  std::deque<StructOps> structs_;
};

// Times as epoch seconds, blobs as their bytes, NaN and infinities as their names.
nlohmann::json to_json(const Shape& shape, const void* value);
void from_json(const Shape& shape, const nlohmann::json& json, void* out);

// Removes nulls, also inside lists and maps.
nlohmann::json without_nulls(const nlohmann::json& json);
// Equal but for the last digits of numbers, which cases give as float.
bool equal(const nlohmann::json& a, const nlohmann::json& b);

}  // namespace fog::test
