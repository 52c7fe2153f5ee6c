// A backend that takes over another's registrations, and one poller nested in another.
#include <vector>

#include "backend/selected.h"
#include "support.h"
#include "sys/clock.h"

namespace fdevent::backend {
namespace {

using test::Pair;
using test::UniqueFd;

constexpr Tag kMine = Tag{1} << 32;

struct Two {
  Two() {
    REQUIRE(old.open() == 0);
    REQUIRE(fresh.open() == 0);
    number = old.fd();
  }

  Waited poll(Event* event) { return old.wait(event, 1, 0); }

  Backend old;
  Backend fresh;
  int number = -1;
  Pair p = test::make_pipe();
  Pair q = test::make_pipe();
};

TEST_CASE_FIXTURE(Two, "a replaced backend reports the other's registrations, no longer its own") {
  REQUIRE(old.add(p.first.get(), kReadable, Trigger::level, kMine + 1) == 0);
  REQUIRE(fresh.add(q.first.get(), kReadable, Trigger::level, kMine + 2) == 0);
  REQUIRE(old.replace(std::move(fresh)) == 0);
  CHECK(old.fd() == number);
  CHECK((fcntl(number, F_GETFD) & FD_CLOEXEC) != 0);
  test::write_byte(p.second);
  Event event;
  CHECK(poll(&event).count == 0);
  test::write_byte(q.second);
  REQUIRE(poll(&event).count == 1);
  CHECK(event.tag == kMine + 2);
}

TEST_CASE_FIXTURE(Two, "a timer set before the replacement fires after it") {
  const sys::Nanoseconds deadline = sys::monotonic_now() + 2'000'000;
  REQUIRE(old.set_timer(deadline) == 0);
  REQUIRE(old.replace(std::move(fresh)) == 0);
  Event event;
  const Waited waited = old.wait(&event, 1, sys::kNever);
  CHECK(waited.timer_fired);
  CHECK(sys::monotonic_now() >= deadline);
}

TEST_CASE_FIXTURE(Two,
                  "a wake before the replacement is not lost, and its descriptor keeps waking") {
  const int wake = old.enable_wake();
  REQUIRE(Backend::wake(wake) == 0);
  REQUIRE(old.replace(std::move(fresh)) == 0);
  Event event;
  CHECK(poll(&event).woken);
  CHECK(old.enable_wake() == wake);
  REQUIRE(Backend::wake(wake) == 0);
  CHECK(poll(&event).woken);
}

TEST_CASE_FIXTURE(Two, "a wake that was reported is not reported again after a replacement") {
  const int wake = old.enable_wake();
  REQUIRE(Backend::wake(wake) == 0);
  Event event;
  REQUIRE(poll(&event).woken);
  REQUIRE(old.replace(std::move(fresh)) == 0);
  CHECK_FALSE(poll(&event).woken);
}

TEST_CASE_FIXTURE(Two, "a backend joined to another poller makes that one ready when it is") {
  REQUIRE(fresh.join(old.fd()) == 0);
  REQUIRE(fresh.add(p.first.get(), kReadable, Trigger::level, kMine) == 0);
  CHECK_FALSE(test::pollable_now(old.fd()));
  test::write_byte(p.second);
  CHECK(test::pollable_now(old.fd()));
}

TEST_CASE_FIXTURE(Two, "pollers cannot be joined in a circle" * test::epoll_only()) {
  REQUIRE(fresh.join(old.fd()) == 0);
  CHECK(old.join(fresh.fd()) == -ELOOP);
}

}  // namespace
}  // namespace fdevent::backend
