// One wait, and several on one descriptor.
#include <time.h>

#include "reactor_harness.h"

namespace fdevent::test {
namespace {

using sys::monotonic_now;
using sys::Nanoseconds;

TEST_CASE("a reactor costs no descriptor before it is opened") {
  const int before = make_eventfd(0).get();
  const core::Reactor reactor{};
  CHECK_FALSE(reactor.is_open());
  CHECK(make_eventfd(0).get() == before);
}

TEST_CASE("a wait ends with one record when its descriptor becomes ready") {
  Harness h;
  const Pair pipe = make_pipe();
  const Slot slot = h.start(pipe.first, kReadable);
  REQUIRE(slot >= 0);
  CHECK(h.settle().empty());
  CHECK(h.reactor.statistics().waits == 1);
  CHECK(h.reactor.statistics().registered == 1);
  CHECK(h.reactor.statistics().armed == 1);
  write_byte(pipe.second);
  CHECK(h.next() == Records{{slot, kReadable, pipe.first.get()}});
  CHECK(h.settle().empty());
  h.check_idle();
}

TEST_CASE("a descriptor that is ready already is reported by the next turn") {
  Harness h;
  const Pair pipe = make_pipe();
  const Slot slot = h.start(pipe.second, kWritable, 10);
  CHECK(h.turn() == Records{{slot, kWritable, pipe.second.get()}});
  CHECK(h.turn().empty());
  h.check_idle();
}

TEST_CASE("waits reuse the registration of their descriptor") {
  Harness h;
  const Pair pipe = make_pipe();
  write_byte(pipe.second);
  for (int i = 0; i < 100; ++i) {
    const Slot slot = h.start(pipe.first, kReadable);
    REQUIRE(h.turn() == Records{{slot, kReadable, pipe.first.get()}});
    CHECK(h.reactor.statistics().registered == 1);
    CHECK(h.reactor.statistics().armed == 0);
  }
}

TEST_CASE("a wait times out once, and never early") {
  Harness h;
  const Pair pipe = make_pipe();
  for (const double seconds : {1e-9, 1e-6, 0.0007, 0.003, 0.02}) {
    const Nanoseconds earliest = monotonic_now() + static_cast<Nanoseconds>(seconds * 1e9);
    const Slot slot = h.start(pipe.first, kReadable, seconds);
    CHECK(h.reactor.statistics().timed == 1);
    const Records records = h.next();
    CHECK(monotonic_now() >= earliest);
    CHECK(records == Records{{slot, kTimedOut, pipe.first.get()}});
    CHECK(h.settle().empty());
    h.check_idle();
  }
}

TEST_CASE("timeouts end in the order of their deadlines") {
  Harness h;
  const Pair pipe = make_pipe();
  const Slot late = h.start(pipe.first, kReadable, 0.012);
  const Slot early = h.start(pipe.first, kReadable, 0.004);
  const Slot middle = h.start(pipe.first, kReadable, 0.008);
  std::vector<Slot> order;
  while (order.size() < 3) {
    for (const Record& record : h.next()) {
      CHECK(record.outcome == kTimedOut);
      order.push_back(record.slot);
    }
  }
  CHECK(order == std::vector<Slot>{early, middle, late});
}

TEST_CASE("readiness wins over a deadline that passes before the reactor turns") {
  Harness h;
  const Pair pipe = make_pipe();
  const Slot slot = h.start(pipe.first, kReadable, 0.001);
  write_byte(pipe.second);
  timespec pause = sys::to_timespec(5'000'000);
  nanosleep(&pause, nullptr);
  CHECK(h.next() == Records{{slot, kReadable, pipe.first.get()}});
  CHECK(h.settle().empty());
  h.check_idle();
}

TEST_CASE("a wait that becomes ready takes its deadline along") {
  Harness h;
  const Pair pipe = make_pipe();
  h.start(pipe.first, kReadable, 0.01);
  CHECK(h.reactor.statistics().timed == 1);
  write_byte(pipe.second);
  CHECK(h.next().size() == 1);
  CHECK(h.reactor.statistics().timed == 0);
  timespec pause = sys::to_timespec(15'000'000);
  nanosleep(&pause, nullptr);
  CHECK(h.settle().empty());
}

TEST_CASE("an endless or astronomically long timeout is no deadline") {
  Harness h;
  const Pair pipe = make_pipe();
  for (const double seconds : {kForever, 1e300, 1e12}) {
    REQUIRE(h.start(pipe.first, kReadable, seconds) >= 0);
  }
  CHECK(h.reactor.statistics().timed == 0);
  CHECK(h.settle().empty());
  CHECK(h.reactor.statistics().waits == 3);
}

TEST_CASE("timeout 0 reports the present state in the next turn") {
  Harness h;
  const Pair pipe = make_pipe();
  const UniqueFd file = make_file();
  const Slot ready = h.start(pipe.second, kWritable, 0);
  const Slot not_ready = h.start(pipe.first, kReadable, 0);
  const Slot regular = h.start(file, kReadable | kWritable, 0);
  const Slot exceptional = h.start(file, kPriority, 0);
  CHECK(h.reactor.urgent());
  CHECK(h.turn() == Records{{ready, kWritable, pipe.second.get()},
                            {not_ready, kTimedOut, pipe.first.get()},
                            {regular, kReadable | kWritable, file.get()},
                            {exceptional, kTimedOut, file.get()}});
  CHECK_FALSE(h.reactor.urgent());
  CHECK(h.reactor.statistics().registered == 0);
  h.check_idle();
}

TEST_CASE("timeout 0 is the state when it was asked, not when it is handed over") {
  Harness h;
  const Pair pipe = make_pipe();
  const Slot slot = h.start(pipe.first, kReadable, 0);
  write_byte(pipe.second);
  CHECK(h.turn() == Records{{slot, kTimedOut, pipe.first.get()}});
}

TEST_CASE("a number that is not open fails at once and leaves nothing behind") {
  Harness h;
  for (const int fd : {closed_number(), -1}) {
    CHECK(h.start(fd, kReadable, 5) == failed(Syscall::control, -EBADF));
    CHECK(h.start(fd, kPriority) == failed(Syscall::control, -EBADF));
  }
  CHECK(h.start(closed_number(), kReadable, 0) == failed(Syscall::poll, -EBADF));
  CHECK(h.turn().empty());
  CHECK(h.reactor.statistics().registered == 0);
  h.check_idle();
}

TEST_CASE("the reactor's own descriptors come when they are needed, and are refused" *
          epoll_only()) {
  const Pair sockets = make_sockets();
  std::vector<bool> open_before;
  for (int fd = 0; fd < kFirstChosenFd; ++fd) {
    open_before.push_back(fcntl(fd, F_GETFD) >= 0);
  }
  Harness h;
  const auto count_own = [&] {
    int own = 0;
    for (int fd = 0; fd < kFirstChosenFd; ++fd) {
      if (!open_before[static_cast<size_t>(fd)] && fcntl(fd, F_GETFD) >= 0) {
        ++own;
        CHECK(h.start(fd, kReadable) == failed(Syscall::control, -EINVAL));
        CHECK(h.watch(fd, kReadable) == failed(Syscall::control, -EINVAL));
        CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
      }
    }
    return own;
  };
  CHECK(count_own() == 1);
  const Slot endless = h.start(sockets.first, kReadable);
  CHECK(count_own() == 1);
  const Slot timed = h.start(sockets.first, kReadable, 100);
  CHECK(count_own() == 2);
  const Slot edge = h.watch(sockets.first, kReadable, true);
  CHECK(count_own() == 3);
  for (const Slot slot : {endless, timed, edge}) {
    h.reactor.cancel(slot);
  }
  h.check_idle();
}

TEST_CASE("another reactor's descriptor can be waited on") {
  Harness outer;
  Harness inner;
  const Slot slot = outer.start(inner.reactor.fd(), kReadable);
  REQUIRE(slot >= 0);
  CHECK(outer.settle().empty());
  const Pair pipe = make_pipe();
  inner.start(pipe.second, kWritable);
  CHECK(outer.next() == Records{{slot, kReadable, inner.reactor.fd()}});
}

TEST_CASE("waits for different things on one descriptor end independently") {
  Harness h;
  const Pair sockets = make_sockets();
  fill(sockets.first.get());
  const Slot reader = h.start(sockets.first, kReadable);
  const Slot writer = h.start(sockets.first, kWritable);
  CHECK(h.settle().empty());
  write_byte(sockets.second);
  CHECK(h.settle() == Records{{reader, kReadable, sockets.first.get()}});
  CHECK(h.reactor.statistics().armed == 1);
  drain(sockets.second.get());
  CHECK(h.settle() == Records{{writer, kWritable, sockets.first.get()}});
  h.check_idle();
}

TEST_CASE("waits for the same thing all end with one event, first come first served") {
  Harness h;
  const Pair pipe = make_pipe();
  std::vector<Slot> expected;
  for (int i = 0; i < 5; ++i) {
    expected.push_back(h.start(pipe.first, i % 2 ? kReadable | kPriority : kReadable));
  }
  write_byte(pipe.second);
  std::vector<Slot> order;
  for (const Record& record : h.settle()) {
    CHECK(record.outcome == kReadable);
    order.push_back(record.slot);
  }
  CHECK(order == expected);
}

TEST_CASE("a wait for several things ends with the first of them") {
  Harness h;
  const Pair sockets = make_sockets();
  fill(sockets.first.get());
  const Slot slot = h.start(sockets.first, kReadable | kWritable | kPriority);
  CHECK(h.settle().empty());
  drain(sockets.second.get());
  CHECK(h.settle() == Records{{slot, kWritable, sockets.first.get()}});
}

TEST_CASE("one wait's deadline leaves the others on its descriptor alone") {
  Harness h;
  const Pair pipe = make_pipe();
  const Slot patient = h.start(pipe.first, kReadable);
  const Slot hasty = h.start(pipe.first, kReadable | kPriority, 0.002);
  CHECK(h.next() == Records{{hasty, kTimedOut, pipe.first.get()}});
  write_byte(pipe.second);
  CHECK(h.next() == Records{{patient, kReadable, pipe.first.get()}});
  h.check_idle();
}

TEST_CASE("out-of-band data ends an exceptional wait and leaves a reader waiting") {
  Harness h;
  const Pair tcp = make_tcp();
  const Slot reader = h.start(tcp.first, kReadable);
  const Slot exceptional = h.start(tcp.first, kPriority);
  send_out_of_band(tcp.second);
  CHECK(h.next() == Records{{exceptional, kPriority, tcp.first.get()}});
  CHECK(h.settle().empty());
  write_byte(tcp.second);
  CHECK(h.next() == Records{{reader, kReadable, tcp.first.get()}});
}

TEST_CASE("a regular file is always readable and writable") {
  Harness h;
  const UniqueFd file = make_file();
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const Slot reader = h.start(file, kReadable);
  const Slot writer = h.start(file, kWritable | kPriority, 10);
  const Slot device = h.start(null, kReadable);
  CHECK(h.reactor.urgent());
  CHECK(h.turn() == Records{{reader, kReadable, file.get()},
                            {writer, kWritable, file.get()},
                            {device, kReadable, null.get()}});
  CHECK(h.reactor.statistics().registered == 0);
  h.check_idle();
}

TEST_CASE("a wait for exceptional conditions alone on a regular file lasts until its deadline") {
  Harness h;
  const UniqueFd file = make_file();
  const Slot timed = h.start(file, kPriority, 0.003);
  const Slot endless = h.start(file, kPriority);
  CHECK_FALSE(h.reactor.urgent());
  const Nanoseconds earliest = monotonic_now() + 2'000'000;
  CHECK(h.next() == Records{{timed, kTimedOut, file.get()}});
  CHECK(monotonic_now() >= earliest);
  CHECK(h.reactor.statistics().waits == 1);
  h.reactor.cancel(endless);
  CHECK(h.settle().empty());
  h.check_idle();
}

}  // namespace
}  // namespace fdevent::test
