// A kqueue, and the two things one does with it: change its list of knotes, and wait. The systems that have kqueue need no
// more than this; on Linux backend/libkqueue.h takes its place.
#pragma once

#include <fcntl.h>
#include <sys/event.h>
#include <unistd.h>

#include "sys/call.h"
#include "sys/unique_fd.h"

namespace fdevent::backend {

using Change = struct kevent;

class Queue {
 public:
  int open() {
    const int queue = sys::call([] { return ::kqueue(); });
    if (queue < 0) {
      return queue;
    }
    queue_.reset(queue);
    // A child of fork(2) does not inherit it; a program that replaces itself by exec(2) would.
    return sys::call([queue] { return ::fcntl(queue, F_SETFD, FD_CLOEXEC); });
  }

  int fd() const { return queue_.get(); }
  bool owns(int fd) const { return fd == queue_.get(); }

  // Makes all changes, whether or not one before it failed. The result of each stands in its `data`: 0, or a positive errno.
  void change(Change* changes, int count) {
#ifdef EV_RECEIPT
    for (int i = 0; i < count; ++i) {
      changes[i].flags |= EV_RECEIPT;
    }
    // As many results as changes are asked for, so no event is fetched on this occasion.
    const timespec zero{};
    const int made = ::kevent(queue_.get(), changes, count, changes, count, &zero);
    const int error = made < 0 ? errno : 0;
    for (int i = 0; i < count; ++i) {
      const bool reported = i < made && (changes[i].flags & EV_ERROR) != 0;
      changes[i].data = reported ? changes[i].data : error;
    }
#else
    for (int i = 0; i < count; ++i) {
      const int made =
          sys::call([&] { return ::kevent(queue_.get(), &changes[i], 1, nullptr, 0, nullptr); });
      changes[i].data = -made;
    }
#endif
  }

  // How many knotes fired, or a negated errno; no `timeout` blocks.
  int wait(Change* fired, int capacity, const timespec* timeout) {
    return sys::call([&] { return ::kevent(queue_.get(), nullptr, 0, fired, capacity, timeout); });
  }

  // Takes over another's knotes under the same number.
  int replace(Queue&& fresh) {
    const int moved = sys::call([&] { return ::dup2(fresh.queue_.get(), queue_.get()); });
    return moved < 0 ? moved
                     : sys::call([&] { return ::fcntl(queue_.get(), F_SETFD, FD_CLOEXEC); });
  }

  int join(int outer) const {
    Change change{};
    change.ident = static_cast<uintptr_t>(queue_.get());
    change.filter = EVFILT_READ;
    change.flags = EV_ADD;
    return sys::call([&] { return ::kevent(outer, &change, 1, nullptr, 0, nullptr); });
  }

 private:
  sys::UniqueFd queue_;
};

}  // namespace fdevent::backend
