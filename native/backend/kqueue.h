// macOS and the BSDs: kqueue, with EVFILT_TIMER for deadlines and a pipe for wake().
//
// kqueue knows filters, not descriptors: reading and writing are knotes of their own, and the kernel drops both when their
// number is closed. Rule: a registered descriptor always has its EVFILT_READ knote, disabled where nobody wants to read, so
// that a change made to it without EV_ADD finds out (ENOENT) whether the number still means what was registered. One-shot
// knotes are EV_DISPATCH, which disables them where EV_ONESHOT would delete the witness.
//
// What fires is believed only as far as it goes: EV_EOF, and whatever else poll(2) may see otherwise (sys/probe.h), is asked of
// poll(2), so that the answer is select(2)'s on this very system.
#pragma once

#include <sys/types.h>

#include <unordered_map>
#include <vector>

#include "backend/backend.h"
#ifdef __linux__
#include "backend/libkqueue.h"
#else
#include "backend/queue.h"
#endif

namespace fdevent::backend {

class Backend {
 public:
  static constexpr const char* kName = "kqueue";
  static constexpr const char* kCreate = "kqueue";
  static constexpr const char* kControl = "kevent";
  static constexpr const char* kWait = "kevent";
  static constexpr const char* kTimer = "kevent";

  int open();
  int replace(Backend&& fresh);
  int join(int outer) const { return queue_.join(outer); }
  // Nothing is muted: what libuv makes of a knote of its own that somebody else has disabled has not been tried.
  int mute(int, bool) const { return 0; }
  int fd() const { return queue_.fd(); }
  bool owns(int fd) const;
  int add(int fd, Interest interest, Trigger trigger, Tag tag);
  int modify(int fd, Interest interest, Trigger trigger, Tag tag);
  int remove(int fd);
  int set_timer(sys::Nanoseconds deadline);
  int enable_wake();
  static int wake(int waker);
  Waited wait(Event* events, int capacity, sys::Nanoseconds timeout);

 private:
  // What the kernel does not tell: the filters that exist under a number, and what they were made for. The tag is here, too, and
  // not the knotes' udata, which OpenBSD and NetBSD change with EV_ADD only.
  struct Registration {
    Tag tag = 0;
    Interest interest = 0;
    Interest attached = 0;  // the filters, as the interest that each serves
    Interest refused = 0;   // filters that this kind of descriptor does not have
    Trigger trigger = Trigger::one_shot;
    bool hung = false;    // only its end is wanted, and has come
    bool hushed = false;  // a filter is edge-triggered whatever `trigger` says: see hush()
    uint64_t batch = 0;   // the wait that reported it last, and where
    int position = 0;
  };
  using Changes = std::vector<Change>;

  static bool for_end_only(const Registration& registration);
  Interest filters(const Registration& registration) const;
  decltype(Change::flags) flags(const Registration& registration) const;
  int attach(int fd, Registration& registration, Interest filters);
  int detach(int fd, Registration& registration);
  int touch(int fd, const Registration& registration);
  int rearm(int fd, Registration& registration);
  int arm_afresh(int fd, Registration& registration);
  int forget(int fd, int result);
  void hush(int fd, Registration& registration, decltype(Change::filter) filter);
  void set_hung(int fd, Registration& registration, bool hung);
  bool knows(int fd);
  int change(Changes& changes);

  void translate(const Change& fired, Event* events, Waited* waited);
  Readiness readiness(const Change& fired, Registration& registration);
  void drain_wakes();

  Queue queue_;
  // A disabled knote for each edge-triggered descriptor: a look at one in queue_ would show it the present state as a new edge.
  Queue witnesses_;
  std::unordered_map<int, Registration> registrations_;
  sys::UniqueFd wake_reader_;
  sys::UniqueFd wake_writer_;
  sys::Nanoseconds deadline_ = sys::kNever;
  uint64_t batch_number_ = 0;
  std::vector<Change> batch_;
};

}  // namespace fdevent::backend
