#include "core/registry.h"

#include <cerrno>

namespace fdevent::core {
namespace {

using backend::Trigger;

backend::Tag to_tag(int fd, uint32_t generation) {
  return static_cast<backend::Tag>(generation) << 32 | static_cast<uint32_t>(fd);
}

}  // namespace

Outcome Registry::enlist(Slot slot) {
  const int fd = slots_[slot].fd;
  const Interest interest = slots_[slot].interest;
  Descriptor* known = table_.find(fd);
  if (known && known->registered) {
    // While somebody waits, `armed` is the union of what they want.
    const Interest union_of_all = known->waited() ? known->armed | interest : interest;
    const int modified =
        backend_.modify(fd, union_of_all, Trigger::one_shot, to_tag(fd, known->generation));
    if (modified == 0) {
      known->armed = union_of_all;
      known->trigger = Trigger::one_shot;
      append(*known, slot);
      return kTimedOut;
    }
    vanish(*known);
    if (modified == -EBADF) {
      return failed(Syscall::control, modified);
    }
    // Another object has the number now; only ADD says what may be done with that one.
  }
  if (backend_.owns(fd)) {
    return failed(Syscall::control, -EINVAL);
  }
  if (++generation_ == 0) {
    generation_ = 1;  // 0 is the backend's own
  }
  int added = backend_.add(fd, interest, Trigger::one_shot, to_tag(fd, generation_));
  if (added == -EEXIST) {
    // A dup2() brought a registered open file back to its old number.
    added = backend_.modify(fd, interest, Trigger::one_shot, to_tag(fd, generation_));
  }
  if (added == -EPERM && interest & (kReadable | kWritable)) {
    return kReady;  // regular files, directories, /dev/null: select(2) never blocks on them
  }
  if (added < 0 && added != -EPERM) {
    return failed(Syscall::control, added);
  }
  Descriptor& descriptor = table_.at(fd);
  if (added == 0) {
    if (descriptor.waited()) {
      vanish(descriptor);  // they waited on a regular file that had this number before
    }
    descriptor.registered = true;
    descriptor.generation = generation_;
    descriptor.armed = interest;
    descriptor.trigger = Trigger::one_shot;
  }
  append(descriptor, slot);
  return kTimedOut;
}

void Registry::append(Descriptor& descriptor, Slot slot) {
  Wait& wait = slots_[slot];
  wait.previous = descriptor.last;
  wait.next = kNoSlot;
  (descriptor.last == kNoSlot ? descriptor.first : slots_[descriptor.last].next) = slot;
  descriptor.last = slot;
  wait.listed = true;
}

void Registry::unlink(Slot slot) {
  Wait& wait = slots_[slot];
  if (!wait.listed) {
    return;
  }
  Descriptor& descriptor = *table_.find(wait.fd);
  (wait.previous == kNoSlot ? descriptor.first : slots_[wait.previous].next) = wait.next;
  (wait.next == kNoSlot ? descriptor.last : slots_[wait.next].previous) = wait.previous;
  wait.next = wait.previous = kNoSlot;
  wait.listed = false;
}

int Registry::match(const backend::Event& event) {
  const int fd = static_cast<int>(event.tag & UINT32_MAX);
  Descriptor* descriptor = table_.find(fd);
  if (!descriptor || !descriptor->registered || to_tag(fd, descriptor->generation) != event.tag) {
    return -1;
  }
  if (descriptor->trigger == Trigger::one_shot) {
    descriptor->armed &= ~event.spent;
  }
  return fd;
}

Interest Registry::wanted(const Descriptor& descriptor) const {
  Interest interest = 0;
  for (Slot slot = descriptor.first; slot != kNoSlot; slot = slots_[slot].next) {
    interest |= slots_[slot].interest;
    if (interest == descriptor.armed) {
      break;  // the rest cannot add to it: many equal waits on one descriptor cost one step
    }
  }
  return interest;
}

bool Registry::sync(int fd, Trigger trigger, Reason reason) {
  Descriptor& descriptor = *table_.find(fd);
  if (!descriptor.registered) {
    return true;
  }
  const Interest want = wanted(descriptor);
  if (want == descriptor.armed && reason != Reason::deadline) {
    return true;  // also: nothing wanted, and the one-shot registration is spent
  }
  if (want == 0) {
    const int removed = backend_.remove(fd);
    descriptor.registered = false;
    descriptor.armed = 0;
    return removed == 0;
  }
  if (reason != Reason::event) {
    trigger = descriptor.trigger;
  }
  if (backend_.modify(fd, want, trigger, to_tag(fd, descriptor.generation)) < 0) {
    vanish(descriptor);
    return false;
  }
  descriptor.armed = want;
  descriptor.trigger = trigger;
  return true;
}

void Registry::withdraw(int fd) {
  Descriptor* descriptor = table_.find(fd);
  if (descriptor && descriptor->registered) {
    // The number may be closed already, or be another object: there is nothing left to do then.
    static_cast<void>(backend_.remove(fd));
    descriptor->registered = false;
    descriptor->armed = 0;
  }
}

void Registry::vanish(Descriptor& descriptor) {
  descriptor.registered = false;
  descriptor.armed = 0;
  while (descriptor.waited()) {
    const Slot slot = descriptor.first;
    unlink(slot);
    vanished_.push_back(slot);
  }
}

bool Registry::next_vanished(Slot* slot) {
  if (vanished_.empty()) {
    return false;
  }
  *slot = vanished_.back();
  vanished_.pop_back();
  return true;
}

Registry::Count Registry::count() const {
  Count count;
  table_.each([&](const Descriptor& descriptor) {
    count.registered += descriptor.registered;
    count.armed += descriptor.armed != 0;
  });
  return count;
}

}  // namespace fdevent::core
