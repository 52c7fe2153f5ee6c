#include "sys/clock.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

namespace fdevent::sys {
namespace {

TEST_CASE("the clock does not run backwards and counts nanoseconds") {
  const Nanoseconds before = monotonic_now();
  timespec pause = to_timespec(2'000'000);
  while (nanosleep(&pause, &pause) != 0) {
  }
  CHECK(monotonic_now() - before >= 2'000'000);
}

TEST_CASE("a deadline is the present plus the time asked for") {
  CHECK(deadline_after(0, 5) == 5);
  CHECK(deadline_after(1, 5) == 1'000'000'005);
  CHECK(deadline_after(0.25, 0) == 250'000'000);
  CHECK(deadline_after(1e-9, 0) == 1);
  CHECK(deadline_after(86400.0 * 365, 7) == 31'536'000'000'000'007);
}

TEST_CASE("fractions of a nanosecond are rounded up") {
  CHECK(deadline_after(0.1e-9, 10) == 11);
  CHECK(deadline_after(1.5e-9, 10) == 12);
  CHECK(deadline_after(1.0000000001, 0) == 1'000'000'001);
  CHECK(deadline_after(std::numeric_limits<double>::min(), 10) == 11);
  CHECK(deadline_after(std::numeric_limits<double>::denorm_min(), 10) >= 10);
}

TEST_CASE("from 2^62 nanoseconds on a deadline never comes") {
  const double limit = 0x1p62 / 1e9;
  CHECK(deadline_after(limit * 2, 0) == kNever);
  CHECK(deadline_after(limit * 1.0000001, 0) == kNever);
  CHECK(deadline_after(1e300, 0) == kNever);
  CHECK(deadline_after(std::numeric_limits<double>::max(), 1) == kNever);
  CHECK(deadline_after(std::numeric_limits<double>::infinity(), 1) == kNever);
  CHECK(deadline_after(std::numeric_limits<double>::quiet_NaN(), 1) == kNever);
}

TEST_CASE("below 2^62 nanoseconds a deadline fits the kernel's signed time") {
  const Nanoseconds now = monotonic_now();
  const Nanoseconds deadline = deadline_after(0x1p62 / 1e9 * 0.9999999, now);
  CHECK(deadline != kNever);
  CHECK(deadline > now);
  CHECK(deadline < static_cast<Nanoseconds>(INT64_MAX));
}

TEST_CASE("time is split into seconds and nanoseconds") {
  CHECK(to_timespec(0).tv_sec == 0);
  CHECK(to_timespec(999'999'999).tv_nsec == 999'999'999);
  CHECK(to_timespec(999'999'999).tv_sec == 0);
  CHECK(to_timespec(3'000'000'001).tv_sec == 3);
  CHECK(to_timespec(3'000'000'001).tv_nsec == 1);
}

}  // namespace
}  // namespace fdevent::sys
