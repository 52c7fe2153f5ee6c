#include "core/sync_poller.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace fdevent::core {

Outcome SyncPoller::open() {
  const int opened = registry_.backend().open();
  return opened < 0 ? failed(Syscall::create, opened) : 0;
}

int SyncPoller::fd() {
  if (!facade_) {
    auto facade = std::make_unique<backend::Backend>();
    const int opened = facade->open();
    const int joined = opened < 0 ? opened : registry_.backend().join(facade->fd());
    if (joined < 0) {
      return failed(Syscall::create, joined);
    }
    facade_ = std::move(facade);
  }
  return facade_->fd();
}

Outcome SyncPoller::add(int fd, Interest interest, Wait::Kind kind) {
  if (registry_.backend().owns(fd) || (facade_ && facade_->owns(fd))) {
    return failed(Syscall::control, -EINVAL);
  }
  // A number that was closed without a word, and is another object now, may be added.
  if (registry_.first(fd) != kNoSlot && !registry_.replaced(fd)) {
    return failed(Syscall::control, -EEXIST);
  }
  forget_vanished();
  const Slot slot = slots_.take();
  Wait& wait = slots_[slot];
  wait.fd = fd;
  wait.interest = interest | kAnyway;
  wait.kind = kind;
  wait.state = Wait::State::pending;
  Outcome outcome = registry_.enlist(slot);
  if (outcome > 0 || (outcome == Registry::kListed && !registry_.registered(fd))) {
    outcome = failed(Syscall::control, -EPERM);
    registry_.unlink(slot);
  }
  if (outcome != Registry::kListed) {
    slots_.release(slot);
  }
  return outcome;
}

Outcome SyncPoller::modify(int fd, Interest interest, Wait::Kind kind) {
  const Slot slot = registry_.first(fd);
  if (slot == kNoSlot) {
    return failed(Syscall::control, -ENOENT);
  }
  const bool still_there = registry_.update(slot, kind, interest | kAnyway);
  forget_vanished();
  return still_there ? 0 : failed(Syscall::control, -ENOENT);
}

Outcome SyncPoller::remove(int fd) {
  const Slot slot = registry_.first(fd);
  if (slot == kNoSlot) {
    return failed(Syscall::control, -ENOENT);
  }
  // Closed before it was removed: it is gone either way.
  registry_.withdraw(fd);
  registry_.unlink(slot);
  slots_.release(slot);
  return 0;
}

int SyncPoller::wait(Ready* ready, int capacity, double seconds) {
  if (events_.size() < static_cast<size_t>(capacity)) {
    events_.resize(static_cast<size_t>(capacity));
  }
  // A busy poller has something to report, which needs neither the clock nor a timer of the kernel's;
  // before a sleep the question costs nothing that counts.
  const Asked asked = ask(0, ready, capacity);
  if (asked.count != 0 || asked.woken || seconds == 0) {
    return asked.count;
  }
  const sys::Nanoseconds now = sys::monotonic_now();
  deadline_ = sys::deadline_after(seconds, now);
  return wait_from(now, ready, capacity);
}

int SyncPoller::resume(Ready* ready, int capacity) {
  return wait_from(sys::monotonic_now(), ready, capacity);
}

int SyncPoller::wait_from(sys::Nanoseconds now, Ready* ready, int capacity) {
  const sys::Nanoseconds pause = std::min(deadline_, now + kSlice);
  for (;;) {
    const Asked asked = ask(pause > now ? pause - now : 0, ready, capacity);
    if (asked.count != 0 || asked.woken) {
      return asked.count;
    }
    // A signal, a stale event, or a kernel that woke a little early.
    now = sys::monotonic_now();
    if (now >= pause) {
      return now >= deadline_ ? 0 : kUnfinished;
    }
  }
}

SyncPoller::Asked SyncPoller::ask(sys::Nanoseconds span, Ready* ready, int capacity) {
  const backend::Waited waited = registry_.wait(events_.data(), capacity, span);
  if (waited.count < 0 && waited.count != -EINTR) {
    return {failed(Syscall::wait, waited.count), false};
  }
  return {translate(waited.count, ready), waited.woken};
}

int SyncPoller::translate(int count, Ready* ready) {
  int filled = 0;
  for (int i = 0; i < count; ++i) {
    const backend::Event& event = events_[static_cast<size_t>(i)];
    const int fd = registry_.match(event);
    const Slot slot = fd < 0 ? kNoSlot : registry_.first(fd);
    if (slot == kNoSlot) {
      continue;
    }
    const Readiness readiness = answer(event.ready, slots_[slot].interest);
    if (readiness) {
      ready[filled++] = {fd, static_cast<int32_t>(readiness)};
    }
    if (slots_[slot].kind == Wait::Kind::level) {
      registry_.rearm(fd, event.ready);
    }
  }
  forget_vanished();
  if (registry_.haunted()) {
    registry_.rebuild();
    if (facade_) {
      static_cast<void>(registry_.backend().join(facade_->fd()));
    }
    forget_vanished();
  }
  return filled;
}

// What was found gone is as if it had been removed.
void SyncPoller::forget_vanished() {
  for (const Slot slot : vanished_) {
    slots_.release(slot);
  }
  vanished_.clear();
}

}  // namespace fdevent::core
