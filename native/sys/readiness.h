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

// What a caller asks for, in the same bits. The kernel reports hangup and error whether asked or
// not; who names them in the interest asks for poll(2)'s answer, who does not for select(2)'s.
using Interest = uint32_t;
inline constexpr Interest kAnyway = kHangup | kError;

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

// What a wait or a watch with this interest is told; 0: it goes on waiting.
constexpr Readiness answer(Readiness ready, Interest interest) {
  return interest & kAnyway ? ready & interest : selected(ready, interest);
}

}  // namespace fdevent
