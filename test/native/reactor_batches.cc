// How finished waits are handed over: in order, in batches, with slots that stay taken meanwhile.
#include <set>

#include "reactor_harness.h"

namespace fdevent::test {
namespace {

TEST_CASE("a backlog larger than the capacity is handed over in order") {
  Harness h;
  const Pair pipe = make_pipe();
  std::vector<Slot> started;
  for (int i = 0; i < 23; ++i) {
    started.push_back(h.start(pipe.second, kWritable, 0));
  }
  std::vector<Slot> order;
  for (const size_t expected : {5u, 5u, 5u, 5u, 3u}) {
    CHECK(h.reactor.urgent());
    const Records records = h.turn(5);
    CHECK(records.size() == expected);
    for (const Record& record : records) {
      order.push_back(record.slot);
    }
    CHECK(h.reactor.referenced() == started.size() - order.size());
    CHECK(h.reactor.statistics().waits == static_cast<int>(started.size() - order.size()));
  }
  CHECK(order == started);
  CHECK_FALSE(h.reactor.urgent());
  CHECK(h.turn(5).empty());
  h.check_idle();
}

TEST_CASE("more ready descriptors than the capacity are all handed over") {
  Harness h;
  std::vector<UniqueFd> fds;
  std::set<Slot> waiting;
  for (int i = 0; i < 50; ++i) {
    fds.push_back(make_eventfd(1));
    waiting.insert(h.start(fds.back(), kReadable));
  }
  REQUIRE(waiting.size() == 50);
  for (const Record& record : h.settle(3)) {
    CHECK(record.outcome == kReadable);
    CHECK(waiting.erase(record.slot) == 1);
  }
  CHECK(waiting.empty());
  h.check_idle();
}

TEST_CASE("a slot is not used again before the batch that names it is done with") {
  Harness h;
  const Pair pipe = make_pipe();
  std::set<Slot> held;
  for (int i = 0; i < 4; ++i) {
    held.insert(h.start(pipe.second, kWritable));
  }
  REQUIRE(h.turn().size() == 4);
  for (int i = 0; i < 4; ++i) {
    CHECK(held.insert(h.start(pipe.second, kWritable)).second);
  }
  h.reactor.finish_batch();
  for (int i = 0; i < 4; ++i) {
    CHECK(h.start(pipe.second, kWritable) < 4);
  }
}

TEST_CASE("a wait started inside a batch is reported by the next one") {
  Harness h;
  const Pair pipe = make_pipe();
  h.start(pipe.second, kWritable, 0);
  REQUIRE(h.turn().size() == 1);
  const Slot inside = h.start(pipe.second, kWritable, 0);
  CHECK(h.reactor.urgent());
  CHECK(h.turn() == Records{{inside, kWritable, pipe.second.get()}});
}

TEST_CASE("a backlog does not keep ready descriptors waiting") {
  Harness h;
  const Pair pipe = make_pipe();
  const UniqueFd file = make_file();
  write_byte(pipe.second);
  const Slot reader = h.start(pipe.first, kReadable);
  const Slot timed = h.start(pipe.first, kPriority, 0.001);
  bool read = false;
  bool expired = false;
  // Each batch is filled entirely by waits that are ready when they are started.
  for (int round = 0; round < 20'000 && !(read && expired); ++round) {
    for (int i = 0; i < 4; ++i) {
      h.start(file, kReadable);
    }
    for (const Record& record : h.turn(4)) {
      read = read || record.slot == reader;
      expired = expired || record.slot == timed;
    }
  }
  CHECK(read);
  CHECK(expired);
}

TEST_CASE("a crowd of equal deadlines is spread over turns, and every one ends once") {
  Harness h;
  const Pair pipe = make_pipe();
  const Pair other = make_pipe();
  std::set<Slot> waiting;
  for (int i = 0; i < 700; ++i) {
    waiting.insert(h.start(pipe.first, kReadable, 0.001));
  }
  REQUIRE(waiting.size() == 700);
  poll(nullptr, 0, 20);
  REQUIRE(h.wants_turn(kPatience));
  Records records = h.turn(10'000);
  CHECK(records.size() == 256);
  CHECK(h.reactor.urgent());
  // Others are served in between.
  const Slot reader = h.start(other.first, kReadable);
  write_byte(other.second);
  bool served = false;
  for (const Record& record : h.turn(10'000)) {
    served = served || record.slot == reader;
    records.push_back(record);
  }
  CHECK(served);
  for (const Record& record : h.settle(10'000)) {
    records.push_back(record);
  }
  for (const Record& record : records) {
    if (record.slot != reader) {
      CHECK(record.outcome == kTimedOut);
      CHECK(waiting.erase(record.slot) == 1);
    }
  }
  CHECK(waiting.empty());
  CHECK(records.size() == 701);
  h.check_idle();
}

TEST_CASE("an earlier deadline than the programmed one is honoured, a later one not forgotten") {
  Harness h;
  const Pair pipe = make_pipe();
  const Slot later = h.start(pipe.first, kReadable, 0.02);
  const Slot earlier = h.start(pipe.first, kReadable, 0.004);
  const Slot cancelled = h.start(pipe.first, kReadable, 0.001);
  h.reactor.cancel(cancelled);
  CHECK(h.next() == Records{{earlier, kTimedOut, pipe.first.get()}});
  CHECK(h.next() == Records{{later, kTimedOut, pipe.first.get()}});
  h.check_idle();
}

TEST_CASE("readiness wins over a deadline while its event still queues behind many others") {
  Harness h;
  const Pair pipe = make_pipe();
  const Slot single = h.start(pipe.first, kReadable, 0.001);
  const Slot head = h.select({{pipe.first.get(), kReadable, 0}}, 0.001);
  REQUIRE(pollable_now(h.reactor.fd(), kPatience));
  std::vector<UniqueFd> crowd;
  for (int i = 0; i < 600; ++i) {
    crowd.push_back(make_eventfd(1));
    REQUIRE(h.start(crowd.back(), kReadable) >= 0);
  }
  poll(nullptr, 0, 10);
  write_byte(pipe.second);
  int seen = 0;
  for (const Record& record : h.settle(2000)) {
    seen += record.slot == single || record.slot == head;
    CHECK(record.outcome == kReadable);
  }
  CHECK(seen == 2);
  h.check_idle();
}

TEST_CASE("a later deadline does not put off an earlier one") {
  Harness h;
  const Pair pipe = make_pipe();
  const Slot soon = h.start(pipe.first, kReadable, 0.003);
  const Slot late = h.start(pipe.first, kReadable, 3600);
  CHECK(h.next() == Records{{soon, kTimedOut, pipe.first.get()}});
  h.reactor.cancel(late);
  h.check_idle();
}

TEST_CASE("a large burst leaves a reactor that works") {
  Harness h;
  const Pair pipe = make_pipe();
  for (int round = 0; round < 2; ++round) {
    std::vector<Slot> started;
    for (int i = 0; i < 6000; ++i) {
      started.push_back(h.start(pipe.first, i % 2 ? kReadable : kReadable | kPriority, 100));
    }
    write_byte(pipe.second);
    std::vector<Slot> order;
    for (const Record& record : h.settle(1000)) {
      order.push_back(record.slot);
    }
    CHECK(order == started);
    h.check_idle();
    drain(pipe.first.get());
  }
  CHECK(h.start(pipe.first, kReadable) == 0);
}

TEST_CASE("a turn without room hands nothing over and loses nothing") {
  Harness h;
  const Pair pipe = make_pipe();
  const Slot slot = h.start(pipe.second, kWritable);
  Record unused;
  CHECK(h.reactor.turn(&unused, 0) == 0);
  CHECK(h.settle() == Records{{slot, kWritable, pipe.second.get()}});
}

}  // namespace
}  // namespace fdevent::test
