// How a wait ended, in one number: readiness bits, 0 timed out, negative a failed system call.
#pragma once

#include <cstdint>

namespace fdevent::core {

using Outcome = int32_t;
inline constexpr Outcome kTimedOut = 0;

// What failed, for the error's `syscall`. The numbers are indices into the names the addon exports.
enum class Syscall : uint8_t { create, control, wait, timer, poll, close, read, write };

// errno stays below 4096 on every system (the kernel's ABI reserves that range), so both fit.
constexpr Outcome failed(Syscall syscall, int negated_errno) {
  return -((static_cast<int32_t>(syscall) << 12) | -negated_errno);
}

}  // namespace fdevent::core
