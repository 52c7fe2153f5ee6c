// Waits that end because somebody says so: cancel, close, and the count that keeps a loop alive.
#include "reactor_harness.h"

namespace fdevent::test {
namespace {

TEST_CASE("a cancelled wait gets no record and nothing stays armed") {
  Harness h;
  const Pair pipe = make_pipe();
  const Slot slot = h.start(pipe.first, kReadable, 0.001);
  h.reactor.cancel(slot);
  CHECK(h.reactor.statistics().registered == 0);
  h.check_idle();
  write_byte(pipe.second);
  CHECK_FALSE(pollable_now(h.reactor.fd()));
  CHECK(h.settle().empty());
}

TEST_CASE("cancelling a slot that nobody holds does nothing") {
  Harness h;
  const Pair pipe = make_pipe();
  const Slot slot = h.start(pipe.first, kReadable);
  h.reactor.cancel(-1);
  h.reactor.cancel(slot + 1);
  h.reactor.cancel(1'000'000);
  CHECK(h.reactor.statistics().waits == 1);
  h.reactor.cancel(slot);
  h.reactor.cancel(slot);
  h.check_idle();
}

TEST_CASE("cancelling one wait narrows the interest and keeps the others") {
  Harness h;
  const Pair sockets = make_sockets();
  const Slot reader = h.start(sockets.first, kReadable);
  const Slot writer = h.start(sockets.first, kWritable);
  h.reactor.cancel(writer);
  CHECK_FALSE(pollable_now(h.reactor.fd()));
  write_byte(sockets.second);
  CHECK(h.settle() == Records{{reader, kReadable, sockets.first.get()}});
  CHECK(h.turns == 1);
}

TEST_CASE("each of many waits on one descriptor can be cancelled, whatever its place") {
  for (size_t gone = 0; gone < 4; ++gone) {
    Harness h;
    const Pair pipe = make_pipe();
    std::vector<Slot> slots;
    for (int i = 0; i < 4; ++i) {
      slots.push_back(h.start(pipe.first, kReadable));
    }
    h.reactor.cancel(slots[gone]);
    slots.erase(slots.begin() + static_cast<std::ptrdiff_t>(gone));
    write_byte(pipe.second);
    std::vector<Slot> order;
    for (const Record& record : h.settle()) {
      order.push_back(record.slot);
    }
    CHECK(order == slots);
    h.check_idle();
  }
}

TEST_CASE(
    "a wait that is cancelled after it completed no longer counts, and frees its slot later") {
  Harness h;
  const Pair pipe = make_pipe();
  const Slot slot = h.start(pipe.second, kWritable, 0);
  CHECK(h.reactor.referenced() == 1);
  h.reactor.cancel(slot);
  CHECK(h.reactor.referenced() == 0);
  const Slot other = h.start(pipe.second, kWritable, 0);
  CHECK(other != slot);
  CHECK(h.turn().size() == 2);
  h.turn();
  CHECK(h.start(pipe.first, kReadable) <= 1);
  CHECK(h.reactor.referenced() == 1);
}

TEST_CASE("close ends every wait on the descriptor, and no other") {
  Harness h;
  const Pair pipe = make_pipe();
  const Pair other = make_pipe();
  const Slot first = h.start(pipe.first, kReadable);
  const Slot second = h.start(pipe.first, kPriority, 0.002);
  const Slot elsewhere = h.start(other.first, kReadable);
  CHECK(h.close(pipe.first.get()) == std::vector<Slot>{first, second});
  CHECK(h.reactor.statistics().registered == 1);
  CHECK(h.reactor.statistics().timed == 0);
  CHECK(h.reactor.referenced() == 1);
  write_byte(pipe.second);
  write_byte(other.second);
  CHECK(h.settle() == Records{{elsewhere, kReadable, other.first.get()}});
  h.check_idle();
}

TEST_CASE("close names waits that are finished but not handed over yet") {
  Harness h;
  const Pair pipe = make_pipe();
  const Pair other = make_pipe();
  const Slot finished = h.start(pipe.second, kWritable, 0);
  const Slot unrelated = h.start(other.second, kWritable, 0);
  const Slot pending = h.start(pipe.second, kPriority);
  const Slot select =
      h.select({{other.second.get(), kWritable, 0}, {pipe.second.get(), kWritable, 0}}, 0);
  CHECK(h.close(pipe.second.get()) == std::vector<Slot>{finished, select, pending});
  CHECK(h.reactor.referenced() == 1);
  std::vector<Slot> handed_over;
  for (const Record& record : h.settle()) {
    handed_over.push_back(record.slot);
  }
  CHECK(handed_over == std::vector<Slot>{finished, unrelated, select});
  h.check_idle();
}

TEST_CASE("close of a descriptor nobody waits on is harmless, closed already or not") {
  Harness h;
  Pair pipe = make_pipe();
  const int fd = pipe.second.get();
  CHECK(h.close(fd).empty());
  h.start(fd, kWritable);
  h.settle();
  CHECK(h.reactor.statistics().registered == 1);
  pipe.second.reset();
  CHECK(h.close(fd).empty());
  CHECK(h.reactor.statistics().registered == 0);
  CHECK(h.close(100'000).empty());
}

TEST_CASE("after close the number starts afresh, for the same object and for another") {
  Harness h;
  const Pair pipe = make_pipe();
  const Pair other = make_pipe();
  const int fd = kFirstChosenFd;
  put(pipe.first, fd);
  h.start(fd, kReadable);
  h.close(fd);
  const Slot same = h.start(fd, kReadable);
  write_byte(pipe.second);
  CHECK(h.settle() == Records{{same, kReadable, fd}});
  h.start(fd, kPriority);
  h.close(fd);
  put(other.first, fd);
  const Slot another = h.start(fd, kReadable);
  CHECK(h.settle().empty());
  write_byte(other.second);
  CHECK(h.settle() == Records{{another, kReadable, fd}});
  h.close(fd);
  ::close(fd);
  CHECK(h.reactor.statistics().registered == 0);
}

TEST_CASE("the reactor counts the referenced waits that are not handed over yet") {
  Harness h;
  const Pair pipe = make_pipe();
  const UniqueFd file = make_file();
  CHECK(h.reactor.referenced() == 0);
  const Slot counted = h.start(pipe.first.get(), kReadable, kForever, true);
  const Slot uncounted = h.start(pipe.first.get(), kReadable, kForever, false);
  CHECK(h.reactor.referenced() == 1);
  h.start(file.get(), kReadable, kForever, true);
  h.start(file.get(), kReadable, kForever, false);
  CHECK(h.reactor.referenced() == 2);
  CHECK(h.turn(1).size() == 1);
  CHECK(h.reactor.referenced() == 1);
  h.reactor.cancel(uncounted);
  CHECK(h.reactor.referenced() == 1);
  h.reactor.cancel(counted);
  CHECK(h.reactor.referenced() == 0);
  h.settle();
  h.start(closed_number(), kReadable);
  h.check_idle();
}

TEST_CASE("a select counts once, however many members it has") {
  Harness h;
  const Pair pipe = make_pipe();
  const Pair other = make_pipe();
  const Slot head = h.select({{pipe.first.get(), kReadable, 0}, {other.first.get(), kReadable, 0}});
  CHECK(h.reactor.referenced() == 1);
  CHECK(h.reactor.statistics().waits == 1);
  h.reactor.cancel(head);
  CHECK(h.reactor.statistics().registered == 0);
  h.check_idle();
}

}  // namespace
}  // namespace fdevent::test
