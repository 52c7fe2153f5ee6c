// A reactor's turn: what the kernel reported, which deadlines have passed, and the batch handed
// over.
#include <algorithm>
#include <cerrno>

#include "core/reactor.h"

namespace fdevent::core {

int Reactor::turn(Record* records, int capacity) {
  release_delivered();
  // Records that waited for no event come first, but the kernel is asked in the same turn: a loop
  // on a regular file must not keep descriptors waiting.
  int count = deliver(records, capacity);
  if (count == capacity) {
    return count;
  }
  const backend::Waited waited = backend_.wait(events_, kEvents, false);
  if (waited.count < 0 && waited.count != -EINTR) {
    fail_all(waited.count);
  }
  for (int i = 0; i < waited.count; ++i) {
    on_event(events_[i]);
  }
  if (waited.timer_fired || overdue_) {
    expire();
  }
  fail_vanished();
  return count + deliver(records + count, capacity - count);
}

void Reactor::on_event(const backend::Event& event) {
  const int fd = registry_.match(event);
  if (fd < 0) {
    return;
  }
  for (Slot slot = registry_.first(fd); slot != kNoSlot;) {
    const Wait& wait = slots_[slot];
    if (!selected(event.ready, wait.interest)) {
      slot = wait.next;
    } else if (wait.owner == kNoSlot) {
      const Slot next = wait.next;
      complete(slot, kReady, fd);
      slot = next;
    } else {
      complete_select(wait.owner, &event, fd);
      slot = registry_.first(fd);
    }
  }
  registry_.rearm(fd, event.ready);
}

void Reactor::expire() {
  const sys::Nanoseconds now = sys::monotonic_now();
  programmed_ = sys::kNever;
  for (int i = 0; i < kExpiries && deadlines_.earliest() <= now; ++i) {
    const Slot slot = deadlines_.earliest_slot();
    if (slots_[slot].fd < 0) {
      expire_select(slot);
    } else {
      expire_wait(slot);
    }
    fail_vanished();
  }
  overdue_ = deadlines_.earliest() <= now;
  if (!overdue_ && !deadlines_.empty()) {
    programmed_ = deadlines_.earliest();
    const int set = backend_.set_timer(programmed_);
    if (set < 0) {
      fail_all(set);
    }
  }
}

// At its deadline a wait asks once more: readiness wins over the deadline, and a descriptor that
// was closed or replaced is an error, not a timeout.
void Reactor::expire_wait(Slot slot) {
  const int fd = slots_[slot].fd;
  const Interest interest = slots_[slot].interest;
  registry_.unlink(slot);
  if (!registry_.verify(fd)) {
    complete(slot, failed(Syscall::control, -EBADF), fd);
    return;
  }
  const int ready = sys::probe(fd, interest);
  if (ready < 0) {
    complete(slot, failed(Syscall::poll, ready), fd);
  } else {
    complete(slot, selected(static_cast<Readiness>(ready), interest) ? kReady : kTimedOut, fd);
  }
}

void Reactor::expire_select(Slot head) {
  Select& select = selects_[head];
  int vanished = -1;
  for (const Slot slot : std::exchange(select.slots, {})) {
    const int fd = slots_[slot].fd;
    registry_.unlink(slot);
    slots_.release(slot);
    if (!registry_.verify(fd)) {
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
    const bool ready = std::any_of(
        select.members.begin(), select.members.end(),
        [](const sys::Probe& member) { return selected(member.ready, member.interest) != 0; });
    complete(head, ready ? kReady : kTimedOut, -1);
  }
}

int Reactor::deliver(Record* records, int capacity) {
  int count = 0;
  while (count < capacity && delivered_ < done_.size()) {
    const Record& record = done_[delivered_++];
    unreference(record.slot);
    records[count++] = record;
  }
  return count;
}

// A slot stays taken until the caller has come back from its batch: it may still name a wait there,
// and a new wait must not get the same number meanwhile.
void Reactor::release_delivered() {
  for (size_t i = 0; i < delivered_; ++i) {
    release(done_[i].slot);
  }
  if (delivered_ == done_.size()) {
    done_.clear();
    if (done_.capacity() > kKeptRecords) {
      done_.shrink_to_fit();  // a burst is over: give its memory back
    }
  } else {
    done_.erase(done_.begin(), done_.begin() + static_cast<std::ptrdiff_t>(delivered_));
  }
  delivered_ = 0;
}

}  // namespace fdevent::core
