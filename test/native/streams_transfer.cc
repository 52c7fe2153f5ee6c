// Reads and writes that are performed where the event arrives.
#include "stream_harness.h"

namespace fdevent::test {
namespace {

TEST_CASE_FIXTURE(Streams, "a transfer is performed at the event, and its result is the outcome") {
  begin();
  const Slot reader = transfer(kReadable);
  CHECK(h.settle().empty());
  CHECK(transfers.performed.empty());
  transfers.answer = [](Slot) { return 1234; };
  write_byte(sockets.second);
  CHECK(h.turn() == Records{{reader, 1234, fd}});
  CHECK(transfers.performed == std::vector<Slot>{reader});
  CHECK(h.settle().empty());
  close_stream();
  h.check_idle();
}

TEST_CASE_FIXTURE(Streams, "a failure that a transfer returns is its outcome") {
  begin();
  const Slot writer = transfer(kReadable);
  transfers.answer = [](Slot) { return failed(Syscall::read, -ECONNRESET); };
  write_byte(sockets.second);
  CHECK(h.turn() == Records{{writer, failed(Syscall::read, -ECONNRESET), fd}});
}

TEST_CASE_FIXTURE(Streams,
                  "a transfer is not performed when it is started, nor by others' events") {
  h.turn();
  fill(fd);
  const Slot writer = transfer(kWritable);
  CHECK_FALSE(h.reactor.urgent());
  h.reactor.disprove(stream, kWritable);
  write_byte(sockets.second);
  CHECK(h.settle().empty());
  CHECK(transfers.performed.empty());
  drain(sockets.second.get());
  CHECK(h.settle() == Records{{writer, 1, fd}});
}

TEST_CASE_FIXTURE(Streams, "transfers are performed in the order in which they came") {
  begin();
  std::vector<Slot> slots;
  for (int i = 0; i < 5; ++i) {
    slots.push_back(transfer(kReadable));
  }
  h.reactor.cancel(slots[2]);
  slots.erase(slots.begin() + 2);
  write_byte(sockets.second);
  std::vector<Slot> ended;
  for (const Record& record : h.settle()) {
    ended.push_back(record.slot);
  }
  CHECK(transfers.performed == slots);
  CHECK(ended == slots);
}

TEST_CASE_FIXTURE(Streams, "a transfer that would block waits on, and so do those behind it") {
  begin();
  const Slot first = transfer(kReadable);
  const Slot second = transfer(kReadable);
  const Slot third = transfer(kReadable);
  transfers.answer = [&](Slot slot) -> Outcome {
    if (slot == first) {
      return 9;
    }
    h.reactor.disprove(stream, kReadable);
    return 0;
  };
  write_byte(sockets.second);
  CHECK(h.settle() == Records{{first, 9, fd}});
  CHECK(transfers.performed == std::vector<Slot>{first, second});
  transfers.performed.clear();
  transfers.answer = [](Slot) { return 5; };
  write_byte(sockets.second);
  CHECK(h.settle() == Records{{second, 5, fd}, {third, 5, fd}});
  CHECK(transfers.performed == std::vector<Slot>{second, third});
}

TEST_CASE_FIXTURE(Streams, "a read that used everything up leaves a write its turn") {
  fill(fd);
  begin();
  const Slot reader = transfer(kReadable);
  const Slot other_reader = transfer(kReadable);
  const Slot writer = transfer(kWritable);
  transfers.answer = [&](Slot slot) -> Outcome {
    h.reactor.disprove(stream, slot == writer ? kWritable : kReadable);
    return 3;
  };
  write_byte(sockets.second);
  drain(sockets.second.get());
  CHECK(h.settle() == Records{{reader, 3, fd}, {writer, 3, fd}});
  CHECK(close_stream() == std::vector<Slot>{other_reader});
}

TEST_CASE_FIXTURE(Streams, "a transfer is performed once more at its deadline") {
  begin();
  const Slot lucky = transfer(kReadable, 0.002);
  CHECK(h.next() == Records{{lucky, 1, fd}});
  CHECK(transfers.performed == std::vector<Slot>{lucky});
  transfers.answer = [](Slot) { return 0; };
  const Slot unlucky = transfer(kReadable, 0.002);
  const Slot patient = transfer(kReadable);
  CHECK(h.next() == Records{{unlucky, kTimedOut, fd}});
  CHECK(transfers.performed == std::vector<Slot>{lucky, unlucky});
  CHECK(close_stream() == std::vector<Slot>{patient});
  h.settle();
  h.check_idle();
}

TEST_CASE_FIXTURE(Streams, "a stream knows whether somebody is queued for the same transfer") {
  begin();
  CHECK_FALSE(h.reactor.queued(stream, kReadable));
  attach(kReadable);
  CHECK_FALSE(h.reactor.queued(stream, kReadable));
  const Slot reader = transfer(kReadable);
  CHECK(h.reactor.queued(stream, kReadable));
  CHECK_FALSE(h.reactor.queued(stream, kWritable));
  h.reactor.cancel(reader);
  CHECK_FALSE(h.reactor.queued(stream, kReadable));
}

TEST_CASE_FIXTURE(Streams,
                  "closing a stream interrupts its waits in their order, and nothing else") {
  begin();
  const Slot wait = h.start(fd, kReadable);
  const Slot finished = h.reactor.start_finished(stream, 8, true);
  const std::vector<Slot> slots{transfer(kReadable), attach(kReadable, 100),
                                transfer(kReadable, 1)};
  CHECK(close_stream() == slots);
  CHECK_FALSE(h.reactor.is_stream(stream));
  CHECK(h.reactor.statistics().timed == 0);
  write_byte(sockets.second);
  const Records records = h.settle();
  CHECK(records == Records{{finished, 8, fd}, {wait, kReadable, fd}});
  CHECK(transfers.performed.empty());
  h.check_idle();
}

TEST_CASE_FIXTURE(Streams,
                  "closing the descriptor interrupts the stream's waits and ends the stream") {
  begin();
  const Slot reader = transfer(kReadable);
  const Slot waiter = attach(kPriority, 100);
  CHECK(h.close(fd) == std::vector<Slot>{reader, waiter});
  CHECK_FALSE(h.reactor.is_stream(stream));
  CHECK(h.reactor.statistics().registered == 0);
  CHECK(h.reactor.statistics().streams == 1);
  write_byte(sockets.second);
  CHECK(h.settle().empty());
  CHECK(close_stream().empty());
  h.check_idle();
}

TEST_CASE_FIXTURE(Streams,
                  "when the reactor's own descriptor is closed a stream's waits fail once") {
  begin();
  const Slot reader = transfer(kReadable);
  const Slot waiter = attach(kReadable, 100);
  const UniqueFd elsewhere(fcntl(h.reactor.fd(), F_DUPFD_CLOEXEC, 0));
  ::close(h.reactor.fd());
  const Outcome failure = failed(Syscall::wait, -EBADF);
  CHECK(h.turn() == Records{{reader, failure, fd}, {waiter, failure, fd}});
  CHECK_FALSE(h.reactor.is_stream(stream));
  CHECK(transfers.performed.empty());
  CHECK(close_stream().empty());
  put(elsewhere, h.reactor.fd());
}

constexpr int kFd = kFirstChosenFd;
const Outcome kGone = failed(Syscall::control, -EBADF);

struct GoneStreams : Streams {
  GoneStreams() {
    CHECK(close_stream().empty());
    put(sockets.first, kFd);
    stream = h.reactor.open_stream(kFd);
    begin();
  }
  GoneStreams(const GoneStreams&) = delete;
  GoneStreams& operator=(const GoneStreams&) = delete;
  ~GoneStreams() { ::close(kFd); }

