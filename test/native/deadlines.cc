#include "core/deadlines.h"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <vector>

namespace fdevent::core {
namespace {

using sys::kNever;
using sys::Nanoseconds;

std::vector<Slot> popped(Deadlines& deadlines) {
  std::vector<Slot> order;
  while (!deadlines.empty()) {
    order.push_back(deadlines.earliest_slot());
    deadlines.remove(order.back());
  }
  return order;
}

TEST_CASE("without deadlines the earliest is never") {
  const Deadlines deadlines;
  CHECK(deadlines.empty());
  CHECK(deadlines.size() == 0);
  CHECK(deadlines.earliest() == kNever);
}

TEST_CASE("deadlines come in the order of their times, whatever the order of adding") {
  Deadlines deadlines;
  deadlines.add(0, 50);
  deadlines.add(1, 10);
  deadlines.add(2, 40);
  deadlines.add(3, 20);
  deadlines.add(4, 30);
  CHECK(deadlines.size() == 5);
  CHECK(deadlines.earliest() == 10);
  CHECK(popped(deadlines) == std::vector<Slot>{1, 3, 4, 2, 0});
}

TEST_CASE("removing a slot without a deadline changes nothing") {
  Deadlines deadlines;
  deadlines.remove(0);
  deadlines.add(3, 7);
  deadlines.remove(2);
  deadlines.remove(1000);
  deadlines.remove(3);
  deadlines.remove(3);
  CHECK(deadlines.empty());
  deadlines.add(3, 9);
  CHECK(deadlines.earliest() == 9);
  CHECK(deadlines.earliest_slot() == 3);
}

TEST_CASE("a removed deadline takes nobody else's place along") {
  for (Slot removed = 0; removed < 40; ++removed) {
    Deadlines deadlines;
    std::vector<Slot> expected;
    for (Slot slot = 0; slot < 40; ++slot) {
      // Descending, so that each one rises to the top.
      deadlines.add(slot, static_cast<Nanoseconds>(100 - slot));
      if (slot != removed) {
        expected.insert(expected.begin(), slot);
      }
    }
    deadlines.remove(removed);
    CHECK(popped(deadlines) == expected);
  }
}

TEST_CASE("after a burst the memory is given back and the heap still works") {
  Deadlines deadlines;
  for (Slot slot = 0; slot < 5000; ++slot) {
    deadlines.add(slot, static_cast<Nanoseconds>(slot));
  }
  CHECK(popped(deadlines).size() == 5000);
  deadlines.remove(4999);
  deadlines.add(4999, 2);
  deadlines.add(0, 1);
  CHECK(popped(deadlines) == std::vector<Slot>{0, 4999});
}

// The model orders by time; among equal times any slot is right.
TEST_CASE("random adding and removing agrees with a sorted map at every step") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    Deadlines deadlines;
    std::multimap<Nanoseconds, Slot> model;
    std::vector<std::multimap<Nanoseconds, Slot>::iterator> entry(300, model.end());
    const auto forget = [&](Slot slot) {
      auto& place = entry[static_cast<size_t>(slot)];
      model.erase(place);
      place = model.end();
      deadlines.remove(slot);
    };
    for (int step = 0; step < 5000; ++step) {
      const Slot slot = static_cast<Slot>(random() % entry.size());
      const bool known = entry[static_cast<size_t>(slot)] != model.end();
      const bool growing = step % 1000 < 500;
      if (!known && random() % 4 < (growing ? 3u : 1u)) {
        const Nanoseconds time = random() % 64;  // many equal ones
        entry[static_cast<size_t>(slot)] = model.emplace(time, slot);
        deadlines.add(slot, time);
      } else if (known) {
        forget(slot);
      } else if (!model.empty()) {
        forget(deadlines.earliest_slot());
      }
      REQUIRE(deadlines.size() == model.size());
      REQUIRE(deadlines.empty() == model.empty());
      REQUIRE(deadlines.earliest() == (model.empty() ? kNever : model.begin()->first));
      if (!model.empty()) {
        const auto at = entry[static_cast<size_t>(deadlines.earliest_slot())];
        REQUIRE(at != model.end());
        REQUIRE(at->first == deadlines.earliest());
      }
    }
    while (!model.empty()) {
      REQUIRE(deadlines.earliest() == model.begin()->first);
      forget(deadlines.earliest_slot());
    }
    CHECK(deadlines.empty());
  }
}

}  // namespace
}  // namespace fdevent::core
