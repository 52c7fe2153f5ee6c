#include "core/reactor.h"

#include <algorithm>
#include <cerrno>

namespace fdevent::core {

Outcome Reactor::open() {
  const int opened = backend_.open();
  if (opened < 0) {
    return failed(Syscall::create, opened);
  }
  open_ = true;
  return 0;
}

Slot Reactor::take(int fd, Interest interest, bool referenced) {
  const Slot slot = slots_.take();
  Wait& wait = slots_[slot];
  wait.fd = fd;
  wait.interest = interest;
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

int32_t Reactor::start(int fd, Interest interest, double seconds, bool referenced) {
  if (seconds == 0) {
    const int ready = sys::probe(fd, interest);
    if (ready < 0) {
      return failed(Syscall::poll, ready);
    }
    const Slot slot = take(fd, interest, referenced);
    complete(slot, selected(static_cast<Readiness>(ready), interest) ? kReady : kTimedOut, fd);
    return slot;
  }
  const Slot slot = take(fd, interest, referenced);
  Outcome outcome = registry_.enlist(slot);
  fail_vanished();
  if (outcome == kReady) {
    complete(slot, kReady, fd);
    return slot;
  }
  if (outcome == 0) {
    outcome = schedule(slot, seconds);
  }
  if (outcome < 0) {
    withdraw(slot);
    return outcome;
  }
  return slot;
}

int32_t Reactor::start_select(const std::vector<sys::Probe>& members, double seconds,
                              bool referenced, size_t* culprit) {
  *culprit = 0;
  Select select{members, {}};
  const int probed = sys::probe(select.members.data(), select.members.size(), culprit);
  if (probed < 0) {
    return failed(Syscall::poll, probed);
  }
  const bool ready = std::any_of(
      select.members.begin(), select.members.end(),
      [](const sys::Probe& member) { return selected(member.ready, member.interest) != 0; });
  const Slot head = take(-1, 0, referenced);
  Select& kept = selects_[head] = std::move(select);
  if (ready || seconds == 0) {
    complete(head, ready ? kReady : kTimedOut, -1);
    return head;
  }
  Outcome outcome = 0;
  for (size_t i = 0; i < kept.members.size() && outcome == 0; ++i) {
    *culprit = i;
    const Slot slot = take(kept.members[i].fd, kept.members[i].interest, false);
    slots_[slot].owner = head;
    kept.slots.push_back(slot);
    outcome = registry_.enlist(slot);
  }
  if (outcome == 0) {
    outcome = schedule(head, seconds);
  }
  fail_vanished();
  if (slots_[head].state != Wait::State::pending) {
    return head;
  }
  if (outcome == kReady) {
    // The number became a regular file between the probe and its turn: another thread is at work.
    complete_select(head, nullptr, -1);
  } else if (outcome < 0) {
    withdraw(head);
    return outcome;
  }
  return head;
}

const std::vector<sys::Probe>* Reactor::selection(Slot head) const {
  const auto found = selects_.find(head);
  return found == selects_.end() ? nullptr : &found->second.members;
}

Outcome Reactor::schedule(Slot slot, double seconds) {
  const sys::Nanoseconds deadline = sys::deadline_after(seconds, sys::monotonic_now());
  if (deadline == sys::kNever) {
    return 0;
  }
  // A later deadline than the one programmed needs no call: when that one comes, the timer is set
  // anew.
  if (deadline < programmed_) {
    const int set = backend_.set_timer(deadline);
    if (set < 0) {
      return failed(Syscall::timer, set);
    }
    programmed_ = deadline;
  }
  deadlines_.add(slot, deadline);
  return 0;
}

// Takes back a wait of which the caller gets no record.
void Reactor::withdraw(Slot slot) {
  deadlines_.remove(slot);
  drop_members(slot, -1);
  if (slots_[slot].listed) {
    registry_.unlink(slot);
    registry_.narrow(slots_[slot].fd);
  }
  release(slot);
  fail_vanished();
}

void Reactor::cancel(Slot slot) {
  if (!slots_.holds(slot)) {
    return;
  }
  if (slots_[slot].state == Wait::State::completed) {
    unreference(slot);  // its record is on the way, and frees the slot
    return;
  }
  withdraw(slot);
}

void Reactor::close(int fd, std::vector<Slot>* interrupted) {
  registry_.withdraw(fd);
  for (Slot slot = registry_.first(fd); slot != kNoSlot; slot = registry_.first(fd)) {
    const Slot head = slots_[slot].owner == kNoSlot ? slot : slots_[slot].owner;
    interrupted->push_back(head);
    withdraw(head);
  }
  for (const Record& record : done_) {
    const std::vector<sys::Probe>* members = selection(record.slot);
    const bool concerned =
        record.fd == fd ||
        (members && std::any_of(members->begin(), members->end(),
                                [fd](const sys::Probe& member) { return member.fd == fd; }));
    if (concerned) {
      interrupted->push_back(record.slot);
      unreference(record.slot);
    }
  }
}

void Reactor::complete(Slot slot, Outcome outcome, int fd) {
  deadlines_.remove(slot);
  registry_.unlink(slot);
  slots_[slot].state = Wait::State::completed;
  done_.push_back({slot, outcome, fd});
}

void Reactor::complete_select(Slot head, const backend::Event* event, int fd) {
  Select& select = selects_[head];
  size_t culprit = 0;
  const int probed = sys::probe(select.members.data(), select.members.size(), &culprit);
  if (probed < 0) {
    const int at_fault = select.members[culprit].fd;
    drop_members(head, fd);
    complete(head, failed(Syscall::poll, probed), at_fault);
    return;
  }
  if (event) {
    // Another process may have taken the data since; the event stands, as it does for a plain wait.
    for (sys::Probe& member : select.members) {
      member.ready |= member.fd == fd ? event->ready : 0;
    }
  }
  drop_members(head, fd);
  complete(head, kReady, -1);
}

// `busy_fd` is in the middle of its own event, and will be armed afresh at its end.
void Reactor::drop_members(Slot head, int busy_fd) {
  const auto found = selects_.find(head);
  if (found == selects_.end()) {
    return;
  }
  std::vector<Slot> slots = std::move(found->second.slots);
  found->second.slots.clear();
  for (const Slot slot : slots) {
    const int fd = slots_[slot].fd;
    const bool listed = slots_[slot].listed;
    registry_.unlink(slot);
    slots_.release(slot);
    if (listed && fd != busy_fd) {
      registry_.narrow(fd);
    }
  }
}

void Reactor::fail_vanished() {
  Slot slot;
  while (registry_.next_vanished(&slot)) {
    if (slots_[slot].state != Wait::State::pending) {
      continue;  // a select with several members there has failed already
    }
    const int fd = slots_[slot].fd;
    const Slot head = slots_[slot].owner == kNoSlot ? slot : slots_[slot].owner;
    drop_members(head, -1);
    complete(head, failed(Syscall::control, -EBADF), fd);
  }
}

void Reactor::fail_all(int negated_errno) {
  for (Slot slot = 0; slots_.within(slot); ++slot) {
    const Wait& wait = slots_[slot];
    if (wait.state == Wait::State::pending && wait.owner == kNoSlot) {
      const int fd = wait.fd;
      drop_members(slot, -1);
      complete(slot, failed(Syscall::wait, negated_errno), fd);
    }
  }
  fail_vanished();
}

Reactor::Statistics Reactor::statistics() const {
  const Registry::Count count = registry_.count();
  Statistics statistics;
  for (Slot slot = 0; slots_.within(slot); ++slot) {
    const Wait& wait = slots_[slot];
    statistics.waits += wait.state != Wait::State::free && wait.owner == kNoSlot;
  }
  statistics.waits -= static_cast<int>(delivered_);
  statistics.timed = static_cast<int>(deadlines_.size());
  statistics.registered = count.registered;
  statistics.armed = count.armed;
  return statistics;
}

}  // namespace fdevent::core
