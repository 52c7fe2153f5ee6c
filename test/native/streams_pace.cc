// Streams that turn from edges to levels, and back: see core/streams.cc.
#include "stream_harness.h"

namespace fdevent::test {
namespace {

struct PacedStreams : Streams {
  // As many short reads as it takes, and more: each leaves nothing behind.
  void earn() {
    transfers.answer = [this](Slot) { return take(64); };
    for (int i = 0; i < 40; ++i) {
      const Slot reader = transfer(kReadable);
      write_byte(sockets.second);
      CHECK(h.settle() == Records{{reader, 2, fd}});
      try_in_vain();
    }
    CHECK(h.reactor.promising(stream, kReadable) == false);
  }
  // What the owner of an edge does before it waits.
  void try_in_vain() {
    if (h.reactor.promising(stream, kReadable)) {
      CHECK(take(64) == 0);
    }
  }
  Outcome take(size_t most) {
    char bytes[64];
    const ssize_t count = ::recv(fd, bytes, most, MSG_DONTWAIT);
    if (count < 0) {
      h.reactor.disprove(stream, kReadable);
      return 0;
    }
    if (static_cast<size_t>(count) < 64) {
      h.reactor.came_short(stream);
    }
    return static_cast<Outcome>(count) + 1;
  }
};

TEST_CASE_FIXTURE(PacedStreams, "what a short read left behind is reported to the next one") {
  begin();
  earn();
  const Slot first = transfer(kReadable);
  write_byte(sockets.second);
  write_byte(sockets.second);
  // Stops short of what is there, as at a passed descriptor or the end of a packet.
  transfers.answer = [this](Slot) { return take(1); };
  CHECK(h.turn() == Records{{first, 2, fd}});
  CHECK_FALSE(h.reactor.promising(stream, kReadable));
  const Slot second = transfer(kReadable);
  CHECK(h.settle() == Records{{second, 2, fd}});
  close_stream();
  h.settle();
  h.check_idle();
}

TEST_CASE_FIXTURE(PacedStreams,
                  "edges whose data was read before them cost a stream nothing of what it earns") {
  begin();
  transfers.answer = [this](Slot) { return take(64); };
  for (int i = 0; i < 40; ++i) {
    write_byte(sockets.second);
    CHECK(take(64) == 2);
    const Slot late = transfer(kReadable);
    CHECK(h.settle().empty());
    write_byte(sockets.second);
    CHECK(h.turn() == Records{{late, 2, fd}});
    if (i < 5) {
      CHECK(h.reactor.promising(stream, kReadable));
    }
    try_in_vain();
  }
  const Slot reader = transfer(kReadable);
  write_byte(sockets.second);
  CHECK(h.turn() == Records{{reader, 2, fd}});
  CHECK_FALSE(h.reactor.promising(stream, kReadable));
}

TEST_CASE_FIXTURE(PacedStreams,
                  "nobody is back for more: one event, then silence, and nothing is lost") {
  begin();
  earn();
  write_byte(sockets.second);
  CHECK(h.settle().empty());
  CHECK(h.turns <= 3);
  CHECK(h.reactor.promising(stream, kReadable));
  write_byte(sockets.second);
  CHECK(h.settle().empty());
  CHECK(h.turns <= 3);
  CHECK(take(64) == 3);
}

TEST_CASE_FIXTURE(PacedStreams, "a hang-up that nobody waits for does not spin") {
  begin();
  earn();
  sockets.second.reset();
  CHECK(h.settle().empty());
  CHECK(h.turns <= 3);
  const Slot reader = attach(kReadable);
  CHECK(h.settle() == Records{{reader, kReadable, fd}});
}

TEST_CASE_FIXTURE(PacedStreams, "an event whose data somebody else has read does not spin") {
  begin();
  earn();
  const Slot reader = transfer(kReadable);
  transfers.answer = [this](Slot) -> Outcome {
    h.reactor.disprove(stream, kReadable);
    return 0;
  };
  write_byte(sockets.second);
  CHECK(h.settle().empty());
  CHECK(h.turns <= 3);
  transfers.answer = [this](Slot) { return take(64); };
  write_byte(sockets.second);
  CHECK(h.settle() == Records{{reader, 3, fd}});
}

TEST_CASE_FIXTURE(PacedStreams, "whoever waits for room beside the reader is told of it") {
  begin();
  earn();
  fill(fd);
  h.reactor.disprove(stream, kWritable);
  const Slot reader = transfer(kReadable);
  const Slot writer = attach(kWritable);
  CHECK(h.settle().empty());
  drain(sockets.second.get());
  CHECK(h.settle() == Records{{writer, kWritable, fd}});
  write_byte(sockets.second);
  CHECK(h.settle() == Records{{reader, 2, fd}});
}

TEST_CASE_FIXTURE(
    PacedStreams,
    "a descriptor replaced while its duplicate gets data fails the reader, without a spin") {
  begin();
  earn();
  const Slot reader = transfer(kReadable);
  const UniqueFd duplicate(::dup(fd));
  const Pair others = make_sockets();
  REQUIRE(::dup2(others.first.get(), fd) == fd);
  write_byte(sockets.second);
  CHECK(h.settle() == Records{{reader, failed(Syscall::control, -EBADF), fd}});
  write_byte(sockets.second);
  CHECK(h.settle().empty());
  CHECK(h.turns <= 3);
  close_stream();
  h.settle();
  h.check_idle();
}

TEST_CASE_FIXTURE(PacedStreams,
                  "a deadline of a reader passes as ever, and the next read is served") {
  begin();
  earn();
  const Slot unlucky = transfer(kReadable, 0.002);
  CHECK(h.next() == Records{{unlucky, kTimedOut, fd}});
  const Slot reader = transfer(kReadable);
  write_byte(sockets.second);
  CHECK(h.settle() == Records{{reader, 2, fd}});
  close_stream();
  h.settle();
  h.check_idle();
}

}  // namespace
}  // namespace fdevent::test
