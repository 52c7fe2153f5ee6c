#include "backend/epoll.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <utility>

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
  return 0;
}

int Backend::replace(Backend&& fresh) {
  // Under the old number, which others may watch.
  const int moved = sys::call([&] { return dup3(fresh.epoll_.get(), epoll_.get(), O_CLOEXEC); });
  if (moved < 0) {
    return moved;
  }
  for (sys::UniqueFd* own : {&timer_, &wake_}) {
    const Tag tag = own == &timer_ ? kTimerTag : kWakeTag;
    if (*own && control(EPOLL_CTL_ADD, own->get(), kReadable, Trigger::edge, tag) < 0) {
      own->reset();  // made anew when it is next needed
    }
  }
  return 0;
}

int Backend::join(int outer) const {
  return introduce(outer, EPOLL_CTL_ADD, EPOLLIN);
}

int Backend::mute(int outer, bool muted) const {
  return introduce(outer, EPOLL_CTL_MOD, muted ? 0 : uint32_t{EPOLLIN});
}

int Backend::introduce(int outer, int operation, uint32_t events) const {
  epoll_event event{};
  event.events = events;
  event.data.fd = epoll_.get();
  return sys::call([&] { return epoll_ctl(outer, operation, epoll_.get(), &event); });
}

bool Backend::owns(int fd) const {
  return fd >= 0 && (fd == epoll_.get() || fd == timer_.get() || fd == wake_.get());
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
  if (!timer_) {
    const int timer =
        sys::call([] { return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK); });
    if (timer < 0) {
      return timer;
    }
    timer_.reset(timer);
    // Edge-triggered: an expiry is one event that nobody has to read away, which saves a system
    // call.
    const int added = control(EPOLL_CTL_ADD, timer, kReadable, Trigger::edge, kTimerTag);
    if (added < 0) {
      timer_.reset();
      return added;
    }
  }
  // All zero would disarm the timer; 1 ns is as much in the past. kNever does disarm it.
  itimerspec setting{};
  if (deadline != sys::kNever) {
    setting.it_value = sys::to_timespec(std::max<sys::Nanoseconds>(deadline, 1));
  }
  return sys::call(
      [&] { return timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &setting, nullptr); });
}

int Backend::enable_wake() {
  if (!wake_) {
    const int wake = sys::call([] { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); });
    if (wake < 0) {
      return wake;
    }
    wake_.reset(wake);
    const int added = control(EPOLL_CTL_ADD, wake, kReadable, Trigger::edge, kWakeTag);
    if (added < 0) {
      wake_.reset();
      return added;
    }
  }
  return wake_.get();
}

int Backend::wake(int waker) {
  const uint64_t one = 1;
  const int result = sys::retry([&] { return ::write(waker, &one, sizeof one); });
  // EAGAIN: the counter is full, so a wake-up is pending already.
  return result == -EAGAIN || result > 0 ? 0 : result;
}

int Backend::sleep(int capacity, sys::Nanoseconds timeout) {
  if (timeout == 0 || timeout == sys::kNever) {
    const int milliseconds = timeout == 0 ? 0 : -1;
    // By number, as below: libc's call is a cancellation point, see sys/plain_io.h.
#ifdef SYS_epoll_wait
    return sys::call([&] {
      return syscall(SYS_epoll_wait, epoll_.get(), batch_.data(), capacity, milliseconds);
    });
#else
    return sys::call([&] {
      return syscall(SYS_epoll_pwait, epoll_.get(), batch_.data(), capacity, milliseconds, nullptr,
                     0);
    });
#endif
  }
#ifdef SYS_epoll_pwait2
  // By number, because glibc has the wrapper only since 2.35.
  const timespec span = sys::to_timespec(timeout);
  const int count = sys::call([&] {
    return syscall(SYS_epoll_pwait2, epoll_.get(), batch_.data(), capacity, &span, nullptr, 0);
  });
  if (count != -ENOSYS) {
    return count;
  }
#endif
  // Linux before 5.11: epoll_wait has milliseconds only.
  const int set = set_timer(sys::monotonic_now() + timeout);
  return set < 0 ? set : sleep(capacity, sys::kNever);
}

Waited Backend::wait(Event* events, int capacity, sys::Nanoseconds timeout) {
  if (batch_.size() < static_cast<size_t>(capacity)) {
    batch_.resize(static_cast<size_t>(capacity));
  }
  const int count = sleep(capacity, timeout);
  Waited waited{std::min(count, 0), false, false};
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = batch_[static_cast<size_t>(i)];
    if (event.data.u64 == kTimerTag) {
      waited.timer_fired = true;
    } else if (event.data.u64 == kWakeTag) {
      waited.woken = true;
      // Read away, or a new poller would report it again: see replace().
      uint64_t wakes = 0;
      static_cast<void>(!::read(wake_.get(), &wakes, sizeof wakes));
    } else {
      events[waited.count++] = {event.data.u64, from_epoll(event.events), ~Interest{0}};
    }
  }
  return waited;
}

}  // namespace fdevent::backend
