// One wait on several descriptors.
#include <limits>
#include <vector>

#include "reactor_harness.h"

namespace fdevent::test {
namespace {

using sys::monotonic_now;
using sys::Nanoseconds;

struct Selects {
  std::vector<Interest> answer(Slot head) const {
    const std::vector<sys::Probe>* members = h.reactor.selection(head);
    REQUIRE(members != nullptr);
    std::vector<Interest> result;
    for (const sys::Probe& member : *members) {
      result.push_back(selected(member.ready, member.interest));
    }
    return result;
  }

  Harness h;
  Pair p = make_pipe();
  Pair q = make_pipe();
  int a = p.first.get();
  int b = q.first.get();
  std::vector<sys::Probe> both{{a, kReadable, 0}, {b, kReadable, 0}};
};

TEST_CASE_FIXTURE(Selects, "a select that is ready already reports the state of every member") {
  write_byte(q.second);
  const Slot head = h.select({{a, kReadable, 0},
                              {b, kReadable | kPriority, 0},
                              {p.second.get(), kWritable | kReadable, 0}});
  CHECK(h.reactor.urgent());
  CHECK(h.turn() == Records{{head, kSelected, -1}});
  CHECK(answer(head) == std::vector<Interest>{0, kReadable, kWritable});
  CHECK(h.reactor.statistics().registered == 0);
  h.turn();
  CHECK(h.reactor.selection(head) == nullptr);
  h.check_idle();
}

TEST_CASE_FIXTURE(Selects,
                  "a select ends when one member becomes ready, and reports all that are") {
  const Slot head = h.select(both, 100);
  CHECK(h.settle().empty());
  CHECK(h.reactor.statistics().registered == 2);
  CHECK(h.reactor.statistics().timed == 1);
  write_byte(p.second);
  write_byte(q.second);
  CHECK(h.next() == Records{{head, kSelected, -1}});
  CHECK(answer(head) == std::vector<Interest>{kReadable, kReadable});
  CHECK(h.settle().empty());
  h.check_idle();
}

TEST_CASE_FIXTURE(Selects,
                  "a select's answer is the state at its end, whatever happens afterwards") {
  const Slot head = h.select(both);
  CHECK(h.settle().empty());
  write_byte(p.second);
  CHECK(h.turn() == Records{{head, kSelected, -1}});
  drain(a);
  write_byte(q.second);
  CHECK(answer(head) == std::vector<Interest>{kReadable, 0});
}

TEST_CASE_FIXTURE(Selects, "a select times out once, and never early") {
  const Nanoseconds earliest = monotonic_now() + 3'000'000;
  const Slot head = h.select(both, 0.003);
  CHECK(h.next() == Records{{head, kTimedOut, -1}});
  CHECK(monotonic_now() >= earliest);
  CHECK(answer(head) == std::vector<Interest>{0, 0});
  CHECK(h.settle().empty());
  CHECK(h.reactor.statistics().registered == 0);
  h.check_idle();
}

TEST_CASE_FIXTURE(Selects,
                  "a select with timeout 0 reports the present state and registers nothing") {
  const Slot none = h.select(both, 0);
  write_byte(q.second);
  const Slot one = h.select(both, 0);
  CHECK(h.turn() == Records{{none, kTimedOut, -1}, {one, kSelected, -1}});
  CHECK(answer(none) == std::vector<Interest>{0, 0});
  CHECK(answer(one) == std::vector<Interest>{0, kReadable});
  CHECK(h.reactor.statistics().registered == 0);
}

TEST_CASE_FIXTURE(Selects, "a select without members is a timer") {
  const Slot now = h.select({}, 0);
  const Slot later = h.select({}, 0.002);
  const Slot never = h.select({});
  CHECK(h.turn() == Records{{now, kTimedOut, -1}});
  CHECK(h.next() == Records{{later, kTimedOut, -1}});
  h.reactor.cancel(never);
  CHECK(h.settle().empty());
  h.check_idle();
}

TEST_CASE_FIXTURE(Selects, "a select names the member that is not open") {
  both.push_back({closed_number(), kReadable, 0});
  for (const double seconds : {0.0, 1.0, kForever}) {
    CHECK(h.select(both, seconds) == failed(Syscall::poll, -EBADF));
    CHECK(h.culprit == 2);
  }
  CHECK(h.reactor.statistics().registered == 0);
  h.check_idle();
}

TEST_CASE_FIXTURE(Selects, "a select that a member refuses leaves nothing behind") {
  both.push_back({h.reactor.fd(), kReadable, 0});
  CHECK(h.select(both) == failed(Syscall::control, -EINVAL));
  CHECK(h.culprit == 2);
  CHECK(h.reactor.statistics().registered == 0);
  h.check_idle();
  const Slot single = h.start(a, kReadable);
  write_byte(p.second);
  CHECK(h.settle() == Records{{single, kReadable, a}});
}

TEST_CASE_FIXTURE(Selects, "cancelling a select frees every member and nobody else's wait") {
  const Slot single = h.start(a, kReadable);
  const Slot head = h.select(both, 0.002);
  h.reactor.cancel(head);
  CHECK(h.reactor.selection(head) == nullptr);
  CHECK(h.reactor.statistics().registered == 1);
  CHECK(h.reactor.statistics().timed == 0);
  write_byte(p.second);
  write_byte(q.second);
  CHECK(h.settle() == Records{{single, kReadable, a}});
  h.check_idle();
}

TEST_CASE_FIXTURE(Selects, "closing a member ends the select and leaves the other members' waits") {
  const Slot single = h.start(b, kReadable);
  const Slot head = h.select(both);
  CHECK(h.close(a) == std::vector<Slot>{head});
  CHECK(h.reactor.statistics().registered == 1);
  write_byte(q.second);
  CHECK(h.settle() == Records{{single, kReadable, b}});
  h.check_idle();
}

TEST_CASE_FIXTURE(Selects,
                  "selects and single waits on the same descriptors all end with one event") {
  std::vector<Slot> slots;
  for (int i = 0; i < 3; ++i) {
    slots.push_back(h.select(both));
    slots.push_back(h.start(a, kReadable));
  }
  const Slot left = h.start(b, kReadable);
  write_byte(p.second);
  std::vector<Slot> ended;
  for (const Record& record : h.settle()) {
    CHECK(record.outcome == (record.fd == -1 ? kSelected : kReadable));
    ended.push_back(record.slot);
  }
  CHECK(ended == slots);
  CHECK(h.reactor.statistics().waits == 1);
  write_byte(q.second);
  CHECK(h.settle() == Records{{left, kReadable, b}});
  h.check_idle();
}

TEST_CASE_FIXTURE(Selects, "two members that become ready in one turn end a select once") {
  const Slot first = h.select(both);
  const Slot second = h.select({{b, kReadable, 0}, {a, kReadable, 0}});
  write_byte(p.second);
  write_byte(q.second);
  CHECK(h.settle() == Records{{first, kSelected, -1}, {second, kSelected, -1}});
  CHECK(h.settle().empty());
  h.check_idle();
}

TEST_CASE_FIXTURE(Selects, "a hangup that answers no member neither ends a select nor spins") {
  const Slot head = h.select({{a, kWritable, 0}, {b, kReadable, 0}});
  p.second.reset();
  CHECK(h.settle().empty());
  CHECK(h.turns <= 4);
  write_byte(q.second);
  CHECK(h.next() == Records{{head, kSelected, -1}});
  CHECK(answer(head) == std::vector<Interest>{0, kReadable});
}

TEST_CASE_FIXTURE(Selects,
                  "a regular file makes a select ready, unless only exceptions were asked for") {
  const UniqueFd file = make_file();
  const Slot ready = h.select({{a, kReadable, 0}, {file.get(), kWritable, 0}});
  CHECK(h.turn() == Records{{ready, kSelected, -1}});
  CHECK(answer(ready) == std::vector<Interest>{0, kWritable});
  const Slot waiting = h.select({{a, kReadable, 0}, {file.get(), kPriority, 0}});
  CHECK(h.settle().empty());
  write_byte(p.second);
  CHECK(h.settle() == Records{{waiting, kSelected, -1}});
  h.check_idle();
}

TEST_CASE_FIXTURE(Selects, "readiness wins over a select's deadline") {
  const Slot head = h.select(both, 0.001);
  write_byte(q.second);
  poll(nullptr, 0, 5);
  CHECK(h.next() == Records{{head, kSelected, -1}});
  CHECK(answer(head) == std::vector<Interest>{0, kReadable});
  h.settle();
  h.check_idle();
}

}  // namespace
}  // namespace fdevent::test
