// Random operations against a model of what the caller of a reactor may rely on.
// FDEVENT_SEED repeats a run, FDEVENT_STEPS sets its length.
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>

#include "reactor_harness.h"
#include "stress_model.h"

namespace fdevent::test {
namespace {

using sys::monotonic_now;
using sys::Nanoseconds;

using State = Modelled::State;
using Kind = Modelled::Kind;

class Stress {
 public:
  explicit Stress(unsigned seed) : random_(seed), world_(random_) {}

  void step() {
    const unsigned dice = below(100);
    if (dice < 24) {
      start();
    } else if (dice < 31) {
      select();
    } else if (dice < 38) {
      watch();
    } else if (dice < 42) {
      change_interest();
    } else if (dice < 50) {
      cancel();
    } else if (dice < 52) {
      close_announced();
    } else if (dice < 56) {
      tamper();
    } else if (dice < 76) {
      world_.stir();
    } else if (dice < 98) {
      turn(static_cast<int>(1 + below(5)));
      if (below(2) == 0) {
        finish_batch();
      }
    } else {
      settle();
    }
    look();
    check_counts();
  }

  void finish() {
    settle();
    for (int fd = kFirstChosenFd; fd < kFirstChosenFd + World::kNumbers; ++fd) {
      announce_close(fd);
    }
    // What is left are selects without a member, and watches that sleep.
    for (Slot slot = some_live(); slot != core::kNoSlot; slot = some_live()) {
      cancel(slot);
    }
    settle();
    turn(1);
    CHECK(some_live() == core::kNoSlot);
    h_.check_idle();
    CHECK(h_.reactor.statistics().registered == 0);
  }

  int started = 0;
  int handed_over = 0;
  int told = 0;
  int moved = 0;

 private:
  unsigned below(unsigned limit) { return world_.below(limit); }

  Interest interest() { return 1 + below(kSelectable); }

  double timeout() {
    switch (below(8)) {
      case 0:
        return 0;
      case 1:
        return 1e-9;
      case 2:
        return 1e-4 * below(5);
      case 3:
        return 1e-3 * below(5);
      case 4:
        return 1000;
      default:
        return kForever;
    }
  }

  void start() {
    const int fd = world_.number();
    const Interest wanted = interest();
    const double seconds = timeout();
    const bool referenced = below(4) != 0;
    const Nanoseconds before = monotonic_now();
    const Slot slot = h_.start(fd, wanted, seconds, referenced);
    note(slot, {{fd, wanted, 0}}, Kind::wait, seconds, referenced, before);
  }

  void select() {
    std::vector<sys::Probe> members;
    for (int fd = kFirstChosenFd; fd < kFirstChosenFd + World::kNumbers; ++fd) {
      if (below(3) == 0) {
        members.push_back({fd, interest(), 0});
      }
    }
    const double seconds = timeout();
    const Nanoseconds before = monotonic_now();
    const Slot slot = h_.select(members, seconds);
    note(slot, members, Kind::select, seconds, true, before);
  }

  void note(Slot slot, std::vector<sys::Probe> members, Kind kind, double seconds, bool referenced,
            Nanoseconds before) {
    if (slot < 0) {
      REQUIRE_FALSE(std::all_of(members.begin(), members.end(), [](const sys::Probe& member) {
        return World::is_open(member.fd);
      }));
      return;
    }
    Modelled& wait = enter(slot, std::move(members), kind, referenced);
    wait.timed = seconds < 1e6;
    wait.deadline = wait.timed ? before + static_cast<Nanoseconds>(seconds * 1e9) : 0;
  }

  Modelled& enter(Slot slot, std::vector<sys::Probe> members, Kind kind, bool referenced) {
    REQUIRE((waits_.count(slot) == 0 || waits_.at(slot).state == State::muted));
    Modelled& wait = waits_[slot] = Modelled{};
    wait.members = std::move(members);
    wait.kind = kind;
    wait.referenced = referenced;
    ++started;
    return wait;
  }

  void watch() {
    const int fd = world_.number();
    const Interest wanted = below(kSelectable + 1) | (below(4) == 0 ? kAnyway : 0);
    const bool edge = below(2) == 0;
    const bool referenced = below(4) != 0;
    const Slot slot = h_.watch(fd, wanted, edge, referenced);
    if (slot < 0) {
      REQUIRE((!World::is_open(fd) || World::is_file(fd)));
    } else {
      REQUIRE_FALSE(World::is_file(fd));
      enter(slot, {{fd, wanted, 0}}, edge ? Kind::edge : Kind::level, referenced);
    }
  }

