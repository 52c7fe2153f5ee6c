#include "core/slots.h"

#include <doctest/doctest.h>

#include <set>

namespace fdevent::core {
namespace {

TEST_CASE("slots are numbered from 0 and held until released") {
  Slots slots;
  CHECK_FALSE(slots.holds(0));
  CHECK_FALSE(slots.holds(kNoSlot));
  CHECK_FALSE(slots.within(kNoSlot));
  const Slot first = slots.take();
  const Slot second = slots.take();
  CHECK(first == 0);
  CHECK(second == 1);
  CHECK(slots.used() == 2);
  CHECK(slots.within(second));
  CHECK_FALSE(slots.within(2));

  slots[first].state = Wait::State::pending;
  CHECK(slots.holds(first));
  CHECK_FALSE(slots.holds(second));
  slots.release(first);
  CHECK_FALSE(slots.holds(first));
  CHECK(slots.used() == 1);
}

TEST_CASE("a released slot is used again, as new") {
  Slots slots;
  const Slot keeper = slots.take();
  const Slot slot = slots.take();
  slots[slot].fd = 7;
  slots[slot].interest = kReadable;
  slots[slot].owner = keeper;
  slots[slot].state = Wait::State::completed;
  slots[slot].listed = true;
  slots[slot].referenced = true;
  slots[slot].ready = kReadable;
  slots[slot].kind = Wait::Kind::edge;
  slots[slot].lane = 3;
  slots[slot].records = 2;
  slots[slot].abandoned = true;
  slots[slot].transfers = true;
  slots.release(slot);
  REQUIRE(slots.take() == slot);
  const Wait& wait = slots[slot];
  CHECK(wait.fd == -1);
  CHECK(wait.interest == 0);
  CHECK(wait.next == kNoSlot);
  CHECK(wait.previous == kNoSlot);
  CHECK(wait.owner == kNoSlot);
  CHECK(wait.state == Wait::State::free);
  CHECK_FALSE(wait.listed);
  CHECK_FALSE(wait.referenced);
  CHECK(wait.ready == 0);
  CHECK(wait.kind == Wait::Kind::once);
  CHECK(wait.lane == 0);
  CHECK(wait.records == 0);
  CHECK_FALSE(wait.abandoned);
  CHECK_FALSE(wait.transfers);
}

TEST_CASE("no slot is handed out twice while it is held") {
  Slots slots;
  std::set<Slot> held;
  for (int round = 0; round < 100; ++round) {
    for (int i = 0; i < 7; ++i) {
      REQUIRE(held.insert(slots.take()).second);
    }
    for (int i = 0; i < 4; ++i) {
      slots.release(*held.begin());
      held.erase(held.begin());
    }
    REQUIRE(slots.used() == held.size());
  }
}

TEST_CASE("the table shrinks when a burst is over, and only then") {
  Slots slots;
  for (int i = 0; i < 1025; ++i) {
    slots.take();
  }
  for (Slot slot = 1024; slot > 0; --slot) {
    slots.release(slot);
  }
  CHECK(slots.within(1024));
  slots.release(0);
  CHECK(slots.used() == 0);
  CHECK_FALSE(slots.within(0));
  CHECK(slots.take() == 0);
  CHECK(slots.take() == 1);
}

TEST_CASE("a table of ordinary size is kept") {
  Slots slots;
  for (int i = 0; i < 1024; ++i) {
    slots.take();
  }
  for (Slot slot = 0; slot < 1024; ++slot) {
    slots.release(slot);
  }
  CHECK(slots.used() == 0);
  CHECK(slots.within(1023));
}

}  // namespace
}  // namespace fdevent::core
