// Drives a reactor as a loop would: it turns only when the kernel or the reactor itself asks for
// it.
#pragma once

#include <limits>
#include <vector>

#include "core/reactor.h"
#include "support.h"

namespace fdevent::core {

inline bool operator==(const Record& a, const Record& b) {
  return a.slot == b.slot && a.outcome == b.outcome && a.fd == b.fd;
}

inline doctest::String toString(const Record& record) {
  return "{slot " + doctest::toString(record.slot) + ", outcome " +
         doctest::toString(record.outcome) + ", fd " + doctest::toString(record.fd) + "}";
}

}  // namespace fdevent::core

namespace doctest {

template <typename Item>
struct StringMaker<std::vector<Item>> {
  static String convert(const std::vector<Item>& items) {
    String text = "[";
    for (const Item& item : items) {
      text += toString(item) + " ";
    }
    return text + "]";
  }
};

}  // namespace doctest

namespace fdevent::test {

using core::failed;
using core::kTimedOut;
using core::Outcome;
using core::Record;
using core::Slot;
using core::Syscall;

inline constexpr Outcome kSelected = 1;  // a select: some member is ready

inline constexpr double kForever = std::numeric_limits<double>::infinity();
inline constexpr int kPatience = 10'000;  // ms; reached only by a failing test

using Records = std::vector<Record>;

class Harness {
 public:
  explicit Harness(core::Transfers* transfers = nullptr) : reactor(transfers) {
    REQUIRE(reactor.open() == 0);
  }

  Slot start(int fd, Interest interest, double seconds = kForever, bool referenced = true) {
    return reactor.start(fd, interest, seconds, referenced);
  }
  Slot start(const UniqueFd& fd, Interest interest, double seconds = kForever) {
    return start(fd.get(), interest, seconds);
  }
  Slot watch(int fd, Interest interest, bool edge = false, bool referenced = true) {
    return reactor.watch(fd, interest, edge, referenced);
  }
  Slot watch(const UniqueFd& fd, Interest interest, bool edge = false) {
    return watch(fd.get(), interest, edge);
  }
  Slot select(const std::vector<sys::Probe>& members, double seconds = kForever) {
    return reactor.start_select(members, seconds, true, &culprit);
  }
  std::vector<Slot> close(int fd) {
    std::vector<Slot> interrupted;
    reactor.close(fd, &interrupted);
    return interrupted;
  }

  // What is started between two turns is started while the first one's batch is being received.
  Records turn(int capacity = 64) {
    reactor.finish_batch();
    Records records(static_cast<size_t>(capacity));
    records.resize(static_cast<size_t>(reactor.turn(records.data(), capacity)));
    return records;
  }

  bool wants_turn(int milliseconds = 0) {
    return reactor.urgent() || pollable_now(reactor.fd(), milliseconds);
  }

  // Everything there is now, in order.
  Records settle(int capacity = 64) {
    Records all;
    for (turns = 0; wants_turn(); ++turns) {
      REQUIRE(turns < 100'000);
      for (const Record& record : turn(capacity)) {
        all.push_back(record);
      }
    }
    reactor.finish_batch();
    return all;
  }

  // Sleeps until something is finished.
  Records next(int capacity = 64) {
    for (;;) {
      REQUIRE(wants_turn(kPatience));
      Records records = turn(capacity);
      if (!records.empty()) {
        return records;
      }
    }
  }

  void check_idle() {
    const core::Reactor::Statistics now = reactor.statistics();
    CHECK(now.waits == 0);
    CHECK(now.watches == 0);
    CHECK(now.streams == 0);
    CHECK(now.timed == 0);
    CHECK(now.armed == 0);
    CHECK(reactor.referenced() == 0);
  }

  core::Reactor reactor;
  size_t culprit = 0;
  int turns = 0;  // that the last settle() took
};

}  // namespace fdevent::test
