// A descriptor that becomes readable when a process ends, whoever's child it is.
#pragma once

namespace fdevent::sys {

// Returns the descriptor, close-on-exec, or a negated errno: ESRCH where there is no such process (any more).
int open_process(int pid);
#ifdef __linux__
inline constexpr const char* kOpenProcess = "pidfd_open";
#else
inline constexpr const char* kOpenProcess = "kevent";
#endif

}  // namespace fdevent::sys
