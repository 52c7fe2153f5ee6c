// System calls return a value or a negated errno here: one number carries both, and nothing reads
// `errno` after other code had a chance to overwrite it.
#pragma once

#include <cerrno>

namespace fdevent::sys {

// For calls that EINTR never interrupts, or whose interruption the caller wants to see.
template <typename Call>
int call(Call&& syscall) {
  const auto result = syscall();
  return result < 0 ? -errno : static_cast<int>(result);
}

// For calls that are simply made again when a signal handler ran.
template <typename Call>
int retry(Call&& syscall) {
  int result;
  do {
    result = call(syscall);
  } while (result == -EINTR);
  return result;
}

}  // namespace fdevent::sys
