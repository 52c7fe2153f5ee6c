// A reactor whose streams read and write what a test says.
#pragma once

#include <functional>

#include "reactor_harness.h"

namespace fdevent::test {

class FakeTransfers : public core::Transfers {
 public:
  Outcome perform(Slot slot) override {
    performed.push_back(slot);
    return answer(slot);
  }

  std::vector<Slot> performed;
  std::function<Outcome(Slot)> answer = [](Slot) { return 1; };
};

struct Streams {
  Slot attach(Interest interest, double seconds = kForever) {
    return h.reactor.start_attached(stream, interest, seconds, true, false);
  }
  Slot transfer(Interest interest, double seconds = kForever) {
    return h.reactor.start_attached(stream, interest, seconds, true, true);
  }
  std::vector<Slot> close_stream() {
    std::vector<Slot> interrupted;
    h.reactor.close_stream(stream, &interrupted);
    return interrupted;
  }
  // Takes what the opening reports, and disproves what was assumed.
  void begin() {
    CHECK(h.settle().empty());
    h.reactor.disprove(stream, kSelectable);
  }

  FakeTransfers transfers;
  Harness h{&transfers};
  Pair sockets = make_sockets();
  int fd = sockets.first.get();
  Slot stream = h.reactor.open_stream(fd);
};

}  // namespace fdevent::test
