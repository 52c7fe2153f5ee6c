// Deadlines of waits: a 4-ary min-heap that knows where each slot stands, so that a wait which
// becomes ready takes its deadline along. Later deadlines than all others, the ordinary case, are
// added in O(1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/slots.h"
#include "sys/clock.h"

namespace fdevent::core {

class Deadlines {
 public:
  bool empty() const { return heap_.empty(); }
  size_t size() const { return heap_.size(); }
  sys::Nanoseconds earliest() const { return heap_.empty() ? sys::kNever : heap_[0].time; }
  Slot earliest_slot() const { return heap_[0].slot; }

  void add(Slot slot, sys::Nanoseconds time) {
    if (static_cast<size_t>(slot) >= position_.size()) {
      position_.resize(static_cast<size_t>(slot) + 1, kAbsent);
    }
    heap_.push_back({time, slot});
    rise(heap_.size() - 1);
  }

  // A slot without a deadline is no error: most callers do not know.
  void remove(Slot slot) {
    if (static_cast<size_t>(slot) >= position_.size()) {
      return;
    }
    const uint32_t hole = position_[static_cast<size_t>(slot)];
    if (hole == kAbsent) {
      return;
    }
    position_[static_cast<size_t>(slot)] = kAbsent;
    const Entry last = heap_.back();
    heap_.pop_back();
    if (hole < heap_.size()) {
      place(hole, last);
      rise(hole);
      sink(position_[static_cast<size_t>(last.slot)]);
    } else if (heap_.empty() && position_.size() > kKept) {
      // A burst is over: give its memory back.
      heap_ = {};
      position_ = {};
    }
  }

 private:
  static constexpr uint32_t kAbsent = UINT32_MAX;
  static constexpr size_t kArity = 4;
  static constexpr size_t kKept = 1024;

  struct Entry {
    sys::Nanoseconds time;
    Slot slot;
  };

  void place(size_t index, const Entry& entry) {
    heap_[index] = entry;
    position_[static_cast<size_t>(entry.slot)] = static_cast<uint32_t>(index);
  }

  void rise(size_t index) {
    const Entry entry = heap_[index];
    while (index > 0) {
      const size_t parent = (index - 1) / kArity;
      if (heap_[parent].time <= entry.time) {
        break;
      }
      place(index, heap_[parent]);
      index = parent;
    }
    place(index, entry);
  }

  void sink(size_t index) {
    const Entry entry = heap_[index];
    for (;;) {
      const size_t first = index * kArity + 1;
      if (first >= heap_.size()) {
        break;
      }
      size_t least = first;
      for (size_t child = first + 1; child < first + kArity && child < heap_.size(); ++child) {
        if (heap_[child].time < heap_[least].time) {
          least = child;
        }
      }
      if (entry.time <= heap_[least].time) {
        break;
      }
      place(index, heap_[least]);
      index = least;
    }
    place(index, entry);
  }

  std::vector<Entry> heap_;
  std::vector<uint32_t> position_;  // by slot
};

}  // namespace fdevent::core
