#include "core/base/clock.h"

#include <time.h>

#include <chrono>

#include "core/base/check.h"

namespace millrace {

int64_t SystemClock::wall_ms() const {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

int64_t SystemClock::monotonic_ns() const {
  // Counts while the machine sleeps, unlike steady_clock: sleeping is no jump of the wall clock.
  timespec now;
  CHECK(clock_gettime(CLOCK_BOOTTIME, &now) == 0);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace millrace
