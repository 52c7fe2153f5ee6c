// Watches: told again and again, each for itself, whatever else is on the descriptor.
#include <algorithm>
#include <map>

#include "reactor_harness.h"

namespace fdevent::test {
namespace {

struct Watches {
  // How often each slot is in the records.
  static std::map<Slot, int> count(const Records& records) {
    std::map<Slot, int> times;
    for (const Record& record : records) {
      ++times[record.slot];
    }
    return times;
  }

  void check_quiet() {
    CHECK(h.settle().empty());
    CHECK(h.turns <= 1);
    CHECK_FALSE(pollable_now(h.reactor.fd(), 5));
  }

  Harness h;
  Pair sockets = make_sockets();
  int fd = sockets.first.get();
};

TEST_CASE_FIXTURE(Watches, "a level watch is told in every turn until the descriptor is drained") {
  const Slot watch = h.watch(fd, kReadable);
  check_quiet();
  write_byte(sockets.second);
  for (int i = 0; i < 5; ++i) {
    CHECK(h.turn() == Records{{watch, kReadable, fd}});
  }
  drain(fd);
  CHECK(h.turn().empty());
  check_quiet();
  write_byte(sockets.second);
  CHECK(h.turn() == Records{{watch, kReadable, fd}});
}

TEST_CASE_FIXTURE(Watches, "a level watch costs no call to the kernel beside the turn's own") {
  h.watch(fd, kReadable);
  const std::string before = registrations(h.reactor.fd());
  write_byte(sockets.second);
  for (int i = 0; i < 20; ++i) {
    CHECK(h.turn().size() == 1);
  }
  CHECK(registrations(h.reactor.fd()) == before);
}

TEST_CASE_FIXTURE(Watches, "an edge watch is told once for each edge") {
  const Slot watch = h.watch(fd, kReadable, true);
  check_quiet();
  for (int i = 0; i < 5; ++i) {
    write_byte(sockets.second);
    CHECK(h.turn() == Records{{watch, kReadable, fd}});
    check_quiet();
  }
  drain(fd);
  check_quiet();
}

TEST_CASE_FIXTURE(Watches, "a watch that starts on a ready descriptor is told of it") {
  write_byte(sockets.second);
  for (const bool edge : {false, true}) {
    const Slot watch = h.watch(fd, kReadable, edge);
    CHECK(h.turn() == Records{{watch, kReadable, fd}});
    h.reactor.cancel(watch);
    h.reactor.finish_batch();
  }
}

TEST_CASE_FIXTURE(Watches, "a watch is told what holds of its interest, all at once, and no more") {
  write_byte(sockets.second);
  const Slot both = h.watch(fd, kReadable | kWritable);
  const Slot writable = h.watch(fd, kWritable);
  const Slot exceptional = h.watch(fd, kPriority);
  CHECK(h.turn() == Records{{both, kReadable | kWritable, fd}, {writable, kWritable, fd}});
  h.reactor.cancel(exceptional);
}

TEST_CASE_FIXTURE(Watches, "a watch is told of a hangup or an error that it did not ask for") {
  sockets.second.reset();
  const Slot hung = h.watch(fd, kPriority);
  CHECK(h.turn() == Records{{hung, kHangup, fd}});
  h.reactor.cancel(hung);
  Pair pipe = make_pipe();
  pipe.first.reset();
  const Slot broken = h.watch(pipe.second, kReadable, true);
  CHECK(h.turn() == Records{{broken, kError, pipe.second.get()}});
}

TEST_CASE_FIXTURE(Watches,
                  "watches of both modes, waits and a select share a descriptor unharmed") {
  const Slot level = h.watch(fd, kReadable);
  const Slot edge = h.watch(fd, kReadable, true);
  const Slot wait = h.start(fd, kReadable);
  const Slot other_edge = h.watch(fd, kReadable, true);
  const Slot writable_edge = h.watch(fd, kReadable | kWritable, true);
  const Slot other_level = h.watch(fd, kReadable);
  const Slot select = h.select({{fd, kReadable | kPriority, 0}});
  const Slot exceptional = h.start(fd, kPriority);
  CHECK(h.settle() == Records{{writable_edge, kWritable, fd}});
  write_byte(sockets.second);
  std::map<Slot, int> expected{{level, 1},       {edge, 1},          {wait, 1},  {other_edge, 1},
                               {other_level, 1}, {writable_edge, 1}, {select, 1}};
  CHECK(count(h.turn()) == expected);
  expected = {{level, 1}, {other_level, 1}};
  CHECK(count(h.turn()) == expected);
  h.reactor.cancel(level);
  expected = {{other_level, 1}};
  CHECK(count(h.turn()) == expected);
  h.reactor.cancel(other_level);
  check_quiet();
  write_byte(sockets.second);
  expected = {{edge, 1}, {other_edge, 1}, {writable_edge, 1}};
  CHECK(count(h.turn()) == expected);
  CHECK(h.reactor.statistics().watches == 3);
  CHECK(h.close(fd).size() == 4);
  h.check_idle();
  static_cast<void>(exceptional);
}

TEST_CASE_FIXTURE(Watches, "nothing that others do on its descriptor shows an edge watch an edge") {
  write_byte(sockets.second);
  const Slot edge = h.watch(fd, kReadable, true);
  CHECK(h.turn() == Records{{edge, kReadable, fd}});
  const Slot wait = h.start(fd, kReadable);
  CHECK(h.turn() == Records{{wait, kReadable, fd}});
  const Slot level = h.watch(fd, kReadable);
  CHECK(h.turn() == Records{{level, kReadable, fd}});
  CHECK(h.reactor.set_interest(level, kPriority) == 0);
  check_quiet();
  const Slot timed = h.start(fd, kPriority, 0.001);
  CHECK(h.next() == Records{{timed, kTimedOut, fd}});
  const Slot other_edge = h.watch(fd, kReadable, true);
  CHECK(h.turn() == Records{{other_edge, kReadable, fd}});
  h.reactor.cancel(other_edge);
  h.reactor.cancel(level);
  check_quiet();
  write_byte(sockets.second);
  CHECK(h.turn() == Records{{edge, kReadable, fd}});
}

TEST_CASE_FIXTURE(Watches, "waits end and begin beside a level watch without disturbing it") {
  const Slot level = h.watch(fd, kReadable);
  const Slot writer = h.start(fd, kWritable);
  CHECK(h.turn() == Records{{writer, kWritable, fd}});
  check_quiet();
  write_byte(sockets.second);
  for (int i = 0; i < 5; ++i) {
    const Slot reader = h.start(fd, kReadable);
    CHECK(h.turn() == Records{{level, kReadable, fd}, {reader, kReadable, fd}});
  }
  h.reactor.cancel(level);
  check_quiet();
  const Slot reader = h.start(fd, kReadable);
  CHECK(h.turn() == Records{{reader, kReadable, fd}});
  check_quiet();
}

TEST_CASE_FIXTURE(Watches, "a batch too small for all watches serves them in rotation") {
  write_byte(sockets.second);
  std::map<Slot, int> last_told;
  for (int i = 0; i < 5; ++i) {
    last_told[h.watch(fd, kReadable)] = -1;
  }
  for (int turn = 0; turn < 50; ++turn) {
    for (const Record& record : h.turn(2)) {
      last_told.at(record.slot) = turn;
    }
    for (const auto& [slot, told] : last_told) {
      CHECK(turn - told <= 3);
    }
  }
}

TEST_CASE_FIXTURE(Watches, "events that come before the record is handed over become one record") {
  fill(fd);
  const Slot edge = h.watch(fd, kReadable | kWritable, true);
  check_quiet();
  const UniqueFd file = make_file();
  for (int i = 0; i < 4; ++i) {
    h.start(file, kReadable);
  }
  write_byte(sockets.second);
  CHECK(h.turn(2).size() == 2);
  drain(fd);
  drain(sockets.second.get());
  CHECK(h.turn(2).size() == 2);
  CHECK(h.turn() == Records{{edge, kReadable | kWritable, fd}});
  check_quiet();
}

TEST_CASE_FIXTURE(Watches, "a regular file cannot be watched, asleep or awake") {
  const UniqueFd file = make_file();
  const UniqueFd directory(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const UniqueFd* unwatchable : {&file, &directory, &null}) {
    for (const Interest interest : {Interest{0}, kReadable, kPriority, kAnyway}) {
      for (const bool edge : {false, true}) {
        CHECK(h.watch(*unwatchable, interest, edge) == failed(Syscall::control, -EPERM));
      }
    }
  }
  CHECK(h.reactor.statistics().registered == 0);
  h.check_idle();
}

TEST_CASE_FIXTURE(Watches, "a number that is not open cannot be watched") {
  for (const Interest interest : {Interest{0}, kReadable}) {
    for (const bool edge : {false, true}) {
      CHECK(h.watch(closed_number(), interest, edge) == failed(Syscall::control, -EBADF));
    }
  }
  CHECK(h.turn().empty());
  h.check_idle();
}

TEST_CASE_FIXTURE(Watches, "a watch keeps the loop alive while it is referenced") {
  const Slot watch = h.watch(fd, kReadable);
  const Slot unreferenced = h.watch(fd, kReadable, false, false);
  CHECK(h.reactor.referenced() == 1);
  h.reactor.set_referenced(watch, true);
  h.reactor.set_referenced(unreferenced, true);
  CHECK(h.reactor.referenced() == 2);
  h.reactor.set_referenced(watch, false);
  h.reactor.set_referenced(watch, false);
  CHECK(h.reactor.referenced() == 1);
  write_byte(sockets.second);
  h.turn();
  CHECK(h.reactor.referenced() == 1);
  h.reactor.cancel(watch);
  h.reactor.cancel(unreferenced);
  CHECK(h.reactor.referenced() == 0);
  h.reactor.set_referenced(watch, true);
  CHECK(h.reactor.referenced() == 0);
}

TEST_CASE("two hundred edge watches on one descriptor are told of each edge" * not_libkqueue()) {
  Harness h;
  const Pair pipe = make_pipe();
  std::vector<Slot> watches;
  for (int i = 0; i < 200; ++i) {
    watches.push_back(h.watch(pipe.first, kReadable, true));
    REQUIRE(watches.back() >= 0);
  }
  write_byte(pipe.second);
  std::vector<Slot> told;
  for (const Record& record : h.settle(1000)) {
    CHECK(record.outcome == kReadable);
    told.push_back(record.slot);
  }
  std::sort(told.begin(), told.end());
  std::sort(watches.begin(), watches.end());
  CHECK(told == watches);
}

TEST_CASE("edge watches beyond what one descriptor can bear are refused, and harm no other" *
          not_libkqueue()) {
  Harness h;
  const Pair pipe = make_pipe();
  Slot last = 0;
  int watches = 0;
  for (; watches < 1000 && last >= 0; ++watches) {
    last = h.watch(pipe.first, kReadable, true);
  }
  CHECK(last < 0);
  CHECK(watches == 257);
  write_byte(pipe.second);
  CHECK(h.settle(1000).size() == 256);
}

}  // namespace
}  // namespace fdevent::test
