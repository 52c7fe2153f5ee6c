// Numbers that are closed, or given to another object, without a word to the reactor.
#include "reactor_harness.h"

namespace fdevent::test {
namespace {

constexpr int kFd = kFirstChosenFd;
const Outcome kGone = failed(Syscall::control, -EBADF);

struct Numbers {
  Numbers() = default;
  Numbers(const Numbers&) = delete;
  Numbers& operator=(const Numbers&) = delete;
  ~Numbers() {
    for (int fd = kFd; fd < kFd + 4; ++fd) {
      ::close(fd);
    }
  }
};

// Linux delivers the events of a closed number while the open file lives on under another one.
struct Reuse : Numbers {
  Harness h;
  Pair p = make_pipe();
  Pair q = make_pipe();
};

TEST_CASE_FIXTURE(Reuse, "a descriptor closed without a word fails its wait at the deadline") {
  Pair pipe = make_pipe();
  const int fd = pipe.first.get();
  const Slot slot = h.start(fd, kReadable, 0.002);
  pipe.first.reset();
  CHECK(h.next() == Records{{slot, kGone, fd}});
  CHECK(h.settle().empty());
  CHECK(h.reactor.statistics().registered == 0);
  h.check_idle();
}

TEST_CASE_FIXTURE(Reuse,
                  "the deadline of one wait fails all that share the vanished registration") {
  put(p.first, kFd);
  const Slot endless = h.start(kFd, kReadable);
  const Slot other = h.start(kFd, kPriority, 100);
  const Slot timed = h.start(kFd, kReadable, 0.002);
  put(q.first, kFd);
  Records records = h.next();
  for (const Record& record : h.settle()) {
    records.push_back(record);
  }
  REQUIRE(records.size() == 3);
  CHECK(records[0] == Record{timed, kGone, kFd});
  for (const Slot slot : {endless, other}) {
    CHECK((records[1] == Record{slot, kGone, kFd} || records[2] == Record{slot, kGone, kFd}));
  }
  h.check_idle();
}

TEST_CASE_FIXTURE(Reuse, "a new wait on a closed number fails, and so do the old ones") {
  put(p.first, kFd);
  const Slot old = h.start(kFd, kReadable);
  ::close(kFd);
  CHECK(h.start(kFd, kReadable) == kGone);
  CHECK(h.settle() == Records{{old, kGone, kFd}});
  h.check_idle();
}

TEST_CASE_FIXTURE(Reuse, "a new wait on a reused number is served and the old ones fail") {
  put(p.first, kFd);
  const Slot first = h.start(kFd, kReadable);
  const Slot second = h.start(kFd, kPriority, 100);
  put(q.first, kFd);
  const Slot fresh = h.start(kFd, kReadable);
  REQUIRE(fresh >= 0);
  const Records failures = h.settle();
  REQUIRE(failures.size() == 2);
  for (const Record& record : failures) {
    CHECK((record.slot == first || record.slot == second));
    CHECK(record.outcome == kGone);
    CHECK(record.fd == kFd);
  }
  write_byte(p.second);
  CHECK(h.settle().empty());
  write_byte(q.second);
  CHECK(h.settle() == Records{{fresh, kReadable, kFd}});
  h.check_idle();
}

TEST_CASE_FIXTURE(Reuse, "a descriptor that is idle, closed and reused needs no word at all") {
  for (int i = 0; i < 10; ++i) {
    const Pair pipe = make_pipe();
    put(pipe.first, kFd);
    write_byte(pipe.second);
    const Slot slot = h.start(kFd, kReadable);
    CHECK(h.settle() == Records{{slot, kReadable, kFd}});
  }
  h.check_idle();
}

TEST_CASE_FIXTURE(Reuse, "the open file that comes back to its number is waited on again") {
  put(p.first, kFd);
  REQUIRE(h.start(kFd, kReadable) >= 0);
  SUBCASE("after close() told the reactor too late to reach the registration") {
    ::close(kFd);
    CHECK(h.close(kFd).size() == 1);
  }
  SUBCASE("after a failed wait in between") {
    ::close(kFd);
    CHECK(h.start(kFd, kReadable) == kGone);
    CHECK(h.settle().size() == 1);
  }
  put(p.first, kFd);
  const Slot back = h.start(kFd, kReadable);
  CHECK(back >= 0);
  CHECK(h.settle().empty());
  write_byte(p.second);
  CHECK(h.next() == Records{{back, kReadable, kFd}});
  CHECK(h.settle().empty());
}

TEST_CASE_FIXTURE(
    Reuse, "events of an open file that lives on elsewhere reach no wait on its old number") {
  put(p.first, kFd);
  const Slot old = h.start(kFd, kReadable);
  put(q.first, kFd);
  const Slot fresh = h.start(kFd, kReadable);
  CHECK(h.settle() == Records{{old, kGone, kFd}});
  write_byte(p.second);
  CHECK(h.settle().empty());
  CHECK(h.turns <= 1);
  write_byte(p.second);
  CHECK(h.settle().empty());
  CHECK(h.turns == 0);
  CHECK(h.reactor.statistics().waits == 1);
  write_byte(q.second);
  CHECK(h.settle() == Records{{fresh, kReadable, kFd}});
}

TEST_CASE_FIXTURE(Reuse,
                  "events of the object in between reach no wait on the open file that came back") {
  put(p.first, kFd);
  const Slot first = h.start(kFd, kReadable);
  put(q.first, kFd);
  const Slot second = h.start(kFd, kReadable);
  CHECK(h.settle() == Records{{first, kGone, kFd}});
  put(p.first, kFd);
  const Slot third = h.start(kFd, kReadable);
  write_byte(q.second);
  for (const Record& record : h.settle()) {
    CHECK(record.slot == second);
  }
  write_byte(p.second);
  const Records records = h.settle();
  REQUIRE_FALSE(records.empty());
  CHECK(records.back() == Record{third, kReadable, kFd});
}

TEST_CASE_FIXTURE(Reuse,
                  "a wait on the open file that came back while nobody waited is not failed") {
  put(p.first, kFd);
  const Slot first = h.start(kFd, kReadable);
  put(q.first, kFd);
  const Slot second = h.start(kFd, kReadable);
  write_byte(q.second);
  CHECK(h.settle() == Records{{first, kGone, kFd}, {second, kReadable, kFd}});
  put(p.first, kFd);
  const Slot third = h.start(kFd, kReadable);
  const Slot fourth = h.start(kFd, kReadable);
  CHECK(h.settle().empty());
  write_byte(p.second);
  CHECK(h.settle() == Records{{third, kReadable, kFd}, {fourth, kReadable, kFd}});
  h.check_idle();
}

// Where a hangup answered no wait, the registration is edge-triggered and outlives its first event.
struct HangupLeftOver : Reuse {
  HangupLeftOver() {
    put(socket_fd, kFd);
    const Slot old = h.start(kFd, kPriority);
    CHECK(h.settle().empty());
    put(q.first, kFd);
    fresh = h.start(kFd, kReadable);
    CHECK(h.settle() == Records{{old, kGone, kFd}});
  }

