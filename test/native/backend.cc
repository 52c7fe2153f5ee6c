// What every backend does.

#include <time.h>

#include <thread>
#include <vector>

#include "backend/selected.h"
#include "backend_harness.h"
#include "sys/clock.h"

namespace fdevent::backend {
namespace {

using sys::monotonic_now;
using sys::Nanoseconds;
using test::Pair;
using test::UniqueFd;

constexpr Tag kMine = Tag{1} << 32;

TEST_CASE("adding a registered descriptor is EEXIST, modifying or removing an unknown one ENOENT") {
  Opened opened;
  const Pair pipe = test::make_pipe();
  const int fd = pipe.first.get();
  CHECK(opened.backend.modify(fd, kReadable, Trigger::one_shot, kMine) == -ENOENT);
  CHECK(opened.backend.remove(fd) == -ENOENT);
  CHECK(opened.backend.add(fd, kReadable, Trigger::one_shot, kMine) == 0);
  CHECK(opened.backend.add(fd, kReadable, Trigger::one_shot, kMine) == -EEXIST);
  CHECK(opened.backend.modify(fd, kWritable, Trigger::level, kMine) == 0);
  CHECK(opened.backend.remove(fd) == 0);
  CHECK(opened.backend.remove(fd) == -ENOENT);
}

TEST_CASE("a regular file is EPERM for every call") {
  Opened opened;
  const UniqueFd file = test::make_file();
  CHECK(opened.backend.add(file.get(), kReadable, Trigger::one_shot, kMine) == -EPERM);
  CHECK(opened.backend.modify(file.get(), kReadable, Trigger::one_shot, kMine) == -EPERM);
  CHECK(opened.backend.remove(file.get()) == -EPERM);
}

TEST_CASE("a number that is not open is EBADF for every call") {
  Opened opened;
  for (const int fd : {test::closed_number(), -1}) {
    CHECK(opened.backend.add(fd, kReadable, Trigger::one_shot, kMine) == -EBADF);
    CHECK(opened.backend.modify(fd, kReadable, Trigger::one_shot, kMine) == -EBADF);
    CHECK(opened.backend.remove(fd) == -EBADF);
  }
}

TEST_CASE("a poller cannot be added to itself") {
  Opened opened;
  CHECK(opened.backend.add(opened.backend.fd(), kReadable, Trigger::one_shot, kMine) == -EINVAL);
}

TEST_CASE("one_shot reports one event and is silent until it is modified") {
  Opened opened;
  const Pair pipe = test::make_pipe();
  REQUIRE(opened.backend.add(pipe.first.get(), kReadable, Trigger::one_shot, kMine + 5) == 0);
  CHECK(opened.poll().empty());
  test::write_byte(pipe.second);
  const std::vector<Event> events = opened.poll();
  REQUIRE(events.size() == 1);
  CHECK(events[0].tag == kMine + 5);
  CHECK(events[0].ready == kReadable);
  CHECK(events[0].spent == ~Interest{0});
  test::write_byte(pipe.second);
  CHECK(opened.poll().empty());
  REQUIRE(opened.backend.modify(pipe.first.get(), kReadable, Trigger::one_shot, kMine + 6) == 0);
  const std::vector<Event> again = opened.poll();
  REQUIRE(again.size() == 1);
  CHECK(again[0].tag == kMine + 6);
}

TEST_CASE("level reports an event per wait, edge one per change") {
  Opened opened;
  const Pair pipe = test::make_pipe();
  REQUIRE(opened.backend.add(pipe.first.get(), kReadable, Trigger::level, kMine) == 0);
  test::write_byte(pipe.second);
  CHECK(opened.poll().size() == 1);
  CHECK(opened.poll().size() == 1);
  REQUIRE(opened.backend.modify(pipe.first.get(), kReadable, Trigger::edge, kMine) == 0);
  CHECK(opened.poll().size() == 1);
  CHECK(opened.poll().empty());
  test::write_byte(pipe.second);
  CHECK(opened.poll().size() == 1);
  CHECK(opened.poll().empty());
}

TEST_CASE("hangup and error are reported whatever else is asked for") {
  Opened opened;
  Pair hung = test::make_pipe();
  Pair broken = test::make_pipe();
  hung.second.reset();
  broken.first.reset();
  REQUIRE(opened.backend.add(hung.first.get(), kPriority | kAnyway, Trigger::one_shot, kMine + 1) ==
          0);
  REQUIRE(opened.backend.add(broken.second.get(), kPriority | kAnyway, Trigger::one_shot,
                             kMine + 2) == 0);
  const std::vector<Event> events = opened.poll();
  REQUIRE(events.size() == 2);
  for (const Event& event : events) {
    CHECK(event.ready == (event.tag == kMine + 1 ? kHangup : kError));
  }
}

TEST_CASE("what does not fit into the caller's capacity comes with the next waits") {
  Opened opened;
  std::vector<UniqueFd> ready;
  for (unsigned i = 0; i < 7; ++i) {
    ready.push_back(test::make_eventfd(1));
    REQUIRE(opened.backend.add(ready.back().get(), kReadable, Trigger::one_shot, kMine + i) == 0);
  }
  std::vector<int> seen(7);
  for (const size_t expected : {3u, 3u, 1u, 0u}) {
    const std::vector<Event> events = opened.poll(3);
    CHECK(events.size() == expected);
    for (const Event& event : events) {
      ++seen[event.tag - kMine];
    }
  }
  CHECK(seen == std::vector<int>(7, 1));
}

TEST_CASE("the timer fires once and never early") {
  Opened opened;
  for (int i = 0; i < 20; ++i) {
    const Nanoseconds deadline = monotonic_now() + 300'000;
    REQUIRE(opened.backend.set_timer(deadline) == 0);
    Event event;
    const Waited waited = opened.backend.wait(&event, 1, sys::kNever);
    CHECK(monotonic_now() >= deadline);
    CHECK(waited.timer_fired);
    CHECK(waited.count == 0);
    opened.poll();
    CHECK_FALSE(opened.waited.timer_fired);
  }
}

TEST_CASE("a time that has passed fires at once, 0 included") {
  Opened opened;
  for (const Nanoseconds past : {Nanoseconds{0}, Nanoseconds{1}, monotonic_now()}) {
    REQUIRE(opened.backend.set_timer(past) == 0);
    REQUIRE(test::pollable_now(opened.backend.fd(), 1000));
    opened.poll();
    CHECK(opened.waited.timer_fired);
  }
}

TEST_CASE("setting the timer again replaces the former time") {
  Opened opened;
  REQUIRE(opened.backend.set_timer(monotonic_now() + 1'000'000) == 0);
  REQUIRE(opened.backend.set_timer(monotonic_now() + 3'600'000'000'000) == 0);
  CHECK_FALSE(test::pollable_now(opened.backend.fd(), 20));
  REQUIRE(opened.backend.set_timer(monotonic_now() + 1'000'000) == 0);
  CHECK(test::pollable_now(opened.backend.fd(), 10'000));
}

TEST_CASE("never stops the timer, even one that has fired") {
  Opened opened;
  REQUIRE(opened.backend.set_timer(monotonic_now() + 1'000'000) == 0);
  REQUIRE(opened.backend.set_timer(sys::kNever) == 0);
  CHECK_FALSE(test::pollable_now(opened.backend.fd(), 20));
  REQUIRE(opened.backend.set_timer(1) == 0);
  REQUIRE(opened.backend.set_timer(sys::kNever) == 0);
  opened.poll();
  CHECK_FALSE(opened.waited.timer_fired);
}

TEST_CASE("the largest deadline the clock yields is accepted") {
  Opened opened;
  CHECK(opened.backend.set_timer(sys::deadline_after(0x1p61 / 1e9, monotonic_now())) == 0);
  CHECK_FALSE(test::pollable_now(opened.backend.fd()));
}

TEST_CASE("wake makes a blocked wait in another thread return without events") {
  Opened opened;
  const int wake = opened.backend.enable_wake();
  for (int i = 0; i < 50; ++i) {
    std::thread waker([i, wake] {
      timespec pause = sys::to_timespec(i % 2 == 0 ? 0 : 200'000);
      nanosleep(&pause, nullptr);
      Backend::wake(wake);
    });
    Event event;
    const Waited waited = opened.backend.wait(&event, 1, sys::kNever);
    waker.join();
    CHECK(waited.count == 0);
    CHECK(waited.woken);
    CHECK_FALSE(waited.timer_fired);
  }
  CHECK_FALSE(test::pollable_now(opened.backend.fd()));
}

TEST_CASE("wakes before the wait are not lost, and count as one") {
  Opened opened;
  const int wake = opened.backend.enable_wake();
  CHECK(Backend::wake(wake) == 0);
  CHECK(Backend::wake(wake) == 0);
  Event event;
  const Waited waited = opened.backend.wait(&event, 1, sys::kNever);
  CHECK(waited.count == 0);
  CHECK(waited.woken);
  opened.poll();
  CHECK_FALSE(opened.waited.woken);
}

TEST_CASE("waking a descriptor that is closed is an error") {
  CHECK(Backend::wake(test::closed_number()) == -EBADF);
}

TEST_CASE("a wait lasts its span to the nanosecond or longer") {
  Opened opened;
  for (const Nanoseconds span : {1ull, 999ull, 50'000ull, 1'300'000ull, 20'000'000ull}) {
    const Nanoseconds start = monotonic_now();
    Event event;
    const Waited waited = opened.backend.wait(&event, 1, span);
    CHECK(monotonic_now() - start >= span);
    CHECK(waited.count == 0);
    CHECK_FALSE(waited.woken);
  }
}

TEST_CASE("an event ends a wait before its span") {
  Opened opened;
  const UniqueFd ready = test::make_eventfd(1);
  REQUIRE(opened.backend.add(ready.get(), kReadable, Trigger::level, kMine) == 0);
  const Nanoseconds start = monotonic_now();
  Event event;
  CHECK(opened.backend.wait(&event, 1, 3'600'000'000'000).count == 1);
  CHECK(monotonic_now() - start < 10'000'000'000);
}

}  // namespace
}  // namespace fdevent::backend
