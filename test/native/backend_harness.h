// A backend that is open, and what its last wait found.
#pragma once

#include <vector>

#include "support.h"

namespace fdevent::backend {

struct Opened {
  Opened() { REQUIRE(backend.open() == 0); }

  std::vector<Event> poll(int capacity = 16) {
    std::vector<Event> events(static_cast<size_t>(capacity));
    waited = backend.wait(events.data(), capacity, 0);
    REQUIRE(waited.count >= 0);
    events.resize(static_cast<size_t>(waited.count));
    return events;
  }

  Backend backend;
  Waited waited{};
};

}  // namespace fdevent::backend
