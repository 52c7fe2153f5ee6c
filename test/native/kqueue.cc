// What the kqueue backend does in ways of its own.
#include "backend/kqueue.h"

#include <sys/resource.h>

#include <vector>

#include "support.h"
#include "sys/clock.h"

namespace fdevent::backend {
namespace {

using test::Pair;
using test::UniqueFd;

constexpr Tag kMine = Tag{1} << 32;
constexpr int kFd = test::kFirstChosenFd;

struct Opened {
  Opened() { REQUIRE(backend.open() == 0); }
  ~Opened() { ::close(kFd); }

  std::vector<Event> poll() {
    std::vector<Event> events(16);
    const Waited waited = backend.wait(events.data(), 16, 0);
    REQUIRE(waited.count >= 0);
    events.resize(static_cast<size_t>(waited.count));
    return events;
  }
  void check_told(Readiness ready) {
    const std::vector<Event> events = poll();
    REQUIRE(events.size() == 1);
    CHECK(events[0].tag == kMine);
    CHECK(events[0].ready == ready);
  }
  int add(int fd, Interest interest, Trigger trigger) {
    return backend.add(fd, interest, trigger, kMine);
  }

  Backend backend;
  Pair pipe = test::make_pipe();
  Pair sockets = test::make_sockets();
};

TEST_CASE_FIXTURE(Opened, "its descriptors are its own and close-on-exec") {
  REQUIRE(add(sockets.first.get(), kReadable, Trigger::edge) == 0);
  REQUIRE(backend.set_timer(sys::monotonic_now() + 1'000'000'000'000) == 0);
  const int waker = backend.enable_wake();
  CHECK(backend.owns(backend.fd()));
  CHECK(backend.owns(waker));
  CHECK_FALSE(backend.owns(pipe.first.get()));
  int own = 0;
  for (int fd = 0; fd < test::kFirstChosenFd; ++fd) {
    if (backend.owns(fd)) {
      ++own;
      CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    }
  }
  CHECK(own >= 4);
  CHECK(add(backend.fd(), kReadable, Trigger::level) == -EINVAL);
}

TEST_CASE_FIXTURE(Opened, "both filters of a descriptor make one event") {
  test::write_byte(sockets.second);
  const int fd = sockets.first.get();
  for (const Trigger trigger : {Trigger::one_shot, Trigger::edge, Trigger::level}) {
    REQUIRE(add(fd, kReadable | kWritable, trigger) == 0);
    check_told(kReadable | kWritable);
    CHECK(backend.remove(fd) == 0);
  }
}

TEST_CASE_FIXTURE(Opened, "a filter that is wanted for the first time is added to what is there") {
  const int fd = sockets.first.get();
  REQUIRE(add(fd, kReadable, Trigger::one_shot) == 0);
  CHECK(poll().empty());
  REQUIRE(backend.modify(fd, kReadable | kWritable, Trigger::one_shot, kMine) == 0);
  check_told(kWritable);
  CHECK(poll().empty());
  REQUIRE(backend.modify(fd, kReadable, Trigger::one_shot, kMine) == 0);
  CHECK(poll().empty());
  test::write_byte(sockets.second);
  check_told(kReadable);
}

TEST_CASE_FIXTURE(Opened, "adding a descriptor again shows its edges to nobody twice") {
  const int fd = sockets.first.get();
  test::write_byte(sockets.second);
  REQUIRE(add(fd, kReadable | kWritable, Trigger::edge) == 0);
  check_told(kReadable | kWritable);
  for (int i = 0; i < 3; ++i) {
    CHECK(add(fd, kReadable, Trigger::edge) == -EEXIST);
    CHECK(poll().empty());
  }
  test::write_byte(sockets.second);
  check_told(kReadable | kWritable);
}

TEST_CASE_FIXTURE(Opened, "what belonged to a closed number is gone, and never fires") {
  for (const Trigger trigger : {Trigger::one_shot, Trigger::edge, Trigger::level}) {
    test::put(pipe.first, kFd);
    REQUIRE(add(kFd, kReadable, trigger) == 0);
    ::close(kFd);
    test::write_byte(pipe.second);
    for (const Event& event : poll()) {
      CHECK((test::kLibkqueue && event.tag != kMine));
    }
    CHECK((test::kLibkqueue || !test::pollable_now(backend.fd())));
    CHECK(backend.modify(kFd, kReadable, trigger, kMine) == -EBADF);
    CHECK(backend.remove(kFd) == -EBADF);
    test::drain(pipe.first.get());
  }
}

TEST_CASE_FIXTURE(Opened, "a number that is another object is ENOENT, and may be added") {
  for (const Trigger trigger : {Trigger::one_shot, Trigger::edge, Trigger::level}) {
    test::put(pipe.first, kFd);
    REQUIRE(add(kFd, kReadable, trigger) == 0);
    test::put(sockets.first, kFd);
    SUBCASE("modified") {
      CHECK(backend.modify(kFd, kReadable | kWritable, trigger, kMine) == -ENOENT);
      CHECK(poll().empty());
    }
    SUBCASE("or added") {}
    CHECK(add(kFd, kWritable, trigger) == 0);
    check_told(kWritable);
    CHECK(backend.remove(kFd) == 0);
  }
}

TEST_CASE_FIXTURE(Opened, "who wants nothing but the end is told of it, as often as was asked") {
  const int fd = pipe.first.get();
  REQUIRE(add(fd, kPriority | kAnyway, Trigger::level) == 0);
  test::write_byte(pipe.second);
  CHECK(poll().empty());
  CHECK_FALSE(test::pollable_now(backend.fd()));
  pipe.second.reset();
  check_told(kHangup);
  check_told(kHangup);
  REQUIRE(backend.modify(fd, kPriority | kAnyway, Trigger::edge, kMine) == 0);
  check_told(kHangup);
  CHECK(poll().empty());
}

TEST_CASE_FIXTURE(Opened, "a hangup alone is no room to write") {
  const int fd = pipe.first.get();
  pipe.second.reset();
  REQUIRE(add(fd, kWritable, Trigger::one_shot) == 0);
  for (const Event& event : poll()) {
    CHECK(event.ready == kHangup);
  }
}

TEST_CASE_FIXTURE(Opened, "directories are refused like regular files") {
  const UniqueFd directory(::open("/", O_RDONLY | O_CLOEXEC));
  CHECK(add(directory.get(), kReadable, Trigger::one_shot) == -EPERM);
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  CHECK(add(null.get(), kWritable, Trigger::one_shot) == -EPERM);
}

}  // namespace
}  // namespace fdevent::backend
