// What a synchronous poller holds and reports.
#include <map>

#include "sync_poller_harness.h"

namespace fdevent::test {
namespace {

TEST_CASE_FIXTURE(Polling, "adding twice is EEXIST, and leaves the first as it was") {
  CHECK(add(p.first, kReadable, Kind::once) == 0);
  for (const Kind kind : {Kind::level, Kind::edge, Kind::once}) {
    CHECK(add(p.first, kWritable, kind) == failed(Syscall::control, -EEXIST));
  }
  CHECK(wait().empty());
  write_byte(p.second);
  CHECK(wait() == Found{{a, kReadable}});
  CHECK(wait().empty());
}

TEST_CASE_FIXTURE(Polling, "a one-shot that has fired is still there") {
  REQUIRE(add(p.first, kWritable, Kind::once) == 0);
  CHECK(wait().size() == 1);
  CHECK(add(p.first, kWritable, Kind::once) == failed(Syscall::control, -EEXIST));
  CHECK(wait().empty());
  CHECK(poller.remove(a) == 0);
}

TEST_CASE_FIXTURE(Polling, "modifying and removing what was not added, or is removed, is ENOENT") {
  const Outcome unknown = failed(Syscall::control, -ENOENT);
  for (const int fd : {a, closed_number(), 100'000}) {
    CHECK(poller.modify(fd, kReadable, Kind::level) == unknown);
    CHECK(poller.remove(fd) == unknown);
  }
  REQUIRE(add(p.first, kReadable) == 0);
  CHECK(poller.remove(a) == 0);
  CHECK(poller.remove(a) == unknown);
  CHECK(poller.modify(a, kReadable, Kind::level) == unknown);
  write_byte(p.second);
  CHECK(wait().empty());
  CHECK(add(p.first, kReadable) == 0);
  CHECK(wait() == Found{{a, kReadable}});
}

TEST_CASE_FIXTURE(Polling, "level reports each time, edge once for each edge, one-shot once") {
  const Pair r = make_sockets();
  const int c = r.first.get();
  REQUIRE(add(p.first, kReadable, Kind::level) == 0);
  REQUIRE(add(q.first, kReadable, Kind::edge) == 0);
  REQUIRE(add(r.first, kReadable, Kind::once) == 0);
  std::map<int, int> times;
  for (int round = 0; round < 3; ++round) {
    for (const int peer : {p.second.get(), q.second.get(), r.second.get()}) {
      REQUIRE(write(peer, "x", 1) == 1);
    }
    for (int i = 0; i < 2; ++i) {
      for (const core::SyncPoller::Ready& ready : wait()) {
        CHECK(ready.readiness == kReadable);
        ++times[ready.fd];
      }
    }
  }
  CHECK(times == std::map<int, int>{{a, 6}, {b, 3}, {c, 1}});
}

TEST_CASE_FIXTURE(Polling, "modify arms a one-shot again") {
  write_byte(p.second);
  REQUIRE(add(p.first, kReadable, Kind::once) == 0);
  for (int i = 0; i < 3; ++i) {
    CHECK(wait() == Found{{a, kReadable}});
    CHECK(wait().empty());
    CHECK(poller.modify(a, kReadable, Kind::once) == 0);
  }
}

TEST_CASE_FIXTURE(Polling, "modify changes interest and mode in every direction") {
  write_byte(p.second);
  REQUIRE(add(p.first, kPriority) == 0);
  for (const Kind from : {Kind::level, Kind::edge, Kind::once}) {
    for (const Kind to : {Kind::level, Kind::edge, Kind::once}) {
      for (const Interest interest : {kReadable, kWritable, kReadable | kWritable}) {
        REQUIRE(poller.modify(a, kPriority, from) == 0);
        CHECK(wait().empty());
        REQUIRE(poller.modify(a, interest, to) == 0);
        CHECK(wait() == Found{{a, static_cast<int32_t>(interest)}});
        CHECK(wait().size() == (to == Kind::level ? 1 : 0));
      }
    }
  }
}

TEST_CASE_FIXTURE(Polling, "hangup and error are reported whatever was asked for") {
  Pair pipe = make_pipe();
  pipe.first.reset();
  p.second.reset();
  REQUIRE(add(p.first, 0) == 0);
  REQUIRE(add(pipe.second, kPriority, Kind::once) == 0);
  std::map<int, int32_t> seen;
  for (const core::SyncPoller::Ready& ready : wait()) {
    seen[ready.fd] = ready.readiness;
  }
  CHECK(seen == std::map<int, int32_t>{{a, kHangup}, {pipe.second.get(), kError}});
}

TEST_CASE_FIXTURE(Polling,
                  "what has no readiness is refused, in every mode and for every interest") {
  const UniqueFd file = make_file();
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const Kind kind : {Kind::level, Kind::edge, Kind::once}) {
    for (Interest interest = 0; interest <= kSelectable; ++interest) {
      CAPTURE(static_cast<int>(kind));
      CAPTURE(interest);
      CHECK(add(file, interest, kind) == failed(Syscall::control, -EPERM));
      CHECK(add(null, interest, kind) == failed(Syscall::control, -EPERM));
    }
    CHECK(poller.add(closed_number(), kReadable, kind) == failed(Syscall::control, -EBADF));
    CHECK(poller.add(-1, kReadable, kind) == failed(Syscall::control, -EBADF));
  }
  CHECK(poller.remove(file.get()) == failed(Syscall::control, -ENOENT));
  CHECK(wait().empty());
}

TEST_CASE_FIXTURE(Polling, "its own descriptors are refused") {
  CHECK(poller.add(poller.fd(), kReadable, Kind::level) == failed(Syscall::control, -EINVAL));
  const int waker = poller.enable_wake();
  CHECK(poller.add(waker, kReadable, Kind::level) == failed(Syscall::control, -EINVAL));
}

TEST_CASE_FIXTURE(Polling, "a circle of pollers is refused" * epoll_only()) {
  Polling outer;
  REQUIRE(outer.poller.add(poller.fd(), kReadable, Kind::level) == 0);
  CHECK(poller.add(outer.poller.fd(), kReadable, Kind::level) == failed(Syscall::control, -ELOOP));
  CHECK(poller.remove(outer.poller.fd()) == failed(Syscall::control, -ENOENT));
}

TEST_CASE_FIXTURE(Polling, "its descriptor is ready in another poller exactly when it has events") {
  Polling outer;
  REQUIRE(outer.poller.add(poller.fd(), kReadable, Kind::level) == 0);
  REQUIRE(add(p.first, kReadable) == 0);
  CHECK(outer.wait().empty());
  write_byte(p.second);
  CHECK(outer.wait() == Found{{poller.fd(), kReadable}});
  CHECK(wait().size() == 1);
  drain(a);
  CHECK(wait().empty());
  CHECK(outer.wait().empty());
}

TEST_CASE_FIXTURE(Polling, "one descriptor in two pollers is reported by both") {
  Polling other;
  REQUIRE(add(p.first, kReadable, Kind::once) == 0);
  REQUIRE(other.add(p.first, kReadable, Kind::edge) == 0);
  write_byte(p.second);
  CHECK(wait() == Found{{a, kReadable}});
  CHECK(other.wait() == Found{{a, kReadable}});
}

TEST_CASE_FIXTURE(Polling, "more ready descriptors than capacity are all reported in rotation") {
  std::vector<UniqueFd> fds;
  std::map<int, int> times;
  for (int i = 0; i < 10; ++i) {
    fds.push_back(make_eventfd(1));
    times[fds.back().get()] = 0;
    REQUIRE(add(fds.back(), kReadable) == 0);
  }
  for (int round = 0; round < 30; ++round) {
    const Found found = wait(0, 3);
    CHECK(found.size() == 3);
    for (const core::SyncPoller::Ready& ready : found) {
      ++times.at(ready.fd);
    }
  }
  for (const auto& [fd, seen] : times) {
    CHECK(seen == 9);
  }
}

TEST_CASE("many pollers leave no descriptor behind") {
  const int before = make_eventfd(0).get();
  const UniqueFd ready = make_eventfd(1);
  const int free = make_eventfd(0).get();
  for (int i = 0; i < 200; ++i) {
    Polling each;
    REQUIRE(each.poller.enable_wake() >= 0);
    REQUIRE(each.add(ready, kReadable) == 0);
    CHECK(each.wait().size() == 1);
  }
  CHECK(make_eventfd(0).get() == free);
  CHECK(free > before);
}

}  // namespace
}  // namespace fdevent::test
