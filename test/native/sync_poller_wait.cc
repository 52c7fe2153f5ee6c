// How long a synchronous poller blocks, and what ends it.
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include <limits>
#include <thread>

#include "sync_poller_harness.h"
#include "sys/clock.h"

namespace fdevent::test {
namespace {

using backend::Backend;
using sys::monotonic_now;
using sys::Nanoseconds;

constexpr double kForever = std::numeric_limits<double>::infinity();
constexpr Nanoseconds kPatience = 10'000'000'000;

void pause_for(Nanoseconds span) {
  const timespec pause = sys::to_timespec(span);
  nanosleep(&pause, nullptr);
}

TEST_CASE_FIXTURE(Polling, "a wait without events lasts its timeout, and never less") {
  for (const double seconds : {1e-9, 1e-6, 0.0001, 0.0031, 0.02}) {
    for (int i = 0; i < 5; ++i) {
      const Nanoseconds start = monotonic_now();
      CHECK(wait(seconds).empty());
      CHECK(monotonic_now() - start >= static_cast<Nanoseconds>(seconds * 1e9));
    }
  }
}

TEST_CASE_FIXTURE(Polling, "timeout 0 does not block") {
  const Nanoseconds start = monotonic_now();
  for (int i = 0; i < 100; ++i) {
    CHECK(wait(0).empty());
  }
  CHECK(monotonic_now() - start < kPatience);
}

TEST_CASE_FIXTURE(Polling, "an event ends a wait of any length") {
  REQUIRE(add(p.first, kReadable) == 0);
  for (const double seconds : {100.0, 1e12, 1e300, kForever}) {
    std::thread writer([&] {
      pause_for(2'000'000);
      write_byte(p.second);
    });
    const Nanoseconds start = monotonic_now();
    CHECK(wait(seconds) == Found{{a, kReadable}});
    CHECK(monotonic_now() - start < kPatience);
    writer.join();
    drain(a);
  }
}

TEST_CASE_FIXTURE(Polling, "a notification before or during a wait ends it without events") {
  const int waker = poller.enable_wake();
  for (int i = 0; i < 40; ++i) {
    std::thread notifier([i, waker] {
      pause_for(i % 2 == 0 ? 0 : 300'000);
      Backend::wake(waker);
    });
    CHECK(wait(kForever).empty());
    notifier.join();
  }
  CHECK_FALSE(pollable_now(poller.fd()));
}

TEST_CASE_FIXTURE(Polling, "several notifications end one wait, and a later wait lasts its time") {
  const int waker = poller.enable_wake();
  for (int i = 0; i < 5; ++i) {
    REQUIRE(Backend::wake(waker) == 0);
  }
  CHECK(wait(kForever).empty());
  const Nanoseconds start = monotonic_now();
  CHECK(wait(0.01).empty());
  CHECK(monotonic_now() - start >= 10'000'000);
}

TEST_CASE_FIXTURE(Polling, "a notification costs no event") {
  const int waker = poller.enable_wake();
  REQUIRE(add(p.first, kReadable, Kind::edge) == 0);
  write_byte(p.second);
  REQUIRE(Backend::wake(waker) == 0);
  Found found = wait(0.01, 1);
  if (found.empty()) {
    found = wait(0.01, 1);
  }
  CHECK(found == Found{{a, kReadable}});
}

TEST_CASE_FIXTURE(Polling, "a notification that was received does not come back with a leftover") {
  const int waker = poller.enable_wake();
  REQUIRE(Backend::wake(waker) == 0);
  CHECK(wait(kForever).empty());
  put(p.first, kFirstChosenFd);
  REQUIRE(poller.add(kFirstChosenFd, kReadable, Kind::level) == 0);
  ::close(kFirstChosenFd);
  REQUIRE(poller.remove(kFirstChosenFd) == 0);
  write_byte(p.second);
  const Nanoseconds start = monotonic_now();
  CHECK(wait(0.02).empty());
  CHECK(monotonic_now() - start >= 20'000'000);
}

struct Alarms {
  Alarms() {
    interrupted = 0;
    struct sigaction action {};
    action.sa_handler = [](int) { ++interrupted; };
    REQUIRE(sigaction(SIGALRM, &action, &former) == 0);
    const itimerval every{{0, 2000}, {0, 2000}};
    REQUIRE(setitimer(ITIMER_REAL, &every, nullptr) == 0);
  }
  Alarms(const Alarms&) = delete;
  Alarms& operator=(const Alarms&) = delete;
  ~Alarms() {
    const itimerval never{};
    setitimer(ITIMER_REAL, &never, nullptr);
    sigaction(SIGALRM, &former, nullptr);
  }

  static inline volatile sig_atomic_t interrupted = 0;
  struct sigaction former {};
};

TEST_CASE_FIXTURE(Polling, "signals neither end a wait nor make it longer than its time") {
  const Alarms alarms;
  const Nanoseconds start = monotonic_now();
  CHECK(wait(0.05).empty());
  const Nanoseconds took = monotonic_now() - start;
  CHECK(took >= 50'000'000);
  CHECK(took < kPatience);
  CHECK(Alarms::interrupted >= 3);
}

TEST_CASE_FIXTURE(Polling, "signals do not keep an endless wait from its event") {
  REQUIRE(add(p.first, kReadable) == 0);
  sigset_t alarm;
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  // Only the thread that waits is to be interrupted.
  REQUIRE(pthread_sigmask(SIG_BLOCK, &alarm, nullptr) == 0);
  std::thread writer([&] {
    pause_for(20'000'000);
    write_byte(p.second);
  });
  REQUIRE(pthread_sigmask(SIG_UNBLOCK, &alarm, nullptr) == 0);
  {
    const Alarms alarms;
    CHECK(wait(kForever) == Found{{a, kReadable}});
    CHECK(Alarms::interrupted >= 1);
  }
  writer.join();
}

TEST_CASE("closing the descriptor that other loops see leaves the poller itself alone") {
  core::SyncPoller poller;
  REQUIRE(poller.open() == 0);
  const int seen = poller.fd();
  const UniqueFd elsewhere(fcntl(seen, F_DUPFD_CLOEXEC, 0));
  ::close(seen);
  core::SyncPoller::Ready ready;
  CHECK(poller.wait(&ready, 1, 0) == 0);
  put(elsewhere, seen);
}

TEST_CASE("a long wait comes back unfinished, and resume() goes on to its deadline") {
  core::SyncPoller poller;
  REQUIRE(poller.open() == 0);
  core::SyncPoller::Ready ready;
  const sys::Nanoseconds start = sys::monotonic_now();
  int result = poller.wait(&ready, 1, 0.6);
  CHECK(result == core::SyncPoller::kUnfinished);
  while (result == core::SyncPoller::kUnfinished) {
    result = poller.resume(&ready, 1);
  }
  CHECK(result == 0);
  CHECK(sys::monotonic_now() - start >= 600'000'000);
}

}  // namespace
}  // namespace fdevent::test
