// Persistent registrations that cannot be removed: the number they go by was closed, and the open
// file lives on under another one.
#include <sys/resource.h>

#include "reactor_harness.h"

namespace fdevent::test {
namespace {

constexpr int kFd = kFirstChosenFd;
const Outcome kGone = failed(Syscall::control, -EBADF);
constexpr int kFewTurns = 3;

struct LeftOver {
  // A registration of `p` under a closed number; `p` is ready, so it fires from now on.
  void leave(bool edge = false) {
    put(p.first, kFd);
    const Slot watch = h.watch(kFd, kReadable, edge);
    REQUIRE(watch >= 0);
    ::close(kFd);
    h.reactor.cancel(watch);
    write_byte(p.second);
  }

  void check_quiet() {
    CHECK(h.settle().empty());
    CHECK(h.turns <= kFewTurns);
    CHECK_FALSE(pollable_now(h.reactor.fd(), 5));
  }

  Harness h;
  Pair p = make_sockets();
  Pair q = make_sockets();
};

TEST_CASE_FIXTURE(LeftOver, "a leftover of a watch stops firing after a few turns" * epoll_only()) {
  for (const bool edge : {false, true}) {
    leave(edge);
    CHECK(h.wants_turn());
    check_quiet();
    write_byte(p.second);
    CHECK_FALSE(h.wants_turn(5));
    drain(p.first.get());
  }
  h.check_idle();
}

TEST_CASE_FIXTURE(LeftOver,
                  "leaving a leftover behind tells the driver, once, and keeps the number" *
                      epoll_only()) {
  const int number = h.reactor.fd();
  CHECK_FALSE(h.reactor.take_moved());
  leave();
  check_quiet();
  CHECK(h.reactor.fd() == number);
  CHECK((fcntl(number, F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(h.reactor.take_moved());
  CHECK_FALSE(h.reactor.take_moved());
}

TEST_CASE_FIXTURE(LeftOver,
                  "whoever watches the reactor's descriptor can join it again" * epoll_only()) {
  Harness outer;
  REQUIRE(h.reactor.join(outer.reactor.fd()) == 0);
  leave();
  check_quiet();
  CHECK(h.reactor.join(outer.reactor.fd()) == 0);
  const Slot wait = h.start(q.first, kReadable);
  write_byte(q.second);
  CHECK(pollable_now(outer.reactor.fd()));
  CHECK(h.settle() == Records{{wait, kReadable, q.first.get()}});
}

TEST_CASE_FIXTURE(LeftOver, "waits, watches and deadlines outlive a leftover" * epoll_only()) {
  const int fd = q.first.get();
  const Slot wait = h.start(fd, kReadable);
  const Slot select = h.select({{fd, kReadable, 0}});
  const Slot level = h.watch(fd, kReadable);
  const Slot edge = h.watch(fd, kReadable, true);
  const Slot other_edge = h.watch(fd, kReadable, true);
  const Slot timed = h.start(fd, kPriority, 0.03);
  leave();
  check_quiet();
  CHECK(h.reactor.take_moved());
  CHECK(h.next() == Records{{timed, kTimedOut, fd}});
  write_byte(q.second);
  int seen = 0;
  for (const Record& record : h.turn()) {
    for (const Slot slot : {wait, select, level, edge, other_edge}) {
      seen += record.slot == slot && record.outcome == kReadable;
    }
  }
  CHECK(seen == 5);
  CHECK(h.turn() == Records{{level, kReadable, fd}});
  h.reactor.cancel(level);
  check_quiet();
  write_byte(q.second);
  CHECK(h.turn().size() == 2);
  CHECK(h.close(fd).size() == 2);
  h.settle();
  h.check_idle();
}

TEST_CASE_FIXTURE(LeftOver, "a deadline that is set after a leftover is kept") {
  leave();
  check_quiet();
  const Slot timed = h.start(q.first, kReadable, 0.002);
  CHECK(h.next() == Records{{timed, kTimedOut, q.first.get()}});
  h.check_idle();
}

TEST_CASE_FIXTURE(LeftOver, "a deadline that passes while a leftover fires is kept") {
  const Slot timed = h.start(q.first, kReadable, 0.001);
  leave();
  poll(nullptr, 0, 5);
  CHECK(h.settle() == Records{{timed, kTimedOut, q.first.get()}});
  check_quiet();
}

TEST_CASE_FIXTURE(LeftOver,
                  "waits whose number was closed or reused meanwhile fail, others do not" *
                      epoll_only()) {
  put(q.first, kFd + 1);
  put(q.first, kFd + 2);
  const Slot on_closed = h.start(kFd + 1, kReadable);
  const Slot on_reused = h.watch(kFd + 2, kReadable);
  const Slot alive = h.start(q.first, kReadable);
  ::close(kFd + 1);
  put(p.second, kFd + 2);
  leave();
  const Records records = h.settle();
  REQUIRE(records.size() == 2);
  for (const Record& record : records) {
    CHECK((record == Record{on_closed, kGone, kFd + 1} ||
           record == Record{on_reused, kGone, kFd + 2}));
  }
  ::close(kFd + 2);
  write_byte(q.second);
  CHECK(h.settle() == Records{{alive, kReadable, q.first.get()}});
  h.check_idle();
}

TEST_CASE_FIXTURE(LeftOver, "a leftover never reaches who waits on its number next") {
  put(p.first, kFd);
  const Slot old = h.watch(kFd, kReadable);
  put(q.first, kFd);
  h.reactor.cancel(old);
  const Slot wait = h.start(kFd, kReadable);
  const Slot level = h.watch(kFd, kReadable);
  write_byte(p.second);
  check_quiet();
  write_byte(q.second);
  CHECK(h.turn() == Records{{wait, kReadable, kFd}, {level, kReadable, kFd}});
  h.close(kFd);
  ::close(kFd);
}

// An edge watch beside another wait has a poller of its own.
TEST_CASE_FIXTURE(LeftOver, "a leftover in a nested poller costs one turn, and moves nothing") {
  const int fd = q.first.get();
  const Slot level = h.watch(fd, kReadable);
  const Slot edge = h.watch(fd, kReadable, true);
  put(p.first, kFd);
  const Slot wait = h.start(kFd, kPriority);
  const Slot old = h.watch(kFd, kReadable, true);
  ::close(kFd);
  h.reactor.cancel(old);
  for (int i = 0; i < 5; ++i) {
    write_byte(p.second);
    CHECK(h.settle().empty());
    CHECK(h.turns <= (i == 0 ? 1 : 0));
  }
  CHECK_FALSE(h.reactor.take_moved());
  write_byte(q.second);
  CHECK(h.turn().size() == 2);
  CHECK(h.turn() == Records{{level, kReadable, fd}});
  h.reactor.cancel(wait);
  h.reactor.cancel(edge);
}

TEST_CASE_FIXTURE(LeftOver, "leftovers of many numbers are left behind together") {
  for (int fd = kFd; fd < kFd + 20; ++fd) {
    put(p.first, fd);
    const Slot watch = h.watch(fd, kReadable, fd % 2 == 0);
    ::close(fd);
    h.reactor.cancel(watch);
  }
  write_byte(p.second);
  check_quiet();
  h.check_idle();
}

TEST_CASE_FIXTURE(LeftOver, "where the system has no descriptor to give, everybody else is served" *
                                epoll_only()) {
  const Slot level = h.watch(q.first, kReadable);
  leave();
  rlimit limit;
  REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const rlimit before = limit;
  limit.rlim_cur = 0;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  write_byte(q.second);
  Records records;
  for (int i = 0; i < 5; ++i) {
    records.push_back(h.turn().at(0));
  }
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(records == Records(5, {level, kReadable, q.first.get()}));
  CHECK_FALSE(h.reactor.take_moved());
  drain(q.first.get());
  check_quiet();
  CHECK(h.reactor.take_moved());
  write_byte(q.second);
  CHECK(h.turn() == Records{{level, kReadable, q.first.get()}});
}

TEST_CASE_FIXTURE(LeftOver, "ordinary use never leaves a poller behind") {
  for (int i = 0; i < 50; ++i) {
    const Slot level = h.watch(p.first, kReadable);
    const Slot edge = h.watch(p.first, kReadable, true);
    write_byte(p.second);
    CHECK(h.turn().size() == 2);
    h.reactor.set_interest(level, kWritable);
    h.reactor.set_interest(edge, 0);
    CHECK(h.turn() == Records{{level, kWritable, p.first.get()}});
    h.reactor.cancel(level);
    h.reactor.cancel(edge);
    CHECK(h.settle().empty());
    drain(p.first.get());
  }
  CHECK_FALSE(h.reactor.take_moved());
}

}  // namespace
}  // namespace fdevent::test
