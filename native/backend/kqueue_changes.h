// How the interest in a descriptor is said in kqueue's words. For kqueue.cc and kqueue_events.cc only.
#pragma once

#include "backend/kqueue.h"

namespace fdevent::backend {

inline constexpr Interest kFilters = kReadable | kWritable | kPriority;
inline constexpr uintptr_t kTimerIdent = 0;

// Whose width and sign differ from system to system.
using Filter = decltype(Change::filter);
using Flags = decltype(Change::flags);

// Out-of-band data: macOS and OpenBSD have a filter for it. FreeBSD and NetBSD have none, and do not wake a reader's knote
// either: there a wait for it ends at its deadline, which asks poll(2), and not before.
#if defined(EVFILT_EXCEPT) && defined(NOTE_OOB)
inline constexpr bool kHasPriority = true;
inline constexpr Filter kPriorityFilter = EVFILT_EXCEPT;
inline constexpr unsigned kPriorityNotes = NOTE_OOB;
#else
inline constexpr bool kHasPriority = false;
inline constexpr Filter kPriorityFilter = EVFILT_READ;
inline constexpr unsigned kPriorityNotes = 0;
#endif

inline Filter to_filter(Interest one) {
  if (one == kPriority) {
    return kPriorityFilter;
  }
  return static_cast<Filter>(one == kReadable ? EVFILT_READ : EVFILT_WRITE);
}

inline Interest from_filter(Filter filter) {
  return filter == EVFILT_READ ? kReadable : filter == EVFILT_WRITE ? kWritable : kPriority;
}

inline Change make(int fd, Interest one, unsigned flags) {
  Change change{};
  change.ident = static_cast<uintptr_t>(fd);
  change.filter = to_filter(one);
  change.flags = static_cast<decltype(change.flags)>(flags);
  change.fflags = one == kPriority ? kPriorityNotes : 0;
  return change;
}

// Spans are a day at most, since the systems differ in when they overflow, and who wakes too soon only sleeps again.
inline constexpr sys::Nanoseconds kLongest = 86'400'000'000'000;

}  // namespace fdevent::backend
