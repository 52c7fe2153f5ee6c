// The vocabulary every layer shares: readiness bits, interest, and select(2)'s rule that joins
// them.
#pragma once

#include <cstdint>

namespace fdevent {

// The same numbers as the package's READABLE, WRITABLE, PRIORITY, HANGUP and ERROR constants.
using Readiness = uint32_t;
inline constexpr Readiness kReadable = 1;
inline constexpr Readiness kWritable = 2;
inline constexpr Readiness kPriority = 4;
inline constexpr Readiness kHangup = 8;
inline constexpr Readiness kError = 16;

// The bits a caller may ask for. Hangup and error are always reported, as by poll(2).
using Interest = uint32_t;
inline constexpr Interest kInterestMask = kReadable | kWritable | kPriority;

// What of `interest` select(2) would report for a descriptor in this state (Linux fs/select.c:
// POLLIN_SET, POLLOUT_SET, POLLEX_SET): a hangup is readable but not writable, an error is both,
// and only out-of-band data is exceptional.
constexpr Interest selected(Readiness ready, Interest interest) {
  Interest answer = ready & kPriority;
  if (ready & (kReadable | kHangup | kError)) {
    answer |= kReadable;
  }
  if (ready & (kWritable | kError)) {
    answer |= kWritable;
  }
  return answer & interest;
}

}  // namespace fdevent
