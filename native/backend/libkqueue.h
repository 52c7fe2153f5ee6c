// Linux: libkqueue's kqueue, made to keep what the kernels that have a kqueue promise, so that the backend can be run and tested
// here. libkqueue 2.2 lacks, and this adds:
//   - a knote that ends with its descriptor's number: identities are compared before each use;
//   - a reading and a writing knote on one descriptor: the writing ones live in a queue nested in the first;
//   - macOS's filter for out-of-band data, by an epoll instance nested there, too;
//   - changes to a knote that exists, EV_RECEIPT, and errno values other than EFAULT.
//
// What it cannot add: a knote whose number was closed, while a duplicate keeps the file open, cannot be removed. As with epoll,
// it is told apart by a serial number, which travels in the upper half of the knote's ident, and left behind by replace().
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
  int apply(const Change& change);
  int set(Knote& knote);
  void unset(Knote& knote);
  void drop_vanished(int fd);
  bool accept(Change& fired);
  int fetch(int inner, Change* fired, int capacity);
  int inner_of(short filter) const;

  sys::UniqueFd public_;  // the same epoll instance as main_, under a number that replace() keeps
  sys::UniqueFd main_;    // with the reading knotes, and the timer
  sys::UniqueFd writes_;
  sys::UniqueFd exceptions_;  // no kqueue, but an epoll instance
  bool timer_ = false;
  uint32_t serial_ = 0;
  std::map<Key, Knote> knotes_;
};

}  // namespace fdevent::backend
