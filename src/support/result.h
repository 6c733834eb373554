// Errors as values: what a reader, a pass or a plan returns where the cause is the input, not a bug.
#pragma once

#include <cassert>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace edgec {

/// Why something could not be done; the value is the program's exit status (see `edgec --help`).
enum class Code { usage = 2, bad_input = 3, unsupported = 4, resource = 5, internal = 70, interrupted = 130 };

/// One sentence for people: names the file or node, what was expected and what was found.
struct Error {
  Code code = Code::internal;
  std::string message;

  /// Puts where it happened in front: `Error{"bad axis"}.in("node conv1")` reads "node conv1: bad axis".
  [[nodiscard]] Error in(std::string_view where) && { return {code, std::string(where) + ": " + message}; }
};

inline Error bad_input(std::string message) { return {Code::bad_input, std::move(message)}; }
inline Error unsupported(std::string message) { return {Code::unsupported, std::move(message)}; }
inline Error internal_error(std::string message) { return {Code::internal, std::move(message)}; }
inline Error resource_error(std::string message) { return {Code::resource, std::move(message)}; }
inline Error usage_error(std::string message) { return {Code::usage, std::move(message)}; }

/// A value or the Error that stood in its way.
template <class T = void>
class [[nodiscard]] Result {
public:
  using value_type = T;
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return state_.index() == 0; }
  T &operator*() & { return value(); }
  const T &operator*() const & { return value(); }
  T &&operator*() && { return std::move(value()); }
  T *operator->() { return &value(); }
  const T *operator->() const { return &value(); }

  [[nodiscard]] T &value() {
    assert(*this);
    return *std::get_if<0>(&state_);
  }
  [[nodiscard]] const T &value() const {
    assert(*this);
    return *std::get_if<0>(&state_);
  }
  [[nodiscard]] const Error &error() const & {
    assert(!*this);
    return *std::get_if<1>(&state_);
  }
  [[nodiscard]] Error error() && {
    assert(!*this);
    return std::move(*std::get_if<1>(&state_));
  }
  /// The same result, an error with its place put in front.
  [[nodiscard]] Result in(std::string_view where) && {
    if (!*this) return std::move(*this).error().in(where);
    return std::move(*this);
  }

private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
public:
  using value_type = void;
  Result() = default;
  Result(Error error) : error_(std::move(error)), ok_(false) {}

  explicit operator bool() const { return ok_; }
  [[nodiscard]] const Error &error() const & {
    assert(!ok_);
    return error_;
  }
  [[nodiscard]] Error error() && {
    assert(!ok_);
    return std::move(error_);
  }
  [[nodiscard]] Result in(std::string_view where) && {
    if (!ok_) return std::move(error_).in(where);
    return {};
  }

private:
  Error error_;
  bool ok_ = true;
};

using Status = Result<void>;

#define EDGEC_CONCAT_(a, b) a##b
#define EDGEC_CONCAT(a, b) EDGEC_CONCAT_(a, b)

/// Returns the error of `expression`, or goes on.
#define EDGEC_CHECK(...) EDGEC_CHECK_(EDGEC_CONCAT(edgec_status_, __LINE__), __VA_ARGS__)
#define EDGEC_CHECK_(status, ...)                                                                                      \
  do {                                                                                                                 \
    if (auto status = (__VA_ARGS__); !status) return std::move(status).error();                                        \
  } while (false)

/// `EDGEC_ASSIGN(auto x, f())`: returns the error of f(), or binds its value.
#define EDGEC_ASSIGN(target, ...) EDGEC_ASSIGN_(EDGEC_CONCAT(edgec_result_, __LINE__), target, __VA_ARGS__)
#define EDGEC_ASSIGN_(result, target, ...)                                                                             \
  auto result = (__VA_ARGS__);                                                                                         \
  if (!result) return std::move(result).error();                                                                       \
  target = std::move(*result)

} // namespace edgec
