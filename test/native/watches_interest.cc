// What a watch is told can be changed while it lasts.
#include "reactor_harness.h"

namespace fdevent::test {
namespace {

struct Interests {
  void check_quiet() {
    CHECK(h.settle().empty());
    CHECK_FALSE(pollable_now(h.reactor.fd(), 5));
  }

  Harness h;
  Pair sockets = make_sockets();
  int fd = sockets.first.get();
};

TEST_CASE_FIXTURE(Interests, "a new interest takes effect at once, in both modes") {
  for (const bool edge : {false, true}) {
    const Slot watch = h.watch(fd, kReadable, edge);
    check_quiet();
    CHECK(h.reactor.set_interest(watch, kWritable) == 0);
    CHECK(h.turn() == Records{{watch, kWritable, fd}});
    CHECK(h.reactor.set_interest(watch, kReadable) == 0);
    check_quiet();
    write_byte(sockets.second);
    CHECK(h.turn() == Records{{watch, kReadable, fd}});
    CHECK(h.reactor.set_interest(watch, kReadable | kWritable) == 0);
    CHECK(h.turn() == Records{{watch, kReadable | kWritable, fd}});
    drain(fd);
    h.reactor.cancel(watch);
  }
  h.settle();
  h.check_idle();
}

TEST_CASE_FIXTURE(Interests, "with an interest of 0 a watch sleeps, and wakes with the next one") {
  for (const bool edge : {false, true}) {
    const Slot watch = h.watch(fd, kReadable, edge);
    write_byte(sockets.second);
    CHECK(h.turn().size() == 1);
    CHECK(h.reactor.set_interest(watch, 0) == 0);
    CHECK(h.reactor.statistics().registered == 0);
    CHECK(h.reactor.statistics().watches == 1);
    CHECK(h.reactor.referenced() == 1);
    check_quiet();
    CHECK(h.reactor.set_interest(watch, 0) == 0);
    write_byte(sockets.second);
    check_quiet();
    CHECK(h.reactor.set_interest(watch, kReadable) == 0);
    CHECK(h.turn() == Records{{watch, kReadable, fd}});
    drain(fd);
    h.reactor.cancel(watch);
  }
  h.settle();
  h.check_idle();
}

TEST_CASE_FIXTURE(Interests,
                  "a watch that starts asleep costs nothing, even on a hung-up descriptor") {
  sockets.second.reset();
  for (const bool edge : {false, true}) {
    const Slot watch = h.watch(fd, 0, edge);
    REQUIRE(watch >= 0);
    CHECK_FALSE(h.wants_turn(5));
    CHECK(h.reactor.statistics().registered == 0);
    CHECK(h.reactor.set_interest(watch, kPriority) == 0);
    CHECK(h.turn() == Records{{watch, kHangup, fd}});
    h.reactor.cancel(watch);
  }
  h.settle();
  h.check_idle();
}

TEST_CASE_FIXTURE(Interests, "a sleeping watch can be cancelled") {
  const Slot watch = h.watch(fd, 0);
  h.reactor.cancel(watch);
  h.check_idle();
  CHECK(h.start(fd, kReadable) == watch);
}

TEST_CASE_FIXTURE(Interests, "each of several watches on a descriptor can want something else") {
  for (const size_t changed : {0u, 1u, 2u}) {
    CAPTURE(changed);
    Slot watches[3];
    for (Slot& watch : watches) {
      watch = h.watch(fd, kReadable);
    }
    check_quiet();
    CHECK(h.reactor.set_interest(watches[changed], kWritable) == 0);
    CHECK(h.turn() == Records{{watches[changed], kWritable, fd}});
    CHECK(h.reactor.set_interest(watches[changed], kReadable) == 0);
    check_quiet();
    for (const Slot watch : watches) {
      h.reactor.cancel(watch);
    }
    h.reactor.finish_batch();
  }
}

TEST_CASE_FIXTURE(Interests,
                  "a watch that wants less leaves the others and the waits what they want") {
  const Slot greedy = h.watch(fd, kReadable | kWritable);
  const Slot reader = h.watch(fd, kReadable);
  const Slot wait = h.start(fd, kReadable);
  CHECK(h.turn() == Records{{greedy, kWritable, fd}});
  CHECK(h.reactor.set_interest(greedy, kPriority) == 0);
  check_quiet();
  write_byte(sockets.second);
  CHECK(h.turn() == Records{{reader, kReadable, fd}, {wait, kReadable, fd}});
  CHECK(h.reactor.set_interest(reader, 0) == 0);
  check_quiet();
}

TEST_CASE_FIXTURE(Interests, "a change of interest shows an edge watch what holds at present") {
  write_byte(sockets.second);
  const Slot watch = h.watch(fd, kReadable, true);
  CHECK(h.turn() == Records{{watch, kReadable, fd}});
  CHECK(h.reactor.set_interest(watch, kReadable | kPriority) == 0);
  CHECK(h.turn() == Records{{watch, kReadable, fd}});
  check_quiet();
}

TEST_CASE_FIXTURE(Interests, "the interest of what is no watch any more is nobody's") {
  const Slot watch = h.watch(fd, kReadable);
  h.reactor.cancel(watch);
  CHECK(h.reactor.set_interest(watch, kWritable) == 0);
  CHECK(h.reactor.set_interest(-1, kWritable) == 0);
  CHECK(h.reactor.set_interest(100'000, kWritable) == 0);
  check_quiet();
  h.check_idle();
}

TEST_CASE_FIXTURE(Interests, "waking a watch whose descriptor was closed meanwhile fails") {
  const UniqueFd file = make_file();
  put(sockets.first, kFirstChosenFd);
  const Slot watch = h.watch(kFirstChosenFd, 0);
  ::close(kFirstChosenFd);
  CHECK(h.reactor.set_interest(watch, kReadable) == failed(Syscall::control, -EBADF));
  put(file, kFirstChosenFd);
  CHECK(h.reactor.set_interest(watch, kReadable) == failed(Syscall::control, -EPERM));
  ::close(kFirstChosenFd);
  check_quiet();
  h.reactor.cancel(watch);
  h.check_idle();
}

}  // namespace
}  // namespace fdevent::test
