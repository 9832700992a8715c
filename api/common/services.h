// Services: the stores and interfaces that handlers use, found by type. Filled by main before the
// first request, constant afterwards; holds references, owns nothing.
#pragma once

#include <string_view>
#include <unordered_map>

#include "storage/base/result.h"

namespace fog {

class Services {
 public:
  // Registers `service` under its static type: add<LogStore>(engine).
  template <typename T>
  void add(std::type_identity_t<T>& service) {
    by_type_[key<T>()] = &service;
  }
  template <typename T>
  T& get() const {
    T* found = find<T>();
    FOG_ASSERT(found != nullptr, "a handler asks for a service that main has not registered");
    return *found;
  }
  template <typename T>
  T* find() const {
    const auto found = by_type_.find(key<T>());
    return found == by_type_.end() ? nullptr : static_cast<T*>(found->second);
  }

 private:
  template <typename T>
  static const void* key() {
    static constexpr char kTag = 0;
    return &kTag;
  }
  std::unordered_map<const void*, void*> by_type_;
};

}  // namespace fog
