// Streams: one registration and what it reported, for many waits.
#include "stream_harness.h"

namespace fdevent::test {
namespace {

const Outcome kGone = failed(Syscall::control, -EBADF);

TEST_CASE("only what has readiness can be a stream") {
  Harness h;
  CHECK(h.reactor.open_stream(make_file().get()) == failed(Syscall::control, -EPERM));
  CHECK(h.reactor.open_stream(closed_number()) == kGone);
  CHECK(h.reactor.open_stream(h.reactor.fd()) == failed(Syscall::control, -EINVAL));
  CHECK(h.reactor.statistics().registered == 0);
  h.check_idle();
}

TEST_CASE_FIXTURE(Streams, "a stream alone keeps no loop alive and costs no turns") {
  REQUIRE(h.reactor.is_stream(stream));
  CHECK(h.reactor.referenced() == 0);
  CHECK(h.reactor.statistics().streams == 1);
  CHECK(h.settle().empty());
  CHECK_FALSE(pollable_now(h.reactor.fd(), 5));
  CHECK(close_stream().empty());
  CHECK_FALSE(h.reactor.is_stream(stream));
  CHECK(h.reactor.statistics().registered == 0);
  h.check_idle();
}

TEST_CASE_FIXTURE(Streams, "a wait on what is so already ends in the next turn") {
  write_byte(sockets.second);
  const Slot reader = attach(kReadable);
  const Slot writer = attach(kWritable, 10);
  const Slot either = attach(kReadable | kWritable, 0);
  CHECK(h.reactor.urgent());
  CHECK(h.turn() == Records{{reader, kReadable, fd},
                            {writer, kWritable, fd},
                            {either, kReadable | kWritable, fd}});
  CHECK(h.settle().empty());
  CHECK(h.reactor.statistics().timed == 0);
  CHECK(close_stream().empty());
  h.check_idle();
}

TEST_CASE_FIXTURE(Streams, "a wait on what is not so yet ends with the event") {
  begin();
  const Slot first = attach(kReadable);
  const Slot second = attach(kReadable | kPriority, 100);
  const Slot exceptional = attach(kPriority);
  CHECK_FALSE(h.reactor.urgent());
  CHECK(h.settle().empty());
  write_byte(sockets.second);
  CHECK(h.settle() == Records{{first, kReadable, fd}, {second, kReadable, fd}});
  CHECK(h.reactor.statistics().waits == 1);
  CHECK(h.reactor.referenced() == 1);
  CHECK(close_stream() == std::vector<Slot>{exceptional});
  h.check_idle();
}

TEST_CASE_FIXTURE(Streams, "waits on a stream cost the kernel no call") {
  CHECK(h.settle().empty());
  const std::string before = registrations(h.reactor.fd());
  for (int i = 0; i < 50; ++i) {
    const Slot reader = attach(kReadable);
    const Slot cancelled = attach(kPriority);
    CHECK(h.settle().empty());
    write_byte(sockets.second);
    CHECK(h.settle() == Records{{reader, kReadable, fd}});
    h.reactor.cancel(cancelled);
    drain(fd);
  }
  CHECK(registrations(h.reactor.fd()) == before);
}

TEST_CASE_FIXTURE(Streams, "timeout 0 reports the present state, whatever the stream believes") {
  begin();
  write_byte(sockets.second);
  const Slot ready = attach(kReadable, 0);
  const Slot not_ready = attach(kPriority, 0);
  CHECK(h.turn() == Records{{ready, kReadable, fd}, {not_ready, kTimedOut, fd}});
  CHECK(h.settle().empty());
  close_stream();
  h.check_idle();
}

TEST_CASE_FIXTURE(Streams, "a stream believes what was reported until it is disproved") {
  CHECK(h.reactor.promising(stream, kReadable));
  CHECK(h.reactor.promising(stream, kWritable));
  begin();
  CHECK_FALSE(h.reactor.promising(stream, kReadable));
  CHECK_FALSE(h.reactor.promising(stream, kWritable));
  write_byte(sockets.second);
  h.turn();
  CHECK(h.reactor.promising(stream, kReadable));
  drain(fd);
  CHECK(h.reactor.promising(stream, kReadable));
  h.reactor.disprove(stream, kReadable);
  CHECK_FALSE(h.reactor.promising(stream, kReadable));
  write_byte(sockets.second);
  h.turn();
  CHECK(h.reactor.promising(stream, kReadable));
}

TEST_CASE_FIXTURE(Streams,
                  "a wait that looks and finds nothing disproves what the stream believed") {
  h.turn();
  REQUIRE(h.reactor.promising(stream, kReadable));
  const Slot reader = attach(kReadable);
  CHECK_FALSE(h.reactor.promising(stream, kReadable));
  CHECK(h.reactor.promising(stream, kWritable));
  CHECK(h.settle().empty());
  write_byte(sockets.second);
  CHECK(h.settle() == Records{{reader, kReadable, fd}});
}

TEST_CASE_FIXTURE(Streams, "a hangup promises everything, for good") {
  begin();
  sockets.second.reset();
  CHECK(h.settle().empty());
  h.reactor.disprove(stream, kSelectable);
  CHECK(h.reactor.promising(stream, kReadable));
  CHECK(h.reactor.promising(stream, kPriority));
  const Slot reader = attach(kReadable);
  CHECK(h.settle() == Records{{reader, kReadable, fd}});
}

TEST_CASE_FIXTURE(Streams, "a wait that a hangup does not answer goes on without a spin") {
  begin();
  const Slot exceptional = attach(kPriority);
  sockets.second.reset();
  CHECK(h.settle().empty());
  CHECK_FALSE(pollable_now(h.reactor.fd(), 5));
  const Slot late = attach(kPriority, 0.002);
  CHECK(h.next() == Records{{late, kTimedOut, fd}});
  CHECK(close_stream() == std::vector<Slot>{exceptional});
}

TEST_CASE_FIXTURE(Streams, "a wait on a stream times out once, never early, and looks once more") {
  begin();
  const sys::Nanoseconds earliest = sys::monotonic_now() + 3'000'000;
  const Slot hasty = attach(kReadable, 0.003);
  const Slot patient = attach(kReadable);
  CHECK(h.next() == Records{{hasty, kTimedOut, fd}});
  CHECK(sys::monotonic_now() >= earliest);
  CHECK(h.settle().empty());
  const Slot late = attach(kReadable, 0.001);
  poll(nullptr, 0, 5);
  write_byte(sockets.second);
  Records records = h.settle();
  REQUIRE(records.size() == 2);
  for (const Record& record : records) {
    CHECK((record == Record{late, kReadable, fd} || record == Record{patient, kReadable, fd}));
  }
}

TEST_CASE_FIXTURE(Streams, "each of many waits on a stream can be cancelled, whatever its place") {
  begin();
  for (size_t gone = 0; gone < 4; ++gone) {
    std::vector<Slot> slots;
    for (int i = 0; i < 4; ++i) {
      slots.push_back(attach(kReadable));
    }
    h.reactor.cancel(slots[gone]);
    slots.erase(slots.begin() + static_cast<std::ptrdiff_t>(gone));
    write_byte(sockets.second);
    std::vector<Slot> ended;
    for (const Record& record : h.settle()) {
      ended.push_back(record.slot);
    }
    CHECK(ended == slots);
    drain(fd);
    h.reactor.disprove(stream, kReadable);
  }
}

TEST_CASE_FIXTURE(Streams, "waits, watches and streams on one descriptor leave each other alone") {
  begin();
  const Slot attached = attach(kReadable);
  const Slot wait = h.start(fd, kReadable);
  const Slot level = h.watch(fd, kReadable);
  const Slot edge = h.watch(fd, kReadable, true);
  const Slot other = h.reactor.open_stream(fd);
  REQUIRE(other >= 0);
  const Slot on_other = h.reactor.start_attached(other, kPriority, kForever, true, false);
  CHECK(h.settle().empty());
  write_byte(sockets.second);
  CHECK(h.turn().size() == 4);
  CHECK(h.turn() == Records{{level, kReadable, fd}});
  h.reactor.cancel(level);
  CHECK(h.settle().empty());
  std::vector<Slot> interrupted;
  h.reactor.close_stream(other, &interrupted);
  CHECK(interrupted == std::vector<Slot>{on_other});
  write_byte(sockets.second);
  CHECK(h.turn() == Records{{edge, kReadable, fd}});
  CHECK(h.reactor.promising(stream, kReadable));
  static_cast<void>(attached);
  static_cast<void>(wait);
}

TEST_CASE_FIXTURE(Streams, "a wait whose outcome is known is handed over in the next turn") {
  begin();
  const Slot finished = h.reactor.start_finished(stream, 42, true);
  const Slot unreferenced = h.reactor.start_finished(stream, 7, false);
  CHECK(h.reactor.urgent());
  CHECK(h.reactor.referenced() == 1);
  CHECK(close_stream().empty());
  CHECK(h.turn() == Records{{finished, 42, fd}, {unreferenced, 7, fd}});
  h.check_idle();
}

}  // namespace
}  // namespace fdevent::test
