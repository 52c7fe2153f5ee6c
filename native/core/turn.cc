// A reactor's turn: what the kernel reported, which deadlines have passed, and the batch handed
// over.
#include <cerrno>
#include <cstddef>
#include <utility>

#include "core/reactor.h"

namespace fdevent::core {

int Reactor::turn(Record* records, int capacity) {
  // The kernel is asked even if records are waiting already: a crowd of loops on regular files must
  // keep neither descriptors nor deadlines waiting. The queue is served in order.
  const bool timer_fired = poll(*lanes_[0], events_[0]);
  // Before the deadlines: what is found gone must not be mistaken for what has taken its number.
  fail_vanished();
  if (timer_fired || overdue_) {
    expire();
  }
  rebuild_haunted();
  return deliver(records, capacity);
}

// Returns whether the lane's timer has fired.
bool Reactor::poll(Registry& lane, backend::Event* events) {
  const backend::Waited waited = lane.wait(events, kEvents, 0);
  if (waited.count < 0 && waited.count != -EINTR) {
    fail_all(failed(Syscall::wait, waited.count));
  }
  for (int i = 0; i < waited.count; ++i) {
    const backend::Event& event = events[i];
    if (event.tag >> 32 == kReservedGeneration) {
      poll(*lanes_[event.tag & UINT32_MAX], events_[1]);
    } else {
      on_event(lane, event);
    }
  }
  return waited.timer_fired;
}

void Reactor::on_event(Registry& lane, const backend::Event& event) {
  const int fd = lane.match(event);
  if (fd < 0) {
    return;
  }
  for (Slot slot = lane.first(fd); slot != kNoSlot;) {
    const Wait& wait = slots_[slot];
    const Readiness ready = answer(event.ready, wait.interest);
    if (!ready) {
      slot = wait.next;
    } else if (wait.kind == Wait::Kind::stream) {
      on_stream(slot, ready);
      return;  // exclusive and edge-triggered: nothing else to tell, and nothing to arm
    } else if (wait.owner != kNoSlot) {
      complete_select(wait.owner, &event, fd);
      slot = lane.first(fd);
    } else if (wait.kind == Wait::Kind::once) {
      const Slot next = wait.next;
      complete(slot, static_cast<Outcome>(ready), fd);
      slot = next;
    } else {
      report(slot, ready);
      slot = wait.next;
    }
  }
  lane.rearm(fd, event.ready);
}

// Leaves registrations behind that fire for a file whose number is gone; see registry.h.
void Reactor::rebuild_haunted() {
  for (size_t i = 0; i < lanes_.size(); ++i) {
    Registry& lane = *lanes_[i];
    if (!lane.haunted() || !lane.rebuild()) {
      continue;
    }
    // The poller has its old number and is a new object, so what it was nested in has lost it.
    if (i > 0) {
      nest(i);
    } else {
      moved_ = true;
      // In case the new poller had no room for the timer, which is then made anew.
      if (!deadlines_.empty()) {
        program(deadlines_.earliest());
      }
      for (size_t nested = 1; nested < lanes_.size(); ++nested) {
        nest(nested);
      }
    }
  }
  fail_vanished();
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
    const Outcome set = program(deadlines_.earliest());
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
  const bool attached = slots_[slot].kind == Wait::Kind::attached;
  Registry& lane = lane_of(attached ? slots_[slot].owner : slot);
  lane.unlink(slot);
  if (!lane.verify(fd)) {
    complete(slot, failed(Syscall::control, -EBADF), fd);
    return;
  }
  if (slots_[slot].transfers) {
    // Bytes of one that has to wait for its turn would stand in the middle of another's.
    const bool its_turn = !queued(slots_[slot].owner, interest, slot);
    complete(slot, its_turn ? transfers_->perform(slot) : kTimedOut, fd);
    return;
  }
  const int ready = sys::probe(fd, interest);
  complete(slot,
           ready < 0 ? failed(Syscall::poll, ready)
                     : static_cast<Outcome>(answer(static_cast<Readiness>(ready), interest)),
           fd);
}

int Reactor::deliver(Record* records, int capacity) {
  int count = 0;
  while (count < capacity && delivered_ < done_.size()) {
    Record& record = done_[delivered_++];
    Wait& wait = slots_[record.slot];
    if (wait.ends()) {
      unreference(record.slot);
    } else {
      --wait.records;
      if (record.outcome == 0) {
        record.outcome = static_cast<Outcome>(std::exchange(wait.ready, 0));
      }
    }
    records[count++] = record;
  }
  return count;
}

// A slot stays taken until the caller has come back from its batch: the batch may still name it,
// and what is started meanwhile must not get the same number.
void Reactor::finish_batch() {
  for (size_t i = 0; i < delivered_; ++i) {
    if (slots_[done_[i].slot].ends()) {
      release(done_[i].slot);
    }
  }
  done_.erase(done_.begin(), done_.begin() + static_cast<std::ptrdiff_t>(delivered_));
  if (done_.empty() && done_.capacity() > kKeptRecords) {
    done_.shrink_to_fit();  // a burst is over: give its memory back
  }
  delivered_ = 0;
  for (size_t i = 0; i < dead_.size();) {
    if (slots_[dead_[i]].records == 0) {
      release(dead_[i]);
      dead_[i] = dead_.back();
      dead_.pop_back();
    } else {
      ++i;
    }
  }
}

}  // namespace fdevent::core
