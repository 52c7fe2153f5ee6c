// The life of waits and watches: started, answered by an event, a deadline, a cancellation or a
// failure, and handed over in batches. All rules are here and in registry.h; neither libuv nor
// JavaScript is known.
//
// One thread owns a reactor. A driver calls turn() when fd() is readable, or without waiting for
// that while urgent() holds, passes the records on, and calls finish_batch() when their receiver
// has come back.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/deadlines.h"
#include "core/outcome.h"
#include "core/registry.h"
#include "core/slots.h"
#include "sys/probe.h"

namespace fdevent::core {

// News of a wait or a watch on its way to the caller. The layout is shared with JavaScript as three
// Int32.
struct Record {
  Slot slot;
  Outcome outcome;
  int32_t fd;  // the descriptor at fault or the one waited for; -1: a select with several
};

// Whoever can read and write for attached waits. perform() returns an outcome, or 0 where the call
// would block (and has been disproved): the wait goes on.
class Transfers {
 public:
  virtual ~Transfers() = default;
  virtual Outcome perform(Slot slot) = 0;
};

class Reactor {
 public:
  explicit Reactor(Transfers* transfers = nullptr) : transfers_(transfers) {}

  // Every reactor starts closed: importing the library costs no descriptor.
  Outcome open();
  bool is_open() const { return !lanes_.empty(); }
  int fd() const { return lanes_[0]->backend().fd(); }
  // Descriptors that the driver keeps for itself.
  void refuse(std::function<bool(int)> owned) { refused_ = std::move(owned); }
  // Registers the poller with another of its kind.
  int join(int outer) const { return lanes_[0]->backend().join(outer); }
  // Whether that one is told when there is something to fetch.
  int mute(int outer, bool muted) const { return lanes_[0]->backend().mute(outer, muted); }

  // Starts a wait; `seconds` >= 0, infinity for no deadline, 0 for the present state. Returns the
  // slot that its record will name, or a failure. The outcome is answer(readiness, interest).
  int32_t start(int fd, Interest interest, double seconds, bool referenced);
  // The same for several descriptors, each named once. On failure `*culprit` is the index of the
  // one at fault.
  int32_t start_select(const std::vector<sys::Probe>& members, double seconds, bool referenced,
                       size_t* culprit);
  // What a select that became ready found, in the order given; valid until finish_batch().
  const std::vector<sys::Probe>* selection(Slot head) const;

  // Starts a watch: a record for every event, until it is cancelled or its descriptor is found gone
  // (a failure, its last record). With an interest of 0 it sleeps. What select(2) calls always
  // ready is refused with EPERM.
  int32_t watch(int fd, Interest interest, bool edge, bool referenced);
  // Changes what a watch is told, at once. Returns 0 or a failure, after which the watch sleeps.
  Outcome set_interest(Slot slot, Interest interest);
  void set_referenced(Slot slot, bool referenced);

  // A stream holds one registration for many waits, which then cost no system call: it remembers
  // what was reported until a call that would have blocked, or a look, disproves it. Returns its
  // slot or a failure.
  int32_t open_stream(int fd);
  // Starts a wait on a stream. One that `transfers` is not looked at but performed, see Transfers;
  // its outcome is what that returned.
  int32_t start_attached(Slot stream, Interest interest, double seconds, bool referenced,
                         bool transfers);
  // Starts a wait whose outcome is known, to be handed over in the next turn.
  int32_t start_finished(Slot stream, Outcome outcome, bool referenced);
  // What may be so at present, as far as the stream was told.
  bool promising(Slot stream, Interest interest) const {
    return (slots_[stream].ready & (interest | kAnyway)) != 0;
  }
  // A call on the stream's descriptor has shown that this is not so.
  void disprove(Slot stream, Interest interest) { slots_[stream].ready &= ~interest; }
  // A read on it got less than it asked for.
  void came_short(Slot stream);
  bool is_stream(Slot stream) const;
  // Whether its number still means what was registered; if not, everything attached fails.
  bool intact(Slot stream);
  // Others that want the same come first.
  bool queued(Slot stream, Interest interest, Slot before = kNoSlot) const;
  // Ends it and the waits attached to it, whose slots are appended.
  void close_stream(Slot stream, std::vector<Slot>* interrupted);