  void change_interest() {
    const Slot slot = some_live();
    if (slot == core::kNoSlot || !waits_.at(slot).is_watch()) {
      return;
    }
    Modelled& watch = waits_.at(slot);
    const Interest wanted = below(kSelectable + 1);
    const Outcome outcome = h_.reactor.set_interest(slot, wanted);
    REQUIRE((outcome == 0 || (outcome < 0 && watch.tampered)));
    watch.want(outcome == 0 ? wanted : 0);
  }

  Slot some_live() {
    std::vector<Slot> found;
    for (const auto& [slot, wait] : waits_) {
      if (wait.state == State::live) {
        found.push_back(slot);
      }
    }
    return found.empty() ? core::kNoSlot : found[below(static_cast<unsigned>(found.size()))];
  }

  void cancel() {
    const Slot slot = some_live();
    if (slot != core::kNoSlot) {
      cancel(slot);
    }
  }

  void cancel(Slot slot) {
    h_.reactor.cancel(slot);
    waits_.at(slot).state = State::muted;
  }

  void announce_close(int fd) {
    const std::vector<Slot> interrupted = h_.close(fd);
    for (auto& [slot, wait] : waits_) {
      const auto times = std::count(interrupted.begin(), interrupted.end(), slot);
      // Two records may be on their way of a watch that has ended.
      REQUIRE((times <= 1 || (wait.is_watch() && (wait.tampered || wait.state != State::live))));
      REQUIRE((times == 0 || wait.concerns(fd)));
      if (wait.state != State::live || !wait.concerns(fd)) {
        continue;
      }
      if (times > 0) {
        wait.state = State::muted;
      } else {
        // A sleeping watch has no registration to end, nor has one whose failure is on its way.
        REQUIRE((wait.is_watch() && (wait.members[0].interest == 0 || wait.tampered)));
        wait.tampered = true;
      }
    }
  }

  void close_announced() {
    const int fd = world_.number();
    announce_close(fd);
    ::close(fd);
    if (below(4) != 0) {
      world_.replace(fd);
    }
  }

  void tamper() {
    const int fd = world_.number();
    if (below(4) == 0) {
      ::close(fd);
    } else {
      world_.replace(fd);
    }
    for (auto& [slot, wait] : waits_) {
      wait.tampered = wait.tampered || wait.concerns(fd);
    }
  }

  void finish_batch() {
    h_.reactor.finish_batch();
    for (auto it = waits_.begin(); it != waits_.end();) {
      it = it->second.state == State::over ? waits_.erase(it) : std::next(it);
    }
  }

  Records turn(int capacity) {
    finish_batch();
    const bool backlog = h_.reactor.urgent();
    Records records = h_.turn(capacity);
    moved += h_.reactor.take_moved();
    for (const Record& record : records) {
      CAPTURE(record.slot);
      CAPTURE(record.outcome);
      CAPTURE(record.fd);
      REQUIRE(waits_.count(record.slot) == 1);
      Modelled& wait = waits_.at(record.slot);
      REQUIRE(wait.state != State::over);
      if (wait.state == State::muted) {
        continue;
      }
      if (wait.is_watch()) {
        check_told(wait, record, backlog);
        ++told;
      } else {
        check_outcome(wait, record);
        ++handed_over;
      }
      if (!wait.is_watch() || record.outcome < 0) {
        wait.state = State::over;
      }
    }
    return records;
  }

  void check_outcome(const Modelled& wait, const Record& record) {
    CAPTURE(static_cast<int>(wait.kind));
    CAPTURE(wait.tampered);
    const bool is_select = wait.kind == Kind::select;
    if (is_select && record.outcome >= 0) {
      REQUIRE(record.fd == -1);
      REQUIRE(h_.reactor.selection(record.slot)->size() == wait.members.size());
    } else {
      REQUIRE(wait.concerns(record.fd));
    }
    if (record.outcome == kTimedOut) {
      REQUIRE(wait.timed);
      REQUIRE(monotonic_now() >= wait.deadline);
    } else if (!wait.tampered) {
      REQUIRE(record.outcome > 0);
      REQUIRE((wait.was_ready || wait.ready_now()));
      const Interest asked = is_select ? kSelected : wait.members[0].interest;
      REQUIRE((static_cast<Readiness>(record.outcome) & ~asked) == 0);
    }
  }

