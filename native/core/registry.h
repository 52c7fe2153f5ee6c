// How each descriptor stands with one poller of the kernel: one registration per number, armed for
// exactly what the waits and watches on it want.
//
// Hazard: a program may close a number, or put another object there, without a word. Then the
// kernel's registration is gone, or lives on under a number that means something else (while a
// duplicate keeps the file open), and the table below is wrong. Rule: every new wait, every
// deadline and every 64th event of a level watch makes a call that names (number, open file); the
// kernel answers ENOENT, EBADF or EPERM where they no longer match, and whoever waited on the
// vanished registration fails. In between, a left-over one-shot registration costs one event at
// most, and the generation in its tag, a new one with every call, tells it apart; a left-over
// persistent one cannot be removed under its number any more, so rebuild() leaves it behind with
// the poller it is in.
#pragma once

#include <sys/types.h>

#include <unordered_map>
#include <utility>
#include <vector>

#include "backend/selected.h"
#include "core/fd_table.h"
#include "core/outcome.h"
#include "core/slots.h"

namespace fdevent::core {

// No registration has this generation: tags for what is not a user's descriptor.
inline constexpr uint32_t kReservedGeneration = UINT32_MAX;

class Registry {
 public:
  // What enlist() returns beside readiness bits (always ready: select(2) never blocks on it) and
  // failures.
  static constexpr Outcome kListed = 0;
  static constexpr Outcome kTaken =
      INT32_MIN;  // needs a poller of its own: see Descriptor::exclusive

  // `vanished` collects waits whose registration was found gone, already off their lists, for the
  // caller to fail. Failing them on the spot, in the middle of another descriptor's work, would
  // recurse without bound.
  Registry(Slots& slots, std::vector<Slot>& vanished) : slots_(slots), vanished_(vanished) {}

  backend::Backend& backend() { return backend_; }

  // Puts a pending wait or watch on its descriptor's list and arms the kernel for it, with one
  // system call in the steady state. Only after kListed is it on the list.
  Outcome enlist(Slot slot);
  void unlink(Slot slot);

  // Changes what a listed watch wants and how it is told. False where the number no longer is what
  // was registered; the watch is then among the vanished.
  bool update(Slot slot, Wait::Kind kind, Interest interest);

  // Asks the kernel.
  backend::Waited wait(backend::Event* events, int capacity, sys::Nanoseconds timeout);
  // The descriptor an event belongs to, or -1 for a stale event.
  int match(const backend::Event& event);

  // After a wait has left the list: narrows the registration to what the others want.
  void narrow(int fd) { sync(fd, Reason::left, 0); }
  // The same, and false where the number no longer is what was registered.
  bool verify(int fd) { return sync(fd, Reason::verify, 0); }
  // After an event: arms what is left on the list.
  void rearm(int fd, Readiness after) { sync(fd, Reason::event, after); }
  // Of an exclusive registration: how its one owner is told from now on, and of what. False as by
  // verify().
  bool pace(int fd, backend::Trigger trigger, Interest interest);
  // Whether it is told as long as the state lasts.
  bool level(int fd) {
    const Descriptor* descriptor = table_.find(fd);
    return descriptor && descriptor->registered && descriptor->trigger == backend::Trigger::level;
  }
  // Whether a number with somebody on its list no longer is what was registered; they have vanished
  // then. Unlike verify(), it leaves a registration that is there as it is.
  bool replaced(int fd);
  // Ends the registration; the list stays.
  void withdraw(int fd);

  // An event came from a registration that cannot be removed any more.
  bool haunted() const { return haunted_; }
  // Moves all living registrations to a new poller under the old descriptor. False: the system has
  // none to give.
  bool rebuild();

  bool registered(int fd) {
    const Descriptor* descriptor = table_.find(fd);
    return descriptor && descriptor->registered;
  }

  Slot first(int fd) {
    const Descriptor* descriptor = table_.find(fd);
    return descriptor ? descriptor->first : kNoSlot;
  }

  struct Count {
    int registered = 0;  // descriptors the kernel knows
    int armed = 0;       // of those, the ones it will report
  };
  Count count();

 private:
  enum class Reason { left, event, verify };

  bool sync(int fd, Reason reason, Readiness after);
  bool arm(int fd, Descriptor& descriptor, Interest interest, backend::Trigger trigger);
  backend::Trigger trigger(const Descriptor& descriptor, Reason reason, Readiness after) const;
  Interest wanted(const Descriptor& descriptor) const;
  void append(Descriptor& descriptor, Slot slot);
  void vanish(Descriptor& descriptor);
  bool remove(int fd, Descriptor& descriptor);
  bool impostor(int fd, const Descriptor& descriptor) const;
  uint32_t next_generation();

  backend::Backend backend_;
  Slots& slots_;
  std::vector<Slot>& vanished_;
  FdTable table_;
  std::unordered_map<int, std::pair<dev_t, ino_t>> identities_;  // of ambiguous descriptors
  uint32_t generation_ = 0;
  uint32_t mark_ = 0;  // the generation when the present batch was fetched
  bool haunted_ = false;
};

}  // namespace fdevent::core
