#include "core/model/number.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>

namespace millrace {
namespace {

constexpr int kDigitsMax = 38;
// value = 0.d1 d2 ... × 10^exponent, so the exponent of 1E-130 is -129 and that of 9.99E+125 is
// 126.
constexpr int kExponentMin = -129;
constexpr int kExponentMax = 126;

// Ordered form (persisted). Zero is one byte. Otherwise a byte for the sign, one for the exponent
// (which has 256 values), and two digits a byte, as 1 + their value, the last one padded by a zero.
// A negative number has the complement of its magnitude's bytes and, so that fewer digits sort
// after more, 0xFF at its end; with all 19 pairs there is nothing longer to sort before, and the
// 0xFF is left out.
constexpr uint8_t kOrderedNegative = 0x40;
constexpr uint8_t kOrderedZero = 0x80;
constexpr uint8_t kOrderedPositive = 0xC0;
constexpr size_t kPairsMax = kDigitsMax / 2;
constexpr uint8_t kNegativeEnd = 0xFF;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

Error not_a_number(std::string_view text, ValueWords words) {
  std::string message = "The parameter cannot be converted to a numeric value";
  if (!text.empty() || words == ValueWords::kRead) message.append(": ").append(text);
  return validation_error(std::move(message));
}

Error overflow() {
  return validation_error(
      "Number overflow. Attempting to store a number with magnitude larger than supported range");
}

Error underflow() {
  return validation_error(
      "Number underflow. Attempting to store a number with magnitude smaller than supported range");
}

Error too_many_digits() {
  return validation_error("Attempting to store more than 38 significant digits in a Number");
}

Error corrupt() { return make_error(ErrorCode::kCorruption, "malformed ordered number"); }

// Reads what is behind 'e'; false if there are no digits, or a number of more than 64 bits.
// Saturates far outside of the supported range.
bool parse_exponent(const char*& p, const char* end, int64_t& exponent) {
  constexpr int64_t kFar = int64_t{1} << 40;
  if (p != end && *p == '+') {
    ++p;
    if (p != end && *p == '-') return false;
  }
  const auto [behind, error] = std::from_chars(p, end, exponent);
  if (error != std::errc()) return false;
  p = behind;
  exponent = std::clamp(exponent, -kFar, kFar);
  return true;
}

}  // namespace

Result<Number> Number::parse(std::string_view text, ValueWords words) {
  const char* p = text.data();
  const char* const end = p + text.size();
  Number number;
  if (p != end && (*p == '+' || *p == '-')) number.negative_ = *p++ == '-';

  // Digits from the first non-zero one on; zeros are held back until a non-zero digit follows, so
  // that trailing ones neither count nor are stored.
  int64_t significant = 0, held_zeros = 0, integer_digits = 0, leading_fraction_zeros = 0;
  bool any = false, point = false;
  for (; p != end; ++p) {
    if (*p == '.') {
      if (point) return not_a_number(text, words);
      point = true;
      continue;
    }
    if (!is_digit(*p)) break;
    any = true;
    if (*p == '0') {
      if (significant == 0) {
        leading_fraction_zeros += point;
        continue;
      }
      ++held_zeros;
    } else {
      for (; held_zeros > 0; --held_zeros) {
        if (significant < kDigitsMax) number.digits_[static_cast<size_t>(significant)] = 0;
        ++significant;
      }
      if (significant < kDigitsMax) {
        number.digits_[static_cast<size_t>(significant)] = static_cast<uint8_t>(*p - '0');
      }
      ++significant;
    }
    integer_digits += !point;
  }
  if (!any) return not_a_number(text, words);
  int64_t exponent = 0;
  if (p != end && (*p == 'e' || *p == 'E')) {
    ++p;
    if (!parse_exponent(p, end, exponent)) return not_a_number(text, words);
  }
  if (p != end) return not_a_number(text, words);
  if (significant == 0) {
    // The service holds the exponent that a zero is written with against the range, too; of 0.0e126
    // that of its last digit.
    if (exponent - leading_fraction_zeros > kExponentMax - 1) return overflow();
    if (exponent < kExponentMin - 1) return underflow();
    return Number();
  }

  constexpr int64_t kIntMax = std::numeric_limits<int32_t>::max();
  const bool written_in_an_int = exponent <= kIntMax;
  exponent += integer_digits > 0 ? integer_digits : -leading_fraction_zeros;
  // An exponent that only the digits carry past an int wraps around there.
  if (words == ValueWords::kBatch && written_in_an_int && exponent > kIntMax) return underflow();
  if (exponent > kExponentMax) return overflow();
  if (exponent < kExponentMin) return underflow();
  if (significant > kDigitsMax) return too_many_digits();
  number.exponent_ = static_cast<int16_t>(exponent);
  number.digits_count_ = static_cast<uint8_t>(significant);
  return number;
}

void Number::append_text(std::string& out) const {
  if (is_zero()) {
    out.push_back('0');
    return;
  }
  // Sign, "0.", 129 zeros and 38 digits at most; or 126 digits.
  char buffer[192];
  char* p = buffer;
  if (negative_) *p++ = '-';
  int position = exponent_;  // of the decimal point, in digits
  if (position <= 0) {
    *p++ = '0';
    *p++ = '.';
    std::memset(p, '0', static_cast<size_t>(-position));
    p += -position;
  }
  for (int i = 0; i < digits_count_; ++i) {
    if (i == position && i > 0) *p++ = '.';
    *p++ = static_cast<char>('0' + digits_[static_cast<size_t>(i)]);
  }
  if (position > digits_count_) {
    size_t zeros = static_cast<size_t>(position - digits_count_);
    std::memset(p, '0', zeros);
    p += zeros;
  }
  out.append(buffer, static_cast<size_t>(p - buffer));
}

std::string Number::text() const {
  std::string out;
  append_text(out);
  return out;
}

void Number::append_ordered(std::string& out) const {
  if (is_zero()) {
    out.push_back(static_cast<char>(kOrderedZero));
    return;
  }
  uint8_t buffer[2 + kPairsMax + 1];
  size_t size = 0;
  const uint8_t flip = negative_ ? 0xFF : 0;
  buffer[size++] = negative_ ? kOrderedNegative : kOrderedPositive;
  buffer[size++] = static_cast<uint8_t>((exponent_ - kExponentMin) ^ flip);
  for (size_t i = 0; i < digits_count_; i += 2) {
    int low = i + 1 < digits_count_ ? digits_[i + 1] : 0;
    buffer[size++] = static_cast<uint8_t>((digits_[i] * 10 + low + 1) ^ flip);
  }
  if (negative_ && size < 2 + kPairsMax) buffer[size++] = kNegativeEnd;
  out.append(reinterpret_cast<const char*>(buffer), size);
}

Result<Number> Number::from_ordered(std::string_view bytes) {
  Number number;
  if (bytes.size() == 1 && static_cast<uint8_t>(bytes[0]) == kOrderedZero) return number;
  if (bytes.size() < 3) return corrupt();
  const uint8_t sign = static_cast<uint8_t>(bytes[0]);
  if (sign != kOrderedNegative && sign != kOrderedPositive) return corrupt();
  number.negative_ = sign == kOrderedNegative;
  const uint8_t flip = number.negative_ ? 0xFF : 0;
  number.exponent_ = static_cast<int16_t>((static_cast<uint8_t>(bytes[1]) ^ flip) + kExponentMin);
  std::string_view pairs = bytes.substr(2);
  if (number.negative_) {
    const bool ended = static_cast<uint8_t>(pairs.back()) == kNegativeEnd;
    if (ended) pairs.remove_suffix(1);
    if (ended == (pairs.size() == kPairsMax)) return corrupt();
  }
  if (pairs.empty() || pairs.size() > kPairsMax) return corrupt();
  for (size_t i = 0; i < pairs.size(); ++i) {
    int value = (static_cast<uint8_t>(pairs[i]) ^ flip) - 1;
    if (value < 0 || value > 99) return corrupt();
    number.digits_[2 * i] = static_cast<uint8_t>(value / 10);
    number.digits_[2 * i + 1] = static_cast<uint8_t>(value % 10);
  }
  size_t count = 2 * pairs.size();
  if (number.digits_[count - 1] == 0) --count;
  if (number.digits_[0] == 0 || number.digits_[count - 1] == 0) return corrupt();
  number.digits_count_ = static_cast<uint8_t>(count);
  return number;
}

Result<Number> Number::add(const Number& a, const Number& b) {
  if (a.is_zero()) return b;
  if (b.is_zero()) return a;
  // Columns from `top` (one above the highest digit, for a carry) down to the lowest digit of
  // either.
  const int top = std::max<int>(a.exponent_, b.exponent_) + 1;
  const int bottom = std::min(a.exponent_ - a.digits_count_, b.exponent_ - b.digits_count_);
  constexpr int kColumnsMax = kExponentMax - kExponentMin + kDigitsMax + 2;
  std::array<int8_t, kColumnsMax> columns{};
  const int count = top - bottom;
  CHECK(count <= kColumnsMax);

  auto put = [&](const Number& n, int factor) {
    for (int i = 0; i < n.digits_count_; ++i) {
      columns[static_cast<size_t>(top - n.exponent_ + i)] +=
          static_cast<int8_t>(factor * n.digits_[static_cast<size_t>(i)]);
    }
  };
  // The operand of the greater magnitude gives the sign and is never negative in the columns.
  Number magnitude_a = a, magnitude_b = b;
  magnitude_a.negative_ = magnitude_b.negative_ = false;
  const bool a_greater = magnitude_a >= magnitude_b;
  const Number& greater = a_greater ? a : b;
  put(greater, 1);
  put(a_greater ? b : a, a.negative_ == b.negative_ ? 1 : -1);
  for (int i = count - 1; i > 0; --i) {
    auto& column = columns[static_cast<size_t>(i)];
    auto& above = columns[static_cast<size_t>(i - 1)];
    if (column > 9) {
      column = static_cast<int8_t>(column - 10);
      ++above;
    } else if (column < 0) {
      column = static_cast<int8_t>(column + 10);
      --above;
    }
  }

  int first = 0, last = count;
  while (first < last && columns[static_cast<size_t>(first)] == 0) ++first;
  while (last > first && columns[static_cast<size_t>(last - 1)] == 0) --last;
  if (first == last) return Number();
  Number sum;
  sum.negative_ = greater.negative_;
  const int exponent = top - first;
  // The service calls a sum that 38 digits cannot hold an overflow too.
  if (exponent > kExponentMax || last - first > kDigitsMax) return overflow();
  if (exponent < kExponentMin) return underflow();
  sum.exponent_ = static_cast<int16_t>(exponent);
  sum.digits_count_ = static_cast<uint8_t>(last - first);
  for (int i = first; i < last; ++i) {
    sum.digits_[static_cast<size_t>(i - first)] =
        static_cast<uint8_t>(columns[static_cast<size_t>(i)]);
  }
  return sum;
}

Result<Number> Number::subtract(const Number& a, const Number& b) {
  Number negated = b;
  if (!negated.is_zero()) negated.negative_ = !negated.negative_;
  return add(a, negated);
}

size_t Number::charged_size() const {
  const int integer_digits = std::clamp<int>(exponent_, 0, digits_count_);
  const int fraction_digits = digits_count_ - integer_digits;
  return static_cast<size_t>(1 + (integer_digits + 1) / 2 + (fraction_digits + 1) / 2 +
                             (negative_ ? 1 : 0));
}

std::strong_ordering Number::operator<=>(const Number& other) const {
  const int sign = is_zero() ? 0 : negative_ ? -1 : 1;
  const int other_sign = other.is_zero() ? 0 : other.negative_ ? -1 : 1;
  if (sign != other_sign || sign == 0) return sign <=> other_sign;
  std::strong_ordering magnitude = exponent_ <=> other.exponent_;
  if (magnitude == 0) {
    // Digits behind the last one are zero, so all 38 may be compared.
    magnitude = std::memcmp(digits_.data(), other.digits_.data(), kDigitsMax) <=> 0;
  }
  return negative_ ? 0 <=> magnitude : magnitude;
}

}  // namespace millrace
