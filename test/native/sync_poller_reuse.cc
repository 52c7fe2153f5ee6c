// A synchronous poller whose descriptors are closed, or replaced, before they are removed.
#include "sync_poller_harness.h"

namespace fdevent::test {
namespace {

constexpr int kFd = kFirstChosenFd;
constexpr int kMostEvents = 64;

struct Reused : Polling {
  Reused() { put(p.first, kFd); }
  Reused(const Reused&) = delete;
  Reused& operator=(const Reused&) = delete;
  ~Reused() { ::close(kFd); }
};

TEST_CASE_FIXTURE(Reused, "a descriptor that was closed can be removed, once") {
  for (const Kind kind : {Kind::level, Kind::edge, Kind::once}) {
    put(p.first, kFd);
    REQUIRE(poller.add(kFd, kReadable, kind) == 0);
    ::close(kFd);
    CHECK(poller.remove(kFd) == 0);
    CHECK(poller.remove(kFd) == failed(Syscall::control, -ENOENT));
    put(p.first, kFd);
    REQUIRE(poller.add(kFd, kReadable, kind) == 0);
    put(q.first, kFd);
    CHECK(poller.remove(kFd) == 0);
    CHECK(poller.remove(kFd) == failed(Syscall::control, -ENOENT));
  }
}

TEST_CASE_FIXTURE(Reused, "what was closed and removed is silent, though a duplicate lives on") {
  for (const Kind kind : {Kind::level, Kind::edge, Kind::once}) {
    put(p.first, kFd);
    REQUIRE(poller.add(kFd, kReadable, kind) == 0);
    ::close(kFd);
    CHECK(poller.remove(kFd) == 0);
    write_byte(p.second);
    check_quiet();
    CHECK(wait(0.002).empty());
    drain(p.first.get());
  }
}

TEST_CASE_FIXTURE(Reused, "what was closed and removed never speaks for what has its number now") {
  for (const Kind kind : {Kind::level, Kind::edge, Kind::once}) {
    put(p.first, kFd);
    REQUIRE(poller.add(kFd, kReadable, kind) == 0);
    ::close(kFd);
    CHECK(poller.remove(kFd) == 0);
    put(q.first, kFd);
    REQUIRE(poller.add(kFd, kReadable, kind) == 0);
    write_byte(p.second);
    CHECK(wait(0.002).empty());
    check_quiet();
    write_byte(q.second);
    CHECK(wait() == Found{{kFd, kReadable}});
    drain(kFd);
    drain(p.first.get());
    CHECK(poller.remove(kFd) == 0);
  }
}

TEST_CASE_FIXTURE(Reused, "a reused number can be added without having been removed") {
  for (const Kind kind : {Kind::level, Kind::edge, Kind::once}) {
    put(p.first, kFd);
    REQUIRE(poller.add(kFd, kReadable, kind) == 0);
    put(q.first, kFd);
    CHECK(poller.add(kFd, kReadable, kind) == 0);
    CHECK(poller.add(kFd, kReadable, kind) == failed(Syscall::control, -EEXIST));
    write_byte(p.second);
    CHECK(wait(0.002).empty());
    write_byte(q.second);
    CHECK(wait() == Found{{kFd, kReadable}});
    drain(kFd);
    drain(p.first.get());
    CHECK(poller.remove(kFd) == 0);
  }
}

TEST_CASE_FIXTURE(Reused, "modifying a closed or reused number is ENOENT, and forgets it") {
  const Outcome unknown = failed(Syscall::control, -ENOENT);
  REQUIRE(poller.add(kFd, kReadable, Kind::level) == 0);
  SUBCASE("closed") {
    ::close(kFd);
  }
  SUBCASE("or reused") {
    put(q.first, kFd);
  }
  CHECK(poller.modify(kFd, kWritable, Kind::level) == unknown);
  CHECK(poller.remove(kFd) == unknown);
  write_byte(p.second);
  check_quiet();
}

TEST_CASE_FIXTURE(Reused,
                  "a level registration of a closed number ends after few events" * epoll_only()) {
  REQUIRE(poller.add(kFd, kReadable, Kind::level) == 0);
  REQUIRE(add(q.first, kReadable) == 0);
  ::close(kFd);
  write_byte(p.second);
  int events = 0;
  for (int i = 0; i < 2 * kMostEvents; ++i) {
    events += static_cast<int>(wait().size());
  }
  CHECK(events <= kMostEvents);
  check_quiet();
  CHECK(poller.remove(kFd) == failed(Syscall::control, -ENOENT));
  write_byte(q.second);
  CHECK(wait() == Found{{b, kReadable}});
}

TEST_CASE_FIXTURE(Reused, "a leftover does not shorten a wait, nor end one") {
  REQUIRE(poller.add(kFd, kReadable, Kind::level) == 0);
  ::close(kFd);
  CHECK(poller.remove(kFd) == 0);
  write_byte(p.second);
  const sys::Nanoseconds start = sys::monotonic_now();
  CHECK(wait(0.02).empty());
  CHECK(sys::monotonic_now() - start >= 20'000'000);
}

TEST_CASE_FIXTURE(Reused, "everybody else outlives a leftover") {
  const Pair r = make_sockets();
  const int waker = poller.enable_wake();
  const int number = poller.fd();
  REQUIRE(add(q.first, kReadable, Kind::edge) == 0);
  REQUIRE(add(r.first, kReadable, Kind::once) == 0);
  const Pair fired = make_sockets();
  REQUIRE(add(fired.first, kWritable, Kind::once) == 0);
  CHECK(wait() == Found{{fired.first.get(), kWritable}});
  REQUIRE(poller.add(kFd, kReadable, Kind::level) == 0);
  ::close(kFd);
  CHECK(poller.remove(kFd) == 0);
  write_byte(p.second);
  check_quiet();
  CHECK(poller.fd() == number);
  write_byte(q.second);
  write_byte(r.second);
  CHECK(wait().size() == 2);
  CHECK(wait().empty());
  CHECK(poller.modify(fired.first.get(), kWritable, Kind::once) == 0);
  CHECK(wait() == Found{{fired.first.get(), kWritable}});
  REQUIRE(backend::Backend::wake(waker) == 0);
  CHECK(pollable_now(number));
  CHECK(wait(100).empty());
}

}  // namespace
}  // namespace fdevent::test
