#include "backend/epoll.h"

#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <algorithm>

#include "sys/call.h"

namespace fdevent::backend {
namespace {

constexpr Tag kTimerTag = 0;
constexpr Tag kWakeTag = 1;

// Drivers differ in which of the IN and OUT aliases they raise; select(2) accepts any of them.
constexpr uint32_t kEpollIn = EPOLLIN | EPOLLRDNORM | EPOLLRDBAND;
constexpr uint32_t kEpollOut = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;

uint32_t to_epoll(Interest interest, Trigger trigger) {
  uint32_t events = 0;
  if (interest & kReadable) {
    events |= kEpollIn;
  }
  if (interest & kWritable) {
    events |= kEpollOut;
  }
  if (interest & kPriority) {
    events |= EPOLLPRI;
  }
  if (trigger == Trigger::one_shot) {
    events |= EPOLLONESHOT;
  } else if (trigger == Trigger::edge) {
    events |= EPOLLET;
  }
  return events;
}

Readiness from_epoll(uint32_t events) {
  Readiness ready = 0;
  if (events & kEpollIn) {
    ready |= kReadable;
  }
  if (events & kEpollOut) {
    ready |= kWritable;
  }
  if (events & EPOLLPRI) {
    ready |= kPriority;
  }
  if (events & EPOLLHUP) {
    ready |= kHangup;
  }
  if (events & EPOLLERR) {
    ready |= kError;
  }
  return ready;
}

}  // namespace

int Backend::open() {
  const int epoll = sys::call([] { return epoll_create1(EPOLL_CLOEXEC); });
  if (epoll < 0) {
    return epoll;
  }
  epoll_.reset(epoll);
  const int timer =
      sys::call([] { return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK); });
  if (timer < 0) {
    return timer;
  }
  timer_.reset(timer);
  const int wake = sys::call([] { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); });
  if (wake < 0) {
    return wake;
  }
  wake_.reset(wake);
  // Edge-triggered: an expiry or a wake-up is one event that nobody has to read away, which saves a
  // system call for each.
  const int timer_added = control(EPOLL_CTL_ADD, timer_.get(), kReadable, Trigger::edge, kTimerTag);
  return timer_added < 0 ? timer_added
                         : control(EPOLL_CTL_ADD, wake_.get(), kReadable, Trigger::edge, kWakeTag);
}

bool Backend::owns(int fd) const {
  return fd == epoll_.get() || fd == timer_.get() || fd == wake_.get();
}

int Backend::control(int operation, int fd, Interest interest, Trigger trigger, Tag tag) {
  epoll_event event{};
  event.events = to_epoll(interest, trigger);
  event.data.u64 = tag;
  return sys::call([&] { return epoll_ctl(epoll_.get(), operation, fd, &event); });
}

int Backend::add(int fd, Interest interest, Trigger trigger, Tag tag) {
  return control(EPOLL_CTL_ADD, fd, interest, trigger, tag);
}

int Backend::modify(int fd, Interest interest, Trigger trigger, Tag tag) {
  return control(EPOLL_CTL_MOD, fd, interest, trigger, tag);
}

int Backend::remove(int fd) {
  return control(EPOLL_CTL_DEL, fd, 0, Trigger::level, 0);
}

int Backend::set_timer(sys::Nanoseconds deadline) {
  // All zero would disarm the timer; 1 ns is as much in the past. kNever does disarm it.
  itimerspec setting{};
  if (deadline != sys::kNever) {
    setting.it_value = sys::to_timespec(std::max<sys::Nanoseconds>(deadline, 1));
  }
  return sys::call(
      [&] { return timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &setting, nullptr); });
}

int Backend::wake() {
  const uint64_t one = 1;
  const int result = sys::retry([&] { return ::write(wake_.get(), &one, sizeof one); });
  // EAGAIN: the counter is full, so a wake-up is pending already.
  return result == -EAGAIN || result > 0 ? 0 : result;
}

Waited Backend::wait(Event* events, int capacity, bool block) {
  const int room = std::min(capacity, kBatch);
  const int count =
      sys::call([&] { return epoll_wait(epoll_.get(), batch_.data(), room, block ? -1 : 0); });
  Waited waited{count, false};
  if (count < 0) {
    return waited;
  }
  waited.count = 0;
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = batch_[static_cast<size_t>(i)];
    if (event.data.u64 == kTimerTag) {
      waited.timer_fired = true;
    } else if (event.data.u64 != kWakeTag) {
      events[waited.count++] = {event.data.u64, from_epoll(event.events), kInterestMask};
    }
  }
  return waited;
}

}  // namespace fdevent::backend
