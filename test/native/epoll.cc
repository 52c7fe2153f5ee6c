#include "backend/epoll.h"

#include <dirent.h>
#include <time.h>

#include <thread>
#include <vector>

#include "backend_harness.h"
#include "sys/clock.h"

namespace fdevent::backend {
namespace {

using sys::monotonic_now;
using sys::Nanoseconds;
using test::Pair;
using test::UniqueFd;

constexpr Tag kMine = Tag{1} << 32;

// The descriptors of this process that carry across exec.
int inheritable() {
  int count = 0;
  DIR* directory = opendir("/proc/self/fd");
  REQUIRE(directory != nullptr);
  while (const dirent* entry = readdir(directory)) {
    const int flags = fcntl(std::atoi(entry->d_name), F_GETFD);
    count += flags >= 0 && !(flags & FD_CLOEXEC);
  }
  closedir(directory);
  return count;
}

int owned(const Backend& backend) {
  int count = 0;
  for (int fd = 0; fd < test::kFirstChosenFd; ++fd) {
    count += backend.owns(fd);
  }
  return count;
}

TEST_CASE("a backend owns its descriptors, no other, and gives none of them to a child") {
  const UniqueFd before = test::make_eventfd(0);
  const int children_had = inheritable();
  Opened opened;
  CHECK(owned(opened.backend) == 1);
  for (int i = 0; i < 2; ++i) {
    REQUIRE(opened.backend.set_timer(sys::kNever) == 0);
    CHECK(owned(opened.backend) == 2);
  }
  for (int i = 0; i < 2; ++i) {
    REQUIRE(opened.backend.enable_wake() >= 0);
    CHECK(owned(opened.backend) == 3);
  }
  const UniqueFd after = test::make_eventfd(0);
  CHECK(inheritable() == children_had);
  CHECK(opened.backend.owns(opened.backend.fd()));
  CHECK(opened.backend.owns(opened.backend.enable_wake()));
  CHECK_FALSE(opened.backend.owns(before.get()));
  CHECK_FALSE(opened.backend.owns(after.get()));
}

TEST_CASE("out-of-band data is priority") {
  Opened opened;
  const Pair tcp = test::make_tcp();
  REQUIRE(opened.backend.add(tcp.first.get(), kPriority, Trigger::one_shot, kMine) == 0);
  CHECK(opened.poll().empty());
  test::send_out_of_band(tcp.second);
  REQUIRE(test::pollable_now(opened.backend.fd(), 1000));
  const std::vector<Event> events = opened.poll();
  REQUIRE(events.size() == 1);
  CHECK(events[0].ready == kPriority);
}

TEST_CASE("a wake after more wakes than the kernel counts is no error") {
  Opened opened;
  const int wake = opened.backend.enable_wake();
  const uint64_t most = UINT64_MAX - 1;
  REQUIRE(write(wake, &most, sizeof most) == sizeof most);
  CHECK(Backend::wake(wake) == 0);
  opened.poll();
  CHECK(opened.waited.woken);
}

TEST_CASE("a wait after the epoll descriptor was closed is an error, not a crash") {
  Opened opened;
  const UniqueFd elsewhere(fcntl(opened.backend.fd(), F_DUPFD_CLOEXEC, 0));
  close(opened.backend.fd());
  Event event;
  CHECK(opened.backend.wait(&event, 1, 0).count == -EBADF);
  REQUIRE(dup3(elsewhere.get(), opened.backend.fd(), O_CLOEXEC) >= 0);
}

}  // namespace
}  // namespace fdevent::backend
