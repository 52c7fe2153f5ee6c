// A poller that a test drives itself.
#pragma once

#include <vector>

#include "core/sync_poller.h"
#include "support.h"

namespace fdevent::core {

inline bool operator==(const SyncPoller::Ready& a, const SyncPoller::Ready& b) {
  return a.fd == b.fd && a.readiness == b.readiness;
}

}  // namespace fdevent::core

namespace fdevent::test {

using core::failed;
using core::Outcome;
using core::Syscall;
using Kind = core::Wait::Kind;
using Found = std::vector<core::SyncPoller::Ready>;

struct Polling {
  Polling() { REQUIRE(poller.open() == 0); }

  Outcome add(const UniqueFd& fd, Interest interest, Kind kind = Kind::level) {
    return poller.add(fd.get(), interest, kind);
  }
  Found wait(double seconds = 0, int capacity = 64) {
    Found found(static_cast<size_t>(capacity));
    const int count = poller.wait(found.data(), capacity, seconds);
    REQUIRE(count >= 0);
    found.resize(static_cast<size_t>(count));
    return found;
  }
  // The poller's own descriptor falls silent after few waits.
  void check_quiet() {
    int waits = 0;
    for (; waits < 5 && pollable_now(poller.fd()); ++waits) {
      CHECK(wait().empty());
    }
    CHECK(waits <= 2);
    CHECK_FALSE(pollable_now(poller.fd(), 5));
  }

  core::SyncPoller poller;
  Pair p = make_sockets();
  Pair q = make_sockets();
  int a = p.first.get();
  int b = q.first.get();
};

}  // namespace fdevent::test
