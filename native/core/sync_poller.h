// The poller that a caller drives itself: descriptors are added once and reported until they are
// removed, and wait() blocks the thread. No queue, no deadlines: the caller's buffer is filled
// straight from the kernel's.
#pragma once

#include <vector>

#include "core/registry.h"
#include "core/slots.h"

namespace fdevent::core {

class SyncPoller {
 public:
  struct Ready {
    int32_t fd;
    int32_t readiness;
  };

  // All return 0 or a failure.
  Outcome open();
  Outcome add(int fd, Interest interest, Wait::Kind kind);  // EEXIST: added already
  Outcome modify(int fd, Interest interest,
                 Wait::Kind kind);  // ENOENT: not added; re-arms a one-shot
  Outcome remove(int fd);           // ENOENT: not added

  // Fills in up to `capacity` descriptors and returns how many, 0 after the timeout or a
  // notification, or a failure. A signal that interrupts the wait does not shorten it.
  int wait(Ready* ready, int capacity, double seconds);

  int fd() { return registry_.backend().fd(); }
  // The descriptor for Backend::wake(), or a negated errno.
  int enable_wake() { return registry_.backend().enable_wake(); }

 private:
  int translate(int count, Ready* ready);
  void forget_vanished();

  Slots slots_;
  std::vector<Slot> vanished_;
  Registry registry_{slots_, vanished_};
  std::vector<backend::Event> events_;
};

}  // namespace fdevent::core
