// What a backend is: a thin, complete translation of one kernel interface. It holds no policy,
// remembers of a descriptor no more than the kernel will not tell, and returns negated errno values
// as the kernel gave them.
//
// A backend file defines `fdevent::backend::Backend` with the members that `is_backend` below
// demands; the build names the file in FDEVENT_BACKEND_HEADER, so no other file knows which one it
// is.
#pragma once

#include <cstdint>
#include <type_traits>

#include "sys/clock.h"
#include "sys/readiness.h"

namespace fdevent::backend {

enum class Trigger : uint8_t {
  one_shot,  // disarmed by its first event
  edge,      // an event per change of state
  level,     // an event per wait while the state lasts
};

// The owner's mark on a registration; it comes back with every event. Backends keep the tags whose
// upper 32 bits are 0 to themselves.
using Tag = uint64_t;

struct Event {
  Tag tag;
  Readiness ready;
  // Interest that this event disarmed if the registration was one-shot. Both backends answer for
  // all of it: what else of it kqueue's filters may still bring, up to an event each, finds nothing
  // armed.
  Interest spent;
};

struct Waited {
  int count;         // events filled in, or a negated errno
  bool timer_fired;  // the time programmed with set_timer has come
  bool woken;        // wake() was called
};

// The members, with their contract:
//   int open()                                  0 or -errno; call once, before anything else
//   int replace(Backend&& fresh)                takes over another's registrations under the same fd()
//   int join(int outer) const                   registers fd() with another poller of the same kind
//   int mute(int outer, bool muted) const       whether that other one hears of fd(); what it misses meanwhile it hears afterwards
//   int fd() const                              the kernel object itself, pollable by another loop
//   bool owns(int fd) const                     one of the backend's own descriptors
//   int add(int fd, Interest, Trigger, Tag)     -EEXIST where it is registered already
//   int modify(int fd, Interest, Trigger, Tag)  -ENOENT where it is not; re-arms, and looks afresh
//   int remove(int fd)                          -ENOENT where it is not
//   int set_timer(Nanoseconds)                  absolute; replaces the former; kNever stops it
//   int enable_wake()                           the descriptor to give to wake(), or -errno
//   static int wake(int)                        any thread: the present or the next wait returns
//   Waited wait(Event*, int, Nanoseconds)       a span; 0 asks without blocking, kNever blocks
//   static constexpr const char* kName, and kCreate, kControl, kWait, kTimer: the system calls'
//   names, for error messages
template <typename B, typename = void>
struct is_backend : std::false_type {};

template <typename B>
struct is_backend<
    B, std::enable_if_t<
           std::is_same_v<decltype(&B::open), int (B::*)()> &&
           std::is_same_v<decltype(&B::replace), int (B::*)(B&&)> &&
           std::is_same_v<decltype(&B::join), int (B::*)(int) const> &&
           std::is_same_v<decltype(&B::mute), int (B::*)(int, bool) const> &&
           std::is_same_v<decltype(&B::fd), int (B::*)() const> &&
           std::is_same_v<decltype(&B::owns), bool (B::*)(int) const> &&
           std::is_same_v<decltype(&B::add), int (B::*)(int, Interest, Trigger, Tag)> &&
           std::is_same_v<decltype(&B::modify), int (B::*)(int, Interest, Trigger, Tag)> &&
           std::is_same_v<decltype(&B::remove), int (B::*)(int)> &&
           std::is_same_v<decltype(&B::set_timer), int (B::*)(sys::Nanoseconds)> &&
           std::is_same_v<decltype(&B::enable_wake), int (B::*)()> &&
           std::is_same_v<decltype(&B::wake), int (*)(int)> &&
           std::is_same_v<decltype(&B::wait), Waited (B::*)(Event*, int, sys::Nanoseconds)> &&
           std::is_same_v<decltype(B::kName), const char* const> &&
           std::is_same_v<decltype(B::kCreate), const char* const> &&
           std::is_same_v<decltype(B::kControl), const char* const> &&
           std::is_same_v<decltype(B::kWait), const char* const> &&
           std::is_same_v<decltype(B::kTimer), const char* const>>> : std::true_type {};

}  // namespace fdevent::backend
