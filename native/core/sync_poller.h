// The poller that a caller drives itself: descriptors are added once and reported until they are
// removed, and wait() blocks the thread. No queue, no deadlines: the caller's buffer is filled
// straight from the kernel's.
#pragma once

#include <memory>
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
  // After a quarter of a second wait() returns kUnfinished, for the caller to go on with resume(): a thread that never comes
  // back from the kernel can be neither terminated nor joined, and would hang the process's end.
  int resume(Ready* ready, int capacity);
  static constexpr int kUnfinished = INT32_MIN;

  // A descriptor for other loops, or a failure: readable when wait() would return at once. It is a poller around this one,
  // because this one may have to be replaced (see Registry::rebuild), which what it is nested in must not notice.
  int fd();
  // The descriptor for Backend::wake(), or a negated errno.
  int enable_wake() { return registry_.backend().enable_wake(); }

 private:
  static constexpr sys::Nanoseconds kSlice = 250'000'000;

  struct Asked {
    int count;  // filled in, or a failure
    bool woken;
  };

  int wait_from(sys::Nanoseconds now, Ready* ready, int capacity);
  Asked ask(sys::Nanoseconds span, Ready* ready, int capacity);
  int translate(int count, Ready* ready);
  void forget_vanished();

  Slots slots_;
  std::vector<Slot> vanished_;
  Registry registry_{slots_, vanished_};
  std::unique_ptr<backend::Backend> facade_;
  std::vector<backend::Event> events_;
  sys::Nanoseconds deadline_ = 0;
};

}  // namespace fdevent::core
