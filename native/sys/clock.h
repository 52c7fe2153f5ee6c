// Monotonic time in nanoseconds, and the one conversion from the caller's seconds.
#pragma once

#include <cmath>
#include <cstdint>
#include <ctime>

namespace fdevent::sys {

using Nanoseconds = uint64_t;
// A deadline that never comes.
inline constexpr Nanoseconds kNever = UINT64_MAX;

inline Nanoseconds monotonic_now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<Nanoseconds>(now.tv_sec) * 1'000'000'000 +
         static_cast<Nanoseconds>(now.tv_nsec);
}

// Rounds up, so that a wait is never early, and saturates to "never" above 2^62 ns (146 years),
// where the kernel's signed 64-bit nanoseconds would be near overflow.
inline Nanoseconds deadline_after(double seconds, Nanoseconds now) {
  const double nanoseconds = std::ceil(seconds * 1e9);
  if (!(nanoseconds < 0x1p62)) {
    return kNever;
  }
  return now + static_cast<Nanoseconds>(nanoseconds);
}

inline timespec to_timespec(Nanoseconds time) {
  timespec result;
  result.tv_sec = static_cast<time_t>(time / 1'000'000'000);
  result.tv_nsec = static_cast<long>(time % 1'000'000'000);
  return result;
}

}  // namespace fdevent::sys
