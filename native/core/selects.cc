// select(2): a head, which has the deadline and the record, and a member for each descriptor, which stands on that
// descriptor's list. Whatever ends the head takes its members along, after one look at all of them.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/reactor.h"

namespace fdevent::core {
namespace {

bool any_ready(const std::vector<sys::Probe>& members) {
  return std::any_of(members.begin(), members.end(), [](const sys::Probe& member) {
    return answer(member.ready, member.interest) != 0;
  });
}

}  // namespace

int32_t Reactor::start_select(const std::vector<sys::Probe>& members, double seconds,
                              bool referenced, size_t* culprit) {
  *culprit = 0;
  Select select{members, {}};
  const int probed = sys::probe(select.members.data(), select.members.size(), culprit);
  if (probed < 0) {
    return failed(Syscall::poll, probed);
  }
  const bool ready = any_ready(select.members);
  const Slot head = take(-1, 0, referenced);
  Select& kept = selects_[head] = std::move(select);
  if (ready || seconds == 0) {
    complete(head, ready, -1);
    return head;
  }
  Outcome outcome = 0;
  for (size_t i = 0; i < kept.members.size() && outcome == Registry::kListed; ++i) {
    *culprit = i;
    const Slot slot = take(kept.members[i].fd, kept.members[i].interest, false);
    slots_[slot].owner = head;
    kept.slots.push_back(slot);
    outcome = enlist(slot);
  }
  if (outcome == Registry::kListed) {
    outcome = schedule(head, seconds);
  }
  fail_vanished();
  if (slots_[head].state != Wait::State::pending) {
    return head;
  }
  if (outcome > 0) {
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
  complete(head, 1, -1);
}

// `busy_fd` is in the middle of its own event, and will be armed afresh at its end.
void Reactor::drop_members(Slot head, int busy_fd) {
  const auto found = selects_.find(head);
  if (found == selects_.end()) {
    return;
  }
  for (const Slot slot : std::exchange(found->second.slots, {})) {
    const int fd = slots_[slot].fd;
    const bool listed = slots_[slot].listed;
    Registry& lane = lane_of(slot);
    if (listed) {
      lane.unlink(slot);
    }
    slots_.release(slot);
    if (listed && fd != busy_fd) {
      lane.narrow(fd);
    }
  }
}

void Reactor::expire_select(Slot head) {
  Select& select = selects_[head];
  int vanished = -1;
  for (const Slot slot : std::exchange(select.slots, {})) {
    const int fd = slots_[slot].fd;
    Registry& lane = lane_of(slot);
    lane.unlink(slot);
    slots_.release(slot);
    if (!lane.verify(fd)) {
      vanished = fd;
    }
  }
  size_t culprit = 0;
  const int probed = sys::probe(select.members.data(), select.members.size(), &culprit);
  if (vanished >= 0) {
    complete(head, failed(Syscall::control, -EBADF), vanished);
  } else if (probed < 0) {
    complete(head, failed(Syscall::poll, probed), select.members[culprit].fd);
  } else {
    complete(head, any_ready(select.members), -1);
  }
}

}  // namespace fdevent::core
