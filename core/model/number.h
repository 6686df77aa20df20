#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/model/value_words.h"

namespace millrace {

/// DynamoDB's number: an exact decimal of up to 38 significant digits, magnitude 1E-130 to
/// 9.9999999999999999999999999999999999999E+125, or zero.
/// Source: developer guide, "Supported data types and naming rules", Number.
class Number {
 public:
  Number() = default;  // zero

  /// Parses what a client may send (`-12.50`, `+1e3`, `5.`; no white space); DynamoDB's
  /// ValidationException for text that is not a number, has more than 38 significant digits, or
  /// lies out of range.
  static Result<Number> parse(std::string_view text, ValueWords words = ValueWords::kWrite);

  /// The canonical text that DynamoDB answers: no exponent, no leading or trailing zeros ("0.0012",
  /// "-3", "1200").
  void append_text(std::string& out) const;
  std::string text() const;

  /// The order-preserving form, persisted in keys and items: memcmp orders it as numbers, and equal
  /// numbers have equal bytes. At most 21 bytes. It is self-delimiting by its enclosing length.
  void append_ordered(std::string& out) const;
  /// The inverse. `bytes` must come from append_ordered; kCorruption otherwise.
  static Result<Number> from_ordered(std::string_view bytes);

  /// Exact sum or difference, rounded nowhere: a ValidationException when it needs more than 38
  /// digits or leaves the range (DynamoDB's wording for number overflow and underflow).
  static Result<Number> add(const Number& a, const Number& b);
  static Result<Number> subtract(const Number& a, const Number& b);

  /// Bytes that DynamoDB charges: 1 + ceil(integer digits/2) + ceil(fraction digits/2), +1 if
  /// negative.
  size_t charged_size() const;

  bool is_zero() const { return digits_count_ == 0; }
  bool is_negative() const { return negative_; }
  std::strong_ordering operator<=>(const Number& other) const;
  bool operator==(const Number& other) const { return (*this <=> other) == 0; }

 private:
  // value = ±0.d1 d2 ... dn × 10^exponent_, d1 and dn non-zero; zero has no digits.
  bool negative_ = false;
  int16_t exponent_ = 0;
  uint8_t digits_count_ = 0;
  std::array<uint8_t, 38> digits_{};
};

}  // namespace millrace