  void check_told(Modelled& watch, const Record& record, bool backlog) {
    CAPTURE(static_cast<int>(watch.kind));
    REQUIRE(watch.concerns(record.fd));
    if (watch.tampered) {
      return;
    }
    REQUIRE(record.outcome > 0);
    const Readiness ready = static_cast<Readiness>(record.outcome);
    REQUIRE((ready & ~(watch.seen | watch.present())) == 0);
    if (!backlog) {
      REQUIRE((ready & ~watch.present()) == 0);
    }
    watch.told(ready);
  }

  void look() {
    for (auto& [slot, wait] : waits_) {
      if (wait.state == State::live && !wait.tampered) {
        wait.look();
      }
    }
  }

  // Nothing left to do but to tell level watches again: then nothing may have been forgotten.
  void settle() {
    look();
    int quiet = 0;
    for (int turns = 0; quiet < 3 && h_.wants_turn(); ++turns) {
      REQUIRE(turns < 10'000);
      const int before = handed_over;
      turn(static_cast<int>(1 + below(64)));
      quiet = handed_over == before && !h_.reactor.urgent() ? quiet + 1 : 0;
    }
    std::map<Slot, Readiness> told_now;
    for (const Record& record : turn(1000)) {
      told_now[record.slot] = static_cast<Readiness>(record.outcome);
    }
    for (const auto& entry : waits_) {
      const Slot slot = entry.first;
      const Modelled& wait = entry.second;
      if (wait.state != State::live || wait.tampered) {
        continue;
      }
      CAPTURE(slot);
      if (wait.kind == Kind::level) {
        REQUIRE(told_now[slot] == wait.present());
      } else if (wait.kind == Kind::edge) {
        REQUIRE(told_now.count(slot) == 0);
        REQUIRE(wait.owed == 0);
      } else {
        REQUIRE_FALSE(wait.ready_now());
      }
    }
  }

  void check_counts() {
    size_t referenced = 0;
    size_t unsure = 0;  // watches whose failure may be on its way
    int waits = 0;
    int watches = 0;
    int timed = 0;
    for (const auto& [slot, wait] : waits_) {
      const bool live = wait.state == State::live;
      const bool failing = live && wait.is_watch() && wait.tampered;
      unsure += failing;
      referenced += live && wait.referenced;
      waits += live && !wait.is_watch();
      watches += live && wait.is_watch();
      timed += live && wait.timed;
    }
    const core::Reactor::Statistics now = h_.reactor.statistics();
    REQUIRE(h_.reactor.referenced() <= referenced);
    REQUIRE(h_.reactor.referenced() + unsure >= referenced);
    REQUIRE(now.waits == waits);
    REQUIRE(now.watches <= watches);
    REQUIRE(now.watches + static_cast<int>(unsure) >= watches);
    REQUIRE(now.timed <= timed);
    REQUIRE(now.armed <= now.registered);
  }

  std::mt19937 random_;
  Harness h_;
  World world_;
  std::map<Slot, Modelled> waits_;
};

TEST_CASE(
    "whatever a program does, waits end once, watches miss nothing, and nothing is left over") {
  signal(SIGPIPE, SIG_IGN);
  const unsigned seed = from_environment("FDEVENT_SEED", std::random_device{}());
  const unsigned steps = from_environment("FDEVENT_STEPS", 40'000);
  std::printf("stress: FDEVENT_SEED=%u FDEVENT_STEPS=%u\n", seed, steps);
  std::fflush(stdout);
  Stress stress(seed);
  for (unsigned step = 0; step < steps; ++step) {
    CAPTURE(step);
    stress.step();
  }
  stress.finish();
  CHECK(stress.started > static_cast<int>(steps / 10));
  CHECK(stress.handed_over > static_cast<int>(steps / 20));
  CHECK(stress.told > static_cast<int>(steps / 20));
  // Only epoll, of which libkqueue is made, keeps what belonged to a closed number, and has to be replaced.
  CHECK(
      (kEpoll || kLibkqueue ? stress.moved > static_cast<int>(steps / 10'000) : stress.moved == 0));
}

}  // namespace
}  // namespace fdevent::test
