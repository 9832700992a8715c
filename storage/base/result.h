// Result and Error: how every room reports failure.
//
// A function that can fail returns Result<T>: a value or an Error. An Error is one of a few kinds
// plus a message a user may read; `position` points into the text that was parsed (bytes from its
// start), where there is one. Storage and query use only the kinds. The api room may attach a
// modelled AWS fault as `detail`; no room below looks into it.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

namespace fog {

enum class ErrorKind {
  kNotFound,  // the thing named does not exist
  kExists,    // the thing named exists already
  kInvalid,   // the input breaks a rule
  kLimit,     // a documented limit would be exceeded
  kConflict,  // the state of the thing does not allow it now
  kDenied,    // the caller may not
  kBusy,      // retry later: overload, disk full
  kCorrupt,   // stored bytes fail their check
  kInternal,  // a bug or a broken system call
};

// What a higher room adds to an Error; opaque down here.
struct ErrorDetail {
  virtual ~ErrorDetail() = default;
};

class [[nodiscard]] Error {
 public:
  Error(ErrorKind kind, std::string message) : body_(std::make_unique<Body>()) {
    body_->kind = kind;
    body_->message = std::move(message);
  }
  static Error not_found(std::string m) { return {ErrorKind::kNotFound, std::move(m)}; }
  static Error exists(std::string m) { return {ErrorKind::kExists, std::move(m)}; }
  static Error invalid(std::string m) { return {ErrorKind::kInvalid, std::move(m)}; }
  static Error limit(std::string m) { return {ErrorKind::kLimit, std::move(m)}; }
  static Error conflict(std::string m) { return {ErrorKind::kConflict, std::move(m)}; }
  static Error denied(std::string m) { return {ErrorKind::kDenied, std::move(m)}; }
  static Error busy(std::string m) { return {ErrorKind::kBusy, std::move(m)}; }
  static Error corrupt(std::string m) { return {ErrorKind::kCorrupt, std::move(m)}; }
  static Error internal(std::string m) { return {ErrorKind::kInternal, std::move(m)}; }

  Error(const Error& other) : body_(std::make_unique<Body>(*other.body_)) {}
  Error(Error&&) noexcept = default;
  Error& operator=(const Error& other) {
    if (this != &other) body_ = std::make_unique<Body>(*other.body_);
    return *this;
  }
  Error& operator=(Error&&) noexcept = default;
  ~Error() = default;

  ErrorKind kind() const { return body_->kind; }
  const std::string& message() const { return body_->message; }
  std::optional<std::size_t> position() const { return body_->position; }
  const ErrorDetail* detail() const { return body_->detail.get(); }

  Error at(std::size_t position) && {
    body_->position = position;
    return std::move(*this);
  }
  Error with(std::shared_ptr<const ErrorDetail> detail) && {
    body_->detail = std::move(detail);
    return std::move(*this);
  }

 private:
  struct Body {
    ErrorKind kind = ErrorKind::kInternal;
    std::string message;
    std::optional<std::size_t> position;
    std::shared_ptr<const ErrorDetail> detail;
  };
  std::unique_ptr<Body> body_;  // one pointer, so that a Result is cheap when all is well
};

// The value of a Result that carries nothing: `return Ok{};`
struct Ok {};

template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  template <typename U = T>
  requires(std::is_constructible_v<T, U&&> && !std::is_same_v<std::remove_cvref_t<U>, Error> &&
           !std::is_same_v<std::remove_cvref_t<U>, Result>) Result(U&& value)
      : state_(std::in_place_index<0>, std::forward<U>(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  Error& error() & { return std::get<1>(state_); }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

// Result of a function that only succeeds or fails.
using Status = Result<Ok>;

namespace internal {
[[noreturn]] void assert_failed(const char* condition, const char* why, const char* file, int line);
}

}  // namespace fog

// TRY(auto x, expr): unwraps a Result or returns its Error from the enclosing function.
#define FOG_TRY_CONCAT_(a, b) a##b
#define FOG_TRY_NAME_(line) FOG_TRY_CONCAT_(fog_try_result_, line)
#define TRY(declaration, ...)                          \
  auto FOG_TRY_NAME_(__LINE__) = (__VA_ARGS__);        \
  if (!FOG_TRY_NAME_(__LINE__).ok()) [[unlikely]]      \
    return std::move(FOG_TRY_NAME_(__LINE__)).error(); \
  declaration = std::move(FOG_TRY_NAME_(__LINE__)).value()

// TRYV(expr): the same where the value is of no interest.
#define TRYV(...)                                                               \
  do {                                                                          \
    if (auto fog_try_status = (__VA_ARGS__); !fog_try_status.ok()) [[unlikely]] \
      return std::move(fog_try_status).error();                                 \
  } while (false)

// A programmer's error; stays on in release builds. Never for corrupt data or bad input.
#define FOG_ASSERT(cond, why)                                         \
  do {                                                                \
    if (!(cond)) [[unlikely]]                                         \
      ::fog::internal::assert_failed(#cond, why, __FILE__, __LINE__); \
  } while (false)
