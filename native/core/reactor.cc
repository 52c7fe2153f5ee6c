#include "core/reactor.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <utility>

namespace fdevent::core {
namespace {

// Comes back with events of a nested lane.
backend::Tag lane_tag(size_t lane) {
  return static_cast<backend::Tag>(kReservedGeneration) << 32 | lane;
}

}  // namespace

Outcome Reactor::open() {
  return add_lane();
}

Outcome Reactor::add_lane() {
  auto lane = std::make_unique<Registry>(slots_, vanished_);
  const int opened = lane->backend().open();
  if (opened < 0) {
    return failed(Syscall::create, opened);
  }
  lanes_.push_back(std::move(lane));
  const int nested = lanes_.size() == 1 ? 0 : nest(lanes_.size() - 1);
  if (nested < 0) {
    lanes_.pop_back();
    return failed(Syscall::control, nested);
  }
  return 0;
}

int Reactor::nest(size_t lane) {
  return lanes_[0]->backend().add(lanes_[lane]->backend().fd(), kReadable, backend::Trigger::level,
                                  lane_tag(lane));
}

Slot Reactor::take(int fd, Interest interest, bool referenced, Wait::Kind kind) {
  const Slot slot = slots_.take();
  Wait& wait = slots_[slot];
  wait.fd = fd;
  wait.interest = interest;
  wait.kind = kind;
  wait.state = Wait::State::pending;
  wait.referenced = referenced;
  referenced_ += referenced;
  return slot;
}

void Reactor::release(Slot slot) {
  unreference(slot);
  selects_.erase(slot);
  slots_.release(slot);
}

void Reactor::unreference(Slot slot) {
  referenced_ -= slots_[slot].referenced;
  slots_[slot].referenced = false;
}

// Finds the first lane whose registration of this descriptor may be shared.
Outcome Reactor::enlist(Slot slot) {
  const int fd = slots_[slot].fd;
  if (refused_ && refused_(fd)) {
    return failed(Syscall::control, -EINVAL);
  }
  for (const auto& lane : lanes_) {
    if (lane->backend().owns(fd)) {
      return failed(Syscall::control, -EINVAL);
    }
  }
  for (size_t lane = 0; lane <= UINT8_MAX; ++lane) {
    if (lane == lanes_.size()) {
      const Outcome added = add_lane();
      if (added < 0) {
        return added;
      }
    }
    slots_[slot].lane = static_cast<uint8_t>(lane);
    const Outcome outcome = lanes_[lane]->enlist(slot);
    if (outcome != Registry::kTaken) {
      return outcome;
    }
  }
  return failed(Syscall::control, -ENOSPC);
}

int32_t Reactor::start(int fd, Interest interest, double seconds, bool referenced) {
  if (seconds == 0) {
    const int ready = sys::probe(fd, interest);
    if (ready < 0) {
      return failed(Syscall::poll, ready);
    }
    const Slot slot = take(fd, interest, referenced);
    complete(slot, static_cast<Outcome>(answer(static_cast<Readiness>(ready), interest)), fd);
    return slot;
  }
  const Slot slot = take(fd, interest, referenced);
  Outcome outcome = enlist(slot);
  fail_vanished();
  if (outcome > 0) {
    complete(slot, outcome, fd);
    return slot;
  }
  if (outcome == Registry::kListed) {
    outcome = schedule(slot, seconds);
  }
  if (outcome < 0) {
    withdraw(slot);
    return outcome;
  }
  return slot;
}

int32_t Reactor::watch(int fd, Interest interest, bool edge, bool referenced) {
  const Slot slot = take(fd, interest, referenced, edge ? Wait::Kind::edge : Wait::Kind::level);
  // Asleep or not, a descriptor that cannot be watched is refused here and now.
  slots_[slot].interest = interest | kAnyway;
  const Outcome outcome = enlist(slot);
  fail_vanished();
  if (outcome < 0) {
    withdraw(slot);
    return outcome;
  }
  if (interest == 0) {
    set_interest(slot, 0);
  }
  return slot;
}

Outcome Reactor::set_interest(Slot slot, Interest interest) {
  if (!slots_.holds(slot) || slots_[slot].state != Wait::State::pending) {
    return 0;
  }
  Registry& lane = lane_of(slot);
  const int fd = slots_[slot].fd;
  Outcome outcome = 0;
  if (slots_[slot].listed && interest != 0) {
    lane.update(slot, slots_[slot].kind, interest | kAnyway);
  } else if (slots_[slot].listed) {
    lane.unlink(slot);
    lane.narrow(fd);
  } else if (interest != 0) {
    slots_[slot].interest = interest | kAnyway;
    outcome = enlist(slot);
  }
  fail_vanished();
  return outcome;
}

void Reactor::set_referenced(Slot slot, bool referenced) {
  if (slots_.holds(slot) && slots_[slot].state == Wait::State::pending &&
      slots_[slot].referenced != referenced) {
    slots_[slot].referenced = referenced;
    referenced ? ++referenced_ : --referenced_;
  }
}

Outcome Reactor::schedule(Slot slot, double seconds) {
  if (std::isinf(seconds)) {
    return 0;
  }
  const sys::Nanoseconds now = sys::monotonic_now();
  const sys::Nanoseconds deadline = sys::deadline_after(seconds, now);
  if (deadline == sys::kNever) {
    return 0;
  }
  // A later deadline than the one programmed needs no call: when that one comes, the timer is set
  // anew. Unless it has come already, and its event was lost with a timer that the program closed.
  if (deadline < programmed_ || programmed_ <= now) {
    const Outcome set = program(std::min(deadline, deadlines_.earliest()));
    if (set < 0) {
      return set;
    }
  }
  deadlines_.add(slot, deadline);
  return 0;
}

Outcome Reactor::program(sys::Nanoseconds time) {
  const int set = lanes_[0]->backend().set_timer(time);
  programmed_ = set < 0 ? sys::kNever : time;
  return set < 0 ? failed(Syscall::timer, set) : 0;
}

// Takes back a wait or a watch of which the caller gets no record.
void Reactor::withdraw(Slot slot) {
  deadlines_.remove(slot);
  drop_members(slot, -1);
  detach(slot);
  if (slots_[slot].listed) {
    const int fd = slots_[slot].fd;
    Registry& lane = lane_of(slot);
    lane.unlink(slot);
    lane.narrow(fd);
  }
  // A record of a watch may be on its way, or be with the caller at this moment.
  if (slots_[slot].is_watch() && (slots_[slot].records > 0 || delivered_ > 0)) {
    unreference(slot);
    slots_[slot].state = Wait::State::completed;
    dead_.push_back(slot);
  } else {
    release(slot);
  }
  fail_vanished();
}

Outcome Reactor::cancel(Slot slot) {
  if (!slots_.holds(slot)) {
    return 0;
  }
  if (slots_[slot].state != Wait::State::completed) {
    withdraw(slot);
    return 0;
  }
  unreference(slot);  // its record is on the way, and frees the slot
  slots_[slot].abandoned = true;
  if (slots_[slot].kind != Wait::Kind::attached) {
    return 0;
  }
  const auto found = std::find_if(done_.begin(), done_.end(),
                                  [slot](const Record& record) { return record.slot == slot; });
  return found == done_.end() ? 0 : found->outcome;
}

void Reactor::close(int fd, std::vector<Slot>* interrupted) {
  // First what is done and not yet received, which withdraw() below must not be mistaken for.
  for (const Record& record : done_) {
    const std::vector<sys::Probe>* members = selection(record.slot);
    const bool concerned =
        slots_[record.slot].state == Wait::State::completed &&
        (record.fd == fd ||
         (members && std::any_of(members->begin(), members->end(),
                                 [fd](const sys::Probe& member) { return member.fd == fd; })));
    if (concerned) {
      interrupted->push_back(record.slot);
      unreference(record.slot);
      slots_[record.slot].abandoned = true;
    }
  }
  for (const auto& lane : lanes_) {
    lane->withdraw(fd);
    for (Slot slot = lane->first(fd); slot != kNoSlot; slot = lane->first(fd)) {
      if (slots_[slot].kind == Wait::Kind::stream) {
        interrupt_stream(slot, interrupted);
        lane->unlink(slot);
        slots_[slot].state = Wait::State::completed;  // for its owner to close
        continue;
      }
      const Slot head = slots_[slot].owner == kNoSlot ? slot : slots_[slot].owner;
      interrupted->push_back(head);
      withdraw(head);
    }
  }
}

void Reactor::complete(Slot slot, Outcome outcome, int fd) {
  deadlines_.remove(slot);
  detach(slot);
  if (slots_[slot].listed) {
    lane_of(slot).unlink(slot);
  }
  slots_[slot].state = Wait::State::completed;
  done_.push_back({slot, outcome, fd});
}

// One record stands for all events of a watch since the last one it was handed.
void Reactor::report(Slot slot, Readiness ready) {
  Wait& watch = slots_[slot];
  if (watch.ready == 0) {
    done_.push_back({slot, 0, watch.fd});
    ++watch.records;
  }
  watch.ready |= ready;
}

void Reactor::fail(Slot slot, Outcome outcome) {
  if (slots_[slot].kind == Wait::Kind::stream) {
    fail_stream(slot, outcome);
    return;
  }
  if (slots_[slot].kind == Wait::Kind::attached) {
    complete(slot, outcome, slots_[slot].fd);
    return;
  }
  const int fd = slots_[slot].fd;
  const Slot head = slots_[slot].owner == kNoSlot ? slot : slots_[slot].owner;
  if (slots_[head].state != Wait::State::pending) {
    return;  // a select with several members there has failed already
  }
  drop_members(head, -1);
  if (slots_[head].is_watch()) {
    unreference(head);
    slots_[head].ready = 0;  // the failure is its last record, and the only one that counts
    ++slots_[head].records;
    dead_.push_back(head);
  }
  complete(head, outcome, fd);
}

void Reactor::fail_vanished() {
  while (!vanished_.empty()) {
    const Slot slot = vanished_.back();
    vanished_.pop_back();
    if (slots_[slot].state == Wait::State::pending) {
      fail(slot, failed(Syscall::control, -EBADF));
    }
  }
}

void Reactor::fail_all(Outcome outcome) {
  for (Slot slot = 0; slots_.within(slot); ++slot) {
    const Wait& wait = slots_[slot];
    if (wait.state == Wait::State::pending &&
        (wait.owner == kNoSlot || wait.kind != Wait::Kind::once)) {
      fail(slot, outcome);
    }
  }
  fail_vanished();
}

Reactor::Statistics Reactor::statistics() {
  Statistics statistics;
  for (Slot slot = 0; slots_.within(slot); ++slot) {
    const Wait& wait = slots_[slot];
    const bool member = wait.kind == Wait::Kind::once && wait.owner != kNoSlot;
    statistics.waits +=
        wait.ends() && wait.state != Wait::State::free && !member && !wait.abandoned;
    statistics.watches += wait.is_watch() && wait.state == Wait::State::pending;
    statistics.streams += wait.kind == Wait::Kind::stream;
  }
  for (size_t i = 0; i < delivered_; ++i) {
    const Wait& wait = slots_[done_[i].slot];
    statistics.waits -= wait.ends() && !wait.abandoned;
  }
  statistics.timed = static_cast<int>(deadlines_.size());
  for (const auto& lane : lanes_) {
    const Registry::Count count = lane->count();
    statistics.registered += count.registered;
    statistics.armed += count.armed;
  }
  return statistics;
}

}  // namespace fdevent::core
