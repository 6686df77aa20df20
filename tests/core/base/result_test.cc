#include "core/base/result.h"

#include "core/base/clock.h"
#include "core/base/random.h"

namespace millrace {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return validation_error("odd");
  return n / 2;
}

Result<int> quarter(int n) {
  ASSIGN_OR_RETURN(const int once, half(n));
  return half(once);
}

Status check_even(int n) {
  RETURN_IF_ERROR(half(n));
  return {};
}

TEST(Result, ValuesAndErrorsPassThrough) {
  EXPECT_EQ(quarter(12).value(), 3);
  EXPECT_EQ(quarter(6).error().message, "odd");
  EXPECT_TRUE(check_even(2).has_value());
  EXPECT_EQ(check_even(1).error().code, ErrorCode::kValidation);
  Status copy = check_even(1);
  Status second = copy;
  EXPECT_EQ(second.error().message, copy.error().message);
}

TEST(ResultDeathTest, TheWrongSideIsAProgrammersError) {
  EXPECT_DEATH((void)half(1).value(), "has_value");
  EXPECT_DEATH((void)half(2).error(), "has_value");
}

TEST(Clock, TheMonotonicClockNeverFalls) {
  SystemClock clock;
  const int64_t first = clock.monotonic_ns();
  EXPECT_LE(first, clock.monotonic_ns());
  EXPECT_GT(clock.wall_ms(), 1'600'000'000'000);
}

TEST(Random, OneSeedMakesOneRun) {
  Random a(42), b(42);
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(a.next(), b.next());
    ASSERT_LT(a.below(7), 7u);
    const double fraction = b.fraction();
    ASSERT_GE(fraction, 0);
    ASSERT_LT(fraction, 1);
    ASSERT_EQ(b.below(3) < 3, true);
    a = b;
  }
}

}  // namespace
}  // namespace millrace