  // The open file hangs up anew each time.
  int turns_over(int changes) {
    int turns = 0;
    for (int i = 0; i < changes; ++i) {
      sockaddr_in nobody{};
      nobody.sin_family = AF_INET;
      nobody.sin_port = htons(1);
      nobody.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      REQUIRE(connect(socket_fd.get(), reinterpret_cast<sockaddr*>(&nobody), sizeof nobody) == -1);
      CHECK(h.settle().empty());
      turns += h.turns;
    }
    return turns;
  }

  UniqueFd socket_fd = make_tcp_socket();
  Slot fresh = core::kNoSlot;
};

TEST_CASE_FIXTURE(HangupLeftOver, "a left-over registration after a hangup never spins") {
  CHECK(turns_over(8) <= 8);
  CHECK_FALSE(pollable_now(h.reactor.fd(), 10));
  write_byte(q.second);
  CHECK(h.settle() == Records{{fresh, kReadable, kFd}});
}

TEST_CASE_FIXTURE(HangupLeftOver,
                  "a left-over registration after a hangup costs one turn at most") {
  CHECK(turns_over(8) <= 1);
}

TEST_CASE_FIXTURE(Reuse, "an event that finds its number closed fails the waits it does not end" *
                             epoll_only()) {
  put(p.first, kFd);
  const Slot reader = h.start(kFd, kReadable);
  const Slot exceptional = h.start(kFd, kPriority);
  ::close(kFd);
  write_byte(p.second);
  CHECK(h.turn() == Records{{reader, kReadable, kFd}, {exceptional, kGone, kFd}});
  CHECK(h.settle().empty());
  h.check_idle();
}

TEST_CASE_FIXTURE(Reuse, "cancelling a wait whose descriptor was closed fails the others on it") {
  put(p.first, kFd);
  const Slot cancelled = h.start(kFd, kPriority);
  const Slot other = h.start(kFd, kReadable);
  ::close(kFd);
  h.reactor.cancel(cancelled);
  CHECK(h.settle() == Records{{other, kGone, kFd}});
  h.check_idle();
}

TEST_CASE_FIXTURE(
    Reuse, "a number that becomes a regular file fails the old waits and is ready for the new") {
  const UniqueFd file = make_file();
  put(p.first, kFd);
  const Slot old = h.start(kFd, kReadable);
  put(file, kFd);
  const Slot fresh = h.start(kFd, kReadable);
  CHECK(h.settle() == Records{{old, kGone, kFd}, {fresh, kReadable, kFd}});
  const Slot exceptional = h.start(kFd, kPriority, 0.002);
  CHECK(h.next() == Records{{exceptional, kTimedOut, kFd}});
  h.check_idle();
}

TEST_CASE_FIXTURE(Reuse,
                  "a number that was a regular file fails the old waits and serves the new") {
  const UniqueFd file = make_file();
  put(file, kFd);
  const Slot old = h.start(kFd, kPriority);
  CHECK(h.settle().empty());
  put(q.first, kFd);
  const Slot fresh = h.start(kFd, kReadable);
  CHECK(h.settle() == Records{{old, kGone, kFd}});
  write_byte(q.second);
  CHECK(h.settle() == Records{{fresh, kReadable, kFd}});
  h.check_idle();
}

TEST_CASE_FIXTURE(
    Reuse, "a regular file closed without a word fails its exceptional wait at the deadline") {
  const UniqueFd file = make_file();
  put(file, kFd);
  const Slot slot = h.start(kFd, kPriority, 0.002);
  ::close(kFd);
  CHECK(h.next() == Records{{slot, failed(Syscall::poll, -EBADF), kFd}});
  h.check_idle();
}

TEST_CASE_FIXTURE(Reuse,
                  "a select fails when one of its members was replaced, and frees the others") {
  put(p.first, kFd);
  const Slot head = h.select({{kFd, kReadable, 0}, {q.first.get(), kReadable, 0}}, 0.002);
  SUBCASE("at the deadline") {
    put(q.second, kFd);
    CHECK(h.next() == Records{{head, kGone, kFd}});
  }
  SUBCASE("by a new wait on the number") {
    put(q.first, kFd);
    const Slot fresh = h.start(kFd, kReadable);
    CHECK(h.settle() == Records{{head, kGone, kFd}});
    h.reactor.cancel(fresh);
  }
  SUBCASE("when another member becomes ready while this one is closed") {
    ::close(kFd);
    write_byte(q.second);
    CHECK(h.next() == Records{{head, failed(Syscall::poll, -EBADF), kFd}});
  }
  CHECK(h.settle().empty());
  h.check_idle();
}

TEST_CASE_FIXTURE(Reuse, "several selects with several vanished members fail once each") {
  put(p.first, kFd);
  put(p.first, kFd + 1);
  std::vector<Slot> heads;
  for (int i = 0; i < 5; ++i) {
    heads.push_back(h.select({{kFd, kReadable, 0}, {kFd + 1, kReadable, 0}}));
  }
  put(q.first, kFd);
  put(q.first, kFd + 1);
  const Slot head = h.select({{kFd, kReadable, 0}, {kFd + 1, kReadable, 0}});
  const Records records = h.settle();
  CHECK(records.size() == heads.size());
  for (const Slot failing : heads) {
    int times = 0;
    for (const Record& record : records) {
      times += record.slot == failing && record.outcome == kGone;
    }
    CHECK(times == 1);
  }
  write_byte(q.second);
  CHECK(h.settle() == Records{{head, kSelected, -1}});
  h.check_idle();
}

TEST_CASE("when the reactor's own descriptor is closed every wait fails, and nothing crashes") {
  const Pair pipe = make_pipe();
  const Pair other = make_pipe();
  Harness h;
  const Slot single = h.start(pipe.first, kReadable);
  const Slot timed = h.start(pipe.first, kPriority, 100);
  const Slot head = h.select({{pipe.first.get(), kReadable, 0}, {other.first.get(), kReadable, 0}});
  const UniqueFd elsewhere(fcntl(h.reactor.fd(), F_DUPFD_CLOEXEC, 0));
  ::close(h.reactor.fd());
  const Records records = h.turn();
  const Outcome failure = failed(Syscall::wait, -EBADF);
  CHECK(records == Records{{single, failure, pipe.first.get()},
                           {timed, failure, pipe.first.get()},
                           {head, failure, -1}});
  CHECK(h.start(pipe.first, kReadable) == failed(Syscall::control, -EBADF));
  h.turn();
  CHECK(h.reactor.statistics().waits == 0);
  CHECK(h.reactor.referenced() == 0);
  put(elsewhere, h.reactor.fd());
}

}  // namespace
}  // namespace fdevent::test