  // After either returns, no record of that wait or watch counts: the caller forgets the slot
  // first.
  // Returns the outcome of an attached one that was done already: what it has read is nowhere else.
  Outcome cancel(Slot slot);
  // Ends everything on a descriptor that is about to be closed; appends the slots that were waiting
  // or watching.
  void close(int fd, std::vector<Slot>* interrupted);

  // Asks the kernel once, without blocking, fills in records, and returns their number. Where the
  // kernel's answer is an error (a program closed the reactor's own descriptor), everybody fails
  // with it.
  int turn(Record* records, int capacity);
  // Frees the slots whose last record was in the batch. Until then they may still be named.
  void finish_batch();
  // Records are ready that no event of the kernel will announce.
  bool urgent() const { return delivered_ < done_.size() || overdue_; }
  // Whether fd() means a new object since the last call, so that whoever watches it has to start
  // afresh.
  bool take_moved() { return std::exchange(moved_, false); }

  // Waits not yet handed over, and watches, that keep the event loop alive.
  size_t referenced() const { return referenced_; }

  struct Statistics {
    int waits = 0;       // started and not yet handed over
    int watches = 0;     // not yet cancelled
    int streams = 0;     // not yet closed
    int timed = 0;       // waits pending with a deadline
    int registered = 0;  // registrations that the kernel knows
    int armed = 0;       // of those, the ones it will report
  };
  Statistics statistics();

 private:
  struct Select {
    std::vector<sys::Probe> members;
    std::vector<Slot> slots;
  };

  static constexpr int kEvents = 512;
  static constexpr int kExpiries = 256;  // a crowd of equal deadlines shares the loop with others
  static constexpr size_t kKeptRecords = 4096;

  Slot take(int fd, Interest interest, bool referenced, Wait::Kind kind = Wait::Kind::once);
  void release(Slot slot);
  void unreference(Slot slot);
  Outcome enlist(Slot slot);
  Outcome add_lane();
  int nest(size_t lane);
  Registry& lane_of(Slot slot) { return *lanes_[slots_[slot].lane]; }
  Outcome schedule(Slot slot, double seconds);
  Outcome program(sys::Nanoseconds time);
  void withdraw(Slot slot);

  void complete(Slot slot, Outcome outcome, int fd);
  void report(Slot slot, Readiness ready);
  void complete_select(Slot head, const backend::Event* event, int fd);
  void drop_members(Slot head, int busy_fd);
  void fail(Slot slot, Outcome outcome);
  void fail_vanished();
  void fail_all(Outcome outcome);

  bool poll(Registry& lane, backend::Event* events);
  void on_event(Registry& lane, const backend::Event& event);
  void rebuild_haunted();
  void expire();
  void expire_wait(Slot slot);
  void expire_select(Slot head);
  void on_stream(Slot stream, Readiness ready);
  Outcome attempt(Slot slot, Readiness ready);
  void pace(Slot stream);
  bool paced(Slot stream) { return lane_of(stream).level(slots_[stream].fd); }
  void detach(Slot slot);
  void interrupt_stream(Slot stream, std::vector<Slot>* interrupted);
  void fail_stream(Slot stream, Outcome outcome);
  int deliver(Record* records, int capacity);

  Transfers* transfers_;
  std::function<bool(int)> refused_;
  Slots slots_;
  std::vector<Slot> vanished_;
  // Lane 0 is the poller itself; the others are nested in it, for descriptors that need more than
  // one registration.
  std::vector<std::unique_ptr<Registry>> lanes_;
  Deadlines deadlines_;
  std::unordered_map<Slot, Select> selects_;
  std::vector<Record> done_;  // the first `delivered_` of them are with the caller
  size_t delivered_ = 0;
  std::vector<Slot> dead_;  // cancelled watches that a record may still name
  size_t referenced_ = 0;
  sys::Nanoseconds programmed_ = sys::kNever;  // what the kernel's timer is set to
  bool overdue_ = false;                       // more deadlines have passed than one turn handles
  bool moved_ = false;
  // One for the poller, one for the nested lane that is being read meanwhile.
  backend::Event events_[2][kEvents];
};

}  // namespace fdevent::core
