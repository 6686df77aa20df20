#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "core/base/check.h"

namespace millrace {

/// What went wrong. The first group are DynamoDB's own errors, answered to clients under their wire
/// names (see core/ops/error_wire.h, the one place that knows names and HTTP statuses); the last
/// group never leaves the node under its own name: a client sees InternalServerError.
enum class ErrorCode : uint8_t {
  kValidation,
  kSerialization,
  kUnknownOperation,
  kMissingAuthenticationToken,
  kResourceNotFound,
  kResourceInUse,
  kTableNotFound,
  kPolicyNotFound,
  kAccessDenied,
  kConditionalCheckFailed,
  kTransactionCanceled,
  kTransactionConflict,
  kTransactionInProgress,
  kIdempotentParameterMismatch,
  kItemCollectionSizeLimitExceeded,
  kLimitExceeded,
  kThrottling,
  kProvisionedThroughputExceeded,
  kRequestLimitExceeded,
  kExpiredIterator,
  kTrimmedDataAccess,
  kRequestTooLarge,
  kServiceUnavailable,
  kInternal,

  kIo,          // the disk or a socket failed
  kDiskFull,    // the disk has no room; nothing is wrong with what it holds
  kCorruption,  // bytes that are not what was written
  kTrimmed,     // the log no longer holds what was asked for
  kMoved,       // it lies elsewhere now: to be looked up again
  kConfig,      // the operator's mistake
  kUnavailable, // a peer cannot be reached; trying again may help
};

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  /// Further members of the error's JSON body, rendered, without a leading comma, such as
  /// `"CancellationReasons":[...]` or `"Item":{...}`; empty for most errors.
  std::string members;
};

inline Error make_error(ErrorCode code, std::string message) {
  return Error{code, std::move(message), {}};
}
inline Error validation_error(std::string message) {
  return Error{ErrorCode::kValidation, std::move(message), {}};
}

/// A value or an Error; the part of std::expected's interface that we use, so that it can take its
/// place one day (C++23).
template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& value() & {
    CHECK(has_value());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    CHECK(has_value());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    CHECK(has_value());
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const& {
    CHECK(!has_value());
    return *std::get_if<1>(&state_);
  }
  Error&& error() && {
    CHECK(!has_value());
    return std::move(*std::get_if<1>(&state_));
  }

 private:
  std::variant<T, Error> state_;
};

/// Success or an Error. `Status{}` is success.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::make_unique<Error>(std::move(error))) {}  // NOLINT
  Status(const Status& other)
      : error_(other.error_ ? std::make_unique<Error>(*other.error_) : nullptr) {}
  Status(Status&&) noexcept = default;
  Status& operator=(const Status& other) {
    error_ = other.error_ ? std::make_unique<Error>(*other.error_) : nullptr;
    return *this;
  }
  Status& operator=(Status&&) noexcept = default;

  bool has_value() const { return error_ == nullptr; }
  explicit operator bool() const { return has_value(); }
  const Error& error() const {
    CHECK(error_ != nullptr);
    return *error_;
  }

 private:
  std::unique_ptr<Error> error_;
};

}  // namespace millrace

#define MILLRACE_CONCAT_(a, b) a##b
#define MILLRACE_CONCAT(a, b) MILLRACE_CONCAT_(a, b)

/// Returns the error of `expression` (a Status or Result) from the enclosing function, if it has one.
#define RETURN_IF_ERROR(expression)                                              \
  do {                                                                           \
    if (auto status_ = (expression); !status_) return std::move(status_).error(); \
  } while (false)

/// Binds `declaration` to the value of `expression` (a Result), or returns its error.
#define ASSIGN_OR_RETURN(declaration, expression)                                   \
  auto MILLRACE_CONCAT(result_, __LINE__) = (expression);                           \
  if (!MILLRACE_CONCAT(result_, __LINE__))                                          \
    return std::move(MILLRACE_CONCAT(result_, __LINE__)).error();                   \
  declaration = std::move(MILLRACE_CONCAT(result_, __LINE__)).value()
