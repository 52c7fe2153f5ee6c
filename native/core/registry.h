// How each descriptor stands with the kernel: one registration per number, armed for exactly what
// the waits on it still want.
//
// Hazard: a program may close a number, or put another object there, without a word. Then the
// kernel's registration is gone, or lives on under a number that means something else, and the
// table below is wrong. Rule: every new wait and every deadline makes a call that names (number,
// open file); the kernel answers ENOENT, EBADF or EPERM where they no longer match, and all waits
// of the vanished registration fail. In between, a left-over one-shot registration costs one event
// at most, and the generation in its tag tells it apart.
#pragma once

#include <vector>

#include "backend/selected.h"
#include "core/fd_table.h"
#include "core/outcome.h"
#include "core/slots.h"

namespace fdevent::core {

class Registry {
 public:
  Registry(backend::Backend& backend, Slots& slots) : backend_(backend), slots_(slots) {}

  // Puts a pending wait on its descriptor's list and arms the kernel for it, with one system call
  // in the steady state. Returns kTimedOut (0) when the wait has to wait, kReady when select(2)
  // calls this descriptor always ready, or the failure; only after 0 is the wait on the list.
  Outcome enlist(Slot slot);
  void unlink(Slot slot);

  // The descriptor an event belongs to, or -1 for a stale event.
  int match(const backend::Event& event);

  // Narrows the registration to what the remaining waits want.
  void narrow(int fd) { sync(fd, backend::Trigger::one_shot, Reason::wait_left); }
  // Arms it again after an event. After a hangup or an error that answers none of the remaining
  // waits, one-shot would fire at once and forever; edge-triggered, the kernel speaks up when the
  // state changes, which is when select(2) would look again.
  void rearm(int fd, Readiness after) {
    sync(fd, after & (kHangup | kError) ? backend::Trigger::edge : backend::Trigger::one_shot,
         Reason::event);
  }
  // As narrow(), and false where the number no longer is what was registered.
  bool verify(int fd) { return sync(fd, backend::Trigger::one_shot, Reason::deadline); }
  // Ends the registration; the list stays.
  void withdraw(int fd);

  // Waits whose registration was found gone, already off their lists, for the caller to fail.
  // Failing them on the spot, in the middle of another descriptor's work, would recurse without
  // bound.
  bool next_vanished(Slot* slot);

  Slot first(int fd) {
    const Descriptor* descriptor = table_.find(fd);
    return descriptor ? descriptor->first : kNoSlot;
  }

  struct Count {
    int registered = 0;  // descriptors the kernel knows
    int armed = 0;       // of those, the ones it will report
  };
  Count count() const;

 private:
  enum class Reason { wait_left, event, deadline };

  bool sync(int fd, backend::Trigger trigger, Reason reason);
  void append(Descriptor& descriptor, Slot slot);
  void vanish(Descriptor& descriptor);
  Interest wanted(const Descriptor& descriptor) const;

  backend::Backend& backend_;
  Slots& slots_;
  FdTable table_;
  std::vector<Slot> vanished_;
  uint32_t generation_ = 0;
};

}  // namespace fdevent::core
