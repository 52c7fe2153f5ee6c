// Linux: epoll, with a timerfd for deadlines and an eventfd for wake().
#pragma once

#include <sys/epoll.h>

#include <vector>

#include "backend/backend.h"
#include "sys/unique_fd.h"

namespace fdevent::backend {

class Backend {
 public:
  static constexpr const char* kName = "epoll";
  static constexpr const char* kCreate = "epoll_create1";
  static constexpr const char* kControl = "epoll_ctl";
  static constexpr const char* kWait = "epoll_wait";
  static constexpr const char* kTimer = "timerfd_settime";

  int open();
  int replace(Backend&& fresh);
  int join(int outer) const;
  int mute(int outer, bool muted) const;
  int fd() const { return epoll_.get(); }
  bool owns(int fd) const;
  int add(int fd, Interest interest, Trigger trigger, Tag tag);
  int modify(int fd, Interest interest, Trigger trigger, Tag tag);
  int remove(int fd);
  int set_timer(sys::Nanoseconds deadline);
  int enable_wake();
  static int wake(int waker);
  Waited wait(Event* events, int capacity, sys::Nanoseconds timeout);

 private:
  int introduce(int outer, int operation, uint32_t events) const;
  int sleep(int capacity, sys::Nanoseconds timeout);
  int control(int operation, int fd, Interest interest, Trigger trigger, Tag tag);

  sys::UniqueFd epoll_;
  sys::UniqueFd timer_;  // opened by the first deadline
  sys::UniqueFd wake_;
  std::vector<epoll_event> batch_;
};

}  // namespace fdevent::backend
