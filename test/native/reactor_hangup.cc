// A hangup or an error that answers no wait: the kernel would report it forever.
#include <sys/stat.h>

#include <string>

#include "reactor_harness.h"

namespace fdevent::test {
namespace {

constexpr int kFewTurns = 4;

TEST_CASE("a hangup is readable") {
  Harness h;
  Pair pipe = make_pipe();
  const Slot slot = h.start(pipe.first, kReadable);
  pipe.second.reset();
  CHECK(h.settle() == Records{{slot, kReadable, pipe.first.get()}});
}

TEST_CASE("an error is readable and writable") {
  Harness h;
  Pair pipe = make_pipe();
  fill(pipe.second.get());
  const Slot writer = h.start(pipe.second, kWritable);
  const Slot reader = h.start(pipe.second, kReadable);
  pipe.first.reset();
  CHECK(h.settle() ==
        Records{{writer, kWritable, pipe.second.get()}, {reader, kReadable, pipe.second.get()}});
}

TEST_CASE("a hangup that answers no wait costs a few turns and never spins") {
  Harness h;
  Pair pipe = make_pipe();
  const Slot writer = h.start(pipe.first, kWritable);
  pipe.second.reset();
  CHECK(h.settle().empty());
  CHECK(h.turns <= kFewTurns);
  CHECK_FALSE(pollable_now(h.reactor.fd(), 10));
  for (int i = 0; i < 10; ++i) {
    CHECK(h.turn().empty());
    CHECK_FALSE(h.wants_turn());
  }
  CHECK(h.reactor.statistics().waits == 1);
  h.reactor.cancel(writer);
  CHECK(h.reactor.statistics().registered == 0);
  h.check_idle();
}

TEST_CASE("an error that answers no wait costs a few turns and never spins") {
  Harness h;
  Pair pipe = make_pipe();
  const Slot exceptional = h.start(pipe.second, kPriority);
  pipe.first.reset();
  CHECK(h.settle().empty());
  CHECK(h.turns <= kFewTurns);
  CHECK_FALSE(pollable_now(h.reactor.fd(), 10));
  CHECK(h.close(pipe.second.get()) == std::vector<Slot>{exceptional});
}

TEST_CASE("a hangup ends the readers and leaves the writer without a spin") {
  Harness h;
  Pair pipe = make_pipe();
  const Slot writer = h.start(pipe.first, kWritable, 0.02);
  const Slot reader = h.start(pipe.first, kReadable);
  pipe.second.reset();
  CHECK(h.settle() == Records{{reader, kReadable, pipe.first.get()}});
  CHECK(h.turns <= kFewTurns);
  const Slot late = h.start(pipe.first, kReadable);
  CHECK(h.settle() == Records{{late, kReadable, pipe.first.get()}});
  CHECK(h.turns <= kFewTurns);
  CHECK(h.next() == Records{{writer, kTimedOut, pipe.first.get()}});
  CHECK(h.settle().empty());
  h.check_idle();
}

TEST_CASE("waits that a hangup does not answer come and go without a spin") {
  Harness h;
  Pair pipe = make_pipe();
  pipe.second.reset();
  int turns = 0;
  for (int i = 0; i < 50; ++i) {
    const Slot writer = h.start(pipe.first, kWritable);
    const Slot exceptional = h.start(pipe.first, kPriority);
    CHECK(h.settle().empty());
    turns += h.turns;
    h.reactor.cancel(writer);
    CHECK(h.settle().empty());
    CHECK(h.turns <= 1);
    h.reactor.cancel(exceptional);
  }
  CHECK(turns <= 50 * kFewTurns);
  CHECK(h.reactor.statistics().registered == 0);
}

TEST_CASE("a wait sees the change when a hangup clears") {
  const std::string path = "/tmp/fdevent-fifo-" + std::to_string(getpid());
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  Harness h;
  const UniqueFd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  REQUIRE(reader);
  UniqueFd writer(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  REQUIRE(writer);
  writer.reset();
  const Slot stays = h.start(reader, kWritable);
  CHECK(h.settle().empty());
  writer.reset(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  REQUIRE(writer);
  unlink(path.c_str());
  CHECK(h.settle().empty());
  const Slot slot = h.start(reader, kReadable);
  CHECK(h.settle().empty());
  write_byte(writer);
  CHECK(h.settle() == Records{{slot, kReadable, reader.get()}});
  CHECK(h.turns <= kFewTurns);
  h.reactor.cancel(stays);
  h.check_idle();
}

TEST_CASE("a wait that a hangup did not answer ends when the socket connects and delivers") {
  Harness h;
  const UniqueFd client = make_tcp_socket();
  const Slot slot = h.start(client, kPriority);
  CHECK(h.settle().empty());
  CHECK(h.turns <= kFewTurns);
  const UniqueFd server = connect_tcp(client);
  CHECK(h.settle().empty());
  send_out_of_band(server);
  CHECK(h.next() == Records{{slot, kPriority, client.get()}});
}

TEST_CASE("a second wait on a hung-up descriptor is armed like the first") {
  Harness h;
  const UniqueFd client = make_tcp_socket();
  const Slot first = h.start(client, kPriority);
  CHECK(h.settle().empty());
  const Slot second = h.start(client, kPriority);
  CHECK(h.settle().empty());
  const UniqueFd server = connect_tcp(client);
  CHECK(h.settle().empty());
  send_out_of_band(server);
  CHECK(h.next() == Records{{first, kPriority, client.get()}, {second, kPriority, client.get()}});
}

TEST_CASE("a wait on the successor of a hung-up descriptor is armed afresh") {
  Harness h;
  UniqueFd hung_up = make_tcp_socket();
  const int fd = hung_up.get();
  const Slot old = h.start(fd, kPriority);
  CHECK(h.settle().empty());
  const UniqueFd successor = make_tcp_socket();
  put(successor, fd);
  const Slot fresh = h.start(fd, kPriority);
  CHECK(h.settle() == Records{{old, failed(Syscall::control, -EBADF), fd}});
  const UniqueFd server = connect_tcp(successor);
  CHECK(h.settle().empty());
  send_out_of_band(server);
  CHECK(h.next() == Records{{fresh, kPriority, fd}});
}

TEST_CASE("a hangup that came while only others were asked is seen by a later wait") {
  Harness h;
  Pair sockets = make_sockets();
  const Slot exceptional = h.start(sockets.first, kPriority);
  sockets.second.reset();
  CHECK(h.settle().empty());
  const Slot head = h.select({{sockets.first.get(), kPriority, 0}, {0, kPriority, 0}}, 0.005);
  REQUIRE(head >= 0);
  CHECK(h.next() == Records{{head, kTimedOut, -1}});
  const Slot reader = h.start(sockets.first, kReadable);
  const Slot writer = h.start(sockets.first, kWritable);
  CHECK(h.settle() == Records{{reader, kReadable, sockets.first.get()},
                              {writer, kWritable, sockets.first.get()}});
  h.reactor.cancel(exceptional);
  h.check_idle();
}

}  // namespace
}  // namespace fdevent::test
