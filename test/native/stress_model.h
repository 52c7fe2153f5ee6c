// What the caller of a reactor may rely on, for one wait or watch of the stress test.
#pragma once

#include <algorithm>
#include <vector>

#include "stress_world.h"
#include "sys/clock.h"

namespace fdevent::test {

struct Modelled {
  enum class Kind { wait, select, level, edge };
  enum class State {
    live,   // promised exactly one record; a watch, one for each event
    muted,  // cancelled or closed: a record of it may still pass by
    over,   // its last record was handed over; the slot is free after finish_batch()
  };

  bool is_watch() const { return kind == Kind::level || kind == Kind::edge; }
  bool concerns(int fd) const {
    return std::any_of(members.begin(), members.end(),
                       [fd](const sys::Probe& member) { return member.fd == fd; });
  }
  bool ready_now() const {
    return std::any_of(members.begin(), members.end(), [](const sys::Probe& member) {
      return World::present(member.fd, member.interest) != 0;
    });
  }
  // What poll(2) says that a watch should be told.
  Readiness present() const {
    const Interest interest = members[0].interest;
    return interest == 0 ? 0 : World::state(members[0].fd, interest) & (interest | kAnyway);
  }

  // After every change, because what was so for a moment may be reported later, and must be if it
  // lasts.
  void look() {
    if (!is_watch()) {
      was_ready = was_ready || ready_now();
      return;
    }
    const Readiness now = present();
    seen |= now;
    owed = (owed & now) | (now & ~before);
    before = now;
  }
  void told(Readiness ready) {
    owed &= ~ready;
    seen = before;
  }
  // A new interest is told what holds at present.
  void want(Interest interest) {
    members[0].interest = interest;
    before = 0;
    owed = 0;
    look();
  }

  State state = State::live;
  Kind kind = Kind::wait;
  std::vector<sys::Probe> members;
  bool referenced = false;
  bool tampered = false;  // a descriptor of it was closed or replaced without a word
  bool was_ready = false;
  bool timed = false;
  sys::Nanoseconds deadline = 0;

  // Of a watch:
  Readiness before = 0;  // what held when it was last looked at
  Readiness seen = 0;    // what has held since it was last told
  Readiness owed = 0;    // what has begun to hold since, and still does
};

}  // namespace fdevent::test
