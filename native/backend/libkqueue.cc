#include "backend/libkqueue.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "sys/call.h"

namespace fdevent::backend {
namespace {

int new_queue(sys::UniqueFd* queue) {
  const int opened = sys::call([] { return ::kqueue(); });
  if (opened < 0) {
    return opened;
  }
  queue->reset(opened);
  return sys::call([opened] { return ::fcntl(opened, F_SETFD, FD_CLOEXEC); });
}

int new_epoll(sys::UniqueFd* epoll) {
  const int opened = sys::call([] { return ::epoll_create1(EPOLL_CLOEXEC); });
  epoll->reset(opened < 0 ? -1 : opened);
  return opened;
}

int make_change(int queue, Change change) {
  return sys::call([&] { return ::kevent(queue, &change, 1, nullptr, 0, nullptr); });
}

Change make(uintptr_t ident, short filter, unsigned short flags) {
  Change change{};
  change.ident = ident;
  change.filter = filter;
  change.flags = flags;
  return change;
}

// What a number means at present. The third part counts what it has meant, as far as any queue of this thread has seen: an object
// that comes back to its number finds the knotes gone that it had there, from all queues at once.
int identify(int fd, Queue::Identity* identity) {
  thread_local std::map<int, Queue::Identity> seen;
  struct stat status {};
  const int found = sys::call([&] { return ::fstat(fd, &status); });
  Queue::Identity& last = seen[fd];
  auto& [device, inode, changes] = last;
  if (found < 0 || device != status.st_dev || inode != status.st_ino) {
    last = {status.st_dev, status.st_ino, changes + 1};
  }
  *identity = last;
  return found;
}

// libkqueue says EFAULT for every failure; epoll, which it is made of, knows better.
int reason(int queue, int fd) {
  epoll_event event{};
  const int added = sys::call([&] { return ::epoll_ctl(queue, EPOLL_CTL_ADD, fd, &event); });
  if (added < 0) {
    return added;
  }
  ::epoll_ctl(queue, EPOLL_CTL_DEL, fd, nullptr);
  return -EFAULT;
}

// A persistent registration's tag, as the core makes them, of a generation that it does not get to.
constexpr uintptr_t kNobodys = uintptr_t{0xfffffffe} << 32 | uintptr_t{1} << 31;

uintptr_t to_ident(int fd) {
  return static_cast<uintptr_t>(fd);
}
// libkqueue compares whole idents, and gives system calls the lower half.
int to_fd(uintptr_t ident) {
  return static_cast<int>(ident & INT32_MAX);
}

}  // namespace

void Queue::swap(Queue& other) noexcept {
  std::swap(public_, other.public_);
  std::swap(main_, other.main_);
  std::swap(writes_, other.writes_);
  std::swap(exceptions_, other.exceptions_);
  std::swap(timer_, other.timer_);
  std::swap(serial_, other.serial_);
  std::swap(knotes_, other.knotes_);
}

// libkqueue leaves a timer's own descriptor open when its queue is closed.
Queue::~Queue() {
  if (timer_) {
    make_change(main_.get(), make(0, EVFILT_TIMER, EV_DELETE));
  }
}

int Queue::open() {
  const int opened = new_queue(&main_);
  if (opened < 0) {
    return opened;
  }
  const int number = sys::call([this] { return ::fcntl(main_.get(), F_DUPFD_CLOEXEC, 0); });
  if (number < 0) {
    return number;
  }
  public_.reset(number);
  for (sys::UniqueFd* inner : {&writes_, &exceptions_}) {
    const int made = inner == &exceptions_ ? new_epoll(inner) : new_queue(inner);
    const int nested =
        made < 0 ? made
                 : make_change(main_.get(), make(to_ident(inner->get()), EVFILT_READ, EV_ADD));
    if (nested < 0) {
      return nested;
    }
  }
  return 0;
}

bool Queue::owns(int fd) const {
  return fd >= 0 && (fd == public_.get() || fd == main_.get() || fd == writes_.get() ||
                     fd == exceptions_.get());
}

void Queue::change(Change* changes, int count) {
  for (int i = 0; i < count; ++i) {
    changes[i].data = -apply(changes[i]);
  }
}

int Queue::apply(const Change& change) {
  if (::fcntl(public_.get(), F_GETFD) < 0) {
    return -EBADF;
  }
  if (change.filter == EVFILT_TIMER) {
    const int changed = make_change(main_.get(), change);
    timer_ = (change.flags & EV_ADD) != 0 && changed == 0;
    return changed;
  }
  const int fd = static_cast<int>(change.ident);
  drop_vanished(fd);
  Identity identity;
  const int open = identify(fd, &identity);
  if (open < 0) {
    return open;
  }
  const Key key{fd, change.filter};
  auto found = knotes_.find(key);
  const bool exists = found != knotes_.end();
  if (!exists && !(change.flags & EV_ADD)) {
    return -ENOENT;
  }
  if (change.flags & EV_DELETE) {
    unset(found->second);
    knotes_.erase(found);
    return 0;
  }
  if (!exists) {
    found = knotes_.emplace(key, Knote{change, true, false, identity}).first;
  }
  Knote& knote = found->second;
  knote.change.udata = change.udata;
  if (change.flags & EV_DISABLE) {
    knote.enabled = false;
  } else if (change.flags & (EV_ENABLE | EV_ADD)) {
    knote.enabled = true;
  }
  // Made afresh rather than changed, because libkqueue changes nothing but the udata.
  unset(knote);
  const int added = knote.enabled ? set(knote) : 0;
  if (added < 0) {
    knotes_.erase(found);
  }
  return added;
}

int Queue::inner_of(short filter) const {
  return filter == EVFILT_READ    ? main_.get()
         : filter == EVFILT_WRITE ? writes_.get()
                                  : exceptions_.get();
}

int Queue::set(Knote& knote) {
  const int inner = inner_of(knote.change.filter);
  const int fd = to_fd(knote.change.ident);
  // 0 is for what is nested.
  serial_ = serial_ == UINT32_MAX ? 1 : serial_ + 1;
  knote.change.ident = static_cast<uintptr_t>(serial_) << 32 | to_ident(fd);
  Change change = knote.change;
  const bool once = (change.flags & (EV_DISPATCH | EV_ONESHOT)) != 0;
  const bool edge = (change.flags & EV_CLEAR) != 0;
  int added = 0;
  // What an object that is back has left under this number.
  ::epoll_ctl(inner, EPOLL_CTL_DEL, fd, nullptr);
  if (inner == exceptions_.get()) {
    epoll_event event{};
    event.events = EPOLLPRI | (once ? uint32_t{EPOLLONESHOT} : 0) | (edge ? uint32_t{EPOLLET} : 0);
    event.data.u64 = change.ident;
    added = sys::call([&] { return ::epoll_ctl(inner, EPOLL_CTL_ADD, fd, &event); });
  } else {
    change.flags =
        static_cast<unsigned short>(EV_ADD | (edge ? EV_CLEAR : 0) | (once ? EV_ONESHOT : 0));
    added = make_change(inner, change) < 0 ? reason(inner, fd) : 0;
  }
  knote.live = added == 0;
  return added;
}

void Queue::unset(Knote& knote) {
  if (!knote.live) {
    return;
  }
  const int inner = inner_of(knote.change.filter);
  if (inner == exceptions_.get()) {
    ::epoll_ctl(inner, EPOLL_CTL_DEL, to_fd(knote.change.ident), nullptr);
  } else {
    make_change(inner, make(knote.change.ident, knote.change.filter, EV_DELETE));
  }
  knote.live = false;
}

// Forgets the knotes of a number that is closed or another object. libkqueue keeps them: it would free what epoll, if a
// duplicate keeps the file open, still points to.
void Queue::drop_vanished(int fd) {
  Identity identity;
  const int open = identify(fd, &identity);
  for (const short filter : {short{EVFILT_READ}, short{EVFILT_WRITE}, short{EVFILT_EXCEPT}}) {
    const auto found = knotes_.find({fd, filter});
    if (found != knotes_.end() && (open < 0 || found->second.identity != identity)) {
      knotes_.erase(found);
    }
  }
}

int Queue::fetch(int inner, Change* fired, int capacity) {
  if (inner != exceptions_.get()) {
    const timespec zero{};
    return sys::call([&] { return ::kevent(inner, nullptr, 0, fired, capacity, &zero); });
  }
  epoll_event events[16];
  const int most = capacity < 16 ? capacity : 16;
  const int count = sys::call([&] { return ::epoll_wait(inner, events, most, 0); });
  for (int i = 0; i < count; ++i) {
    const bool ended = (events[i].events & (EPOLLHUP | EPOLLERR)) != 0;
    fired[i] = make(events[i].data.u64, EVFILT_EXCEPT, ended ? EV_EOF : 0);
    fired[i].fflags = (events[i].events & EPOLLPRI) ? NOTE_OOB : 0;
  }
  return count;
}

// Whether to hand over what fired. Where it no longer belongs to its number, that is for the sake of the owner, who leaves a
// persistent knote behind by replace(); one of a number that was closed without a word gets a mark that is no tag.
bool Queue::accept(Change& fired) {
  const uintptr_t ident = fired.ident;
  const int fd = to_fd(ident);
  fired.ident = to_ident(fd);
  const auto known = knotes_.find({fd, fired.filter});
  const bool expected = known != knotes_.end() && known->second.change.ident == ident;
  if (expected) {
    fired.udata = known->second.change.udata;
  }
  drop_vanished(fd);
  const auto found = knotes_.find({fd, fired.filter});
  if (found != knotes_.end() && expected) {
    Knote& knote = found->second;
    if (knote.change.flags & EV_DISPATCH) {
      unset(knote);
      knote.enabled = false;
    }
    return true;
  }
  if (found != knotes_.end() && found->second.live) {
    // As it disposed of the other, libkqueue may have removed this one's registration, which goes by the same number.
    unset(found->second);
    if (set(found->second) < 0) {
      knotes_.erase(found);
    }
  }
  const bool persistent = !(fired.flags & (EV_ONESHOT | EV_DISPATCH));
  fired.udata =
      reinterpret_cast<void*>(kNobodys | to_ident(fd));  // NOLINT(performance-no-int-to-ptr)
  return persistent;
}

int Queue::wait(Change* fired, int capacity, const timespec* timeout) {
  const int open = sys::call([this] { return ::fcntl(public_.get(), F_GETFD); });
  const int count = open < 0 ? open : sys::call([&] {
    return ::kevent(main_.get(), nullptr, 0, fired, capacity, timeout);
  });
  if (count <= 0) {
    return count;
  }
  int filled = 0;
  bool writes = false;
  bool exceptions = false;
  for (int i = 0; i < count; ++i) {
    Change& one = fired[i];
    if (one.filter == EVFILT_TIMER) {
      timer_ = false;
      fired[filled++] = one;
    } else if (one.ident == to_ident(writes_.get())) {
      writes = true;
    } else if (one.ident == to_ident(exceptions_.get())) {
      exceptions = true;
    } else if (accept(one)) {
      fired[filled++] = one;
    }
  }
  // Each that is asked has left the place of one event.
  for (const int inner : {writes ? writes_.get() : -1, exceptions ? exceptions_.get() : -1}) {
    const int left = capacity - filled - (exceptions && inner == writes_.get() ? 1 : 0);
    const int got = inner < 0 || left <= 0 ? 0 : fetch(inner, fired + filled, left);
    if (got < 0) {
      return got;
    }
    for (int at = filled, end = filled + got; at < end; ++at) {
      Change& one = fired[at];
      if (accept(one)) {
        fired[filled++] = one;
      }
    }
  }
  return filled;
}

int Queue::replace(Queue&& fresh) {
  const int number = public_.get();
  const int moved = sys::call([&] { return ::dup3(fresh.main_.get(), number, O_CLOEXEC); });
  if (moved < 0) {
    return moved;
  }
  sys::UniqueFd kept = std::move(public_);
  swap(fresh);
  public_ = std::move(kept);
  return 0;
}

// The other poller may be libuv's, of which libkqueue knows nothing.
int Queue::join(int outer) const {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = public_.get();
  return sys::call([&] { return ::epoll_ctl(outer, EPOLL_CTL_ADD, public_.get(), &event); });
}

}  // namespace fdevent::backend
