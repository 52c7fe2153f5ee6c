#include "core/registry.h"

#include <sys/stat.h>

#include <cerrno>
#include <utility>

namespace fdevent::core {
namespace {

using backend::Trigger;

// Generation, then whether the registration outlives its first event, then the descriptor's 31
// bits.
constexpr backend::Tag kPersistent = backend::Tag{1} << 31;

backend::Tag to_tag(int fd, uint32_t generation, Trigger trigger) {
  return static_cast<backend::Tag>(generation) << 32 |
         (trigger == Trigger::one_shot ? 0 : kPersistent) | static_cast<uint32_t>(fd);
}

// A level watch asks the kernel so often whether its number still means the same: a rare call per
// event, and a rare enough number of events from an object that the program has replaced.
constexpr uint8_t kStreak = 64;

std::pair<dev_t, ino_t> identify(int fd) {
  struct stat status {};
  ::fstat(fd, &status);
  return {status.st_dev, status.st_ino};
}

constexpr bool exclusive(Wait::Kind kind) {
  return kind == Wait::Kind::edge || kind == Wait::Kind::stream;
}

}  // namespace

Outcome Registry::enlist(Slot slot) {
  const int fd = slots_[slot].fd;
  const Interest interest = slots_[slot].interest;
  const Wait::Kind kind = slots_[slot].kind;
  Descriptor* known = table_.find(fd);
  const bool alone = exclusive(kind);
  if (known && known->waited() && (known->exclusive || alone) && !replaced(fd)) {
    return kTaken;
  }
  if (known && known->waited() && impostor(fd, *known)) {
    vanish(*known);
  }
  if (known && known->registered) {
    // While somebody waits, `armed` is the union of what they want.
    const Interest want = known->waited() ? known->armed | interest : interest;
    const Trigger trigger = alone                                            ? Trigger::edge
                            : kind == Wait::Kind::level || known->levels > 0 ? Trigger::level
                                                                             : Trigger::one_shot;
    const uint32_t generation = next_generation();
    const int modified = backend_.modify(fd, want, trigger, to_tag(fd, generation, trigger));
    if (modified == 0) {
      known->generation = generation;
      known->armed = want;
      known->trigger = trigger;
      if (known->ambiguous) {
        identities_[fd] = identify(fd);  // of an idle one, any of its former objects may be back
      }
      append(*known, slot);
      return kListed;
    }
    vanish(*known);
    if (modified == -EBADF) {
      return failed(Syscall::control, modified);
    }
    // Another object has the number now; only ADD says what may be done with that one. The former
    // object may live on in a duplicate, and may come back.
    known->ambiguous = true;
  }
  const Trigger trigger = alone                       ? Trigger::edge
                          : kind == Wait::Kind::level ? Trigger::level
                                                      : Trigger::one_shot;
  const backend::Tag tag = to_tag(fd, next_generation(), trigger);
  int added = backend_.add(fd, interest, trigger, tag);
  if (added == -EEXIST) {
    // A dup2() brought a registered open file back to its old number.
    added = backend_.modify(fd, interest, trigger, tag);
  }
  if (added == -EPERM && kind == Wait::Kind::once) {
    // Regular files, directories, /dev/null: always readable and writable, never exceptional.
    const Readiness always = answer(kReadable | kWritable, interest);
    if (always) {
      return static_cast<Outcome>(always);
    }
  } else if (added < 0) {
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
    descriptor.trigger = trigger;
    if (descriptor.ambiguous) {
      identities_[fd] = identify(fd);
    }
  }
  append(descriptor, slot);
  return kListed;
}

// Where two objects have had the number in turn, and the kernel still has registrations of both
// under it, its answer does not say which of them is there now.
bool Registry::impostor(int fd, const Descriptor& descriptor) const {
  if (!descriptor.ambiguous || !descriptor.registered) {
    return false;
  }
  const auto found = identities_.find(fd);
  return found != identities_.end() && found->second != identify(fd);
}

uint32_t Registry::next_generation() {
  if (++generation_ == kReservedGeneration) {
    generation_ = 1;  // 0 is the backend's own
  }
  return generation_;
}

void Registry::append(Descriptor& descriptor, Slot slot) {
  Wait& wait = slots_[slot];
  wait.previous = descriptor.last;
  wait.next = kNoSlot;
  (descriptor.last == kNoSlot ? descriptor.first : slots_[descriptor.last].next) = slot;
  descriptor.last = slot;
  descriptor.levels += wait.kind == Wait::Kind::level;
  descriptor.exclusive = exclusive(wait.kind);
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
  descriptor.levels -= wait.kind == Wait::Kind::level;
  descriptor.exclusive = false;
  wait.next = wait.previous = kNoSlot;
  wait.listed = false;
}

bool Registry::update(Slot slot, Wait::Kind kind, Interest interest) {
  const int fd = slots_[slot].fd;
  Descriptor& descriptor = *table_.find(fd);
  unlink(slot);
  slots_[slot].kind = kind;
  slots_[slot].interest = interest;
  append(descriptor, slot);
  descriptor.armed |= interest;  // wanted() relies on it to cover all on the list
  if (kind == Wait::Kind::once) {
    descriptor.trigger = Trigger::one_shot;
  }
  return sync(fd, Reason::verify, 0);
}

backend::Waited Registry::wait(backend::Event* events, int capacity, sys::Nanoseconds timeout) {
  mark_ = generation_;
  return backend_.wait(events, capacity, timeout);
}

int Registry::match(const backend::Event& event) {
  const int fd = static_cast<int>(event.tag & (kPersistent - 1));
  const uint32_t generation = static_cast<uint32_t>(event.tag >> 32);
  Descriptor* descriptor = table_.find(fd);
  if (descriptor && descriptor->registered && descriptor->generation == generation) {
    if (descriptor->armed == 0) {
      return -1;  // spent: only rebuild() brings it up once more, for a hangup that the kernel reports unasked
    }
    if (descriptor->trigger == Trigger::one_shot) {
      descriptor->armed &= ~event.spent;
    }
    return fd;
  }
  // Removed or armed afresh since this batch was fetched: no news, or news that comes again.
  const bool overtaken =
      descriptor &&
      (descriptor->registered ? descriptor->generation - mark_ <= generation_ - mark_ &&
                                    descriptor->generation != mark_
                              : descriptor->generation == generation);
  haunted_ |= !overtaken && (event.tag & kPersistent) != 0;
  return -1;
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

Trigger Registry::trigger(const Descriptor& descriptor, Reason reason, Readiness after) const {
  if (descriptor.exclusive) {
    return Trigger::edge;
  }
  if (descriptor.levels > 0) {
    return Trigger::level;
  }
  // After a hangup or an error that answers none of the remaining waits, one-shot would fire at
  // once and forever; edge-triggered, the kernel speaks up when the state changes, which is when
  // select(2) would look again.
  const bool hung =
      reason == Reason::event ? (after & kAnyway) != 0 : descriptor.trigger == Trigger::edge;
  return hung ? Trigger::edge : Trigger::one_shot;
}

bool Registry::sync(int fd, Reason reason, Readiness after) {
  Descriptor& descriptor = *table_.find(fd);
  if (!descriptor.registered) {
    return true;
  }
  if (descriptor.trigger == Trigger::level && reason == Reason::event &&
      ++descriptor.streak == kStreak) {
    reason = Reason::verify;
  }
  const Interest want = wanted(descriptor);
  const Trigger as = trigger(descriptor, reason, after);
  if (want == descriptor.armed && (as == descriptor.trigger || want == 0) &&
      reason != Reason::verify) {
    return true;  // also: nothing wanted, and the one-shot registration is spent
  }
  descriptor.streak = 0;
  if (want == 0) {
    const bool replaced = reason == Reason::verify && impostor(fd, descriptor);
    return remove(fd, descriptor) && !replaced;
  }
  if (reason == Reason::verify && impostor(fd, descriptor)) {
    vanish(descriptor);
    return false;
  }
  return arm(fd, descriptor, want, as);
}

bool Registry::arm(int fd, Descriptor& descriptor, Interest interest, Trigger trigger) {
  const uint32_t generation = next_generation();
  if (backend_.modify(fd, interest, trigger, to_tag(fd, generation, trigger)) < 0) {
    vanish(descriptor);
    return false;
  }
  descriptor.generation = generation;
  descriptor.armed = interest;
  descriptor.trigger = trigger;
  return true;
}

bool Registry::pace(int fd, Trigger trigger, Interest interest) {
  Descriptor& descriptor = *table_.find(fd);
  if (!descriptor.registered || impostor(fd, descriptor)) {
    vanish(descriptor);
    return false;
  }
  return arm(fd, descriptor, interest, trigger);
}

bool Registry::replaced(int fd) {
  const int added =
      backend_.add(fd, 0, Trigger::one_shot, to_tag(fd, next_generation(), Trigger::one_shot));
  Descriptor& descriptor = *table_.find(fd);
  if ((added == -EEXIST && !impostor(fd, descriptor)) ||
      (!descriptor.registered && added == -EPERM)) {
    return false;
  }
  if (added == 0) {
    static_cast<void>(backend_.remove(fd));
    descriptor.ambiguous = true;
  }
  vanish(descriptor);
  return true;
}

void Registry::withdraw(int fd) {
  Descriptor* descriptor = table_.find(fd);
  if (descriptor && descriptor->registered) {
    remove(fd, *descriptor);
  }
}

// False: the number is closed already, or another object, and the registration may live on without
// it.
bool Registry::remove(int fd, Descriptor& descriptor) {
  const bool removed = backend_.remove(fd) == 0;
  descriptor.registered = false;
  descriptor.armed = 0;
  descriptor.generation = removed ? descriptor.generation : 0;
  return removed;
}

void Registry::vanish(Descriptor& descriptor) {
  descriptor.registered = false;
  descriptor.armed = 0;
  descriptor.generation = 0;
  while (descriptor.waited()) {
    const Slot slot = descriptor.first;
    unlink(slot);
    vanished_.push_back(slot);
  }
}

bool Registry::rebuild() {
  haunted_ = false;
  identities_.clear();
  backend::Backend fresh;
  if (fresh.open() < 0) {
    return false;
  }
  table_.each([&](int fd, Descriptor& descriptor) {
    descriptor.ambiguous = false;
    if (!descriptor.registered) {
      return;
    }
    const backend::Tag tag = to_tag(fd, descriptor.generation, descriptor.trigger);
    // The old poller still knows which numbers mean what they meant.
    if (!descriptor.waited()) {
      descriptor.registered = false;
      descriptor.armed = 0;
    } else if (backend_.modify(fd, descriptor.armed, descriptor.trigger, tag) < 0 ||
               fresh.add(fd, descriptor.armed, descriptor.trigger, tag) < 0) {
      vanish(descriptor);
    }
  });
  return backend_.replace(std::move(fresh)) == 0;
}

Registry::Count Registry::count() {
  Count count;
  table_.each([&](int, const Descriptor& descriptor) {
    count.registered += descriptor.registered;
    count.armed += descriptor.armed != 0;
  });
  return count;
}

}  // namespace fdevent::core
