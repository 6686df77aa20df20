#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::testing {

/// A decimal as a sign and a row of digits at fixed places, 10^129 to 10^-170: slow, and obviously
/// right.
struct FixedPoint {
  static constexpr int kIntegerPlaces = 130;
  static constexpr int kPlaces = 300;
  bool negative = false;
  std::vector<int> digits = std::vector<int>(kPlaces, 0);

  /// Of well-formed text whose digits all have a place.
  static FixedPoint of(std::string_view text) {
    FixedPoint value;
    if (text.starts_with('-')) value.negative = true;
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    int exponent = 0;
    if (const size_t e = text.find_first_of("eE"); e != text.npos) {
      exponent = std::atoi(std::string(text.substr(e + 1)).c_str());
      text = text.substr(0, e);
    }
    const size_t point = std::min(text.find('.'), text.size());
    int place = kIntegerPlaces - static_cast<int>(point) - exponent;
    for (char c : text) {
      if (c == '.') continue;
      if (c != '0') value.digits.at(static_cast<size_t>(place)) = c - '0';
      ++place;
    }
    if (value.is_zero()) value.negative = false;
    return value;
  }

  bool is_zero() const {
    for (int d : digits) {
      if (d != 0) return false;
    }
    return true;
  }

  int compare(const FixedPoint& other) const {
    if (negative != other.negative) return negative ? -1 : 1;
    const int magnitude = digits < other.digits ? -1 : digits > other.digits ? 1 : 0;
    return negative ? -magnitude : magnitude;
  }

  FixedPoint plus(const FixedPoint& other) const {
    FixedPoint sum;
    if (negative == other.negative) {
      sum.negative = negative;
      int carry = 0;
      for (size_t i = kPlaces; i-- > 0;) {
        const int column = digits[i] + other.digits[i] + carry;
        sum.digits[i] = column % 10;
        carry = column / 10;
      }
    } else {
      const bool this_greater = digits >= other.digits;
      const FixedPoint& greater = this_greater ? *this : other;
      const FixedPoint& smaller = this_greater ? other : *this;
      sum.negative = greater.negative;
      int borrow = 0;
      for (size_t i = kPlaces; i-- > 0;) {
        int column = greater.digits[i] - smaller.digits[i] - borrow;
        borrow = column < 0;
        sum.digits[i] = column < 0 ? column + 10 : column;
      }
    }
    if (sum.is_zero()) sum.negative = false;
    return sum;
  }

  int significant_digits() const {
    int first = 0, last = kPlaces - 1;
    while (first < kPlaces && digits[static_cast<size_t>(first)] == 0) ++first;
    if (first == kPlaces) return 0;
    while (digits[static_cast<size_t>(last)] == 0) --last;
    return last - first + 1;
  }

  /// The power of ten of the first digit; only of values other than zero.
  int magnitude() const {
    int first = 0;
    while (digits[static_cast<size_t>(first)] == 0) ++first;
    return kIntegerPlaces - 1 - first;
  }
};

}  // namespace millrace::testing
