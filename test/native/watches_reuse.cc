// Watches on numbers that are closed, or given to another object, without a word to the reactor.
#include "reactor_harness.h"

namespace fdevent::test {
namespace {

constexpr int kFd = kFirstChosenFd;
const Outcome kGone = failed(Syscall::control, -EBADF);
constexpr int kMostEvents = 64;

struct Reused {
  Reused() { put(p.first, kFd); }
  Reused(const Reused&) = delete;
  Reused& operator=(const Reused&) = delete;
  ~Reused() { ::close(kFd); }

  // Turns until there is nothing to do, and returns what was handed over of a slot.
  Records settle_about(Slot slot) {
    Records about;
    for (const Record& record : h.settle()) {
      if (record.slot == slot) {
        about.push_back(record);
      }
    }
    return about;
  }

  Harness h;
  Pair p = make_sockets();
  Pair q = make_sockets();
};

TEST_CASE_FIXTURE(Reused, "a new wait on a reused number is served, and the level watch fails") {
  const Slot watch = h.watch(kFd, kReadable);
  put(q.first, kFd);
  const Slot wait = h.start(kFd, kReadable);
  REQUIRE(wait >= 0);
  CHECK(h.settle() == Records{{watch, kGone, kFd}});
  write_byte(p.second);
  CHECK(h.settle().empty());
  write_byte(q.second);
  CHECK(h.settle() == Records{{wait, kReadable, kFd}});
  h.check_idle();
}

TEST_CASE_FIXTURE(Reused, "a new wait on a reused number is served, and the edge watch fails") {
  const Slot watch = h.watch(kFd, kReadable, true);
  put(q.first, kFd);
  const Slot wait = h.start(kFd, kReadable);
  REQUIRE(wait >= 0);
  CHECK(h.settle() == Records{{watch, kGone, kFd}});
  write_byte(p.second);
  CHECK(h.settle().empty());
  write_byte(q.second);
  CHECK(h.settle() == Records{{wait, kReadable, kFd}});
  h.check_idle();
}

TEST_CASE_FIXTURE(Reused, "a new watch on a reused number is served, and the old ones fail") {
  for (const bool edge : {false, true}) {
    CAPTURE(edge);
    put(p.first, kFd);
    const Slot old = h.watch(kFd, kReadable);
    put(q.first, kFd);
    const Slot fresh = h.watch(kFd, kReadable, edge);
    REQUIRE(fresh >= 0);
    CHECK(h.settle() == Records{{old, kGone, kFd}});
    write_byte(q.second);
    CHECK(h.turn() == Records{{fresh, kReadable, kFd}});
    drain(kFd);
    h.close(kFd);
    h.settle();
    h.check_idle();
  }
}

TEST_CASE_FIXTURE(Reused,
                  "the deadline of a wait beside it fails a level watch whose number was reused") {
  const Slot watch = h.watch(kFd, kReadable);
  const Slot wait = h.start(kFd, kPriority, 0.002);
  put(q.first, kFd);
  const Records records = h.next();
  CHECK(records == Records{{wait, kGone, kFd}, {watch, kGone, kFd}});
  CHECK(h.settle().empty());
  h.check_idle();
}

TEST_CASE_FIXTURE(Reused, "a change of interest finds out that the number was reused") {
  for (const bool edge : {false, true}) {
    put(p.first, kFd);
    const Slot watch = h.watch(kFd, kReadable, edge);
    put(q.first, kFd);
    CHECK(h.reactor.set_interest(watch, kWritable) == 0);
    CHECK(h.reactor.set_interest(watch, kReadable) == 0);
    CHECK(h.settle() == Records{{watch, kGone, kFd}});
    CHECK(h.reactor.statistics().registered == 0);
    h.check_idle();
  }
}

TEST_CASE_FIXTURE(Reused,
                  "a level watch of a closed number ends after few events of its old object" *
                      epoll_only()) {
  const Slot watch = h.watch(kFd, kReadable);
  write_byte(p.second);
  SUBCASE("closed") {
    ::close(kFd);
  }
  SUBCASE("and reused by another object") {
    put(q.first, kFd);
  }
  SUBCASE("and reused by a regular file") {
    put(make_file(), kFd);
  }
  const Records records = settle_about(watch);
  REQUIRE_FALSE(records.empty());
  CHECK(records.size() <= kMostEvents + 1);
  CHECK(records.back() == Record{watch, kGone, kFd});
  for (size_t i = 0; i + 1 < records.size(); ++i) {
    // What was not handed over yet when it failed has nothing left to say.
    CHECK(records[i].outcome == (i + 2 < records.size() ? kReadable : 0));
  }
  CHECK(h.turns <= kMostEvents + 2);
  CHECK_FALSE(pollable_now(h.reactor.fd(), 5));
  h.check_idle();
}

TEST_CASE_FIXTURE(Reused, "a level watch of a number that stays is never taken for one that went") {
  const Slot watch = h.watch(kFd, kReadable);
  write_byte(p.second);
  for (int i = 0; i < 5 * kMostEvents; ++i) {
    CHECK(h.turn() == Records{{watch, kReadable, kFd}});
  }
  CHECK_FALSE(h.reactor.take_moved());
}

TEST_CASE_FIXTURE(Reused, "a level watch of a closed number without another name is told no more") {
  const Slot watch = h.watch(kFd, kReadable);
  write_byte(p.second);
  CHECK(h.turn().size() == 1);
  p.first.reset();
  ::close(kFd);
  CHECK(h.settle().empty());
  h.reactor.cancel(watch);
  CHECK(h.settle().empty());
  h.check_idle();
  CHECK_FALSE(h.reactor.take_moved());
}

TEST_CASE_FIXTURE(Reused, "a failed watch holds its slot until its last record was received") {
  const Slot watch = h.watch(kFd, kReadable);
  put(q.first, kFd);
  const Slot wait = h.start(kFd, kPriority);
  CHECK(h.reactor.statistics().watches == 0);
  CHECK(h.reactor.set_interest(watch, kWritable) == 0);
  CHECK(h.start(kFd, kPriority) != watch);
  CHECK(h.turn() == Records{{watch, kGone, kFd}});
  h.reactor.cancel(watch);
  CHECK(h.start(kFd, kPriority) != watch);
  h.reactor.finish_batch();
  CHECK(h.start(kFd, kPriority) == watch);
  CHECK(h.close(kFd).size() == 4);
  h.check_idle();
  static_cast<void>(wait);
}

TEST_CASE_FIXTURE(Reused, "what a watch was told before it failed does not follow its failure") {
  const UniqueFd file = make_file();
  for (int i = 0; i < 3; ++i) {
    h.start(file, kReadable);
  }
  const Slot watch = h.watch(kFd, kReadable);
  write_byte(p.second);
  REQUIRE(h.turn(3).size() == 3);
  put(q.first, kFd);
  REQUIRE(h.start(kFd, kReadable) >= 0);
  const Records records = settle_about(watch);
  REQUIRE_FALSE(records.empty());
  CHECK(records.back() == Record{watch, kGone, kFd});
  for (size_t i = 0; i + 1 < records.size(); ++i) {
    CHECK(records[i].outcome == 0);
  }
  CHECK_FALSE(h.wants_turn(5));
}

TEST_CASE_FIXTURE(Reused, "a watch on the open file that comes back to its number is told again") {
  for (const bool edge : {false, true}) {
    put(p.first, kFd);
    h.watch(kFd, kReadable, edge);
    ::close(kFd);
    CHECK(h.close(kFd).size() == 1);
    put(p.first, kFd);
    const Slot back = h.watch(kFd, kReadable, edge);
    REQUIRE(back >= 0);
    CHECK(h.settle().empty());
    write_byte(p.second);
    CHECK(h.turn() == Records{{back, kReadable, kFd}});
    drain(kFd);
    h.close(kFd);
    h.settle();
  }
  h.check_idle();
}

}  // namespace
}  // namespace fdevent::test
