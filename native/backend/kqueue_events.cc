// What fired, and what of it select(2) would report.
#include <unistd.h>

#include <algorithm>

#include "backend/kqueue_changes.h"
#include "sys/probe.h"

namespace fdevent::backend {

void Backend::drain_wakes() {
  char bytes[512];
  while (::read(wake_reader_.get(), bytes, sizeof bytes) == sizeof bytes) {
  }
}

Waited Backend::wait(Event* events, int capacity, sys::Nanoseconds timeout) {
  if (batch_.size() < static_cast<size_t>(capacity)) {
    batch_.resize(static_cast<size_t>(capacity));
  }
  const bool bounded = timeout != 0 && timeout != sys::kNever;
  const sys::Nanoseconds end = bounded ? sys::monotonic_now() + timeout : 0;
  ++batch_number_;
  int count = 0;
  for (;;) {
    const timespec span = sys::to_timespec(std::min(timeout, kLongest));
    count = queue_.wait(batch_.data(), capacity, timeout == sys::kNever ? nullptr : &span);
    const sys::Nanoseconds now = bounded && count == 0 ? sys::monotonic_now() : end;
    if (now >= end) {
      break;
    }
    timeout = end - now;  // systems round the span down to their own grain
  }
  Waited waited{std::min(count, 0), false, false};
  for (int i = 0; i < count; ++i) {
    translate(batch_[static_cast<size_t>(i)], events, &waited);
  }
  return waited;
}

// The filters of one descriptor make one event, as its readers expect.
void Backend::translate(const Change& fired, Event* events, Waited* waited) {
  if (fired.filter == EVFILT_TIMER) {
    deadline_ = sys::kNever;
    waited->timer_fired = true;
    return;
  }
  const int fd = static_cast<int>(fired.ident);
  const auto found = registrations_.find(fd);
  if (fired.udata) {
    // Of nothing that is registered, which only libkqueue has: the owner leaves it behind.
    const auto tag = static_cast<Tag>(reinterpret_cast<uintptr_t>(fired.udata));
    events[waited->count++] = {tag, from_filter(fired.filter), ~Interest{0}};
    return;
  }
  if (found == registrations_.end()) {
    return;
  }
  if (fd == wake_reader_.get()) {
    drain_wakes();
    waited->woken = true;
    return;
  }
  Registration& registration = found->second;
  const Readiness ready = readiness(fired, registration);
  if (ready == 0) {
    return;
  }
  if (registration.batch == batch_number_) {
    events[registration.position].ready |= ready;
    return;
  }
  registration.batch = batch_number_;
  registration.position = waited->count;
  // Another filter of a one-shot registration stays enabled: it costs one event at most, which finds nothing armed.
  events[waited->count++] = {registration.tag, ready, ~Interest{0}};
}

Readiness Backend::readiness(const Change& fired, Registration& registration) {
  const Interest filter = from_filter(fired.filter);
  const bool wanted = (registration.interest & filter) != 0;
  Readiness ready = filter;
#ifdef EV_OOBAND
  if (fired.flags & EV_OOBAND) {
    ready |= kPriority;
  }
#endif
  // An edge shows the whole state, as epoll's do, and not only the half of it that changed.
  const bool whole = registration.trigger == Trigger::edge && (registration.interest & kReadable) &&
                     (registration.interest & kWritable);
  // No end, no error, something to read or room to write: nothing that select(2) could see otherwise.
  const bool plain = !whole && !(fired.flags & (EV_EOF | EV_ERROR)) &&
                     (fired.fflags == 0 || filter == kPriority) &&
                     (fired.data != 0 || filter == kPriority);
  const int fd = static_cast<int>(fired.ident);
  if (plain) {
    if (!wanted) {
      set_hung(fd, registration, false);
    }
    return wanted ? ready : 0;
  }
  // A hangup is not writable, a half-closed socket is not hung up, an error is both readable and writable; and the systems
  // differ in which of them EV_EOF stands for on a pipe, a fifo, a terminal or a socket.
  const int found = sys::probe(fd, registration.interest & kFilters);
  if (found < 0) {
    return 0;
  }
  ready = static_cast<Readiness>(found);
  if (!(ready & (filter | kAnyway)) && !(ready & registration.interest & registration.refused)) {
    hush(fd, registration, fired.filter);
    return 0;
  }
  if (ready & kAnyway) {
    set_hung(fd, registration, true);
  }
  return ready;
}

// A level-triggered registration that asks for nothing but the end is told of it as long as it lasts.
void Backend::set_hung(int fd, Registration& registration, bool hung) {
  if (registration.trigger != Trigger::level || !for_end_only(registration) ||
      registration.hung == hung || !(filters(registration) & kReadable)) {
    return;
  }
  registration.hung = hung;
  Changes changes{make(fd, kReadable, EV_DELETE),
                  make(fd, kReadable, EV_ADD | flags(registration))};
  queue_.change(changes.data(), static_cast<int>(changes.size()));
}

// A filter that fires where select(2) sees nothing would fire forever. Edge-triggered, it speaks up when something changes.
void Backend::hush(int fd, Registration& registration, Filter filter) {
  if (flags(registration) == EV_CLEAR) {
    return;
  }
  const Interest one = from_filter(filter);
  Changes changes{make(fd, one, EV_DELETE), make(fd, one, EV_ADD | EV_CLEAR)};
  queue_.change(changes.data(), static_cast<int>(changes.size()));
  registration.hushed = true;
}

}  // namespace fdevent::backend
