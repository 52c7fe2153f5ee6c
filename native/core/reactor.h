// The life of waits: started, then completed by an event, a deadline, a cancellation or a failure,
// and handed over in batches. All rules are here and in registry.h; neither libuv nor JavaScript is
// known.
//
// One thread owns a reactor. A driver calls turn() when fd() is readable, or without waiting for
// that while urgent() holds, and passes the records on.
#pragma once

#include <unordered_map>
#include <vector>

#include "backend/selected.h"
#include "core/deadlines.h"
#include "core/outcome.h"
#include "core/registry.h"
#include "core/slots.h"
#include "sys/probe.h"

namespace fdevent::core {

// A finished wait on its way to the caller. The layout is shared with JavaScript as three Int32.
struct Record {
  Slot slot;
  Outcome outcome;
  int32_t fd;  // the descriptor at fault or the one waited for; -1: a select with several
};

class Reactor {
 public:
  // Every reactor starts closed: importing the library costs no descriptor.
  Outcome open();
  bool is_open() const { return open_; }
  int fd() const { return backend_.fd(); }

  // Starts a wait for select(2)'s answer; `seconds` >= 0, infinity for no deadline, 0 for the
  // present state. Returns the slot that its record will name, or a failure.
  int32_t start(int fd, Interest interest, double seconds, bool referenced);
  // The same for several descriptors, each named once. On failure `*culprit` is the index of the
  // one at fault.
  int32_t start_select(const std::vector<sys::Probe>& members, double seconds, bool referenced,
                       size_t* culprit);
  // What a select that became ready found, in the order given; valid until the next turn().
  const std::vector<sys::Probe>* selection(Slot head) const;

  // After either returns, no record of that wait counts: the caller forgets the slot first.
  void cancel(Slot slot);
  // Ends everything on a descriptor that is about to be closed; appends the slots that were
  // waiting.
  void close(int fd, std::vector<Slot>* interrupted);

  // Asks the kernel once, without blocking, fills in records of finished waits, and returns their
  // number. The slots of the former batch become free. Where the kernel's answer is an error (a
  // program closed the reactor's own descriptor), every wait fails with it.
  int turn(Record* records, int capacity);
  // Records are ready that no event of the kernel will announce.
  bool urgent() const { return delivered_ < done_.size() || overdue_; }

  // Waits not yet handed over that keep the event loop alive.
  size_t referenced() const { return referenced_; }

  struct Statistics {
    int waits = 0;       // started and not yet handed over
    int timed = 0;       // of those, pending with a deadline
    int registered = 0;  // descriptors the kernel knows
    int armed = 0;       // of those, the ones it will report
  };
  Statistics statistics() const;

 private:
  struct Select {
    std::vector<sys::Probe> members;
    std::vector<Slot> slots;
  };

  static constexpr int kEvents = 512;
  static constexpr size_t kKeptRecords = 4096;
  static constexpr int kExpiries = 256;  // a crowd of equal deadlines shares the loop with others

  Slot take(int fd, Interest interest, bool referenced);
  void release(Slot slot);
  void unreference(Slot slot);
  Outcome schedule(Slot slot, double seconds);
  void withdraw(Slot slot);

  void complete(Slot slot, Outcome outcome, int fd);
  void complete_select(Slot head, const backend::Event* event, int fd);
  void drop_members(Slot head, int busy_fd);
  void fail_vanished();
  void fail_all(int negated_errno);

  void on_event(const backend::Event& event);
  void expire();
  void expire_wait(Slot slot);
  void expire_select(Slot head);
  int deliver(Record* records, int capacity);
  void release_delivered();

  backend::Backend backend_;
  Slots slots_;
  Registry registry_{backend_, slots_};
  Deadlines deadlines_;
  std::unordered_map<Slot, Select> selects_;
  std::vector<Record> done_;  // the first `delivered_` of them are with the caller
  size_t delivered_ = 0;
  size_t referenced_ = 0;
  sys::Nanoseconds programmed_ = sys::kNever;  // what the kernel's timer is set to
  bool overdue_ = false;                       // more deadlines have passed than one turn handles
  bool open_ = false;
  backend::Event events_[kEvents];
};

}  // namespace fdevent::core
