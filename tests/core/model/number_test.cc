#include "core/model/number.h"

#include <iostream>

#include "core/base/random.h"
#include "tests/core/model/fixed_point.h"
#include "tests/golden/hex.h"

namespace millrace {
namespace {

using testing::FixedPoint;

Number number(std::string_view text) {
  Result<Number> parsed = Number::parse(text);
  EXPECT_TRUE(parsed.has_value()) << text << ": " << parsed.error().message;
  return parsed ? *parsed : Number();
}

std::string ordered(const Number& n) {
  std::string out;
  n.append_ordered(out);
  return out;
}

std::string parse_error(std::string_view text) {
  Result<Number> parsed = Number::parse(text);
  if (parsed) return "parsed as " + parsed->text();
  EXPECT_EQ(parsed.error().code, ErrorCode::kValidation);
  return parsed.error().message;
}

constexpr const char* kNotANumber = "The parameter cannot be converted to a numeric value";
constexpr const char* kOverflow =
    "Number overflow. Attempting to store a number with magnitude larger than supported range";
constexpr const char* kUnderflow =
    "Number underflow. Attempting to store a number with magnitude smaller than supported range";
constexpr const char* kTooLong = "Attempting to store more than 38 significant digits in a Number";

TEST(Number, AnswersTheCanonicalText) {
  const std::pair<const char*, std::string> cases[] = {
      {"0", "0"},
      {"-0", "0"},
      {"0e125", "0"},
      {"0e-130", "0"},
      {"000.000", "0"},
      {"00042", "42"},
      {"+5", "5"},
      {"5.", "5"},
      {".5", "0.5"},
      {"-.50", "-0.5"},
      {"1.5E2", "150"},
      {"1e+2", "100"},
      {"100", "100"},
      {"3.1400", "3.14"},
      {"0.0012", "0.0012"},
      {"12e-4", "0.0012"},
      {"-1200.0034", "-1200.0034"},
      {"1E-130", "0." + std::string(129, '0') + "1"},
      {"9e125", "9" + std::string(125, '0')},
      {"12345678901234567890123456789012345678", "12345678901234567890123456789012345678"},
      {"0.00000000000000000000000000000000000001", "0.00000000000000000000000000000000000001"},
      {"123456789012345678901234567890123456780000", "123456789012345678901234567890123456780000"},
  };
  for (const auto& [text, canonical] : cases) EXPECT_EQ(number(text).text(), canonical) << text;
}

TEST(Number, RefusesWhatIsNoNumber) {
  EXPECT_EQ(parse_error(""), kNotANumber);
  for (const char* text : {"abc",
                           " 5",
                           "5 ",
                           "1_000",
                           "NaN",
                           "Infinity",
                           "1e",
                           "1e+",
                           ".",
                           "-",
                           "+",
                           "+e2",
                           "1+2",
                           "1.2.3",
                           "++5",
                           "0x10",
                           "1,5",
                           "--1",
                           "e5",
                           "1e5.5",
                           "1e9223372036854775808",
                           "1e-9223372036854775809",
                           "1e+-5",
                           "1e--5"}) {
    EXPECT_EQ(parse_error(text), std::string(kNotANumber) + ": " + text);
  }
}

TEST(Number, RefusesWhatIsOutOfRange) {
  EXPECT_EQ(parse_error("123456789012345678901234567890123456789"), kTooLong);
  EXPECT_EQ(parse_error("-1.23456789012345678901234567890123456789"), kTooLong);
  for (const char* text : {"1e126", "-1e126", "10e125", "0e126", "1e9223372036854775807"}) {
    EXPECT_EQ(parse_error(text), kOverflow) << text;
  }
  for (const char* text : {"1e-131", "-1e-131", "0.1e-130", "0e-131", "1e-9223372036854775808"}) {
    EXPECT_EQ(parse_error(text), kUnderflow) << text;
  }
  EXPECT_EQ(number("0.0e126").text(), "0");
  EXPECT_EQ(parse_error("0.0e127"), kOverflow);
  EXPECT_EQ(number("9.9999999999999999999999999999999999999E+125").text().size(), 126u);
  EXPECT_EQ(number("-9.9999999999999999999999999999999999999E+125").text().size(), 127u);
}

TEST(Number, ExponentsPastAnIntWrapAroundInBatches) {
  auto refusal = [](std::string_view text, ValueWords words) {
    return Number::parse(text, words).error().message;
  };
  for (const char* text : {"1e2147483647", "10e2147483646", "-1.5e2147483647"}) {
    EXPECT_EQ(refusal(text, ValueWords::kBatch), kUnderflow) << text;
    EXPECT_EQ(refusal(text, ValueWords::kWrite), kOverflow) << text;
    EXPECT_EQ(refusal(text, ValueWords::kRead), kOverflow) << text;
  }
  EXPECT_EQ(refusal("1e126", ValueWords::kBatch), kOverflow);
  EXPECT_EQ(refusal("1e2147483646", ValueWords::kBatch), kOverflow);
}

TEST(Number, OrderedBytesArePersistedAsTheyAre) {
  EXPECT_EQ(hex(ordered(number("0"))), "80");
  EXPECT_EQ(hex(ordered(number("1"))), "c0820b");
  EXPECT_EQ(hex(ordered(number("-1"))), "407df4ff");
  EXPECT_EQ(hex(ordered(number("12.5"))), "c0830d33");
  EXPECT_EQ(hex(ordered(number("-12.5"))), "407cf2ccff");
  EXPECT_EQ(hex(ordered(number("1E-130"))), "c0000b");
  EXPECT_EQ(hex(ordered(number("9.9999999999999999999999999999999999999E+125"))),
            "c0ff" + std::string("64646464646464646464646464646464646464"));
  EXPECT_EQ(hex(ordered(number("-9.9999999999999999999999999999999999999E+125"))),
            "4000" + std::string("9b9b9b9b9b9b9b9b9b9b9b9b9b9b9b9b9b9b9b"));
}

TEST(Number, RefusesOrderedBytesThatItDoesNotWrite) {
  for (std::string_view bytes :
       {"", "\x80\x80", "\xc0", "\xc0\x82", "\x40\x7d\xf4", "\x40\x7d\xff", "\x01\x82\x0b",
        "\xc0\x82\x65", "\xc0\x82\x02", "\xc0\x82\x0b\x01", "\x40\x7d\xf4\xff\xff"}) {
    Result<Number> read = Number::from_ordered(bytes);
    ASSERT_FALSE(read.has_value()) << hex(bytes);
    EXPECT_EQ(read.error().code, ErrorCode::kCorruption);
  }
}

TEST(Number, ChargesHalfAByteADigit) {
  const std::pair<const char*, size_t> cases[] = {
      {"0", 1},
      {"1", 2},
      {"42", 2},
      {"-42", 3},
      {"120", 2},
      {"121", 3},
      {"0.5", 2},
      {"1.5", 3},
      {"0.0001", 2},
      {"-123.456", 6},
      {"12345678901234567890123456789012345678", 20},
  };
  for (const auto& [text, size] : cases) EXPECT_EQ(number(text).charged_size(), size) << text;
}

// Random text of a number that the fixed-point model can hold, often near another's size.
std::string random_number(Random& random) {
  std::string text = random.one_in(2) ? "-" : "";
  const size_t integer = random.below(20), fraction = random.below(18);
  for (size_t i = 0; i < integer; ++i) text += static_cast<char>('0' + random.below(10));
  if (integer == 0) text += '0';
  if (fraction > 0) text += '.';
  for (size_t i = 0; i < fraction; ++i)
    text += static_cast<char>('0' + random.below(random.one_in(2) ? 2 : 10));
  if (random.one_in(2)) text += "e" + std::to_string(static_cast<int>(random.below(20)) - 10);
  if (random.one_in(16)) return random.one_in(2) ? "0" : "-0.00";
  if (random.one_in(16)) return "1e" + std::to_string(static_cast<int>(random.below(256)) - 130);
  return text;
}

TEST(Number, OrdersAndAddsAsFixedPointArithmeticDoes) {
  const uint64_t seed = random_seed();
  std::cout << "seed " << seed << "\n";
  Random random(seed);
  for (int round = 0; round < 20000; ++round) {
    const std::string a_text = random_number(random), b_text = random_number(random);
    SCOPED_TRACE(a_text + " and " + b_text);
    const Number a = number(a_text), b = number(b_text);
    const FixedPoint model_a = FixedPoint::of(a_text), model_b = FixedPoint::of(b_text);
    const int sign = model_a.compare(model_b);

    ASSERT_EQ((a <=> b) < 0, sign < 0);
    ASSERT_EQ((a <=> b) > 0, sign > 0);
    const int byte_order = ordered(a).compare(ordered(b));
    ASSERT_EQ(byte_order < 0, sign < 0);
    ASSERT_EQ(byte_order == 0, sign == 0);

    ASSERT_EQ(FixedPoint::of(a.text()).compare(model_a), 0);
    ASSERT_EQ(number(a.text()), a);
    ASSERT_EQ(Number::from_ordered(ordered(a)).value(), a);
    ASSERT_LE(ordered(a).size(), 21u);

    const FixedPoint model_sum = model_a.plus(model_b);
    Result<Number> sum = Number::add(a, b);
    if (model_sum.significant_digits() > 38) {
      ASSERT_FALSE(sum.has_value());
      ASSERT_EQ(sum.error().message, kOverflow);
      continue;
    }
    ASSERT_TRUE(sum.has_value()) << sum.error().message;
    ASSERT_EQ(FixedPoint::of(sum->text()).compare(model_sum), 0);
    ASSERT_EQ(Number::subtract(*sum, b).value(), a);
  }
}

TEST(Number, ArithmeticThatLeavesTheRangeIsRefused) {
  const Number greatest = number("9.9999999999999999999999999999999999999E+125");
  EXPECT_EQ(Number::add(greatest, greatest).error().message, kOverflow);
  EXPECT_EQ(Number::add(greatest, number("1")).error().message, kOverflow);
  EXPECT_EQ(Number::subtract(greatest, greatest).value().text(), "0");
  const Number a = number("1.1E-130");
  EXPECT_EQ(Number::subtract(a, number("1E-130")).error().message, kUnderflow);
}

}  // namespace
}  // namespace millrace
