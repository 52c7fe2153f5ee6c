// Linux: libkqueue's kqueue, made to keep what the kernels that have a kqueue promise, so that the backend can be run and tested
// here. libkqueue 2.2 lacks, and this adds:
//   - a knote that ends with its descriptor's number: identities are compared before each use;
//   - a reading and a writing knote on one descriptor: they live in two queues inside a third;
//   - macOS's filter for out-of-band data, by an epoll instance beside them;
//   - changes to a knote that exists, EV_RECEIPT, and errno values other than EFAULT.
// A knote whose number was closed can be neither deleted nor kept, since libkqueue frees what epoll still points to; so the
// inner queues are left behind, and what lives is registered in new ones.
#pragma once

#include <sys/event.h>
#include <sys/types.h>

#include <map>
#include <tuple>
#include <utility>

#include "sys/unique_fd.h"

namespace fdevent::backend {

using Change = struct kevent;

#define EVFILT_EXCEPT (-15)
#define NOTE_OOB 2

class Queue {
 public:
  using Identity = std::tuple<dev_t, ino_t, unsigned>;

  Queue() = default;
  Queue(Queue&& other) noexcept { swap(other); }
  Queue& operator=(Queue&& other) noexcept {
    swap(other);
    return *this;
  }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  ~Queue();

  // As backend/queue.h has them.
  int open();
  int fd() const { return public_.get(); }
  bool owns(int fd) const;
  void change(Change* changes, int count);
  int wait(Change* fired, int capacity, const timespec* timeout);
  int replace(Queue&& fresh);
  int join(int outer) const;

 private:
  struct Knote {
    Change change;
    bool enabled;
    bool live;  // known to libkqueue
    Identity identity;
  };
  using Key = std::pair<int, short>;

  void swap(Queue& other) noexcept;
  int open_inner();
  int apply(const Change& change);
  int set(Knote& knote);
  void unset(Knote& knote);
  bool vanished(int fd);
  void renew();
  int collect(int inner, Change* fired, int capacity);
  int fetch(int inner, Change* fired, int capacity);
  int inner_of(short filter) const;

  sys::UniqueFd public_;  // the same epoll instance as outer_, under a number that replace() keeps
  sys::UniqueFd outer_;
  sys::UniqueFd reads_;
  sys::UniqueFd writes_;
  sys::UniqueFd exceptions_;  // no kqueue, but an epoll instance
  bool timer_ = false;
  int first_ = 0;  // whose turn it is to be asked first
  std::map<Key, Knote> knotes_;
};

}  // namespace fdevent::backend
