#include "backend/kqueue.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "backend/kqueue_changes.h"
#include "sys/call.h"
#include "sys/descriptors.h"
#include "sys/probe.h"

namespace fdevent::backend {
namespace {

// Why a descriptor cannot be registered. select(2) calls regular files and directories ready at any time, where EVFILT_READ
// would wait at the end of the file: they are refused as epoll refuses them, which the core takes for "always ready".
int refusal(int fd) {
  struct stat status {};
  const int found = sys::call([&] { return ::fstat(fd, &status); });
  if (found < 0) {
    return found;
  }
  return S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISBLK(status.st_mode) ? -EPERM : 0;
}

// Devices without a kqueue filter say so in several ways. Those that select(2) finds ready are of the kind of /dev/null; but a
// terminal that kqueue refuses, as macOS does with some, is not ready for all time.
int reason(int fd, int error) {
  // Some of these are the same on some systems, which a list does not mind.
  const int refusals[] = {-EINVAL, -ENODEV, -EOPNOTSUPP, -ENOTSUP, -ENXIO, -ENOTTY};
  if (std::find(std::begin(refusals), std::end(refusals), error) != std::end(refusals)) {
    const int ready = ::isatty(fd) ? 0 : sys::probe(fd, kReadable | kWritable);
    return ready > 0 ? -EPERM : error;
  }
  return error;
}

// Rounded up, since a wait must not end early.
void set_span(Change& change, sys::Nanoseconds span) {
  span = std::clamp<sys::Nanoseconds>(span, 1, kLongest);
#ifdef NOTE_NSECONDS
  change.fflags = NOTE_NSECONDS;
  change.data = static_cast<decltype(change.data)>(span);
#else
  change.data = static_cast<decltype(change.data)>((span + 999'999) / 1'000'000);
#endif
#ifdef NOTE_CRITICAL
  change.fflags |= NOTE_CRITICAL;  // macOS may otherwise let it wait for others
#endif
}

}  // namespace

int Backend::open() {
  return queue_.open();
}

bool Backend::for_end_only(const Registration& registration) {
  return !(registration.interest & (kReadable | kWritable));
}

bool Backend::owns(int fd) const {
  return fd >= 0 && (queue_.owns(fd) || witnesses_.owns(fd) || fd == wake_reader_.get() ||
                     fd == wake_writer_.get());
}

int Backend::change(Changes& changes) {
  queue_.change(changes.data(), static_cast<int>(changes.size()));
  for (const Change& made : changes) {
    if (made.data != 0) {
      return -static_cast<int>(made.data);
    }
  }
  return 0;
}

// The filters to be enabled for what is wanted.
Interest Backend::filters(const Registration& registration) const {
  Interest filters = registration.interest & kFilters & ~registration.refused;
  if ((registration.refused & kWritable) && (registration.interest & kWritable)) {
    // The other end of a pipe is gone, so there is nothing to write to, which select(2) calls writable. The end of what can be
    // read from it is the event in that place.
    filters |= kReadable;
  }
  if (!(filters & (kReadable | kWritable)) && (registration.interest & kAnyway)) {
    filters |= kReadable;  // for its EV_EOF: hangups are told unasked
  }
  return filters;
}

Flags Backend::flags(const Registration& registration) const {
  // A filter for reading, of which only the end is wanted, would fire for data that nobody is going to read.
  if (registration.trigger == Trigger::edge || (for_end_only(registration) && !registration.hung)) {
    return EV_CLEAR;
  }
  return registration.trigger == Trigger::one_shot ? EV_DISPATCH : 0;
}

int Backend::attach(int fd, Registration& registration, Interest filters) {
  for (const Interest one : {kReadable, kWritable, kPriority}) {
    // Reading first, and always: it is the witness.
    if (!(one == kReadable || (filters & one)) || (registration.attached & one)) {
      continue;
    }
    if (one == kPriority && !kHasPriority) {
      registration.refused |= kPriority;
      continue;
    }
    Changes changes{
        make(fd, one, EV_ADD | ((filters & one) ? EV_ENABLE : EV_DISABLE) | flags(registration))};
    const int added = change(changes);
    if (added == 0) {
      registration.attached |= one;
    } else if (one == kPriority) {
      registration.refused |= kPriority;  // only sockets and terminals have it
    } else if (one == kWritable && added == -EPIPE) {
      registration.refused |= kWritable;
      if (!(filters & kReadable)) {
        Changes instead{make(fd, kReadable, EV_ENABLE | flags(registration))};
        const int enabled = change(instead);
        if (enabled < 0) {
          return enabled;
        }
      }
    } else {
      return reason(fd, added);
    }
  }
  if (registration.trigger != Trigger::edge) {
    return 0;
  }
  if (witnesses_.fd() < 0) {
    const int opened = witnesses_.open();
    if (opened < 0) {
      return opened;
    }
  }
  Change witness = make(fd, kReadable, EV_ADD | EV_DISABLE);
  witnesses_.change(&witness, 1);
  return -static_cast<int>(witness.data);
}

// Deletes all filters. The result is that of the first, which is there as long as the number means the same.
int Backend::detach(int fd, Registration& registration) {
  Changes changes;
  for (const Interest one : {kReadable, kWritable, kPriority}) {
    if (registration.attached & one) {
      changes.push_back(make(fd, one, EV_DELETE));
    }
  }
  registration.attached = 0;
  registration.hushed = false;
  if (registration.trigger == Trigger::edge && witnesses_.fd() >= 0) {
    Change witness = make(fd, kReadable, EV_DELETE);
    witnesses_.change(&witness, 1);
  }
  if (changes.empty()) {
    return 0;
  }
  queue_.change(changes.data(), static_cast<int>(changes.size()));
  return -static_cast<int>(changes[0].data);
}

// Whether the number still means what was registered, without an effect on what is registered.
int Backend::touch(int fd, const Registration& registration) {
  Change change = make(fd, kReadable, 0);
  if (registration.trigger == Trigger::edge) {
    change.flags = EV_DISABLE;
    witnesses_.change(&change, 1);
  } else {
    queue_.change(&change, 1);
  }
  return -static_cast<int>(change.data);
}

int Backend::forget(int fd, int result) {
  const auto found = registrations_.find(fd);
  if (found != registrations_.end()) {
    detach(fd, found->second);
    registrations_.erase(found);
  }
  return result;
}

bool Backend::knows(int fd) {
  const auto found = registrations_.find(fd);
  if (found == registrations_.end()) {
    return false;
  }
  if (touch(fd, found->second) < 0) {
    registrations_.erase(found);  // the kernel has dropped its filters
    return false;
  }
  return true;
}

int Backend::add(int fd, Interest interest, Trigger trigger, Tag tag) {
  if (fd >= 0 && queue_.owns(fd)) {
    return -EINVAL;
  }
  if (knows(fd)) {
    return -EEXIST;
  }
  const int refused = refusal(fd);
  if (refused < 0) {
    return refused;
  }
  Registration& registration = registrations_[fd];
  registration.tag = tag;
  registration.interest = interest;
  registration.trigger = trigger;
  const int attached = attach(fd, registration, filters(registration));
  return attached < 0 ? forget(fd, attached) : 0;
}

int Backend::modify(int fd, Interest interest, Trigger trigger, Tag tag) {
  const auto found = registrations_.find(fd);
  if (found == registrations_.end()) {
    const int refused = refusal(fd);
    return refused < 0 ? refused : -ENOENT;
  }
  Registration& registration = found->second;
  const Flags before = flags(registration);
  const bool was_edge = registration.trigger == Trigger::edge;
  Registration next = registration;
  next.hung = false;
  next.tag = tag;
  next.interest = interest;
  next.trigger = trigger;
  // The kernel keeps the flags that a filter was made with, and only a new edge-triggered filter looks afresh.
  const bool afresh =
      was_edge || registration.hushed || flags(next) != before || before == EV_CLEAR;
  if (afresh) {
    const int detached = detach(fd, registration);
    if (detached < 0) {
      registrations_.erase(found);
      return detached;
    }
    next.attached = 0;
    next.hushed = false;
    next.refused = 0;
    registration = next;
    const int attached = attach(fd, registration, filters(registration));
    return attached < 0 ? forget(fd, attached) : 0;
  }
  registration = next;
  return rearm(fd, registration);
}

// One call in the steady state: filters that exist are switched on and off.
int Backend::rearm(int fd, Registration& registration) {
  const Interest wanted = filters(registration);
  Changes changes;
  for (const Interest one : {kReadable, kWritable, kPriority}) {
    if (registration.attached & one) {
      changes.push_back(
          make(fd, one, ((wanted & one) ? EV_ENABLE : EV_DISABLE) | flags(registration)));
    }
  }
  const int switched = change(changes);
  if (switched < 0) {
    return forget(fd, switched);
  }
  // Only now, since an EV_ADD would succeed on whatever has taken the number.
  const int attached = (wanted & ~registration.attached) ? attach(fd, registration, wanted) : 0;
  return attached < 0 ? forget(fd, attached) : 0;
}

int Backend::remove(int fd) {
  const auto found = registrations_.find(fd);
  if (found == registrations_.end()) {
    const int refused = refusal(fd);
    return refused < 0 ? refused : -ENOENT;
  }
  const int detached = detach(fd, found->second);
  registrations_.erase(found);
  return detached;
}

int Backend::replace(Backend&& fresh) {
  const int moved = queue_.replace(std::move(fresh.queue_));
  if (moved < 0) {
    return moved;
  }
  registrations_ = std::move(fresh.registrations_);
  witnesses_ = std::move(fresh.witnesses_);
  if (wake_reader_) {
    const int added = add(wake_reader_.get(), kReadable, Trigger::level, 0);
    if (added < 0) {
      return added;
    }
  }
  return deadline_ == sys::kNever ? 0 : set_timer(deadline_);
}

// Relative spans, because the absolute ones of these systems are of the wall clock, which may be set.
int Backend::set_timer(sys::Nanoseconds deadline) {
  deadline_ = deadline;
  Change changes[2]{};
  for (Change& change : changes) {
    change.ident = kTimerIdent;
    change.filter = EVFILT_TIMER;
  }
  // Not every system gives a timer that exists a new time.
  changes[0].flags = EV_DELETE;
  if (deadline == sys::kNever) {
    queue_.change(changes, 1);
    return 0;
  }
  const sys::Nanoseconds now = sys::monotonic_now();
  changes[1].flags = EV_ADD | EV_ONESHOT;
  set_span(changes[1], deadline > now ? deadline - now : 1);
  queue_.change(changes, 2);
  return -static_cast<int>(changes[1].data);
}

// A pipe, where EVFILT_USER would do on newer systems: the wake-up then belongs to the pipe and outlives replace(), and any
// thread wakes with a write(2), whatever happens to the queue meanwhile.
int Backend::enable_wake() {
  if (!wake_writer_) {
    int ends[2];
    const int made = sys::make_pipe(ends);
    if (made < 0) {
      return made;
    }
    wake_reader_.reset(ends[0]);
    wake_writer_.reset(ends[1]);
    const int added = add(wake_reader_.get(), kReadable, Trigger::level, 0);
    if (added < 0) {
      wake_reader_.reset();
      wake_writer_.reset();
      return added;
    }
  }
  return wake_writer_.get();
}

int Backend::wake(int waker) {
  const char byte = 0;
  const int result = sys::retry([&] { return ::write(waker, &byte, sizeof byte); });
  // EAGAIN: the pipe is full, so a wake-up is pending already.
  return result == -EAGAIN || result > 0 ? 0 : result;
}

}  // namespace fdevent::backend
