// Streams: one registration, and a memory of what it reported, shared by the waits attached to it.
//
// Edge-triggered, as every stream begins, the kernel speaks up only when something new has come, so nothing may be forgotten
// that it has said, and nothing believed longer than it is so. What it said is kept until a call that would have blocked
// disproves it. A read that returned less than it was asked proves nothing: urgent data, a passed descriptor, a packet or the
// end may stand behind what it got.
//
// So an edge costs a second read, which finds nothing, for each that finds something. Whoever only reads, and is back for more
// before the kernel is asked again, is spared it: after kShorts such reads the registration becomes level-triggered for
// reading, and what a short read left behind is simply reported again. It turns back as soon as that costs anything: an event
// that serves nobody, whoever waits for room, and every look at whether the descriptor is still the same.
#include <cerrno>

#include "core/reactor.h"

namespace fdevent::core {
namespace {

constexpr Interest kEverything = kReadable | kWritable | kPriority | kHangup | kError;
constexpr Interest kReading = kReadable | kPriority;
constexpr uint8_t kShorts = 16;

}  // namespace

int32_t Reactor::open_stream(int fd) {
  const Slot slot = take(fd, kEverything, false, Wait::Kind::stream);
  // Nothing is known yet, so everything is worth an attempt.
  slots_[slot].ready = kReadable | kWritable | kPriority;
  const Outcome outcome = enlist(slot);
  fail_vanished();
  if (outcome < 0) {
    withdraw(slot);
    return outcome;
  }
  return slot;
}

bool Reactor::is_stream(Slot stream) const {
  return slots_.holds(stream) && slots_[stream].kind == Wait::Kind::stream &&
         slots_[stream].state == Wait::State::pending;
}

bool Reactor::intact(Slot stream) {
  const bool intact = is_stream(stream) && lane_of(stream).verify(slots_[stream].fd);
  fail_vanished();
  return intact;
}

bool Reactor::queued(Slot stream, Interest interest, Slot before) const {
  for (Slot slot = slots_[stream].owner; slot != before; slot = slots_[slot].next) {
    if (slots_[slot].transfers && slots_[slot].interest == interest) {
      return true;
    }
  }
  return false;
}

int32_t Reactor::start_attached(Slot stream, Interest interest, double seconds, bool referenced,
                                bool transfers) {
  const int fd = slots_[stream].fd;
  const Slot slot = take(fd, interest, referenced, Wait::Kind::attached);
  slots_[slot].transfers = transfers;
  // In the order in which they came, which is the order in which bytes are written.
  Slot last = kNoSlot;
  for (Slot at = slots_[stream].owner; at != kNoSlot; at = slots_[at].next) {
    last = at;
  }
  (last == kNoSlot ? slots_[stream].owner : slots_[last].next) = slot;
  slots_[slot].previous = last;
  slots_[slot].owner = stream;
  Outcome outcome = 0;
  if (!transfers && (seconds == 0 || promising(stream, interest))) {
    const int ready = sys::probe(fd, interest);
    if (ready < 0) {
      outcome = failed(Syscall::poll, ready);
    } else {
      slots_[stream].ready =
          (slots_[stream].ready & ~(interest | kAnyway)) | static_cast<Readiness>(ready);
      outcome = static_cast<Outcome>(answer(static_cast<Readiness>(ready), interest));
    }
  }
  if (outcome > 0 || (outcome == 0 && seconds == 0)) {
    complete(slot, outcome, fd);
    return slot;
  }
  if (outcome == 0) {
    outcome = schedule(slot, seconds);
  }
  if (outcome < 0) {
    withdraw(slot);
    return outcome;
  }
  pace(stream);
  fail_vanished();
  return slot;
}

void Reactor::came_short(Slot stream) {
  if (paced(stream)) {
    disprove(stream, kReadable);
  } else if (slots_[stream].shorts < kShorts) {
    ++slots_[stream].shorts;
  }
}

// Level-triggered where none but readers have waited for long enough, edge-triggered otherwise.
void Reactor::pace(Slot stream) {
  for (Slot at = slots_[stream].owner; at != kNoSlot; at = slots_[at].next) {
    if (slots_[at].interest & ~kReading) {
      slots_[stream].shorts = 0;
    }
  }
  const bool level = slots_[stream].shorts == kShorts;
  if (level != paced(stream)) {
    lane_of(stream).pace(slots_[stream].fd,
                         level ? backend::Trigger::level : backend::Trigger::edge,
                         level ? kReading : kEverything);
  }
}

void Reactor::on_stream(Slot stream, Readiness ready) {
  slots_[stream].ready |= ready;
  bool served = false;
  for (Slot slot = slots_[stream].owner; slot != kNoSlot;) {
    const Slot next = slots_[slot].next;
    const Outcome outcome = attempt(slot, ready);
    if (outcome != 0) {
      complete(slot, outcome, slots_[slot].fd);
      served = true;
    }
    slot = next;
  }
  // In an edge there is nothing to that: a read that came before it has taken what it tells of.
  if (!served && paced(stream)) {
    slots_[stream].shorts = 0;
    pace(stream);
  }
}

Outcome Reactor::attempt(Slot slot, Readiness ready) {
  const Wait& wait = slots_[slot];
  if (!wait.transfers) {
    return static_cast<Outcome>(answer(ready, wait.interest));
  }
  // An earlier one on the list may have used up what was reported.
  return promising(wait.owner, wait.interest) ? transfers_->perform(slot) : 0;
}

// Takes an attached wait off its stream's list; others are not on one.
void Reactor::detach(Slot slot) {
  Wait& wait = slots_[slot];
  if (wait.kind != Wait::Kind::attached || wait.owner == kNoSlot) {
    return;
  }
  (wait.previous == kNoSlot ? slots_[wait.owner].owner : slots_[wait.previous].next) = wait.next;
  if (wait.next != kNoSlot) {
    slots_[wait.next].previous = wait.previous;
  }
  wait.next = wait.previous = wait.owner = kNoSlot;
}

void Reactor::interrupt_stream(Slot stream, std::vector<Slot>* interrupted) {
  while (slots_[stream].owner != kNoSlot) {
    const Slot slot = slots_[stream].owner;
    interrupted->push_back(slot);
    withdraw(slot);
  }
}

void Reactor::close_stream(Slot stream, std::vector<Slot>* interrupted) {
  interrupt_stream(stream, interrupted);
  withdraw(stream);
}

int32_t Reactor::start_finished(Slot stream, Outcome outcome, bool referenced) {
  const int fd = slots_[stream].fd;
  const Slot slot = take(fd, 0, referenced, Wait::Kind::attached);
  complete(slot, outcome, fd);
  return slot;
}

// The descriptor is gone: the stream stays, for its owner to close, and refuses all further waits.
void Reactor::fail_stream(Slot stream, Outcome outcome) {
  while (slots_[stream].owner != kNoSlot) {
    complete(slots_[stream].owner, outcome, slots_[stream].fd);
  }
  slots_[stream].state = Wait::State::completed;
}

}  // namespace fdevent::core
