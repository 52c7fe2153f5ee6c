// Watches that end, while records of theirs may still be on their way.
#include <algorithm>
#include <set>

#include "reactor_harness.h"

namespace fdevent::test {
namespace {

struct Ending {
  // Records that are handed over before anything that comes from now on.
  void queue(int count) {
    for (int i = 0; i < count; ++i) {
      REQUIRE(h.start(file, kReadable) >= 0);
    }
  }

  Harness h;
  UniqueFd file = make_file();
  Pair sockets = make_sockets();
  int fd = sockets.first.get();
};

TEST_CASE_FIXTURE(Ending, "a cancelled watch is told nothing more and leaves nothing armed") {
  for (const bool edge : {false, true}) {
    const Slot watch = h.watch(fd, kReadable, edge);
    h.reactor.cancel(watch);
    CHECK(h.reactor.statistics().registered == 0);
    h.check_idle();
    write_byte(sockets.second);
    CHECK_FALSE(h.wants_turn(5));
    drain(fd);
    CHECK(h.start(fd, kReadable) == watch);
    h.reactor.cancel(watch);
  }
}

TEST_CASE_FIXTURE(Ending, "the slot of a watch cancelled with a record on its way stays taken") {
  for (const bool edge : {false, true}) {
    queue(3);
    const Slot watch = h.watch(fd, kReadable, edge);
    write_byte(sockets.second);
    REQUIRE(h.turn(3).size() == 3);
    h.reactor.finish_batch();
    h.reactor.cancel(watch);
    CHECK(h.reactor.statistics().watches == 0);
    CHECK(h.reactor.referenced() == 0);
    std::vector<Slot> fresh;
    for (int i = 0; i < 5; ++i) {
      fresh.push_back(h.start(fd, kPriority));
      CHECK(fresh.back() != watch);
    }
    for (const Record& record : h.turn()) {
      CHECK(record.slot == watch);
    }
    CHECK(h.start(file, kReadable) != watch);
    h.reactor.finish_batch();
    fresh.push_back(h.start(fd, kPriority));
    CHECK(fresh.back() == watch);
    h.settle();
    for (const Slot slot : fresh) {
      h.reactor.cancel(slot);
    }
    drain(fd);
    h.check_idle();
  }
}

TEST_CASE_FIXTURE(Ending, "the slot of a watch cancelled by its own record stays taken meanwhile") {
  const Slot watch = h.watch(fd, kReadable);
  write_byte(sockets.second);
  REQUIRE(h.turn() == Records{{watch, kReadable, fd}});
  h.reactor.cancel(watch);
  std::set<Slot> held{watch};
  for (int i = 0; i < 5; ++i) {
    CHECK(held.insert(h.watch(fd, kPriority)).second);
  }
  h.reactor.finish_batch();
  CHECK(h.watch(fd, kPriority) == watch);
  CHECK(h.close(fd).size() == 6);
  CHECK(h.settle().empty());
  h.check_idle();
}

TEST_CASE_FIXTURE(Ending, "watches of one batch can end each other") {
  std::vector<Slot> watches;
  for (int i = 0; i < 4; ++i) {
    watches.push_back(h.watch(fd, kReadable, i % 2 == 0));
  }
  write_byte(sockets.second);
  REQUIRE(h.turn().size() == 4);
  for (const Slot watch : watches) {
    h.reactor.cancel(watch);
    h.reactor.cancel(watch);
  }
  h.reactor.finish_batch();
  CHECK(h.settle().empty());
  h.check_idle();
  CHECK(h.reactor.statistics().registered == 0);
}

TEST_CASE_FIXTURE(Ending, "cancelling one watch leaves the others on its descriptor") {
  for (size_t gone = 0; gone < 4; ++gone) {
    CAPTURE(gone);
    std::vector<Slot> watches;
    for (int i = 0; i < 4; ++i) {
      watches.push_back(h.watch(fd, kReadable, i % 2 == 1));
    }
    h.reactor.cancel(watches[gone]);
    watches.erase(watches.begin() + static_cast<std::ptrdiff_t>(gone));
    write_byte(sockets.second);
    std::vector<Slot> told;
    for (const Record& record : h.turn()) {
      told.push_back(record.slot);
    }
    std::sort(told.begin(), told.end());
    std::sort(watches.begin(), watches.end());
    CHECK(told == watches);
    h.close(fd);
    h.reactor.finish_batch();
    drain(fd);
    h.check_idle();
  }
}

TEST_CASE_FIXTURE(Ending, "close ends the watches of both modes and the waits, and no others") {
  const Pair other = make_sockets();
  put(sockets.first, kFirstChosenFd);
  std::vector<Slot> slots{
      h.watch(kFirstChosenFd, kReadable), h.watch(kFirstChosenFd, kReadable, true),
      h.watch(kFirstChosenFd, kReadable, true), h.start(kFirstChosenFd, kReadable)};
  const Slot elsewhere = h.watch(other.first, kReadable);
  std::vector<Slot> interrupted = h.close(kFirstChosenFd);
  ::close(kFirstChosenFd);
  std::sort(interrupted.begin(), interrupted.end());
  std::sort(slots.begin(), slots.end());
  CHECK(interrupted == slots);
  CHECK(h.reactor.statistics().registered == 1);
  CHECK(h.reactor.referenced() == 1);
  put(other.first, kFirstChosenFd);
  const Slot fresh = h.watch(kFirstChosenFd, kReadable, true);
  write_byte(sockets.second);
  CHECK(h.settle().empty());
  write_byte(other.second);
  CHECK(h.turn() ==
        Records{{fresh, kReadable, kFirstChosenFd}, {elsewhere, kReadable, other.first.get()}});
  h.close(kFirstChosenFd);
  ::close(kFirstChosenFd);
  CHECK_FALSE(h.reactor.take_moved());
}

TEST_CASE_FIXTURE(Ending, "close names a watch once, though a record of it is on its way") {
  queue(2);
  const Slot watch = h.watch(fd, kReadable);
  write_byte(sockets.second);
  REQUIRE(h.turn(2).size() == 2);
  CHECK(h.close(fd) == std::vector<Slot>{watch});
  const Slot fresh = h.start(fd, kReadable);
  CHECK(fresh != watch);
  Records about_fresh;
  for (const Record& record : h.settle()) {
    if (record.slot != watch) {
      about_fresh.push_back(record);
    }
  }
  CHECK(about_fresh == Records{{fresh, kReadable, fd}});
  h.check_idle();
}

TEST_CASE_FIXTURE(Ending, "when the reactor's own descriptor is closed a watch fails once") {
  const Slot level = h.watch(fd, kReadable);
  const Slot edge = h.watch(fd, kReadable, true);
  const UniqueFd elsewhere(fcntl(h.reactor.fd(), F_DUPFD_CLOEXEC, 0));
  ::close(h.reactor.fd());
  const Outcome failure = failed(Syscall::wait, -EBADF);
  CHECK(h.turn() == Records{{level, failure, fd}, {edge, failure, fd}});
  CHECK(h.turn().empty());
  h.reactor.cancel(level);
  h.reactor.cancel(edge);
  CHECK(h.reactor.statistics().watches == 0);
  CHECK(h.reactor.referenced() == 0);
  put(elsewhere, h.reactor.fd());
}

TEST_CASE_FIXTURE(Ending, "an event overtaken in its own turn is not taken for a leftover") {
  const Pair other = make_sockets();
  const int first = other.first.get();
  const Slot watch = h.watch(fd, kReadable);
  const Slot select = h.select({{first, kReadable, 0}, {fd, kPriority, 0}});
  // The other descriptor's event comes first, ends the select, and so changes this registration.
  write_byte(other.second);
  write_byte(sockets.second);
  const Records records = h.turn();
  REQUIRE_FALSE(records.empty());
  CHECK(records[0] == Record{select, kSelected, -1});
  CHECK(h.turn() == Records{{watch, kReadable, fd}});
  CHECK_FALSE(h.reactor.take_moved());
}

}  // namespace
}  // namespace fdevent::test
