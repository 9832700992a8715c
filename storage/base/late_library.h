// A shared library that is opened when it is first needed. Linking it would map it, and all that
// it stands on, at every start, for servers that may never call it: libcurl alone brings some
// forty libraries, cairo another fifteen.
#pragma once

#include "storage/base/result.h"

namespace fog {

class LateLibrary {
 public:
  /// \param file the library's file name with its version, such as "libcurl.so.4": what the
  ///   headers that we compile with promise.
  explicit LateLibrary(const char* file) : file_(file) {}

  /// Opens the library; it stays open as long as the process lives. ErrorKind::kBusy, naming the
  /// file, where it is not installed.
  Result<Ok> open();

  /// Makes `function` point at the library's symbol `name`. kBusy where it has none.
  template <class Function>
  Result<Ok> find(const char* name, Function*& function) {
    TRY(void* address, symbol(name));
    function = reinterpret_cast<Function*>(address);
    return Ok{};
  }

 private:
  Result<void*> symbol(const char* name);

  const char* file_;
  void* handle_ = nullptr;
};

}  // namespace fog

// A list of functions is a macro that applies its argument to each name. A variable of a function's
// own name, declared in one of our namespaces, is what calls there find before the global function.
#define FOG_LATE_DECLARE(name) extern decltype(&::name) name;
#define FOG_LATE_DEFINE(name) decltype(&::name) name = nullptr;
#define FOG_LATE_FIND(name) TRYV(library.find(#name, name));
