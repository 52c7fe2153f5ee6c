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

Change make(int fd, short filter, unsigned short flags) {
  Change change{};
  change.ident = static_cast<uintptr_t>(fd);
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

}  // namespace

void Queue::swap(Queue& other) noexcept {
  std::swap(public_, other.public_);
  std::swap(outer_, other.outer_);
  std::swap(reads_, other.reads_);
  std::swap(writes_, other.writes_);
  std::swap(exceptions_, other.exceptions_);
  std::swap(timer_, other.timer_);
  std::swap(knotes_, other.knotes_);
}

// libkqueue leaves a timer's own descriptor open when its queue is closed.
Queue::~Queue() {
  if (timer_) {
    make_change(outer_.get(), make(0, EVFILT_TIMER, EV_DELETE));
  }
}

int Queue::open() {
  const int opened = new_queue(&outer_);
  if (opened < 0) {
    return opened;
  }
  const int number = sys::call([this] { return ::fcntl(outer_.get(), F_DUPFD_CLOEXEC, 0); });
  if (number < 0) {
    return number;
  }
  public_.reset(number);
  return open_inner();
}

int Queue::open_inner() {
  for (sys::UniqueFd* inner : {&reads_, &writes_, &exceptions_}) {
    if (*inner) {
      make_change(outer_.get(), make(inner->get(), EVFILT_READ, EV_DELETE));
    }
    const int opened = inner == &exceptions_ ? new_epoll(inner) : new_queue(inner);
    const int nested =
        opened < 0 ? opened : make_change(outer_.get(), make(inner->get(), EVFILT_READ, EV_ADD));
    if (nested < 0) {
      return nested;
    }
  }
  return 0;
}

bool Queue::owns(int fd) const {
  return fd >= 0 && (fd == public_.get() || fd == outer_.get() || fd == reads_.get() ||
                     fd == writes_.get() || fd == exceptions_.get());
}

void Queue::change(Change* changes, int count) {
  for (int i = 0; i < count; ++i) {
    changes[i].data = -apply(changes[i]);
  }
}

int Queue::apply(const Change& change) {
  if (change.filter == EVFILT_TIMER) {
    const int changed = make_change(outer_.get(), change);
    timer_ = (change.flags & EV_ADD) != 0 && changed == 0;
    return changed;
  }
  if (::fcntl(public_.get(), F_GETFD) < 0) {
    return -EBADF;
  }
  const int fd = static_cast<int>(change.ident);
  Identity identity;
  const int open = identify(fd, &identity);
  if (vanished(fd)) {
    renew();
  }
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
  return filter == EVFILT_READ    ? reads_.get()
         : filter == EVFILT_WRITE ? writes_.get()
                                  : exceptions_.get();
}

int Queue::set(Knote& knote) {
  const int inner = inner_of(knote.change.filter);
  const int fd = static_cast<int>(knote.change.ident);
  Change change = knote.change;
  const bool once = (change.flags & (EV_DISPATCH | EV_ONESHOT)) != 0;
  const bool edge = (change.flags & EV_CLEAR) != 0;
  int added = 0;
  if (inner == exceptions_.get()) {
    epoll_event event{};
    event.events = EPOLLPRI | (once ? EPOLLONESHOT : 0) | (edge ? EPOLLET : 0);
    event.data.fd = fd;
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
  const int fd = static_cast<int>(knote.change.ident);
  if (inner == exceptions_.get()) {
    ::epoll_ctl(inner, EPOLL_CTL_DEL, fd, nullptr);
  } else {
    make_change(inner, make(fd, knote.change.filter, EV_DELETE));
  }
  knote.live = false;
}

// Forgets the knotes of a number that is closed or another object. True where libkqueue still has one of them.
bool Queue::vanished(int fd) {
  bool left_over = false;
  Identity identity;
  const int open = identify(fd, &identity);
  for (const short filter : {short{EVFILT_READ}, short{EVFILT_WRITE}, short{EVFILT_EXCEPT}}) {
    const auto found = knotes_.find({fd, filter});
    if (found != knotes_.end() && (open < 0 || found->second.identity != identity)) {
      left_over |= found->second.live;
      knotes_.erase(found);
    }
  }
  return left_over;
}

void Queue::renew() {
  if (open_inner() < 0) {
    return;
  }
  for (auto at = knotes_.begin(); at != knotes_.end();) {
    Knote& knote = at->second;
    Identity identity;
    const bool same = identify(at->first.first, &identity) == 0 && identity == knote.identity;
    const bool live = knote.live;
    knote.live = false;
    at = !same || (live && set(knote) < 0) ? knotes_.erase(at) : std::next(at);
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
    fired[i] = make(events[i].data.fd, EVFILT_EXCEPT, ended ? EV_EOF : 0);
    fired[i].fflags = (events[i].events & EPOLLPRI) ? NOTE_OOB : 0;
  }
  return count;
}

int Queue::collect(int inner, Change* fired, int capacity) {
  const int count = capacity == 0 ? 0 : fetch(inner, fired, capacity);
  bool left_over = false;
  int kept = 0;
  for (int i = 0; i < count; ++i) {
    const int fd = static_cast<int>(fired[i].ident);
    left_over |= vanished(fd);
    const auto found = knotes_.find({fd, fired[i].filter});
    if (found == knotes_.end()) {
      continue;
    }
    Knote& knote = found->second;
    fired[i].udata = knote.change.udata;
    if (knote.change.flags & EV_DISPATCH) {
      unset(knote);
      knote.enabled = false;
    }
    fired[kept++] = fired[i];
  }
  if (left_over) {
    renew();
  }
  return count < 0 ? count : kept;
}

int Queue::wait(Change* fired, int capacity, const timespec* timeout) {
  Change outer[4];
  const int open = sys::call([this] { return ::fcntl(public_.get(), F_GETFD); });
  const int count =
      open < 0 ? open
               : sys::call([&] { return ::kevent(outer_.get(), nullptr, 0, outer, 4, timeout); });
  if (count <= 0) {
    return count;
  }
  int filled = 0;
  bool inner = false;
  for (int i = 0; i < count; ++i) {
    if (outer[i].filter == EVFILT_TIMER) {
      timer_ = false;
      fired[filled++] = outer[i];
    } else {
      inner = true;
    }
  }
  first_ = (first_ + 1) % 3;
  const sys::UniqueFd* const queues[] = {&reads_, &writes_, &exceptions_};
  for (int i = 0; inner && i < 3; ++i) {
    const int got = collect(queues[(first_ + i) % 3]->get(), fired + filled, capacity - filled);
    if (got < 0) {
      return got;
    }
    filled += got;
  }
  return filled;
}

int Queue::replace(Queue&& fresh) {
  const int number = public_.get();
  const int moved = sys::call([&] { return ::dup3(fresh.outer_.get(), number, O_CLOEXEC); });
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
