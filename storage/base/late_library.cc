#include "storage/base/late_library.h"

#include <dlfcn.h>

namespace fog {

Result<Ok> LateLibrary::open() {
  if (handle_ == nullptr) handle_ = ::dlopen(file_, RTLD_NOW | RTLD_LOCAL);
  if (handle_ == nullptr) return Error::busy(std::string("this needs the library ") + file_ + ", which can't be opened: " + ::dlerror());
  return Ok{};
}

Result<void*> LateLibrary::symbol(const char* name) {
  void* address = handle_ == nullptr ? nullptr : ::dlsym(handle_, name);
  if (address == nullptr) return Error::busy(std::string("the library ") + file_ + " has no function " + name);
  return address;
}

}  // namespace fog