  Pair other = make_sockets();
};

TEST_CASE_FIXTURE(GoneStreams,
                  "the deadline of one wait finds the number closed and fails them all") {
  const Slot reader = transfer(kReadable);
  const Slot waiter = attach(kReadable);
  const Slot timed = attach(kPriority, 0.002);
  SUBCASE("closed") {
    ::close(kFd);
  }
  SUBCASE("or reused") {
    put(other.first, kFd);
  }
  CHECK(h.next() == Records{{timed, kGone, kFd}, {reader, kGone, kFd}, {waiter, kGone, kFd}});
  CHECK(transfers.performed.empty());
  CHECK_FALSE(h.reactor.is_stream(stream));
  CHECK(close_stream().empty());
  CHECK(h.settle().empty());
  CHECK(h.reactor.statistics().registered == 0);
  h.check_idle();
}

TEST_CASE_FIXTURE(GoneStreams, "a new wait on a reused number fails the stream that was there") {
  const Slot waiter = attach(kReadable);
  put(other.first, kFd);
  const Slot wait = h.start(kFd, kReadable);
  REQUIRE(wait >= 0);
  CHECK(h.settle() == Records{{waiter, kGone, kFd}});
  CHECK_FALSE(h.reactor.is_stream(stream));
  write_byte(other.second);
  CHECK(h.settle() == Records{{wait, kReadable, kFd}});
}

TEST_CASE_FIXTURE(GoneStreams,
                  "the leftover of a closed stream costs a few turns and never spins") {
  ::close(kFd);
  CHECK(close_stream().empty());
  int turns = 0;
  for (int i = 0; i < 5; ++i) {
    write_byte(sockets.second);
    CHECK(h.settle().empty());
    turns += h.turns;
  }
  CHECK(turns <= 2);
  h.check_idle();
}

TEST_CASE_FIXTURE(GoneStreams, "a stream outlives the leftovers of others" * epoll_only()) {
  const Slot waiter = attach(kReadable);
  put(other.first, kFd + 1);
  const Slot watch = h.watch(kFd + 1, kReadable);
  ::close(kFd + 1);
  h.reactor.cancel(watch);
  write_byte(other.second);
  CHECK(h.settle().empty());
  CHECK(h.reactor.take_moved());
  write_byte(sockets.second);
  CHECK(h.settle() == Records{{waiter, kReadable, kFd}});
}

}  // namespace
}  // namespace fdevent::test
